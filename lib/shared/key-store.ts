/**
 * Where the digests of keys are claimed, so that a key never belongs to two streams: here for one process;
 * for a cluster, a store that all nodes have in common. A digest gives no key away.
 */
export interface SharedKeyStore {
  /** The secret of the digests, where nodes must agree on it; default: one of this process. 32 bytes. */
  readonly secret?: Buffer;
  /**
   * Claims a digest for this node.
   * @param ttl milliseconds after which the claim may lapse; undefined: when it is released
   * @returns false when somebody has it
   */
  claim(digest: string, ttl?: number): boolean | Promise<boolean>;
  /** Gives up a claim of this node. */
  release(digest: string): void | Promise<void>;
  /** The name of the node that has a digest. */
  find(digest: string): string | undefined | Promise<string | undefined>;
}

/** The claims of this process alone. */
export class LocalKeyStore implements SharedKeyStore {
  private readonly digests = new Set<string>();

  claim(digest: string): boolean {
    if (this.digests.has(digest)) return false;
    this.digests.add(digest);
    return true;
  }

  release(digest: string): void {
    this.digests.delete(digest);
  }

  find(digest: string): string | undefined {
    return this.digests.has(digest) ? 'local' : undefined;
  }
}
