import { Overactivity } from '../../../lib/bosh/overactivity.js';

describe('overactivity', () => {
  it('C14: lets `requests` + 4 empty requests pass in a row, then slows down', () => {
    const limit = new Overactivity(2, 5000, false);
    limit.holding(true, 1, 0);
    expect(Array.from({ length: 8 }, () => limit.holding(true, 2, 0))).toEqual([...Array(6).fill('ok'), 'slow', 'slow']);
  });

  it('C14: lets as many pass again after `polling`', () => {
    const limit = new Overactivity(2, 5000, false);
    for (let i = 0; i < 7; i++) limit.holding(true, 2, 0);
    limit.holding(true, 1, 4999); // not the interval, but the tokens
    expect(Array.from({ length: 6 }, () => limit.holding(true, 2, 5001))).toEqual(Array(6).fill('ok'));
  });

  it('C14, B24: counts neither requests that say something nor those that nobody waits beside', () => {
    const limit = new Overactivity(2, 5000, false);
    for (let i = 0; i < 50; i++) {
      expect(limit.holding(false, 2, 0)).toBe('ok');
      expect(limit.holding(true, 1, 0)).toBe('ok');
    }
  });

  it('C14: ends it for one who goes on for long', () => {
    const limit = new Overactivity(2, 5000, false);
    const verdicts: string[] = [];
    for (let i = 0; i < 50 && !verdicts.includes('violation'); i++) {
      const verdict = limit.holding(true, 2, i * 100);
      if (verdict === 'slow') limit.delay(i * 100);
      verdicts.push(verdict);
    }
    expect(verdicts.filter((verdict) => verdict === 'slow')).toHaveLength(30);
    expect(verdicts.at(-1)).toBe('violation');
  });

  it('B24: ends it at once where it is strict, but not for one who waits long enough', () => {
    const limit = new Overactivity(2, 5000, true);
    expect(limit.holding(true, 1, 0)).toBe('ok');
    expect(limit.holding(true, 2, 5000)).toBe('ok');
    expect(limit.holding(true, 2, 9999)).toBe('violation');
  });

  it('B25: ends a polling session at the second empty request too early, if the first had an empty answer', () => {
    const limit = new Overactivity(1, 5000, false);
    expect(limit.polled(true, false, 0)).toBe('ok');
    expect(limit.polled(true, false, 100)).toBe('ok'); // the answer before was not empty
    expect(limit.polled(false, true, 200)).toBe('ok'); // it says something
    expect(limit.polled(true, true, 300)).toBe('ok'); // the one before said something
    expect(limit.polled(true, true, 4900)).toBe('ok'); // timers are not exact
    expect(limit.polled(true, true, 5000)).toBe('violation');
  });

  it('B25: limits nothing where no interval is offered', () => {
    const limit = new Overactivity(2, 0, true);
    for (let i = 0; i < 50; i++) {
      expect(limit.polled(true, true, 0)).toBe('ok');
      expect(limit.holding(true, 2, 0)).toBe('ok');
    }
  });
});
