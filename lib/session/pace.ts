import { Timeout, type Clock } from '../clock.js';

export interface PaceLimits {
  /** 0: no limit. */
  readonly stanzasPerSecond: number;
  /** 0: no limit. */
  readonly bytesPerSecond: number;
}

/** Seconds' worth that may come at once. */
const BURST = 2;
/** Seconds beyond which nobody is slowed down any more: what came at once would take longer to be let through. */
const MOST_REST = 60;

/**
 * Holds a client to so many stanzas and bytes a second (RFC 6120, section 13.12): one that sends
 * more is read no further until it is back within them. It is slowed, nothing of it is lost. Only a
 * client that sends at once what would keep it waiting for a minute is to be ended ({@link exhausted}).
 */
export class Pace {
  private stanzas: number;
  private bytes: number;
  private at: number;
  /** Seconds until what came is let through. */
  private owed = 0;
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

  /** Whether it sent more at once than slowing it down can make good. */
  get exhausted(): boolean {
    return this.owed > MOST_REST;
  }

  /**
   * Counts a stanza.
   * @returns the limit for which the client has to rest from now on; undefined where there is none, or it rests already
   */
  count(bytes: number): keyof PaceLimits | undefined {
    const { stanzasPerSecond, bytesPerSecond } = this.limits;
    const now = this.clock.now();
    const seconds = (now - this.at) / 1000;
    this.at = now;
    this.stanzas = refill(this.stanzas, stanzasPerSecond, seconds) - 1;
    this.bytes = refill(this.bytes, bytesPerSecond, seconds) - bytes;
    const stanzasOwed = stanzasPerSecond > 0 ? -this.stanzas / stanzasPerSecond : 0;
    const bytesOwed = bytesPerSecond > 0 ? -this.bytes / bytesPerSecond : 0;
    const owed = (this.owed = Math.max(stanzasOwed, bytesOwed));
    if (owed <= 0) return undefined;
    const rested = this.rest.running;
    this.rest.start(owed * 1000);
    if (rested) return undefined;
    return stanzasOwed >= bytesOwed ? 'stanzasPerSecond' : 'bytesPerSecond';
  }

  stop(): void {
    this.rest.stop();
  }
}

function refill(tokens: number, rate: number, seconds: number): number {
  return Math.min(rate * BURST, tokens + seconds * rate);
}
