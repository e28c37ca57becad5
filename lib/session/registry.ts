import type { IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { Clock, Timeout } from '../clock.js';
import { Cluster } from '../cluster/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import { Upstreams } from '../upstream/upstreams.js';
import type { Stanza } from '../xml/index.js';
import { XMPP_OPTIONS, type ResolvedOptions } from '../xmpp.options.js';
import type { Client, Transport } from './client.js';
import type { SessionEnd } from './end.js';
import { Entrance, type Admittance } from './entrance.js';
import { XmppEvents } from './events.js';
import { StanzaInterceptors } from './interceptors.js';
import { FeatureFilter } from './features.js';
import { Admission, SessionRefused, type Place } from './limits.js';
import type { Prebinder } from './prebind.js';
import { Session, type SessionContext, type Traffic } from './session.js';
import { UpstreamStates } from './upstream-states.js';

/** Where the clients of a transport are sent: a URI, which may be one of the other transport. */
export type Destinations = Partial<Record<Transport, string>>;

/** What the client of a session is told that the app ends. */
export type Ending = Pick<SessionEnd, 'condition' | 'text'>;

/** As many resumable streams are remembered, so that their JIDs are known when they are resumed. */
const MAX_RESUMPTIONS = 20_000;

/** The sessions of this process: for transports, which open them, and for {@link XmppSessionService}. */
@Injectable()
export class SessionRegistry {
  /** Totals since the start. */
  readonly traffic: Traffic = { stanzasIn: 0, bytesIn: 0, stanzasOut: 0, bytesOut: 0 };

  private readonly sessions = new Map<string, Session>();
  private readonly admission: Admission;
  private readonly context: SessionContext;
  private draining = false;
  /** Where clients are sent on to. */
  destinations: Destinations = {};
  private gone: (() => void) | undefined;
  /** Who logs users in on the server; knows transports, as sessions do not. */
  prebinder: Prebinder | undefined;

  constructor(
    @Inject(XMPP_OPTIONS) private readonly options: ResolvedOptions,
    private readonly clock: Clock,
    readonly events: XmppEvents,
    private readonly upstreams: Upstreams,
    cluster: Cluster,
    interceptors: StanzaInterceptors = new StanzaInterceptors(),
    readonly entrance: Entrance = new Entrance(clock, options.hooks.timeout * 1000, () => {}),
  ) {
    this.admission = new Admission(options.limits, clock, (limit, address) =>
      events.emit('limit.hit', { limit: `limits.${limit}`, address }),
    );
    const jids = new Map<string, string>();
    this.context = {
      clock,
      events,
      upstreamStates: new UpstreamStates(events),
      traffic: this.traffic,
      mint: (id) => cluster.mint(id),
      authTimeout: options.limits.authTimeout * 1000,
      features: new FeatureFilter(options.channelBinding),
      pace: options.limits,
      interceptors,
      hookTimeout: options.hooks.timeout * 1000,
      maxBufferedBytes: options.limits.maxBufferedBytes,
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
  }

  /** Sessions, and clients that are about to have one. */
  get count(): number {
    return this.admission.sessions;
  }

  /** Whether the process goes down and takes no new session. */
  get isDraining(): boolean {
    return this.draining;
  }

  /** As they are set. */
  get limits(): ResolvedOptions['limits'] {
    return this.options.limits;
  }

  /** Oldest first. */
  list(): Session[] {
    return [...this.sessions.values()].filter((session) => !session.end);
  }

  /** @param key a session's `id`, a full JID, or a bare JID for all its resources */
  find(key: string): Session[] {
    const byId = this.sessions.get(key);
    if (byId) return byId.end ? [] : [byId];
    const bare = !key.includes('/');
    return this.list().filter(({ jid }) => jid === key || (bare && jid?.startsWith(`${key}/`)));
  }

  /** As {@link XmppSessionService.terminate}. */
  terminate(key: string, end: Ending = { condition: 'policy-violation' }): number {
    const found = this.find(key);
    for (const session of found) session.terminate({ reason: 'terminated', ...end });
    return found.length;
  }

  /** As {@link XmppSessionService.send}. */
  send(key: string, stanza: Stanza): number {
    const open = this.find(key).filter((session) => session.jid !== undefined && !session.managed);
    for (const session of open) session.deliver(stanza);
    return open.length;
  }

  /** As {@link XmppSessionService.sendAs}. */
  sendAs(id: string, stanza: Stanza): boolean {
    const session = this.sessions.get(id);
    if (!session || session.end || session.jid === undefined || session.managed) return false;
    session.forward(stanza);
    return true;
  }

  /** As {@link XmppSessionService.drain}. */
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

  undrain(): void {
    this.destinations = {};
  }

  // For transports.

  /**
   * Whether a domain is served: what it is called by us, for the name that a client gave.
   * @throws {SessionRefused} with `improper-addressing` (none given), `host-gone` or `host-unknown`
   */
  domainOf(to: string | undefined): string {
    if (to === undefined || to === '') throw new SessionRefused('improper-addressing', 'no domain given', 400);
    // As clients write it, as a rule.
    if (this.options.domains.includes(to) && !this.options.formerDomains.includes(to)) return to;
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
   * @param http the request that began it
   * @param admittance what the guards said
   * @throws {SessionRefused}
   */
  open(domain: string, header: StreamHeader, client: Client, http?: IncomingMessage, admittance: Admittance = {}): Session {
    if (this.draining) throw new SessionRefused('system-shutdown', 'shutting down', 503, 1);
    const uri = this.destinationOf(client);
    if (uri) throw new SessionRefused('see-other-host', 'served elsewhere', 503, 1, uri);
    const session = new Session(domain, client, this.context);
    this.sessions.set(session.id, session);
    try {
      const { upstream, login } = admittance;
      session.start(upstream === undefined ? this.upstreams.select(domain) : this.upstreams.resolve(upstream), header, login);
    } catch (error) {
      this.sessions.delete(session.id);
      throw error;
    }
    this.events.emit('session.opening', { session, http });
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
}
