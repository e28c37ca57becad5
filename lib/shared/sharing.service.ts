import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { Clock, Timeout } from '../clock.js';
import { Cluster, type Channel, type ChannelHandler } from '../cluster/index.js';
import { forwardable, forwarded } from '../http/index.js';
import {
  PendingSession,
  XmppEvents,
  SessionRegistry,
  type Client,
  type ClientSession,
  type SharedRefusal,
  type XmppSession,
} from '../session/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import type { Stanza } from '../xml/index.js';
import { XMPP_OPTIONS, type ResolvedOptions } from '../xmpp.options.js';
import { readNote, type AttachmentRequest } from './attachment.js';
import { Attempts } from './attempts.js';
import { ClusterKeyStore } from './cluster-keys.js';
import { KeyRing, MAX_KEY_LENGTH } from './key-ring.js';
import { LocalKeyStore, type SharedKeyStore } from './key-store.js';
import { Member } from './member.js';
import { endOf, SharingRefused } from './refusal.js';
import { RemoteClient } from './remote-client.js';
import { ATTACH_SERVICE, RemoteSession } from './remote-session.js';
import { SHARED_KEY_STORE, XMPP_SHARED_GUARD, type SharedRequest, type XmppSharedGuard } from './request.js';
import { SharedStream, type SharedContext } from './shared-stream.js';

/** Milliseconds beyond the app's, for whoever asked for a key to make a stream of it. */
const UNRESERVE = 1000;

/** The shared streams of this process, and who may join them. For transports. */
@Injectable()
export class Sharing {
  private readonly logger = new Logger('XmppSharing');
  private readonly streams = new Set<SharedStream>();
  private readonly ring: KeyRing<SharedStream>;
  private readonly attempts: Attempts;
  private readonly context: SharedContext;
  /** The keys of all nodes; none where this one is alone. */
  private readonly common: ClusterKeyStore | undefined;
  /** Keys that are being looked for: how many clients wait for each. */
  private readonly locating = new Map<string, number>();

  constructor(
    @Inject(XMPP_OPTIONS) private readonly options: ResolvedOptions,
    private readonly clock: Clock,
    private readonly events: XmppEvents,
    private readonly sessions: SessionRegistry,
    private readonly cluster: Cluster,
    @Optional() @Inject(SHARED_KEY_STORE) store?: SharedKeyStore,
    @Optional() @Inject(XMPP_SHARED_GUARD) private readonly guard: XmppSharedGuard = {},
  ) {
    const onError = (error: unknown) => this.onError(error);
    if (cluster.enabled && !store) {
      this.common = new ClusterKeyStore(cluster, clock, (digest) => this.onKeyLost(digest), onError);
    }
    const claims = store ?? this.common ?? new LocalKeyStore();
    cluster.serve(ATTACH_SERVICE, (data, channel) => this.onRemote(readNote<AttachmentRequest>(data), channel));
    this.ring = new KeyRing(claims, clock, options.shared.keyTtl * 1000, onError);
    this.attempts = new Attempts(options.shared.attemptsPerMinute, clock);
    this.context = {
      clock,
      options,
      open: (...args) => sessions.open(...args),
      bound: (address) => this.attempts.restore(address),
      attached: (stream, { number, client }) =>
        events.emit('shared.attached', { session: stream.session!, client: number, address: client.address }),
      detached: (stream, { number }, end) => events.emit('shared.detached', { session: stream.session!, client: number, end }),
      refused: (stream, { client }, reason) => this.note(stream.domain, client.address, reason),
      mayAttach: (stream, member) => this.mayAttach(stream, member),
      rekey: (stream, key) => void this.rekey(stream, key),
      ended: (stream) => this.onEnded(stream),
      onError,
    };
  }

  /** Whether there is sharing at all; if not, its attributes are ignored. */
  get enabled(): boolean {
    return this.options.shared.enabled;
  }

  /**
   * Opens a session that can be shared, or attaches to the one that has the key. What came of it is told
   * with {@link Client.onOpen}, and never before this has returned; where the session's creator has not
   * logged in yet, that is when it has. A client that must not wait any longer, or for nothing, gets
   * {@link Client.onEnd} with `item-not-found`.
   * @param domain served (see `SessionRegistry.domainOf`)
   * @throws {SessionRefused} `policy-violation` (key, number of clients, too many attempts), or
   * `item-not-found` where there is nothing to attach to
   */
  open(domain: string, header: StreamHeader, client: Client, request: SharedRequest): ClientSession {
    const { address } = client;
    const { key, attachOnly } = request;
    if (!this.attempts.allows(address)) {
      this.events.emit('limit.hit', { limit: 'shared.attemptsPerMinute', address });
      throw this.refuse(domain, address, 'throttled');
    }
    const ticket = KeyRing.isTicket(key);
    if (!this.isKey(key)) throw this.refuse(domain, address, 'key');
    const digest = this.ring.digest(domain, key);
    const stream = ticket ? this.ring.redeem(digest, this.bearerOf(request)) : this.ring.find(digest);
    if (stream) return this.join(stream, header, client, request);
    if (ticket || attachOnly) throw this.refuse(domain, address, ticket ? 'ticket' : 'no-match');
    this.attempts.spend(address);
    return this.create(domain, digest, header, client, request);
  }

