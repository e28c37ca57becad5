/**
 * One coarse clock drives every timeout of the process (wait, inactivity, authentication, pings):
 * a hashed wheel with one interval behind it, so that a session costs no timer of Node's own and
 * re-arming a timeout, which happens with every request, is one assignment.
 *
 * Tests take a {@link ManualClock} and own time.
 */
export abstract class Clock {
  /** Milliseconds of a monotonic clock. */
  abstract now(): number;
  /** @internal Puts a timeout into the wheel. */
  abstract arm(timeout: Timeout, now: number): void;
  /** @internal Takes a timeout out of the wheel, which forgets it and all that it holds. */
  abstract disarm(timeout: Timeout): void;
  /** Stops the clock for good; what is still armed never fires. */
  abstract stop(): void;
}

/** A timeout that can be started, moved and stopped any number of times. */
export class Timeout {
  /** When it fires, on the clock's scale; Infinity while stopped. */
  deadline = Infinity;
  /** @internal When the wheel looks at it next; Infinity while it is in no slot. */
  visit = Infinity;
  /** @internal Its place in the slot. */
  place = 0;

  constructor(
    private readonly clock: Clock,
    /** @internal */ readonly fire: () => void,
  ) {}

  /** Whether it is going to fire. */
  get running(): boolean {
    return this.deadline !== Infinity;
  }

  /** Fires once, `ms` milliseconds from now or up to one tick (50 ms) later, never earlier. Moves a running one. */
  start(ms: number): void {
    const now = this.clock.now();
    this.deadline = now + ms;
    if (this.deadline < this.visit) this.clock.arm(this, now);
  }

  /** It does not fire, unless it is started again. */
  stop(): void {
    this.deadline = Infinity;
    if (this.visit !== Infinity) this.clock.disarm(this);
  }
}

/** From here on a timeout may be a second shorter. */
const LONG = 10_000;
const SECOND = 1000;

/**
 * When a timeout of one of many idle sessions had best fire: in `ms` milliseconds from `start`, and if those are many at a full
 * second before, together with the others. To be woken up costs an idle process more than what it does then.
 */
export function fullSecond(start: number, ms: number): number {
  const deadline = start + ms;
  return ms < LONG ? deadline : Math.floor(deadline / SECOND) * SECOND;
}

/** Milliseconds between two looks at the wheel. */
export const TICK = 50;
const SLOTS = 512;

abstract class Wheel extends Clock {
  /**
   * In the order in which they were armed, with gaps where one was disarmed. No sets: the tables that a set
   * leaves behind as it changes keep each other, and what was in them, alive until the next full collection.
   */
  private readonly slots: (Timeout | undefined)[][] = Array.from({ length: SLOTS }, () => []);
  private cursor = 0;
  private armed = 0;

  arm(timeout: Timeout, _now: number): void {
    this.disarm(timeout);
    const tick = Math.max(this.cursor + 1, Math.ceil(timeout.deadline / TICK));
    timeout.visit = tick * TICK;
    timeout.place = this.slots[tick % SLOTS]!.push(timeout) - 1;
    if (this.armed++ === 0) this.started();
  }

  disarm(timeout: Timeout): void {
    if (timeout.visit === Infinity) return;
    const slot = this.slots[(timeout.visit / TICK) % SLOTS]!;
    if (timeout.place === slot.length - 1) slot.pop();
    else slot[timeout.place] = undefined;
    this.armed--;
    timeout.visit = Infinity;
  }

  /** Visits every slot whose time has come. */
  protected advance(now: number): void {
    const until = Math.floor(now / TICK);
    if (until - this.cursor > SLOTS) this.cursor = until - SLOTS;
    while (this.cursor < until) {
      const slot = this.slots[++this.cursor % SLOTS]!;
      let kept = 0;
      // Whoever fires may start and stop others, also of this slot.
      for (let place = 0; place < slot.length; place++) {
        const timeout = slot[place];
        if (!timeout) continue;
        slot[place] = undefined;
        if (timeout.visit > now) {
          slot[(timeout.place = kept++)] = timeout; // a later round of the wheel
          continue;
        }
        timeout.visit = Infinity;
        this.armed--;
        if (timeout.deadline > now) {
          this.arm(timeout, now); // moved since
          continue;
        }
        timeout.deadline = Infinity;
        this.fire(timeout);
      }
      slot.length = Math.min(kept, slot.length);
    }
    if (this.armed === 0) this.idle();
  }

  /** What one timeout throws is an uncaught exception, as with a timer of Node's own; the others fire all the same. */
  private fire(timeout: Timeout): void {
    try {
      timeout.fire();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  /** The first timeout was armed; `cursor` may be long behind. */
  protected started(): void {}
  protected idle(): void {}

  protected synchronise(now: number): void {
    this.cursor = Math.floor(now / TICK);
  }
}

/** The clock of a running process. Its interval keeps no process alive, and rests while nothing is armed. */
export class SystemClock extends Wheel {
  private interval: NodeJS.Timeout | undefined;
  /** Timers of Node's own for timeouts shorter than a tick, which are few: somebody waits for them. */
  private readonly brief = new Map<Timeout, NodeJS.Timeout>();
  private stopped = false;

  constructor() {
    super();
    this.synchronise(this.now());
  }

  now(): number {
    return performance.now();
  }

  /** @internal */
  override arm(timeout: Timeout, now: number): void {
    if (this.stopped) return;
    if (timeout.deadline - now < TICK) return this.armBriefly(timeout, now);
    if (!this.interval) this.synchronise(now);
    super.arm(timeout, now);
  }

  /** @internal */
  override disarm(timeout: Timeout): void {
    const timer = this.brief.get(timeout);
    if (!timer) return super.disarm(timeout);
    clearTimeout(timer);
    this.brief.delete(timeout);
    timeout.visit = Infinity;
  }

  private armBriefly(timeout: Timeout, now: number): void {
    this.disarm(timeout);
    timeout.visit = timeout.deadline;
    const look = () => {
      this.brief.delete(timeout);
      timeout.visit = Infinity;
      const later = this.now();
      if (timeout.deadline > later) return this.arm(timeout, later); // moved since
      timeout.deadline = Infinity;
      timeout.fire();
    };
    this.brief.set(timeout, setTimeout(look, Math.ceil(timeout.deadline - now)).unref());
  }

  protected override started(): void {
    this.interval ??= setInterval(() => this.advance(this.now()), TICK).unref();
  }

  protected override idle(): void {
    clearInterval(this.interval);
    this.interval = undefined;
  }

  stop(): void {
    this.stopped = true;
    this.idle();
    for (const timer of this.brief.values()) clearTimeout(timer);
    this.brief.clear();
  }
}

/** A clock that stands still until it is told to move. */
export class ManualClock extends Wheel {
  private time = 0;

  now(): number {
    return this.time;
  }

  /** Moves on by `ms` milliseconds, tick by tick, and fires what is due on the way. */
  tick(ms: number): void {
    const end = this.time + ms;
    while (this.time < end) {
      this.time = Math.min(end, (Math.floor(this.time / TICK) + 1) * TICK);
      this.advance(this.time);
    }
  }

  stop(): void {}
}
