import { Timeout, type Clock } from '../clock.js';

export interface PaceLimits {
  /** 0: no limit. */
  readonly stanzasPerSecond: number;
  /** 0: no limit. */
  readonly bytesPerSecond: number;
}

/** Seconds' worth that may come at once. */
const BURST = 2;

/**
 * Holds a client to so many stanzas and bytes a second (RFC 6120, section 13.12): one that sends
 * more is read no further until it is back within them. It is slowed, nothing of it is lost.
 */
export class Pace {
  private stanzas: number;
  private bytes: number;
  private at: number;
  private readonly rest: Timeout;

  /** @returns undefined where there is no limit, which costs nothing */
  static of(limits: PaceLimits, clock: Clock, onRested: () => void): Pace | undefined {
    return limits.stanzasPerSecond > 0 || limits.bytesPerSecond > 0 ? new Pace(limits, clock, onRested) : undefined;
  }

  private constructor(
    private readonly limits: PaceLimits,
    private readonly clock: Clock,
    onRested: () => void,
  ) {
    this.stanzas = limits.stanzasPerSecond * BURST;
    this.bytes = limits.bytesPerSecond * BURST;
    this.at = clock.now();
    this.rest = new Timeout(clock, onRested);
  }

  /** Whether the client is not to be read now. */
  get resting(): boolean {
    return this.rest.running;
  }

  /**
   * Counts a stanza.
   * @returns whether the client has to rest from now on
   */
  count(bytes: number): boolean {
    const { limits } = this;
    const now = this.clock.now();
    const seconds = (now - this.at) / 1000;
    this.at = now;
    let owed = 0;
    if (limits.stanzasPerSecond > 0) {
      const { stanzasPerSecond: rate } = limits;
      this.stanzas = Math.min(rate * BURST, this.stanzas + seconds * rate) - 1;
      owed = Math.max(owed, -this.stanzas / rate);
    }
    if (limits.bytesPerSecond > 0) {
      const { bytesPerSecond: rate } = limits;
      this.bytes = Math.min(rate * BURST, this.bytes + seconds * rate) - bytes;
      owed = Math.max(owed, -this.bytes / rate);
    }
    if (owed <= 0) return false;
    const begins = !this.rest.running;
    this.rest.start(owed * 1000);
    return begins;
  }

  stop(): void {
    this.rest.stop();
  }
}
