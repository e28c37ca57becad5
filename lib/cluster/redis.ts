import { randomInt } from 'node:crypto';
import type { BusHandler, ClusterBus, ClusterNode, RedisClient } from '../bus.js';

/** What we need of one of `ioredis`, which is an optional peer. */
interface IoRedis extends RedisClient {
  readonly isCluster?: boolean;
  connect(): Promise<void>;
  disconnect(reconnect?: boolean): void;
  duplicate(...args: unknown[]): IoRedis;
  on(event: string, listener: (...args: never[]) => void): this;
  off(event: string, listener: (...args: never[]) => void): this;
  subscribe(channel: string): Promise<unknown>;
  eval(script: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
  get(key: string): Promise<string | null>;
  zrem(key: string, member: string): Promise<number>;
}

/** Milliseconds: of Redis' silence after which a command has failed, and between attempts to connect. */
const COMMAND_TIMEOUT = 2000;
const MAX_BACKOFF = 2000;

/** The time is that of Redis, so that the nodes' clocks do not matter. */
const NOW = `local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) `;
const BEAT =
  NOW +
  `local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3]) ` +
  `for _, id in ipairs(dead) do redis.call('ZREM', KEYS[1], id) redis.call('HDEL', KEYS[2], id) end ` +
  `redis.call('ZADD', KEYS[1], now, ARGV[1]) redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) ` +
  `local found = {} ` +
  `for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do ` +
  `found[#found + 1] = id found[#found + 1] = redis.call('HGET', KEYS[2], id) or id end ` +
  `return found`;
const CLAIM =
  `local owner = redis.call('GET', KEYS[1]) ` +
  `if owner and owner ~= ARGV[1] and owner ~= ARGV[3] then return owner end ` +
  `redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return ARGV[1]`;
const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

/** Redis as the bus: a channel for each node, a sorted set of those that live, a key for each claim. */
export class RedisBus implements ClusterBus {
  private commands: IoRedis | undefined;
  private subscriber: IoRedis | undefined;
  private id = '';
  private stopped = false;
  /** The app's own connection stays open. */
  private readonly borrowed: boolean;
  private readonly listeners: [IoRedis, string, (...args: never[]) => void][] = [];

  /**
   * @param redis a URL, a client of `ioredis`, or a function that makes one
   * @param prefix of all keys and channels
   */
  constructor(
    private readonly redis: string | RedisClient | (() => RedisClient),
    private readonly prefix: string,
  ) {
    this.borrowed = typeof redis === 'object';
  }

  async start(id: string, handler: BusHandler): Promise<void> {
    this.id = id;
    const [commands, subscriber] = await this.clients();
    this.commands = commands;
    this.subscriber = subscriber;
    if (!this.stopped) this.connect(commands, subscriber, handler);
  }

  async publish(id: string, frame: Buffer): Promise<number | undefined> {
    const redis = this.ready();
    const takers = await redis.publish(this.channel(id), frame);
    // Of a cluster of Redis, only its node where we are connected counts.
    return redis.isCluster ? undefined : takers;
  }

  async beat(name: string, lifetime: number): Promise<ClusterNode[]> {
    const keys = [this.key('nodes'), this.key('names')];
    const found = (await this.run(BEAT, keys, this.id, name, lifetime).catch((error: unknown) => {
      if (error instanceof Silence) this.reconnect();
      throw error;
    })) as string[];
    const nodes: ClusterNode[] = [];
    for (let i = 0; i < found.length; i += 2) nodes.push({ id: found[i]!, name: found[i + 1]! });
    return nodes;
  }

  async leave(): Promise<void> {
    await limited(this.ready().zrem(this.key('nodes'), this.id));
  }

  async claim(key: string, ttl: number, from = ''): Promise<string> {
    return (await this.run(CLAIM, [this.claimKey(key)], this.id, ttl, from)) as string;
  }

  async release(key: string): Promise<void> {
    await this.run(RELEASE, [this.claimKey(key)], this.id);
  }

  async find(key: string): Promise<string | undefined> {
    return (await limited(this.ready().get(this.claimKey(key)))) ?? undefined;
  }

  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    for (const [client, event, listener] of this.listeners) client.off(event, listener);
    this.subscriber?.disconnect();
    if (!this.borrowed) this.commands?.disconnect();
  }

  private connect(commands: IoRedis, subscriber: IoRedis, handler: BusHandler): void {
    const own = this.channel(this.id);
    let subscribed = false;
    const onUp = (): void => {
      if (subscribed && commands.status === 'ready') handler.onUp();
    };
    const subscribe = (): void => {
      subscriber.subscribe(own).then(
        () => {
          subscribed = true;
          onUp();
        },
        () => {}, // lost again: it comes back, and so do we
      );
    };
    const lost = (): void => handler.onDown();
    this.listen(subscriber, 'ready', subscribe);
    this.listen(subscriber, 'close', () => {
      subscribed = false;
      lost();
    });
    this.listen(subscriber, 'messageBuffer', (_channel: Buffer, frame: Buffer) => handler.onFrame(frame));
    this.listen(commands, 'ready', onUp);
    this.listen(commands, 'close', lost);
    // Told by `close`, too; one without a listener would be written to the console.
    for (const client of [commands, subscriber]) this.listen(client, 'error', () => {});
    for (const client of [commands, subscriber]) {
      if (client.status === 'wait') client.connect().catch(() => {});
    }
    if (subscriber.status === 'ready') subscribe();
  }

  private async clients(): Promise<[IoRedis, IoRedis]> {
    const { redis } = this;
    if (typeof redis === 'function') return [redis() as IoRedis, redis() as IoRedis];
    if (typeof redis === 'object') return [redis as IoRedis, (redis as IoRedis).duplicate()];
    const { Redis } = await import('ioredis').catch((cause: unknown) => {
      throw new Error('cluster.redis needs the package ioredis: npm install ioredis', { cause });
    });
    const options = {
      lazyConnect: true,
      // What cannot be said now is said again, or failed.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: 5000,
      noDelay: true,
      retryStrategy: (attempt: number) => Math.min(50 * 2 ** attempt, MAX_BACKOFF) + randomInt(100),
    };
    const make = (): IoRedis => new Redis(redis, options) as unknown as IoRedis;
    return [make(), make()];
  }

  /** A connection can be lost without a word. */
  private reconnect(): void {
    this.subscriber?.disconnect(true);
    if (!this.borrowed) this.commands?.disconnect(true);
  }

  private listen(client: IoRedis, event: string, listener: (...args: never[]) => void): void {
    client.on(event, listener);
    this.listeners.push([client, event, listener]);
  }

  private async run(script: string, keys: string[], ...args: (string | number)[]): Promise<unknown> {
    return await limited(this.ready().eval(script, keys.length, ...keys, ...args));
  }

  /** @throws {Error} where a command would only wait for a connection */
  private ready(): IoRedis {
    if (this.commands?.status !== 'ready' || this.stopped) throw new Error('Redis is not connected');
    return this.commands;
  }

  /** The hash tag keeps what belongs together on one node of a cluster of Redis. */
  private key(name: string): string {
    return `{${this.prefix}}:${name}`;
  }

  private claimKey(key: string): string {
    return `${this.prefix}:key:${key}`;
  }

  private channel(id: string): string {
    return `${this.prefix}:node:${id}`;
  }
}

class Silence extends Error {}

/** Redis may hold a connection, and say nothing. */
async function limited<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Silence('Redis does not answer')), COMMAND_TIMEOUT).unref();
  });
  try {
    return await Promise.race([answer, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
