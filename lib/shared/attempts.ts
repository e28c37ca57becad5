import type { Clock } from '../clock.js';
import { networkOf } from '../session/index.js';

interface Visitor {
  tokens: number;
  /** When `tokens` was right. */
  at: number;
}

/** Counts attempts with keys that match nothing, by address: a bucket of a minute's worth for each. */
export class Attempts {
  private readonly visitors = new Map<string, Visitor>();
  private sweepAt = 1024;

  constructor(
    private readonly perMinute: number,
    private readonly clock: Clock,
  ) {}

  /** Whether an address may try: with a key that matches, too, or there would be no limit to guessing. */
  allows(address: string): boolean {
    const visitor = this.visitors.get(networkOf(address));
    if (!visitor) return true;
    this.refill(visitor);
    return visitor.tokens >= 1;
  }

  /** It tried in vain. */
  spend(address: string): void {
    const network = networkOf(address);
    let visitor = this.visitors.get(network);
    if (!visitor) {
      this.sweep();
      this.visitors.set(network, (visitor = { tokens: this.perMinute, at: this.clock.now() }));
    }
    this.refill(visitor);
    visitor.tokens = Math.max(0, visitor.tokens - 1);
  }

  /** What matched nothing was the key of a session that somebody made, and logged in to. */
  restore(address: string): void {
    const visitor = this.visitors.get(networkOf(address));
    if (visitor) visitor.tokens = Math.min(this.perMinute, visitor.tokens + 1);
  }

  private refill(visitor: Visitor): void {
    const now = this.clock.now();
    visitor.tokens = Math.min(this.perMinute, visitor.tokens + ((now - visitor.at) / 60_000) * this.perMinute);
    visitor.at = now;
  }

  private sweep(): void {
    if (this.visitors.size < this.sweepAt) return;
    for (const [address, visitor] of this.visitors) {
      this.refill(visitor);
      if (visitor.tokens >= this.perMinute) this.visitors.delete(address);
    }
    this.sweepAt = Math.max(1024, this.visitors.size * 2);
  }
}
