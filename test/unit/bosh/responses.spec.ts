import { EMPTY_BODY } from '../../../lib/bosh/body.js';
import type { Exchange, StoredResponse } from '../../../lib/bosh/exchange.js';
import { bytesOf, StoredResponses } from '../../../lib/bosh/responses.js';
import { Stanza } from '../../../lib/xml/index.js';

const stanza = (id: number) => Stanza.parse(`<message xmlns='jabber:client' id='${id}'/>`);
const response = (rid: number, ...ids: number[]): StoredResponse => ({
  rid,
  hash: `hash of ${rid}`,
  at: 0,
  body: Buffer.from(`body of ${rid}`),
  status: 200,
  repeats: 0,
  stanzas: ids.map(stanza),
  exchange: undefined,
  next: undefined,
});
/** As far as an answer knows the request that it leaves by. */
const leaving = (entry: StoredResponse) => {
  const exchange = { response: entry } as Exchange;
  entry.exchange = exchange;
  return exchange;
};
const ids = (stanzas: readonly Stanza[]) => stanzas.map((item) => item.attribute('id'));

describe('stored responses', () => {
  it('B18: keeps as many as the client may have requests', () => {
    const stored = new StoredResponses(2, false);
    for (const rid of [1, 2, 3]) stored.add(response(rid));
    expect([1, 2, 3].map((rid) => stored.get(rid)?.rid)).toEqual([undefined, 2, 3]);
  });

  it('B18, B19: keeps those of a client that acknowledges until it does, but not without end', () => {
    const stored = new StoredResponses(2, true);
    for (let rid = 1; rid <= 10; rid++) stored.add(response(rid));
    expect(stored.get(1)).toBeDefined();
    stored.trim(4);
    expect([4, 5].map((rid) => stored.get(rid)?.rid)).toEqual([undefined, 5]);
    for (let rid = 11; rid <= 100; rid++) stored.add(response(rid));
    expect([84, 85].map((rid) => stored.get(rid)?.rid)).toEqual([undefined, 85]);
  });

  it('C17: forgets the stanzas of an answer that has left', () => {
    const stored = new StoredResponses(2, false);
    const entry = response(1, 1, 2);
    stored.add(entry);
    expect(stored.settle(leaving(entry), 'left')).toBe(stanza(1).byteLength * 2);
    expect([stored.hasLost, entry.stanzas]).toEqual([false, []]);
    expect(stored.get(1)!.body.toString()).toBe('body of 1');
  });

  it('C17: gives back what never left, in the order of the requests', () => {
    const stored = new StoredResponses(3, false);
    const entries = [response(1, 1, 2), response(2, 3), response(3, 4)];
    const exchanges = entries.map(leaving);
    for (const entry of entries) stored.add(entry);
    for (const index of [2, 0, 1]) expect(stored.settle(exchanges[index]!, 'lost')).toBe(0);
    expect(ids(stored.takeLost())).toEqual(['1', '2', '3', '4']);
    expect(stored.hasLost).toBe(false);
    // Whoever asks for them now must not get the stanzas twice.
    for (const rid of [1, 2, 3]) expect(stored.get(rid)!.body).toBe(EMPTY_BODY);
  });

  it('C17: an answer that is asked for again before keeps its stanzas', () => {
    const stored = new StoredResponses(2, false);
    const entry = response(1, 1);
    stored.add(entry);
    stored.settle(leaving(entry), 'lost');
    stored.reclaim(entry);
    expect(stored.hasLost).toBe(false);
    expect(entry.body.toString()).toBe('body of 1');
    expect(stored.settle(leaving(entry), 'left')).toBe(stanza(1).byteLength);
  });

  describe('of which nobody knows whether they left', () => {
    const doubtful = (count: number, entry: StoredResponse, acknowledged = false) => {
      const stored = new StoredResponses(count, acknowledged);
      stored.add(entry);
      const bytes = bytesOf(entry.stanzas);
      expect(stored.settle(leaving(entry), 'unknown')).toBe(bytes);
      return stored;
    };

    it('C17, B18, P10: are given again to who asks, and what they carried in no other answer', () => {
      const stored = doubtful(2, response(1, 1));
      expect([stored.hasLost, stored.takeLost()]).toEqual([false, []]);
      expect(stored.get(1)!.body.toString()).toBe('body of 1');
    });

    it('C17, X8: come out in order where no answer follows, and are empty then', () => {
      const stored = doubtful(3, response(1, 1));
      const never = response(2, 2);
      stored.add(never);
      stored.settle(leaving(never), 'lost');
      expect(ids(stored.takeAll())).toEqual(['1', '2']);
      expect(stored.takeAll()).toEqual([]);
      expect(stored.get(1)!.body).toBe(EMPTY_BODY);
    });

    it('C17: are settled when they are given again', () => {
      const entry = response(1, 1);
      const stored = doubtful(2, entry);
      expect(stored.settle(leaving(entry), 'left')).toBe(0);
      expect(stored.takeAll()).toEqual([]);
    });

    it('C17: stay open when that fails', () => {
      const entry = response(1, 1);
      const stored = doubtful(2, entry);
      stored.settle(leaving(entry), 'lost');
      expect(stored.hasLost).toBe(false);
      expect(ids(stored.takeAll())).toEqual(['1']);
    });

    it.each([
      ['the requests that followed', false, (stored: StoredResponses) => [2, 3].forEach((rid) => stored.add(response(rid)))],
      ['an acknowledgement', true, (stored: StoredResponses) => stored.trim(1)],
    ])('B18, B19: are settled by %s', (_, acknowledged, proof) => {
      const stored = doubtful(2, response(1, 1), acknowledged);
      proof(stored);
      expect(stored.takeAll()).toEqual([]);
    });
  });

  it('C17: the old connection of an answer that leaves by another one says nothing about it', () => {
    const stored = new StoredResponses(2, false);
    const entry = response(1, 1);
    const old = leaving(entry);
    leaving(entry);
    stored.add(entry);
    expect(stored.settle(old, 'lost')).toBe(0);
    expect(stored.hasLost).toBe(false);
  });

  it('B19: what the client acknowledged is not given again', () => {
    const stored = new StoredResponses(2, true);
    const entry = response(1, 1);
    stored.add(entry);
    stored.settle(leaving(entry), 'lost');
    expect(stored.trim(1)).toBe(stanza(1).byteLength);
    expect(stored.takeLost()).toEqual([]);
  });
});
