import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Counts, XmppTrace } from '../observability/index.js';
import { SessionRegistry, XmppSessionService, type Destinations, type Traffic, type Transport, type XmppSession } from '../session/index.js';
import { XmppSharedKeyService, type SharedClient } from '../shared/index.js';
import { Recordings } from './recordings.js';

/** @publicApi A session, as the administration tells of it. */
export interface XmppAdminSession {
  /** As in `XmppSessionService`. */
  readonly id: string;
  /** XMPP domain. */
  readonly domain: string;
  /** Full JID; null until a resource is bound. */
  readonly jid: string | null;
  /** Over which its client came. */
  readonly transport: Transport;
  /** IP address of the client, after trusted proxies. */
  readonly address: string;
  /** Whether the client came over TLS. */
  readonly secure: boolean;
  /** How far it is. */
  readonly state: XmppAdminState;
  /** The server keeps the stream for resumption when its connection is cut (XEP-0198). */
  readonly resumable: boolean;
  /** ISO 8601. */
  readonly openedAt: string;
  /** How long it lives. */
  readonly seconds: number;
  /** What passed. */
  readonly traffic: Traffic;
  /** Clients that share it; 0 where it is not shared. */
  readonly sharedBy: number;
  /** Whether a trace of the administration follows it. */
  readonly traced: boolean;
  /** Of a cluster: the node that has it, where it is another one. */
  readonly node: string | null;
}

/** @publicApi How far a session is: its stream is open, its client authenticated, a resource bound. */
export type XmppAdminState = 'open' | 'authenticated' | 'bound';

/** @publicApi A client of a shared session, as the administration tells of it. */
export interface XmppAdminClient extends Omit<SharedClient, 'attachedAt'> {
  /** ISO 8601. */
  readonly attachedAt: string;
}

/** @publicApi With those who share it. */
export interface XmppAdminDetails extends XmppAdminSession {
  /** None where it is not shared. */
  readonly clients: readonly XmppAdminClient[];
}

/** @publicApi Some of the sessions. */
export interface XmppAdminPage {
  /** How many there are that were asked for. */
  readonly total: number;
  /** How many of them stand before these. */
  readonly offset: number;
  /** Most of them on a page. */
  readonly limit: number;
  /** Those of this page. */
  readonly sessions: readonly XmppAdminSession[];
}

/** @publicApi Whether an upstream could be reached when a stream was last opened. */
export interface XmppAdminUpstream {
  /** XMPP domain. */
  readonly domain: string;
  /** Its name. */
  readonly upstream: string;
  /** Whether it could. */
  readonly up: boolean;
}

/**
 * @publicApi How many sessions live: in all, by transport, by state.
 * @property websocket over WebSocket
 * @property bosh over BOSH
 * @property open not authenticated yet
 * @property authenticated without a resource yet
 * @property bound with a resource
 */
export interface XmppAdminCounts extends Readonly<Record<Transport | XmppAdminState, number>> {
  /** All of them. */
  readonly total: number;
}

/** @publicApi Of this process; totals are since its start. */
export interface XmppAdminOverview {
  /** ISO 8601. */
  readonly now: string;
  /** Seconds. */
  readonly uptime: number;
  /** That live now. */
  readonly sessions: XmppAdminCounts;
  /** Places that are taken. */
  readonly clients: number;
  /** How many there are: `limits.maxSessions`. */
  readonly clientsLimit: number;
  /** Streams that are shared. */
  readonly sharedStreams: number;
  /** The clients on them. */
  readonly sharedClients: number;
  /** What passed in all sessions. */
  readonly traffic: Readonly<Traffic>;
  /** Sessions whose stream was opened. */
  readonly opened: number;
  /** Sessions that ended, by reason. */
  readonly ended: Readonly<Record<string, number>>;
  /** Times that a limit refused, slowed or ended somebody, by option. */
  readonly limitHits: Readonly<Record<string, number>>;
  /** Those that were asked for a stream. */
  readonly upstreams: readonly XmppAdminUpstream[];
  /** Where clients are sent on to; null while they are not. */
  readonly drain: Destinations | null;
  /** The process goes down and takes no new session. */
  readonly shuttingDown: boolean;
  /** Bytes that are resident. */
  readonly memory: number;
}

/** @publicApi Which sessions are asked for. */
export interface XmppAdminFilter {
  /** In the JID, the domain or the address, anywhere; or a session's whole id. */
  readonly search?: string | undefined;
  /** In the JID, anywhere. */
  readonly jid?: string | undefined;
  /** Over which their clients came. */
  readonly transport?: Transport | undefined;
  /** How far they are. */
  readonly state?: XmppAdminState | undefined;
  /** What it begins with. */
  readonly address?: string | undefined;
}

/** What the administration shows and does. */
@Injectable()
export class Admin implements OnApplicationBootstrap {
  readonly startedAt = Date.now();
  recordings!: Recordings;
  private sessions!: XmppSessionService;
  private registry!: SessionRegistry;
  private shared!: XmppSharedKeyService;
  private counts!: Counts;

  constructor(private readonly modules: ModuleRef) {}

