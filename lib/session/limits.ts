import type { Clock } from '../clock.js';
import type { StreamCondition } from './end.js';
import { networkOf } from './network.js';

export interface AdmissionLimits {
  /** Sessions in this process. */
  readonly maxSessions: number;
  /** See {@link networkOf} for what an address is. */
  readonly maxSessionsPerAddress: number;
  /** New sessions a minute from one address: so many at once, after which they come evenly. */
  readonly sessionsPerMinute: number;
}

/** A session that is not opened. */
export class SessionRefused extends Error {
  override readonly name: string = 'SessionRefused';

  constructor(
    /** As the stream error (RFC 6120, section 4.9.3) that tells the client. */
    readonly condition: StreamCondition,
    message: string,
    /** HTTP status where the client can be told by nothing else: before a WebSocket is there. */
    readonly status: number,
    /** Seconds after which it may try again, for `Retry-After`. */
    readonly retryAfter?: number,
    /** Where it is to go instead. */
    readonly uri?: string,
    /** HTTP status of an answer over BOSH that would tell of it with 200 and the condition. */
    readonly httpStatus?: number,
  ) {
    super(message);
  }
}

/** A place among the sessions; given back exactly once, however often {@link release} is called. */
export class Place {
  private held = true;

  constructor(
    private readonly network: string,
    private readonly admission: Admission,
  ) {}

  release(): void {
    if (this.held) this.admission.leave(this.network);
    this.held = false;
  }
}

interface Visitor {
  sessions: number;
  /** Sessions that it may still open now: a token bucket of a minute's worth. */
  tokens: number;
  /** When `tokens` was right. */
  at: number;
}

/** Counts who is in: in all, per address, and per address and minute. Whoever is not yet authenticated counts too. */
export class Admission {
  private total = 0;
  private readonly visitors = new Map<string, Visitor>();
  private sweepAt = 1024;

  constructor(
    private readonly limits: AdmissionLimits,
    private readonly clock: Clock,
    /** Told when a limit refuses somebody. */
    private readonly onLimit: (limit: keyof AdmissionLimits, address: string) => void = () => {},
  ) {}

  get sessions(): number {
    return this.total;
  }

  /** @throws {SessionRefused} */
  enter(address: string): Place {
    const { limits } = this;
    if (this.total >= limits.maxSessions) {
      this.onLimit('maxSessions', address);
      throw new SessionRefused('resource-constraint', 'too many sessions', 503, 10);
    }
    const now = this.clock.now();
    const network = networkOf(address);
    let visitor = this.visitors.get(network);
    if (!visitor) {
      this.sweep(now);
      this.visitors.set(network, (visitor = { sessions: 0, tokens: limits.sessionsPerMinute, at: now }));
    }
    if (visitor.sessions >= limits.maxSessionsPerAddress) {
      this.onLimit('maxSessionsPerAddress', address);
      throw new SessionRefused('policy-violation', 'too many sessions from this address', 429, 10);
    }
    this.refill(visitor, now);
    if (visitor.tokens < 1) {
      this.onLimit('sessionsPerMinute', address);
      throw new SessionRefused('policy-violation', 'too many new sessions from this address', 429, 60);
    }
    visitor.tokens--;
    visitor.sessions++;
    this.total++;
    return new Place(network, this);
  }

  /** @internal */
  leave(network: string): void {
    this.total--;
    this.visitors.get(network)!.sessions--;
  }

  private refill(visitor: Visitor, now: number): void {
    const { sessionsPerMinute } = this.limits;
    visitor.tokens = Math.min(sessionsPerMinute, visitor.tokens + ((now - visitor.at) / 60_000) * sessionsPerMinute);
    visitor.at = now;
  }

  /** Forgets addresses of which nothing is left to know; now and then, so that it costs little. */
  private sweep(now: number): void {
    if (this.visitors.size < this.sweepAt) return;
    for (const [address, visitor] of this.visitors) {
      this.refill(visitor, now);
      if (visitor.sessions === 0 && visitor.tokens >= this.limits.sessionsPerMinute) this.visitors.delete(address);
    }
    this.sweepAt = Math.max(1024, this.visitors.size * 2);
  }
}
