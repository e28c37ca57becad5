import { randomBytes } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock, Timeout } from '../clock.js';
import type { StreamHeader } from '../upstream/upstream.js';
import { Upstreams } from '../upstream/upstreams.js';
import type { Stanza } from '../xml/index.js';
import { XMPP_OPTIONS, type ResolvedOptions } from '../xmpp.options.js';
import type { Client, Transport } from './client.js';
import type { SessionEnd } from './end.js';
import { XmppEvents } from './events.js';
import { Admission, SessionRefused, type Place } from './limits.js';
import type { Prebinder, PrebindOptions, Prebound, PreboundShared } from './prebind.js';
import { Session, type SessionContext, type Traffic, type XmppSession } from './session.js';

/** Where the clients of a transport are sent: a URI, which may be one of the other transport. */
export type Destinations = Partial<Record<Transport, string>>;

/** As many resumable streams are remembered, so that their JIDs are known when they are resumed. */
const MAX_RESUMPTIONS = 20_000;

/** @publicApi The sessions of this process. */
@Injectable()
export class XmppSessionService {
  /** Totals since the start. */
  readonly traffic: Traffic = { stanzasIn: 0, bytesIn: 0, stanzasOut: 0, bytesOut: 0 };

  private readonly logger = new Logger('XmppSession');
  private readonly sessions = new Map<string, Session>();
  private readonly admission: Admission;
  private readonly context: SessionContext;
  private draining = false;
  private destinations: Destinations = {};
  private gone: (() => void) | undefined;
  private prebinder: Prebinder | undefined;

  constructor(
    @Inject(XMPP_OPTIONS) private readonly options: ResolvedOptions,
    private readonly clock: Clock,
    readonly events: XmppEvents,
    private readonly upstreams: Upstreams,
  ) {
    this.admission = new Admission(options.limits, clock, (limit, address) =>
      events.emit('limit.hit', { limit: `limits.${limit}`, address }),
    );
    const jids = new Map<string, string>();
    this.context = {
      clock,
      events,
      traffic: this.traffic,
      authTimeout: options.limits.authTimeout * 1000,
      channelBinding: options.channelBinding,
      pace: options.limits,
      resumptions: {
        remember(id, jid) {
          jids.delete(id);
          jids.set(id, jid);
          if (jids.size > MAX_RESUMPTIONS) jids.delete(jids.keys().next().value!);
        },
        recall: (id) => jids.get(id),
      },
      onGone: (session) => this.onGone(session),
    };
    this.logLives();
  }

  /** Sessions, and clients that are about to have one. */
  get count(): number {
    return this.admission.sessions;
  }

  /** Whether the process goes down and takes no new session. */
  get isDraining(): boolean {
    return this.draining;
  }

  /** All sessions of this process, oldest first. */
  list(): XmppSession[] {
    return [...this.sessions.values()].filter((session) => !session.end);
  }

  /**
   * The sessions of a user.
   * @param key a session's `id`, a full JID, or a bare JID for all its resources
   */
  find(key: string): XmppSession[] {
    const byId = this.sessions.get(key);
    if (byId) return byId.end ? [] : [byId];
    const bare = !key.includes('/');
    return this.list().filter(({ jid }) => jid === key || (bare && jid?.startsWith(`${key}/`)));
  }

  /**
   * Ends a session; its client gets a stream error.
   * @param key as for {@link find}
   * @returns how many were ended
   */
  terminate(key: string, end: Pick<SessionEnd, 'condition' | 'text'> = { condition: 'policy-violation' }): number {
    const found = this.find(key) as Session[];
    for (const session of found) session.terminate({ reason: 'terminated', ...end });
    return found.length;
  }

  /**
   * Gives a stanza to the clients of a user as if the server had sent it. A client that runs stream
   * management counts what it gets, so nothing can be added for it (XEP-0198, section 4).
   * @param key as for {@link find}
   * @returns how many sessions got it
   */
  send(key: string, stanza: Stanza): number {
    const open = (this.find(key) as Session[]).filter((session) => session.jid !== undefined && !session.managed);
    for (const session of open) session.deliver(stanza);
    return open.length;
  }

  /**
   * Sends a stanza to the server in the name of a session's client. Refused where no resource is
   * bound yet, and where the client runs stream management, whose counters it would break.
   * @param id the session's `id`
   * @returns whether it was sent
   */
  sendAs(id: string, stanza: Stanza): boolean {
    const session = this.sessions.get(id);
    if (!session || session.end || session.jid === undefined || session.managed) return false;
    session.send(stanza);
    return true;
  }

  /**
   * Moves clients elsewhere, before maintenance for instance: running sessions end with
   * `see-other-uri` (RFC 7395, section 3.6.1; XEP-0124, section 17.2), new clients are sent on at
   * once, until {@link undrain}. A transport for which no URI is given stays. A client that came
   * over TLS is never sent to a URI without it.
   * @returns how many sessions were moved
   * @throws {TypeError} for what is no `ws:`, `wss:`, `http:` or `https:` URI
   */
  drain(to: Destinations): number {
    for (const uri of Object.values(to)) {
      if (!URL.canParse(uri) || !/^(ws|http)s?:$/.test(new URL(uri).protocol)) throw new TypeError(`${uri} is no ws(s): or http(s): URI`);
    }
    this.destinations = to;
    let moved = 0;
    for (const session of this.sessions.values()) {
      const uri = this.destinationOf(session);
      if (!uri || session.end) continue;
      session.terminate({ reason: 'moved', uri });
      moved++;
    }
    return moved;
  }

