import { RidWindow } from '../../../lib/bosh/rid-window.js';

describe('the window of rids', () => {
  it('B17: takes what is ahead by at most `requests`', () => {
    const window = new RidWindow<string>(10, 2);
    expect([9, 10, 11, 12, 13].map((rid) => window.place(rid))).toEqual(['past', 'past', 'ahead', 'ahead', 'beyond']);
  });

  it('B13, B17: gives parked requests in order, once the gap is filled', () => {
    const window = new RidWindow<string>(10, 3);
    window.park(13, 'c');
    window.park(12, 'b');
    expect(window.next).toBeUndefined();
    expect(window.waiting()).toEqual(['b', 'c']);
    window.park(11, 'a');
    const served: string[] = [];
    while (window.next) {
      served.push(window.next);
      window.advance();
    }
    expect(served).toEqual(['a', 'b', 'c']);
    expect([window.last, window.parkedCount, window.place(14)]).toEqual([13, 0, 'ahead']);
  });

  it('B16: counts up to 2^53-1', () => {
    const window = new RidWindow<string>(Number.MAX_SAFE_INTEGER - 1, 2);
    window.park(Number.MAX_SAFE_INTEGER, 'last');
    expect(window.next).toBe('last');
  });
});
