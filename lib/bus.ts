/** @publicApi A process of a cluster. */
export interface ClusterNode {
  /** Its address: unguessable, another one after each start. Session identifiers begin with it. */
  readonly id: string;
  /** What people call it. */
  readonly name: string;
}

/** @publicApi What a bus tells its node. */
export interface BusHandler {
  /** Bytes that were published for this node. Who wrote them is not known. */
  onFrame(frame: Buffer): void;
  /** It can be used, again. */
  onUp(): void;
  /** It cannot be used for now. It goes on trying by itself. */
  onDown(): void;
}

/**
 * @publicApi What nodes have in common: the port behind which Redis stands, or NATS, or whatever can carry bytes and
 * remember names for a while. It is trusted with nothing: frames are encrypted and authenticated, lost ones are sent
 * again, and keys are digests.
 *
 * Every promise rejects soon where the bus cannot be used.
 */
export interface ClusterBus {
  /**
   * Connects, and takes what is published for the node `id` from then on: {@link BusHandler.onUp} says when.
   * Rejects only where nothing can ever come of it.
   */
  start(id: string, handler: BusHandler): Promise<void>;
  /** @returns how many took it, 0 where that node is not there; undefined where nobody can know */
  publish(id: string, frame: Buffer): Promise<number | undefined>;
  /**
   * Says that this node lives, for `lifetime` milliseconds, and what it is called now.
   * @returns all that live, with this one
   */
  beat(name: string, lifetime: number): Promise<ClusterNode[]>;
  /** This node is no longer to be counted among the living; it still takes what is published for it. */
  leave(): Promise<void>;
  /**
   * Claims a key for this node, or keeps it, for `ttl` milliseconds; in one step, so that of two nodes one gets it.
   * @param from whose claim may be taken over, since that node is dead
   * @returns the id of the node that has it
   */
  claim(key: string, ttl: number, from?: string): Promise<string>;
  /** Gives up the claim of this node, and nobody else's. */
  release(key: string): Promise<void>;
  /** The id of the node that has a key. */
  find(key: string): Promise<string | undefined>;
  /** Ends its connections; nothing is called any more. */
  stop(): Promise<void>;
}

/** @publicApi A client of Redis, as far as it matters here: a `Redis` or a `Cluster` of `ioredis`. */
export interface RedisClient {
  /** `ready` when it can be used; other words while it connects, and at its end. */
  readonly status: string;
  /** Resolves to the number of subscribers that took the message. */
  publish(channel: string, message: Buffer): Promise<number>;
}