  /** @throws {Error} in an app without `XmppModule` */
  onApplicationBootstrap(): void {
    try {
      this.sessions = this.find(XmppSessionService);
    } catch {
      throw new Error('nestjs-xmpp: XmppAdminModule needs XmppModule.forRoot() in the same app');
    }
    this.registry = this.find(SessionRegistry);
    this.shared = this.find(XmppSharedKeyService);
    this.counts = this.find(Counts);
    this.recordings = new Recordings(this.find(XmppTrace));
  }

  overview(): XmppAdminOverview {
    const { registry, counts } = this;
    const sessions = { total: 0, websocket: 0, bosh: 0, open: 0, authenticated: 0, bound: 0 };
    for (const session of registry.list()) {
      sessions.total++;
      sessions[session.transport]++;
      sessions[stateOf(session)]++;
    }
    const shared = this.shared.list();
    const { destinations } = registry;
    return {
      now: new Date().toISOString(),
      uptime: Math.round((Date.now() - this.startedAt) / 1000),
      sessions,
      clients: registry.count,
      clientsLimit: registry.limits.maxSessions,
      sharedStreams: shared.length,
      sharedClients: shared.reduce((total, { clients }) => total + clients.length, 0),
      traffic: { ...registry.traffic },
      opened: [...counts.opened.values()].reduce((total, count) => total + count, 0),
      ended: Object.fromEntries(counts.ended),
      limitHits: Object.fromEntries(counts.limits),
      upstreams: [...counts.upstreams].map(([key, up]) => {
        const [domain, ...upstream] = key.split(' ');
        return { domain: domain!, upstream: upstream.join(' '), up };
      }),
      drain: Object.keys(destinations).length > 0 ? destinations : null,
      shuttingDown: registry.isDraining,
      memory: process.memoryUsage.rss(),
    };
  }

  async page(filter: XmppAdminFilter, order: 'oldest' | 'newest', offset: number, limit: number): Promise<XmppAdminPage> {
    const found = (await this.sessions.list()).filter((session) => matches(session, filter));
    if (order === 'newest') found.reverse();
    const shares = this.shares();
    return { total: found.length, offset, limit, sessions: found.slice(offset, offset + limit).map((session) => this.view(session, shares)) };
  }

  /** @returns undefined when there is no such session */
  async details(id: string): Promise<XmppAdminDetails | undefined> {
    const session = (await this.sessions.find(id)).find((candidate) => candidate.id === id);
    if (!session) return undefined;
    const shares = this.shares();
    const clients = shares.get(id) ?? [];
    return {
      ...this.view(session, shares),
      clients: clients.map(({ attachedAt, ...client }) => ({ ...client, attachedAt: attachedAt.toISOString() })),
    };
  }

  /** @param key a session's id, a full or a bare JID */
  kick(key: string, text: string | undefined): Promise<number> {
    return this.sessions.terminate(key, text === undefined ? { condition: 'policy-violation' } : { condition: 'policy-violation', text });
  }

  /** @throws {TypeError} for what is no URI of clients */
  drain(to: Destinations): number {
    return this.sessions.drain(to);
  }

  undrain(): void {
    this.sessions.undrain();
  }

  private view(session: XmppSession, shares: ReadonlyMap<string, readonly SharedClient[]>): XmppAdminSession {
    const { id, domain, jid, transport, address, secure, resumable, openedAt, traffic } = session;
    const { stanzasIn, bytesIn, stanzasOut, bytesOut } = traffic;
    return {
      id,
      domain,
      jid: jid ?? null,
      transport,
      address,
      secure,
      state: stateOf(session),
      resumable,
      openedAt: openedAt.toISOString(),
      seconds: Math.max(0, Math.round((Date.now() - openedAt.getTime()) / 1000)),
      traffic: { stanzasIn, bytesIn, stanzasOut, bytesOut },
      sharedBy: shares.get(id)?.length ?? 0,
      traced: this.recordings.follows(id),
      node: session.node ?? null,
    };
  }

  private shares(): Map<string, readonly SharedClient[]> {
    return new Map(this.shared.list().map(({ id, clients }) => [id, clients]));
  }

  /** In whichever module of the app it is: nothing has to be imported, or be global, for that. */
  private find<T>(type: new (...args: never[]) => T): T {
    return this.modules.get<T>(type as unknown as new () => T, { strict: false });
  }
}

function stateOf({ jid, authenticated }: Pick<XmppSession, 'jid' | 'authenticated'>): XmppAdminState {
  return jid !== undefined ? 'bound' : authenticated ? 'authenticated' : 'open';
}

function matches(session: XmppSession, { search, jid, transport, state, address }: XmppAdminFilter): boolean {
  if (transport !== undefined && session.transport !== transport) return false;
  if (state !== undefined && stateOf(session) !== state) return false;
  if (address !== undefined && !session.address.startsWith(address)) return false;
  if (jid !== undefined && !contains(session.jid, jid)) return false;
  if (search === undefined) return true;
  return session.id === search || [session.jid, session.domain, session.address].some((text) => contains(text, search));
}

function contains(text: string | undefined, part: string): boolean {
  return text !== undefined && text.toLowerCase().includes(part.toLowerCase());
}
