import { Outbox } from '../../../lib/bosh/outbox.js';
import type { Exchange, StoredResponse } from '../../../lib/bosh/exchange.js';
import { StoredResponses } from '../../../lib/bosh/responses.js';
import { Stanza } from '../../../lib/xml/index.js';

const stanza = (length: number) => Stanza.parse(`<m>${'x'.repeat(length - 7)}</m>`);
const give = (outbox: Outbox, rid: number) => {
  const stanzas = outbox.take();
  const response: StoredResponse = { rid, hash: '', at: 0, body: Buffer.alloc(0), status: 200, repeats: 0, stanzas, exchange: undefined, next: undefined };
  const exchange = { response } as Exchange;
  response.exchange = exchange;
  outbox.stored.add(response);
  return { exchange, lengths: stanzas.map(({ byteLength }) => byteLength) };
};

describe('what waits for a client', () => {
  let drained = 0;
  const make = (limit: number) => {
    drained = 0;
    return new Outbox(new StoredResponses(2, false), limit, { onDrained: () => drained++ });
  };

  it('C24: goes out in answers of at most 256 KiB, or of one stanza', () => {
    const outbox = make(1e9);
    for (const length of [100_000, 100_000, 100_000, 400_000, 10, 20]) outbox.push(stanza(length));
    const answers: number[][] = [];
    for (let rid = 1; !outbox.isEmpty; rid++) answers.push(give(outbox, rid).lengths);
    expect(answers).toEqual([[100_000, 100_000], [100_000], [400_000], [10, 20]]);
  });

  it('R28: stops the sender beyond the limit, and lets it go on when half of it has left', () => {
    const outbox = make(1000);
    expect([outbox.push(stanza(1000)), outbox.push(stanza(100))]).toEqual([true, false]);
    const { exchange } = give(outbox, 1);
    expect(drained).toBe(0); // given, but not gone
    outbox.settle(exchange, 'left');
    expect(drained).toBe(1);
  });

  it('C19: is left behind by a session that is over: nobody goes on, and nobody is kept', () => {
    const outbox = make(1000);
    outbox.push(stanza(1100));
    const { exchange } = give(outbox, 1);
    outbox.end();
    outbox.settle(exchange, 'left');
    expect([drained, outbox.bytes]).toEqual([0, 0]);
  });

  it('C17, R28: still waits when its answer never left', () => {
    const outbox = make(1000);
    outbox.push(stanza(1100));
    outbox.settle(give(outbox, 1).exchange, 'lost');
    expect([drained, outbox.isEmpty]).toEqual([0, false]);
    outbox.push(stanza(50));
    const again = give(outbox, 2);
    expect(again.lengths).toEqual([1100, 50]);
    outbox.settle(again.exchange, 'left');
    expect(drained).toBe(1);
  });

  it('X8: comes out whole for those who have to tell its senders', () => {
    const outbox = make(1000);
    outbox.push(stanza(10));
    outbox.settle(give(outbox, 1).exchange, 'lost');
    outbox.push(stanza(20));
    expect(outbox.takeAll().map(({ byteLength }) => byteLength)).toEqual([10, 20]);
    expect(outbox.isEmpty).toBe(true);
  });
});
