import type { Stanza } from '../xml/index.js';
import { bareOf } from './copies.js';

/** An iq get or set of one of the clients, until its answer comes. */
export interface Exchange<M> {
  /** None when it left meanwhile. */
  asker: M | undefined;
  /** As the asker knows it. */
  readonly id: string;
  /** As the server knows it. */
  readonly upstreamId: string;
  /** The answer is nobody else's business. */
  readonly silent: boolean;
  readonly to: string | undefined;
  readonly at: number;
}

/** Exchanges at once; beyond, the oldest is forgotten. */
const MAX_EXCHANGES = 4096;
/** Characters; the answer to an iq with a longer id goes to all as it comes. */
const MAX_ID = 1024;

/**
 * Who asked what. All clients see all answers, and clients match answers by id alone: so an id that one
 * of them waits for must reach it with the answer to its own question and with nothing else.
 */
export class IqLedger<M> {
  /** By upstream id, oldest first. */
  private readonly exchanges = new Map<string, Exchange<M>>();
  /** By asker and its own id. */
  private readonly asked = new Map<M, Map<string, Exchange<M>>>();
  private aliases = 0;

  constructor(
    private readonly domain: string,
    /** Full JID; undefined until a resource is bound. */
    private readonly jid: () => string | undefined,
  ) {}

  get size(): number {
    return this.exchanges.size;
  }

  /**
   * A client asks.
   * @param silent the answer goes to the asker alone
   * @returns the id to send it with: its own, unless that is outstanding for another client
   */
  ask(asker: M, iq: Stanza, now: number, silent = false): string | undefined {
    const id = iq.attribute('id');
    if (id === undefined || id.length > MAX_ID) return id;
    const own = this.asked.get(asker);
    const before = own?.get(id);
    if (before) this.remove(before);
    const upstreamId = this.isTaken(asker, id) ? this.alias(id) : id;
    const exchange: Exchange<M> = { asker, id, upstreamId, silent, to: iq.attribute('to'), at: now };
    if (this.exchanges.size >= MAX_EXCHANGES) this.remove(this.exchanges.values().next().value!);
    this.exchanges.set(upstreamId, exchange);
    const known = this.asked.get(asker);
    if (known) known.set(id, exchange);
    else this.asked.set(asker, new Map([[id, exchange]]));
    return upstreamId;
  }

  /** An answer came. The exchange that it ends, if it is the answer to one. */
  answered(iq: Stanza): Exchange<M> | undefined {
    const exchange = this.exchanges.get(iq.attribute('id') ?? '');
    if (!exchange || !this.isFrom(exchange.to, iq.attribute('from'))) return undefined;
    this.remove(exchange);
    return exchange;
  }

  /**
   * Variants of an answer for those to whom it would look like one to another question of theirs.
   * @param asker got its own variant; left out here
   */
  foreign(iq: Stanza, asker: M | undefined): Map<M, Stanza> | undefined {
    const id = iq.attribute('id');
    if (id === undefined) return undefined;
    let variants: Map<M, Stanza> | undefined;
    let variant: Stanza | undefined;
    for (const [member, own] of this.asked) {
      const exchange: Exchange<M> | undefined = member === asker ? undefined : own.get(id);
      if (!exchange || exchange.upstreamId === id) continue;
      variant ??= iq.with({ id: this.alias(id) });
      (variants ??= new Map()).set(member, variant);
    }
    return variants;
  }

  /** The client left; the answers to its questions still go to the others. */
  forget(asker: M): void {
    for (const exchange of this.asked.get(asker)?.values() ?? []) exchange.asker = undefined;
    this.asked.delete(asker);
  }

  /** Forgets what was asked before `then`. */
  sweep(then: number): void {
    for (const exchange of this.exchanges.values()) {
      if (exchange.at >= then) return;
      this.remove(exchange);
    }
  }

  private remove(exchange: Exchange<M>): void {
    this.exchanges.delete(exchange.upstreamId);
    const { asker, id } = exchange;
    const own = asker === undefined ? undefined : this.asked.get(asker);
    if (own?.get(id) !== exchange) return;
    own.delete(id);
    if (own.size === 0) this.asked.delete(asker!);
  }

  private isTaken(asker: M, id: string): boolean {
    if (this.exchanges.has(id)) return true;
    for (const [member, own] of this.asked) if (member !== asker && own.has(id)) return true;
    return false;
  }

  private alias(id: string): string {
    let alias: string;
    do alias = `${id}~${(++this.aliases).toString(36)}`;
    while (this.exchanges.has(alias) || [...this.asked.values()].some((own) => own.has(alias)));
    return alias;
  }

  /** Whether a question to `to` is answered by `from` (RFC 6120, section 8.1.2.1). */
  private isFrom(to: string | undefined, from: string | undefined): boolean {
    const jid = this.jid();
    if (jid === undefined) return true;
    const bare = bareOf(jid);
    if (to === undefined || same(to, bare)) {
      return from === undefined || same(from, bare) || same(from, jid) || same(from, this.domain);
    }
    return from === undefined ? same(to, this.domain) || same(to, jid) : same(to, from);
  }
}

function same(one: string, other: string): boolean {
  return one === other || one.normalize('NFKC').toLowerCase() === other.normalize('NFKC').toLowerCase();
}
