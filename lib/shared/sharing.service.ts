import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { Clock } from '../clock.js';
import {
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
import { Attempts } from './attempts.js';
import { KeyRing, MAX_KEY_LENGTH } from './key-ring.js';
import { LocalKeyStore, type SharedKeyStore } from './key-store.js';
import { Member } from './member.js';
import { SharingRefused } from './refusal.js';
import { SHARED_KEY_STORE, XMPP_SHARED_GUARD, type SharedRequest, type XmppSharedGuard } from './request.js';
import { SharedStream, type SharedContext } from './shared-stream.js';

/** The shared streams of this process, and who may join them. For transports. */
@Injectable()
export class Sharing {
  private readonly logger = new Logger('XmppSharing');
  private readonly streams = new Set<SharedStream>();
  private readonly ring: KeyRing<SharedStream>;
  private readonly attempts: Attempts;
  private readonly context: SharedContext;

  constructor(
    @Inject(XMPP_OPTIONS) private readonly options: ResolvedOptions,
    clock: Clock,
    private readonly events: XmppEvents,
    sessions: SessionRegistry,
    @Optional() @Inject(SHARED_KEY_STORE) private readonly store: SharedKeyStore = new LocalKeyStore(),
    @Optional() @Inject(XMPP_SHARED_GUARD) private readonly guard: XmppSharedGuard = {},
  ) {
    const onError = (error: unknown) => this.onError(error);
    this.ring = new KeyRing(store, clock, options.shared.keyTtl * 1000, onError);
    this.attempts = new Attempts(options.shared.attemptsPerMinute, clock);
    this.context = {
      clock,
      options,
      open: (domain, header, client, http) => sessions.open(domain, header, client, http),
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

  /** The name of the node that has a key, as the store calls it: the one to which an attempt to attach belongs. */
  ownerOf(domain: string, key: string): string | undefined | Promise<string | undefined> {
    return this.store.find(this.ring.digest(domain, key));
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

  private create(domain: string, digest: string, header: StreamHeader, client: Client, request: SharedRequest): Member {
    const stream = new SharedStream(domain, this.context);
    const member = stream.join(client, header, request);
    const claimed = this.ring.claim(digest, stream);
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

  private onError(error: unknown): void {
    this.logger.error('sharing failed', error instanceof Error ? error.stack : String(error));
  }
}

const GUESSES: ReadonlySet<SharedRefusal> = new Set(['no-match', 'ticket', 'from', 'insecure', 'guard']);