  /**
   * Where a key belongs, in a cluster: to the node whose stream has it; a new one is claimed for this node.
   * @param found called once: with the token of another node; or without, to call {@link open} at once, with `claimed`.
   * Called before this returns where there is nothing to look for.
   */
  locate(domain: string, { key, attachOnly }: SharedRequest, address: string, found: (node?: string, claimed?: boolean) => void): void {
    const { common } = this;
    // Who may not try is told so by open().
    if (!common || !this.isKey(key) || !this.attempts.allows(address)) return found();
    const digest = this.ring.digest(domain, key);
    if (this.ring.find(digest) || this.ring.hasTicket(digest)) return found();
    this.locating.set(digest, (this.locating.get(digest) ?? 0) + 1);
    void this.lookUp(common, digest, attachOnly || KeyRing.isTicket(key)).then(({ node, claimed }) => {
      const others = this.locating.get(digest)! - 1;
      if (others > 0) this.locating.set(digest, others);
      else this.locating.delete(digest);
      this.ask(() => found(node, claimed));
      if (claimed && others === 0) this.unreserve(digest);
    });
  }

  /** Nobody made a stream of a key that was claimed; or not yet, while the app is asked who may have one. */
  private unreserve(digest: string): void {
    if (this.ring.find(digest)) return;
    new Timeout(this.clock, () => this.ring.unreserve(digest)).start(this.options.hooks.timeout * 1000 + UNRESERVE);
  }

  /**
   * As {@link open}, wherever in the cluster the session is.
   * @throws {SessionRefused}
   */
  attach(domain: string, header: StreamHeader, client: Client, request: SharedRequest): ClientSession {
    let here: ClientSession | undefined;
    let pending: PendingSession | undefined;
    this.locate(domain, request, client.address, (node, claimed = false) => {
      const open = (): ClientSession =>
        node === undefined ? this.open(domain, header, client, { ...request, claimed }) : this.attachThere(node, domain, header, client, request);
      if (!pending) return void (here = open());
      try {
        pending.begin(open);
      } catch (error) {
        pending.refuse(endOf(error));
      }
    });
    return here ?? (pending = new PendingSession(client));
  }

  /**
   * A client that logged in for others, on the server, leaves its stream to them: it lives `ttl` seconds
   * without clients, or until the first has come and the last gone.
   * @param undelivered what came for them since it was bound
   * @throws {TypeError} when the session is not shared, or no resource is bound
   */
  handOver(session: ClientSession, ttl: number, undelivered: readonly Stanza[] = []): XmppSession {
    const stream = session instanceof Member ? this.list().find(({ members }) => members.has(session)) : undefined;
    if (!stream?.handOver(session as Member, ttl * 1000, undelivered)) throw new TypeError('no shared session with a bound resource');
    return stream.session!;
  }

  // For those who manage keys.

  /** The shared streams that have a session. */
  list(): SharedStream[] {
    return [...this.streams].filter((stream) => stream.session !== undefined && stream.session.end === undefined);
  }

  /** @returns the stream of a session, by the session's id */
  find(sessionId: string): SharedStream | undefined {
    return this.list().find(({ session }) => session!.id === sessionId);
  }

  /**
   * Gives a stream another key; the old one attaches nobody any more.
   * @returns whether it has it: a store may say so late
   * @throws {SessionRefused} for a key that cannot be one, or is another stream's
   */
  rekey(stream: SharedStream, key: string): Promise<boolean> | boolean {
    if (!this.isKey(key) || KeyRing.isTicket(key)) throw new SharingRefused('key');
    const digest = this.ring.digest(stream.domain, key);
    if (stream.digest === digest) return true;
    const claimed = this.ring.find(digest) ? false : this.ring.claim(digest, stream);
    if (claimed === false) throw new SharingRefused('key');
    const before = stream.digest;
    stream.digest = digest;
    const settle = (done: boolean): boolean => {
      if (done && before !== undefined) this.ring.release(before, stream);
      if (!done && stream.digest === digest) stream.digest = before;
      return done;
    };
    return claimed === true ? settle(true) : claimed.then(settle);
  }

  /** @returns whether a stream had the key */
  revoke(key: string): boolean {
    let revoked = false;
    for (const domain of this.options.domains) {
      const digest = this.ring.digest(domain, key);
      const stream = this.ring.find(digest);
      if (!stream) continue;
      this.ring.release(digest, stream);
      if (stream.digest === digest) stream.digest = undefined;
      revoked = true;
    }
    return revoked;
  }

