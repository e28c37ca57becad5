import { Timeout, type Clock } from '../clock.js';
import { writeBody, type RequestBody } from './body.js';
import type { Exchange, ExchangeOwner, Fate } from './exchange.js';
import type { Origination } from './origination.js';
import type { Outbox } from './outbox.js';
import { MAX_REPEATS } from './responses.js';

/** What is left of a session that ended while no request could be told. */
export interface Epitaph {
  readonly origination: Origination;
  /** What every further request is told. */
  readonly body: Buffer;
  readonly status: number;
  readonly contentType: string;
  /** What waited for the client when the server ended the stream, and the last answers. */
  readonly outbox: Outbox;
}

/** Tells a client that comes too late why its session ended, and gives it what waited for it. */
export class Tombstone implements ExchangeOwner {
  /** Called when a client is told. */
  onTold: (() => void) | undefined;

  constructor(private readonly epitaph: Epitaph) {}

  get origination(): Origination {
    return this.epitaph.origination;
  }

  request(exchange: Exchange, { rid }: RequestBody, hash: string): void {
    const { outbox, contentType, body, status } = this.epitaph;
    const { stored } = outbox;
    if (exchange.gone) return;
    exchange.owner = this;
    const again = stored.get(rid);
    if (again && again.hash === hash && again.repeats++ < MAX_REPEATS) {
      stored.reclaim(again);
      return exchange.deliver(again, contentType);
    }
    const stanzas = outbox.take();
    if (stanzas.length === 0) {
      exchange.send(body, contentType, status);
      return this.onTold?.();
    }
    const answer = { rid, hash, at: 0, body: writeBody('', stanzas), status: 200, repeats: 0, stanzas, exchange, next: undefined };
    stored.add(answer);
    exchange.deliver(answer, contentType);
  }

  refuse(exchange: Exchange): void {
    exchange.send(this.epitaph.body, this.epitaph.contentType, this.epitaph.status);
  }

  /** An answer of the session's last hours. */
  closed(exchange: Exchange, fate: Fate): void {
    this.epitaph.outbox.settle(exchange, fate);
  }
}

/** Tombstones stand for as long as a session without requests would. All for the same time: the oldest go first. */
export class Tombstones {
  private readonly stones = new Map<string, { readonly stone: Tombstone; readonly until: number }>();
  private readonly timeout: Timeout;

  /**
   * @param lifetime milliseconds
   * @param most that stand at a time
   */
  constructor(
    private readonly clock: Clock,
    private readonly lifetime: number,
    private readonly most: number,
  ) {
    this.timeout = new Timeout(clock, () => this.clear());
  }

  put(sid: string, stone: Tombstone): void {
    this.stones.set(sid, { stone, until: this.clock.now() + this.lifetime });
    if (this.stones.size > this.most) this.stones.delete(this.stones.keys().next().value!);
    if (!this.timeout.running) this.timeout.start(this.lifetime);
  }

  get(sid: string): Tombstone | undefined {
    return this.stones.get(sid)?.stone;
  }

  get size(): number {
    return this.stones.size;
  }

  private clear(): void {
    const now = this.clock.now();
    for (const [sid, { until }] of this.stones) {
      if (until > now) return this.timeout.start(until - now);
      this.stones.delete(sid);
    }
  }
}
