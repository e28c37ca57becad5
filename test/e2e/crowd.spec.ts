import { crowd } from '../crowd/crowd.mjs';
import { startSample, type Sample } from '../support/sample.js';

const COUNT = 400;

describe('a crowd of hostile clients', () => {
  let sample: Sample;
  afterEach(async () => {
    await sample.stop();
  });

  it('R9, R8, R28: takes neither the process down nor anything from a client that behaves', async () => {
    sample = await startSample();
    const { echoes, before, most } = await crowd({ url: sample.url, pid: sample.pid, count: COUNT });
    expect(echoes).toBe(COUNT / 100 + 50);
    // What 400 may cost at most: 64 MiB of unfinished messages, and some room for each and for the heap to breathe.
    expect(most - before).toBeLessThan(67_108_864 + COUNT * 65_536 + 50_000_000);
    const { status } = await fetch(`${sample.url}/health`);
    expect(status).toBe(200);
  });
});