  issueTicket(stream: SharedStream, ttl: number, boundTo: string | undefined): string {
    return this.ring.issue(stream, stream.domain, ttl, boundTo);
  }

  private async lookUp(common: ClusterKeyStore, digest: string, attachOnly: boolean): Promise<{ node?: string; claimed?: boolean }> {
    try {
      if (!attachOnly && (await this.ring.reserve(digest))) return { claimed: true };
      const node = await common.find(digest);
      return node === undefined || node === this.cluster.id ? {} : { node };
    } catch (error) {
      this.onError(error);
      return {};
    }
  }

  private attachThere(node: string, domain: string, header: StreamHeader, client: Client, request: SharedRequest): ClientSession {
    const { transport, address, port, secure } = client;
    const { key, patience, http, admittance } = request;
    // Where a guard chose the upstream, or the user is logged in here, no stream can be opened there, if none has the key any more.
    const attachOnly = request.attachOnly || admittance?.upstream !== undefined || admittance?.login !== undefined;
    const about = { domain, header, key, attachOnly, patience, transport, address, port, secure, ...(http && forwardable(http)) };
    return new RemoteSession(domain, client, this.cluster, node, about, this.options.limits.maxBufferedBytes);
  }

  /** A client of another node, which knows that the key is ours. */
  private onRemote(request: AttachmentRequest, channel: Channel): ChannelHandler {
    const { domain, header, key, attachOnly, patience } = request;
    const client = new RemoteClient(request, channel, this.options.limits.maxBufferedBytes);
    try {
      const http = request.headers && forwarded(request, 'GET');
      client.session = this.open(this.sessions.domainOf(domain), header, client, {
        key,
        attachOnly,
        ...(patience !== undefined && { patience }),
        ...(http && { http }),
      });
    } catch (error) {
      client.onEnd(endOf(error));
    }
    return client.handler;
  }

  private create(domain: string, digest: string, header: StreamHeader, client: Client, request: SharedRequest): Member {
    const stream = new SharedStream(domain, this.context);
    const member = stream.join(client, header, request);
    const claimed = this.ring.claim(digest, stream, request.claimed || undefined);
    if (claimed === false) {
      member.leave({ reason: 'error' });
      throw this.refuse(domain, client.address, 'no-match'); // on another node
    }
    stream.digest = digest;
    this.streams.add(stream);
    if (claimed === true) {
      try {
        stream.begin();
      } catch (error) {
        stream.abandon();
        throw error;
      }
    } else {
      void claimed.then((done) => (done ? stream.promote() : stream.abandon()));
    }
    return member;
  }

  private join(stream: SharedStream, header: StreamHeader, client: Client, request: SharedRequest): Member {
    try {
      return stream.join(client, header, request);
    } catch (error) {
      if (error instanceof SharingRefused) this.note(stream.domain, client.address, error.reason);
      throw error;
    }
  }

  private mayAttach(stream: SharedStream, { client, header, request }: Member): boolean {
    const { address, secure } = client;
    const attempt = { session: stream.session!, address, secure, from: header.from, http: request.http };
    return this.ask(() => this.guard.mayAttach?.(attempt) ?? true) ?? false;
  }

  private bearerOf({ http }: SharedRequest): string | undefined {
    return http && this.ask(() => this.guard.identify?.(http));
  }

  /** What the app says; a fault of the app is no permission. */
  private ask<T>(question: () => T): T | undefined {
    try {
      return question();
    } catch (error) {
      this.onError(error);
      return undefined;
    }
  }

  private isKey(key: string): boolean {
    return key.length >= this.options.shared.minKeyLength && key.length <= MAX_KEY_LENGTH && !/\p{Cc}/u.test(key);
  }

  private refuse(domain: string, address: string, reason: SharedRefusal): SharingRefused {
    this.note(domain, address, reason);
    return new SharingRefused(reason);
  }

  /** What looks like guessing is counted; all of it is reported. */
  private note(domain: string, address: string, reason: SharedRefusal): void {
    if (GUESSES.has(reason)) this.attempts.spend(address);
    this.events.emit('shared.refused', { domain, address, reason });
  }

  private onEnded(stream: SharedStream): void {
    this.streams.delete(stream);
    if (stream.digest !== undefined) this.ring.release(stream.digest, stream);
    this.ring.dropTickets(stream);
  }

  /** While the bus was gone somebody else made a stream of it: its clients stay, and nobody joins them. */
  private onKeyLost(digest: string): void {
    const stream = this.ring.forget(digest);
    if (stream && stream.digest === digest) stream.digest = undefined;
  }

  private onError(error: unknown): void {
    this.logger.error('sharing failed', error instanceof Error ? error.stack : String(error));
  }
}

const GUESSES: ReadonlySet<SharedRefusal> = new Set(['no-match', 'ticket', 'from', 'insecure', 'guard']);