  /** Takes new sessions again after {@link drain}. */
  undrain(): void {
    this.destinations = {};
  }

  /**
   * Logs a user in on the server, so that a page needs no password: the stream is open, authenticated and bound, and
   * waits for a client `ttl` seconds. No presence was sent.
   * @returns for `attach(jid, sid, rid)` over BOSH; with `shared`, a ticket for one client of a shared session
   * @throws {PrebindError} why it failed
   * @throws {TypeError} for options that make no sense
   */
  prebind(options: PrebindOptions & { readonly shared: true }): Promise<PreboundShared>;
  prebind(options: PrebindOptions & { readonly shared?: false }): Promise<Prebound>;
  prebind(options: PrebindOptions): Promise<Prebound | PreboundShared>;
  async prebind(options: PrebindOptions): Promise<Prebound | PreboundShared> {
    if (!this.prebinder) throw new TypeError('nobody here can prebind');
    return await this.prebinder.prebind(options);
  }

  // For transports.

  registerPrebinder(prebinder: Prebinder): void {
    this.prebinder = prebinder;
  }

  /**
   * Whether a domain is served: what it is called by us, for the name that a client gave.
   * @throws {SessionRefused} with `improper-addressing` (none given), `host-gone` or `host-unknown`
   */
  domainOf(to: string | undefined): string {
    if (to === undefined || to === '') throw new SessionRefused('improper-addressing', 'no domain given', 400);
    const name = to.normalize('NFKC').toLowerCase().replace(/\.$/, '');
    if (this.options.formerDomains.includes(name)) throw new SessionRefused('host-gone', 'domain no longer served', 400);
    if (!this.options.domains.includes(name)) throw new SessionRefused('host-unknown', 'domain not served', 400);
    return name;
  }

  /**
   * Takes a place among the sessions, which whoever asked for it gives back at the end.
   * @throws {SessionRefused}
   */
  enter(address: string): Place {
    if (this.draining) throw new SessionRefused('system-shutdown', 'shutting down', 503, 1);
    return this.admission.enter(address);
  }

  /**
   * Opens a session. The client has its place ({@link enter}) and a served domain ({@link domainOf}).
   * @throws {SessionRefused}
   */
  open(domain: string, header: StreamHeader, client: Client): Session {
    if (this.draining) throw new SessionRefused('system-shutdown', 'shutting down', 503, 1);
    const uri = this.destinationOf(client);
    if (uri) throw new SessionRefused('see-other-host', 'served elsewhere', 503, 1, uri);
    const session = new Session(domain, client, this.context);
    this.sessions.set(session.id, session);
    try {
      session.start(this.upstreams.select(domain), header);
    } catch (error) {
      this.sessions.delete(session.id);
      throw error;
    }
    return session;
  }

  /**
   * Ends all sessions. Those whose clients can resume are cut, the others are told.
   * @returns when every upstream stream is gone, or after `grace` milliseconds
   */
  async shutdown(grace: number): Promise<void> {
    this.draining = true;
    for (const session of this.sessions.values()) {
      session.terminate(
        session.resumable
          ? { reason: 'shutdown', condition: 'system-shutdown', resumable: true }
          : { reason: 'shutdown', condition: 'system-shutdown' },
      );
    }
    if (this.sessions.size === 0) return;
    await new Promise<void>((resolve) => {
      const patience = new Timeout(this.clock, resolve);
      patience.start(grace);
      this.gone = () => {
        patience.stop();
        resolve();
      };
    });
  }

  private destinationOf({ transport, secure }: { transport: Transport; secure: boolean }): string | undefined {
    const uri = this.destinations[transport];
    return uri && secure && !/^(wss|https):/.test(uri) ? undefined : uri;
  }

  private onGone(session: Session): void {
    this.sessions.delete(session.id);
    if (this.sessions.size === 0) this.gone?.();
  }

  /** One line for each session's life. */
  private logLives(): void {
    const { logger } = this;
    this.events.on('session.closed', ({ session, end }) => {
      const { stanzasIn, stanzasOut } = session.traffic;
      const seconds = Math.round((Date.now() - session.openedAt.getTime()) / 1000);
      logger.debug(
        `${session.id} ${session.transport} ${session.jid ?? session.domain} from ${session.address}: ` +
          `${end.reason}${end.condition ? ` (${end.condition})` : ''} after ${seconds} s, ${stanzasIn} in, ${stanzasOut} out`,
      );
    });
    this.events.on('upstream.failed', ({ session, message }) => {
      logger.warn(`upstream of ${session.domain} failed: ${message}`);
    });
  }
}

/** An identifier that nobody can guess: 160 bits. */
export function unguessable(): string {
  return randomBytes(20).toString('base64url');
}
