import { Timeout, type Clock } from '../clock.js';
import type { Cluster } from '../cluster/index.js';
import type { SharedKeyStore } from './key-store.js';

/** Milliseconds that a claim holds, and after which it is made again; those of dead nodes hold no longer than these live. */
const CLAIM_TTL = 600_000;
const CLAIM_AGAIN = 200_000;

/** The claims of all nodes. Those of this one are made again when the bus has forgotten them. */
export class ClusterKeyStore implements SharedKeyStore {
  readonly secret: Buffer;
  /** When they lapse, on the clock's scale. */
  private readonly own = new Map<string, number>();
  private readonly again: Timeout;

  constructor(
    private readonly cluster: Cluster,
    private readonly clock: Clock,
    /** Another node has a key that this one had while nobody could know. */
    private readonly onLost: (digest: string) => void,
    private readonly onError: (error: unknown) => void,
  ) {
    this.secret = cluster.secret('keys')!;
    this.again = new Timeout(clock, () => this.reclaim());
    cluster.onReconnected(() => this.reclaim());
  }

  /** Without the bus nobody can say whose a key is: then it is this node's, so that people can log in. */
  async claim(digest: string, ttl?: number): Promise<boolean> {
    await this.cluster.settled();
    const got = await this.take(digest);
    if (got) this.own.set(digest, ttl === undefined ? Infinity : this.clock.now() + ttl);
    if (got && !this.again.running) this.again.start(CLAIM_AGAIN);
    return got;
  }

  async release(digest: string): Promise<void> {
    this.own.delete(digest);
    await this.cluster.claims?.release(digest).catch(() => {}); // then it lapses
  }

  async find(digest: string): Promise<string | undefined> {
    const owner = await this.cluster.claims?.find(digest);
    return owner !== undefined && (await this.cluster.lives(owner)) ? owner : undefined;
  }

  private async take(digest: string): Promise<boolean> {
    const { claims } = this.cluster;
    const { id } = this.cluster;
    if (!claims) return true;
    try {
      let owner = await claims.claim(digest, CLAIM_TTL);
      if (owner !== id && !(await this.cluster.lives(owner))) owner = await claims.claim(digest, CLAIM_TTL, owner);
      return owner === id;
    } catch {
      return true;
    }
  }

  private reclaim(): void {
    void this.reclaimAll().catch(this.onError);
  }

  private async reclaimAll(): Promise<void> {
    for (const [digest, until] of this.own) {
      if (until <= this.clock.now()) {
        this.own.delete(digest);
      } else if (!(await this.take(digest)) && this.own.delete(digest)) {
        this.onLost(digest);
      }
    }
    if (this.own.size > 0) this.again.start(CLAIM_AGAIN);
  }
}
