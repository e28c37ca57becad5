import type { Clock } from '../../clock.js';
import type { Element, Stanza } from '../../xml/index.js';
import type { Jid } from './jid.js';

/**
 * Something that the embedded server does beyond moving stanzas: multi-user chat, publish-subscribe,
 * service discovery. Everything is synchronous; a service throws `StanzaError` (error.ts) and the
 * sender gets it. A service instance belongs to one server.
 */
export interface EmbeddedService {
  /** Called once, before anything else. */
  attach?(server: EmbeddedServices): void;

  /** Features that disco#info of the server's domains lists on behalf of this service. */
  readonly features?: readonly string[];
  /** Features that disco#info of every bare account lists (e.g. those of PEP). */
  readonly accountFeatures?: readonly string[];
  readonly identities?: readonly DiscoIdentity[];
  readonly accountIdentities?: readonly DiscoIdentity[];

  /** Which iqs it answers that are addressed to a domain, or to a bare account (also without `to`: the own one). */
  readonly queries?: readonly QueryHandler[];

  /** The label of a host of its own below every domain: `conference` stands for `conference.<domain>`. */
  readonly host?: string;
  /** What disco#items of the domain calls {@link host}. */
  readonly hostName?: string;
  /**
   * Any stanza to {@link host}, with or without local part and resource; `from` is stamped with the
   * sender's full address. The service answers everything itself, through `server.route()`, also
   * disco, iq errors for what it does not know. A StanzaError that it throws goes to the sender.
   */
  onStanza?(stanza: Stanza, from: Jid, to: Jid): void;

  /** A resource came online (initial presence) or changed its presence; `presence` is as sent, without `to`, `from` stamped. */
  onAvailable?(resource: EmbeddedResource, presence: Stanza, initial: boolean): void;
  /** A resource that was available went offline. It is no longer among `server.resources()`' available ones. */
  onUnavailable?(resource: EmbeddedResource): void;
  /**
   * The stream of a resource is gone for good, whether it had been available or not. An anonymous
   * account does not exist any more by then: `server.exists()` says so.
   */
  onUnbound?(resource: EmbeddedResource): void;
  /** The contact's subscription to the owner's presence began ('from', 'both') or ended. */
  onSubscription?(owner: string, contact: string, subscribed: boolean): void;

  /**
   * An iq `result` or `error` that a resource sent to a domain or to its own bare account: the answer to
   * what a service had asked it, if the `id` is one of the service's. Every service is told.
   */
  onAnswer?(stanza: Stanza, resource: EmbeddedResource): void;

  /** What disco#items of a bare account lists for this reader. */
  accountItems?(owner: string, reader: Jid): readonly DiscoItem[];
  /** disco#info of a node of a bare account; undefined where the service has no such node for this reader. */
  accountNode?(owner: string, node: string, reader: Jid): DiscoNode | undefined;

  /**
   * Whether `owner` (bare) blocks `peer` (XEP-0191). Asked for what others send to the account
   * (messages are answered with `service-unavailable`, presence vanishes, iqs are answered with
   * `service-unavailable`) and for what the owner sends (answered with `not-acceptable` and
   * `<blocked xmlns='urn:xmpp:blocking:errors'/>`).
   */
  blocks?(owner: string, peer: Jid): boolean;
}

export interface DiscoIdentity {
  readonly category: string;
  readonly type: string;
  readonly name?: string;
}

export interface DiscoItem {
  readonly jid: string;
  readonly node?: string;
  readonly name?: string;
}

export interface DiscoNode {
  readonly identities: readonly DiscoIdentity[];
  readonly features: readonly string[];
}

export interface QueryHandler {
  /** Name and namespace of the iq's one child. */
  readonly name: string;
  readonly namespace: string;
  readonly type: 'get' | 'set';
  /**
   * - `domain`: addressed to one of the server's domains.
   * - `account`: addressed to a bare account, by whomever (see {@link Query.own}); accounts that do not exist
   *   never get here (`service-unavailable`).
   */
  readonly target: 'domain' | 'account';
  /**
   * @returns the child of the `result` (undefined: an empty result)
   * @throws {StanzaError}
   */
  answer(query: Query): Element | undefined;
}

/** An iq as its handler gets it. */
export interface Query {
  readonly stanza: Stanza;
  /** Its one child. */
  readonly payload: Stanza;
  /** The sender's full address. */
  readonly from: Jid;
  /** The domain or the bare account. */
  readonly to: Jid;
  /** Whether it is addressed to the sender's own account. */
  readonly own: boolean;
  /** The sender's stream. */
  readonly sender: EmbeddedResource;
}

/** A bound stream (a connected, possibly hibernating, resource). */
export interface EmbeddedResource {
  /** Full address. */
  readonly jid: Jid;
  /** Whether it sent initial presence. */
  readonly available: boolean;
  /** -128 to 127, of the last presence. */
  readonly priority: number;
  /** The last available presence, without `to`. */
  readonly presence: Stanza | undefined;
  /** Whether it asked for the roster (RFC 6121, section 2.1.6). */
  readonly interested: boolean;
  /** Hands it a stanza as it is: `to` should be its full (or own bare) address. */
  deliver(stanza: Stanza): void;
}

/** `subscription` of a roster item, seen from its owner (RFC 6121, section 2.1.2.5). */
export type Subscription = 'none' | 'to' | 'from' | 'both';

/** What the server does for its services. Accounts are named by their bare address as a string. */
export interface EmbeddedServices {
  readonly clock: Clock;
  readonly domains: readonly string[];
  readonly services: readonly EmbeddedService[];
  /** Wall-clock time in milliseconds since the epoch, for time stamps. */
  wallClock(): number;
  /** Whether the bare address is an account (or a bound anonymous one). */
  exists(bare: string): boolean;
  /** The bound streams of an account, available or not. */
  resources(bare: string): Iterable<EmbeddedResource>;
  /** A bound stream by its full address. */
  resource(full: string): EmbeddedResource | undefined;
  /** The owner's subscription to and from the contact; 'none' where there is no item. */
  subscription(owner: string, contact: string): Subscription;
  /** Bare addresses of the contacts that receive the owner's presence ('from' or 'both'). */
  subscribers(owner: string): Iterable<string>;
  /**
   * Routes a stanza by its `to` as if `from` (as written in it) had sent it: to resources by the rules of
   * RFC 6121, section 8, with carbons and offline storage, or to a service's host. Errors go back
   * to `from`. Blocking applies.
   */
  route(stanza: Stanza): void;
}
