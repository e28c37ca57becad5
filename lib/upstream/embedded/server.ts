import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.js';
import type { Stanza } from '../../xml/index.js';
import { Account } from './account.js';
import { Carbons } from './carbons.js';
import { StanzaError } from '../../stanza-error.js';
import { Jid } from './jid.js';
import { Presence } from './presence.js';
import { Resource } from './resource.js';
import { RosterService } from './roster.js';
import { Router } from './router.js';
import { Credentials, type SaslMechanism } from './sasl.js';
import type { EmbeddedService, EmbeddedServices, Subscription } from './service.js';
import type { EmbeddedStream } from './stream.js';
import { SessionService } from './session.js';
import { Subscriptions } from './subscriptions.js';

/** What one account or one client of the embedded server may take. */
export interface EmbeddedLimits {
  /** Messages that wait for one account to come online; further ones are refused. */
  readonly maxOfflineMessages: number;
  /** Bytes of them. */
  readonly maxOfflineBytes: number;
  /** Streams bound for one account; further ones are refused. */
  readonly maxResources: number;
  /** Contacts of one account. */
  readonly maxRosterItems: number;
  /**
   * Bytes that wait for one client, because it is paused or because it does not acknowledge them. A
   * slower client is ended with `resource-constraint`, and what it did not get is stored or
   * bounced as if its connection had broken.
   */
  readonly maxQueuedBytes: number;
}

export interface EmbeddedServerOptions {
  readonly domains: readonly string[];
  readonly credentials: Credentials;
  readonly mechanisms: readonly SaslMechanism[];
  readonly services: readonly EmbeddedService[];
  readonly clock: Clock;
  readonly wallClock: () => number;
  /** Seconds that a broken stream can be resumed. */
  readonly resumptionTime: number;
  readonly limits: EmbeddedLimits;
  readonly onError: (error: unknown) => void;
}

/** Something that a stream has to do, in its turn. */
export type StreamInput = Stanza | StreamCommand;
export interface StreamCommand {
  run(): void;
  /** Also when the stream has ended. */
  readonly always?: boolean;
}

/** The state that all streams share: accounts, who is bound, and where stanzas go. */
export class EmbeddedServer implements EmbeddedServices {
  readonly clock: Clock;
  readonly domains: string[] = [];
  readonly services: readonly EmbeddedService[];
  readonly credentials: Credentials;
  readonly mechanisms: readonly SaslMechanism[];
  readonly resumptionTime: number;
  readonly limits: EmbeddedLimits;

  readonly router = new Router(this);
  readonly presence = new Presence(this);
  readonly subscriptions = new Subscriptions(this);
  readonly carbons = new Carbons(this);
  readonly rosters: RosterService;

  closed = false;

  private readonly accounts = new Map<string, Account>();
  private readonly bound = new Map<string, Resource>();
  /** Streams that can be resumed, by the id of their stream management. */
  private readonly resumable = new Map<string, Resource>();
  private readonly hosts = new Map<string, EmbeddedService>();
  private readonly blockers: readonly EmbeddedService[];
  private readonly streams = new Set<EmbeddedStream>();
  private readonly onError: (error: unknown) => void;
  private readonly time: () => number;

  /** What streams have to do, in the order in which it came. */
  private inbox: { stream: EmbeddedStream; input: StreamInput }[] = [];
  private scheduled = false;

  constructor(options: EmbeddedServerOptions) {
    this.clock = options.clock;
    this.credentials = options.credentials;
    this.mechanisms = options.mechanisms;
    this.resumptionTime = options.resumptionTime;
    this.limits = options.limits;
    this.onError = options.onError;
    this.time = options.wallClock;
    this.rosters = new RosterService(this, options.limits.maxRosterItems);
    this.services = [new SessionService(), this.rosters, this.carbons, ...options.services];
    this.blockers = this.services.filter((service) => service.blocks);
    for (const service of this.services) {
      service.attach?.(this);
      for (const handler of service.queries ?? []) this.router.handle(handler);
    }
    for (const domain of options.domains) this.serve(domain);
  }

  /**
   * Serves one more domain; nothing happens if it does already.
   * @throws {RangeError} for what is no domain
   */
  serve(text: string): void {
    const jid = Jid.parse(text);
    if (!jid || jid.local !== '' || !jid.isBare) throw new RangeError(`not an XMPP domain: ${JSON.stringify(text)}`);
    const { domain } = jid;
    if (this.domains.includes(domain)) return;
    this.domains.push(domain);
    for (const service of this.services) {
      if (service.host !== undefined) this.hosts.set(`${service.host}.${domain}`, service);
    }
  }

  wallClock(): number {
    return this.time();
  }

  // --- streams -------------------------------------------------------------------------------

  add(stream: EmbeddedStream): void {
    this.streams.add(stream);
  }

  remove(stream: EmbeddedStream): void {
    this.streams.delete(stream);
  }

