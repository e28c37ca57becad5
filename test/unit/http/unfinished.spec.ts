import { Unfinished, UnfinishedMessage } from '../../../lib/http/index.js';

describe('messages that are not whole', () => {
  const make = (limit: number) => {
    const all = new Unfinished(limit);
    const given: string[] = [];
    return { all, given, message: (name: string) => new UnfinishedMessage(all, () => given.push(name)) };
  };

  it('R9: gives the oldest up when they are too many bytes, until they fit', () => {
    const { all, given, message } = make(100);
    const [a, b, c] = [message('a'), message('b'), message('c')];
    a.add(40);
    b.add(40);
    c.add(20);
    expect(given).toEqual([]);
    c.add(1);
    expect(given).toEqual(['a']);
    expect(all.bytes).toBe(61);
    c.add(80);
    expect(given).toEqual(['a', 'b', 'c']);
    expect(all.bytes).toBe(0);
  });

  it('R9: one that is whole leaves room, and the next one of its client begins anew', () => {
    const { all, given, message } = make(100);
    const [a, b] = [message('a'), message('b')];
    a.add(60);
    b.add(30);
    a.done();
    a.done();
    expect(all.bytes).toBe(30);
    a.add(60);
    b.add(20);
    expect(given).toEqual(['b']);
    expect(all.bytes).toBe(60);
  });

  it('R9: one that alone is too large is given up', () => {
    const { all, given, message } = make(100);
    message('a').add(101);
    expect([given, all.bytes]).toEqual([['a'], 0]);
  });
});
