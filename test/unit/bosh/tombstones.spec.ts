import { Outbox } from '../../../lib/bosh/outbox.js';
import { StoredResponses } from '../../../lib/bosh/responses.js';
import { Tombstone, Tombstones } from '../../../lib/bosh/tombstones.js';
import { ManualClock } from '../../../lib/clock.js';

const stone = () =>
  new Tombstone({
    origination: { address: '', port: 0, secure: false, certificate: undefined },
    body: Buffer.alloc(0),
    status: 200,
    contentType: 'text/xml',
    outbox: new Outbox(new StoredResponses(2, false), 1000, undefined),
  });

describe('tombstones', () => {
  it('C19: stand for their time each', () => {
    const clock = new ManualClock();
    const stones = new Tombstones(clock, 10_000, 100);
    stones.put('a', stone());
    clock.tick(6_000);
    stones.put('b', stone());
    clock.tick(5_000);
    expect([stones.get('a'), stones.get('b')?.constructor]).toEqual([undefined, Tombstone]);
    clock.tick(5_100);
    expect(stones.size).toBe(0);
    stones.put('c', stone());
    clock.tick(10_100);
    expect(stones.size).toBe(0);
  });

  it('C19: are not without end', () => {
    const stones = new Tombstones(new ManualClock(), 10_000, 3);
    for (const sid of ['a', 'b', 'c', 'd']) stones.put(sid, stone());
    expect(stones.size).toBe(3);
    expect(stones.get('a')).toBeUndefined();
  });
});