  /**
   * Everything that a client does waits for the end of the current turn of the event loop. So
   * nobody is called from inside his own call, and what arrives together is handled together.
   */
  enqueue(stream: EmbeddedStream, input: StreamInput): void {
    this.inbox.push({ stream, input });
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.drain);
  }

  private readonly drain = (): void => {
    const { inbox } = this;
    this.inbox = [];
    this.scheduled = false;
    for (const { stream, input } of inbox) {
      try {
        stream.process(input);
      } catch (error) {
        this.onError(error);
        stream.fail('internal-server-error');
      }
    }
  };

  /** Ends all streams, and opens no more. */
  shutdown(): void {
    this.closed = true;
    for (const stream of [...this.streams]) stream.fail('system-shutdown');
    for (const resource of [...this.bound.values()]) this.unbind(resource);
  }

  /** What a handler threw, as its sender is told. */
  stanzaError(error: unknown): StanzaError {
    if (error instanceof StanzaError) return error;
    this.onError(error);
    return new StanzaError('internal-server-error');
  }

  report(error: unknown): void {
    this.onError(error);
  }

  // --- accounts ------------------------------------------------------------------------------

  isForeign(jid: Jid): boolean {
    return !this.domains.includes(jid.domain);
  }

  /** The account that the address names, with whatever resource. */
  account(jid: Jid): Account | undefined {
    const known = this.accounts.get(jid.bare);
    if (known) return known;
    if (jid.local === '' || this.isForeign(jid) || !this.credentials.has(jid.local)) return undefined;
    return this.createAccount(jid.withResource(''), false);
  }

  createAccount(jid: Jid, anonymous: boolean): Account {
    const { maxOfflineMessages: maxMessages, maxOfflineBytes: maxBytes } = this.limits;
    const account = new Account(jid, anonymous, { maxMessages, maxBytes });
    this.accounts.set(jid.bare, account);
    return account;
  }

  private accountOf(bare: string): Account | undefined {
    const known = this.accounts.get(bare);
    if (known) return known;
    const jid = Jid.parse(bare);
    return jid && this.account(jid);
  }

  exists(bare: string): boolean {
    return this.accountOf(bare) !== undefined;
  }

  resources(bare: string): Iterable<Resource> {
    return this.accounts.get(bare)?.resources.values() ?? [];
  }

  resource(full: string): Resource | undefined {
    return this.bound.get(full);
  }

  subscription(owner: string, contact: string): Subscription {
    return this.accounts.get(owner)?.roster.subscription(contact) ?? 'none';
  }

  *subscribers(owner: string): Generator<string> {
    const account = this.accounts.get(owner);
    if (account) for (const item of account.roster.subscribers()) yield item.jid.bare;
  }

  blocks(owner: string, peer: Jid): boolean {
    for (const service of this.blockers) if (service.blocks!(owner, peer)) return true;
    return false;
  }

  /** Whether one of the two blocks the other. */
  separates(one: Account, other: Account): boolean {
    return this.blockers.length > 0 && (this.blocks(one.bare, other.jid) || this.blocks(other.bare, one.jid));
  }

  // --- routing -------------------------------------------------------------------------------

  route(stanza: Stanza): void {
    this.router.route(stanza);
  }

  /**
   * Hands a stanza to the service whose host it is addressed to.
   * @returns false when it is addressed to none
   * @throws {StanzaError} what the service threw
   */
  toHost(stanza: Stanza, from: Jid, to: Jid): boolean {
    const service = this.hosts.get(to.domain);
    if (!service) return false;
    service.onStanza?.(stanza, from, to);
    return true;
  }

  // --- binding -------------------------------------------------------------------------------

  /**
   * Binds a resource (RFC 6120, section 7). One that is taken goes to the newcomer, and the older stream ends
   * with `conflict`: a client that comes back must not wait for its own ghost to time out.
   * @param requested undefined: the server chooses
   * @throws {StanzaError}
   */
  bind(stream: EmbeddedStream, jid: Jid, requested: string | undefined, anonymous: boolean): Resource {
    const resourcepart = requested ?? randomBytes(9).toString('base64url');
    const full = Jid.of(jid.local, jid.domain, resourcepart);
    if (!full) throw new StanzaError('bad-request', { text: 'no such resource' });
    const old = this.bound.get(full.toString());
    if (old) this.unbind(old, 'conflict');
    const account = this.account(jid) ?? this.createAccount(jid, anonymous);
    if (account.resources.size >= this.limits.maxResources) throw new StanzaError('resource-constraint');
    const resource = new Resource(this, account, full, stream);
    account.resources.set(full.resource, resource);
    this.bound.set(resource.full, resource);
    return resource;
  }

  /** Ends a session for good: others see it leave, and what it did not get goes elsewhere. */
  unbind(resource: Resource, condition?: 'conflict'): void {
    if (!resource.bound) return;
    const { account, management } = resource;
    const stream = resource.release();
    const undelivered = stream?.release(condition) ?? [];
    account.resources.delete(resource.jid.resource);
    this.bound.delete(resource.full);
    if (resource.carbons) account.carbons--;
    if (management?.id !== undefined) this.resumable.delete(management.id);
    if (account.anonymous && account.resources.size === 0) this.accounts.delete(account.bare);
    this.guard(() => this.presence.lost(resource));
    for (const service of this.services) this.guard(() => service.onUnbound?.(resource));
    for (const stanza of management ? management.unacknowledged() : undelivered) {
      this.guard(() => this.router.undelivered(resource, stanza));
    }
  }

  /** A stream can be resumed from now on. */
  offer(resource: Resource): void {
    this.resumable.set(resource.management!.id!, resource);
  }

  /** The session that an account's client may resume. */
  find(id: string, bare: string): Resource | undefined {
    const resource = this.resumable.get(id);
    return resource?.account.bare === bare ? resource : undefined;
  }

  // --- hooks of services ---------------------------------------------------------------------

  notifyAvailable(resource: Resource, presence: Stanza, initial: boolean): void {
    for (const service of this.services) this.guard(() => service.onAvailable?.(resource, presence, initial));
  }

  notifyUnavailable(resource: Resource): void {
    for (const service of this.services) this.guard(() => service.onUnavailable?.(resource));
  }

  notifyAnswer(stanza: Stanza, resource: Resource): void {
    for (const service of this.services) this.guard(() => service.onAnswer?.(stanza, resource));
  }

  notifySubscription(owner: string, contact: string, subscribed: boolean): void {
    for (const service of this.services) this.guard(() => service.onSubscription?.(owner, contact, subscribed));
  }

  private guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.onError(error);
    }
  }
}
