import { jest } from '@jest/globals';
import { fullSecond, ManualClock, SystemClock, TICK, Timeout } from '../../lib/clock.js';

describe('ManualClock, Timeout', () => {
  function timed(clock = new ManualClock()): { clock: ManualClock; fired: number[]; timeout: Timeout } {
    const fired: number[] = [];
    const timeout: Timeout = new Timeout(clock, () => fired.push(clock.now()));
    return { clock, fired, timeout };
  }

  it.each([0, 1, 49, 50, 51, 99, 100, 999, 1000, 25_550, 25_600, 25_601, 25_650, 60_000, 3_600_000])(
    'fires once, %i ms from now or up to one tick later, never earlier',
    (ms) => {
      for (const offset of [0, 1, 37, 50]) {
        const { clock, fired, timeout } = timed();
        clock.tick(offset);
        timeout.start(ms);
        expect(timeout.running).toBe(true);
        clock.tick(ms + 2 * TICK);
        expect(fired).toHaveLength(1);
        expect(fired[0]! - offset).toBeGreaterThanOrEqual(ms);
        expect(fired[0]! - offset).toBeLessThanOrEqual(ms + TICK);
        expect(timeout.running).toBe(false);
        clock.tick(100_000);
        expect(fired).toHaveLength(1);
      }
    },
  );

  it('is stopped, started again, moved later and moved earlier', () => {
    const { clock, fired, timeout } = timed();
    timeout.start(1000);
    timeout.stop();
    expect(timeout.running).toBe(false);
    clock.tick(2000);
    expect(fired).toEqual([]);
    timeout.start(1000);
    clock.tick(500);
    timeout.start(1000);
    clock.tick(950);
    expect(fired).toEqual([]);
    clock.tick(50);
    expect(fired).toEqual([3500]);
    timeout.start(60_000);
    timeout.start(100);
    clock.tick(100);
    expect(fired).toEqual([3500, 3600]);
    clock.tick(100_000);
    expect(fired).toHaveLength(2);
  });

  it('fires at the right time however often it was moved', () => {
    const { clock, fired, timeout } = timed();
    for (let i = 0; i < 1000; i++) {
      timeout.start(60_000);
      clock.tick(30);
    }
    clock.tick(59_900);
    expect(fired).toEqual([]);
    clock.tick(150);
    expect(fired).toHaveLength(1);
  });

  it('may be started, stopped and moved while it fires, also others of the same moment', () => {
    const clock = new ManualClock();
    const seen: string[] = [];
    const again: Timeout = new Timeout(clock, () => {
      seen.push('again');
      if (seen.length < 4) again.start(100);
      victim.stop();
      late.start(1000);
    });
    const victim = new Timeout(clock, () => seen.push('victim'));
    const late = new Timeout(clock, () => seen.push('late'));
    again.start(100);
    victim.start(100);
    late.start(100);
    clock.tick(900);
    expect(seen).toEqual(['again', 'again', 'again', 'again']);
    clock.tick(600);
    expect(seen.at(-1)).toBe('late');
  });

  it('fires many in the order of their moments', () => {
    const clock = new ManualClock();
    const fired: number[] = [];
    const moments = Array.from({ length: 2000 }, (_, i) => (i * 7919) % 100_003);
    for (const ms of moments) new Timeout(clock, () => fired.push(ms)).start(ms);
    clock.tick(101_000);
    expect(fired).toHaveLength(2000);
    const ticks = fired.map((ms) => Math.ceil(ms / TICK));
    expect(ticks).toEqual([...ticks].sort((a, b) => a - b));
  });

  it('forgets what was stopped, and all that it holds', () => {
    const clock = new ManualClock();
    const slots = (clock as unknown as { slots: (Timeout | undefined)[][] }).slots;
    const held = (): number => slots.flat().filter(Boolean).length;
    const timeouts = Array.from({ length: 100 }, () => new Timeout(clock, () => {}));
    timeouts.forEach((timeout, i) => timeout.start(i * 1000));
    expect(held()).toBe(100);
    timeouts.forEach((timeout) => timeout.stop());
    timeouts.forEach((timeout) => timeout.stop());
    expect(held()).toBe(0);
    timeouts[0]!.start(100);
    clock.tick(200);
    expect(held()).toBe(0);
  });

  it('lets the others fire when one throws, which is an uncaught exception as with any timer', () => {
    const clock = new ManualClock();
    const seen: string[] = [];
    const tasks: (() => void)[] = [];
    const spy = jest.spyOn(globalThis, 'queueMicrotask').mockImplementation((task) => void tasks.push(task));
    try {
      new Timeout(clock, () => {
        throw new Error('mine');
      }).start(100);
      new Timeout(clock, () => seen.push('other')).start(100);
      clock.tick(150);
      expect(seen).toEqual(['other']);
      expect(tasks).toHaveLength(1);
      expect(tasks[0]!).toThrow('mine');
    } finally {
      spy.mockRestore();
    }
  });
});

