/** What is to be done about a request that came. */
export type Verdict = 'ok' | 'slow' | 'violation';

/** Requests that a client may make beyond `requests` before it is slowed down, each `polling` seconds. */
const SPARE = 4;
/** A client that was slowed down so often in a row does it on purpose. */
const MAX_SLOWED = 30;
/** Timers of browsers and the network are not exact: so much of the interval is enough. */
const TOLERANCE = 0.9;

/**
 * Requests that only cost: empty ones, made faster than `polling` allows (XEP-0124, sections 11 and
 * 12). Taken literally the rule ends sessions whenever a page is reloaded; so a client that holds
 * requests is slowed down first. A polling session has no such excuse.
 */
export class Overactivity {
  private readonly capacity: number;
  private tokens: number;
  private filledAt = -Infinity;
  private slowed = 0;
  private previousAt = -Infinity;
  private previousWasIdle = false;

  /**
   * @param requests as granted to the session
   * @param polling shortest interval in milliseconds; 0: none
   * @param strict the letter of the rule
   */
  constructor(
    private readonly requests: number,
    private readonly polling: number,
    private readonly strict: boolean,
  ) {
    this.tokens = this.capacity = requests + SPARE;
  }

  /**
   * A request of a session that holds them.
   * @param unanswered live requests without an answer, this one among them
   */
  holding(empty: boolean, unanswered: number, now: number): Verdict {
    const interval = now - this.previousAt;
    this.previousAt = now;
    if (!empty || this.polling === 0 || unanswered !== this.requests || interval >= this.polling) return 'ok';
    if (this.strict) return 'violation';
    const rate = this.capacity / this.polling;
    this.tokens = Math.min(this.capacity, this.tokens + (now - this.filledAt) * rate);
    this.filledAt = now;
    if (this.tokens === this.capacity) this.slowed = 0;
    if (this.tokens >= 1) {
      this.tokens--;
      return 'ok';
    }
    return ++this.slowed > MAX_SLOWED ? 'violation' : 'slow';
  }

  /** Milliseconds until a client that was slowed down gets its answer. */
  delay(now: number): number {
    this.tokens = 0; // what it waits for is spent by its answer
    this.filledAt = now + this.polling / this.capacity;
    return this.polling / this.capacity;
  }

  /**
   * A request of a polling session.
   * @param idle the answer to the request before was empty
   */
  polled(empty: boolean, idle: boolean, now: number): Verdict {
    const tooEarly = now - this.previousAt < this.polling * TOLERANCE;
    const violation = empty && this.previousWasIdle && idle && tooEarly;
    this.previousAt = now;
    this.previousWasIdle = empty;
    return violation ? 'violation' : 'ok';
  }
}