describe('fullSecond', () => {
  it('leaves a short time as it is, and makes of a long one at most a second less, the same for all', () => {
    expect(fullSecond(123, 9999)).toBe(10_122);
    for (const start of [50_000, 50_001, 50_500, 50_999]) expect(fullSecond(start, 60_000)).toBe(110_000);
    expect(fullSecond(51_000, 60_000)).toBe(111_000);
  });
});

describe('SystemClock, by real time', () => {
  it('fires those of less than a tick for themselves, never early, and not when they were stopped or moved', async () => {
    const clock = new SystemClock();
    const fired: string[] = [];
    const start = clock.now();
    const stopped = new Timeout(clock, () => fired.push('stopped'));
    const moved = new Timeout(clock, () => fired.push('moved'));
    stopped.start(5);
    stopped.stop();
    moved.start(5);
    moved.start(120);
    await new Promise<void>((resolve) => {
      const brief = new Timeout(clock, () => {
        fired.push('brief');
        expect(clock.now() - start).toBeGreaterThanOrEqual(10);
        expect(brief.running).toBe(false);
        resolve();
      });
      brief.start(10);
      setTimeout(() => {}, 1000); // keeps the process alive, which timeouts do not
    });
    await new Promise<void>((resolve) => new Timeout(clock, resolve).start(200));
    expect(fired).toEqual(['brief', 'moved']);
    clock.stop();
  });
});

describe('SystemClock', () => {
  let now = 0;
  let interval: (() => void) | undefined;

  beforeEach(() => {
    now = 123_456.789;
    interval = undefined;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    jest.spyOn(globalThis, 'setInterval').mockImplementation(((run: () => void) => {
      interval = run;
      return { unref: () => 'handle' };
    }) as never);
    jest.spyOn(globalThis, 'clearInterval').mockImplementation(() => {
      interval = undefined;
    });
  });
  afterEach(() => jest.restoreAllMocks());

  function pass(ms: number): void {
    for (const end = now + ms; now < end; ) {
      now = Math.min(end, now + 50.3);
      interval?.();
    }
  }

  it('has an interval only while something is armed', () => {
    const clock = new SystemClock();
    expect(interval).toBeUndefined();
    const fired: number[] = [];
    const timeout = new Timeout(clock, () => fired.push(now));
    timeout.start(1000);
    expect(interval).toBeDefined();
    const started = now;
    pass(990);
    expect(fired).toEqual([]);
    pass(120);
    expect(fired).toHaveLength(1);
    expect(fired[0]! - started).toBeGreaterThanOrEqual(1000);
    pass(60);
    expect(interval).toBeUndefined();
    // After a long rest it counts from now on.
    now += 1_000_000;
    timeout.start(1000);
    const restarted = now;
    pass(990);
    expect(fired).toHaveLength(1);
    pass(120);
    expect(fired[1]! - restarted).toBeGreaterThanOrEqual(1000);
  });

  it('rests when the last one was stopped', () => {
    const timeout = new Timeout(new SystemClock(), () => {});
    timeout.start(1000);
    timeout.stop();
    pass(60);
    expect(interval).toBeUndefined();
  });

  it('fires what is due after the process was blocked for longer than the wheel is round', () => {
    const clock = new SystemClock();
    const fired: number[] = [];
    const started = now;
    for (const ms of [100, 26_000, 60_000, 200_000]) new Timeout(clock, () => fired.push(ms)).start(ms);
    now += 100_000;
    interval!();
    expect(fired.sort((a, b) => a - b)).toEqual([100, 26_000, 60_000]);
    pass(100_100);
    expect(fired).toHaveLength(4);
    expect(now - started).toBeGreaterThan(200_000);
  });

  it('fires nothing any more once stopped', () => {
    const clock = new SystemClock();
    const fired: number[] = [];
    const timeout = new Timeout(clock, () => fired.push(now));
    timeout.start(100);
    clock.stop();
    expect(interval).toBeUndefined();
    timeout.stop();
    timeout.start(100);
    new Timeout(clock, () => fired.push(now)).start(100);
    expect(interval).toBeUndefined();
    pass(10_000);
    expect(fired).toEqual([]);
  });
});
