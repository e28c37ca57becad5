import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Counts, XmppTrace } from '../observability/index.js';
import { SessionRegistry, XmppSessionService, type Destinations, type Traffic, type Transport, type XmppSession } from '../session/index.js';
import { XmppSharedKeyService, type SharedClient } from '../shared/index.js';
import { Recordings } from './recordings.js';

/** @publicApi A session, as the administration tells of it. */
export interface XmppAdminSession {
  readonly id: string;
  readonly domain: string;
  /** Full JID; null until a resource is bound. */
  readonly jid: string | null;
  readonly transport: Transport;
  readonly address: string;
  readonly secure: boolean;
  readonly state: XmppAdminState;
  readonly resumable: boolean;
  /** ISO 8601. */
  readonly openedAt: string;
  readonly seconds: number;
  readonly traffic: Traffic;
  /** Clients that share it; 0 where it is not shared. */
  readonly sharedBy: number;
  /** Whether a trace of the administration follows it. */
  readonly traced: boolean;
  /** Of a cluster: the node that has it, where it is another one. */
  readonly node: string | null;
}

/** @publicApi */
export type XmppAdminState = 'open' | 'authenticated' | 'bound';

/** @publicApi With those who share it. */
export interface XmppAdminDetails extends XmppAdminSession {
  readonly clients: readonly (Omit<SharedClient, 'attachedAt'> & { readonly attachedAt: string })[];
}

/** @publicApi Some of the sessions. */
export interface XmppAdminPage {
  /** How many there are that were asked for. */
  readonly total: number;
  readonly offset: number;
  readonly limit: number;
  readonly sessions: readonly XmppAdminSession[];
}

/** @publicApi Of this process; totals are since its start. */
export interface XmppAdminOverview {
  /** ISO 8601. */
  readonly now: string;
  readonly uptime: number;
  readonly sessions: { readonly total: number } & Readonly<Record<Transport | XmppAdminState, number>>;
  /** Places that are taken, and how many there are (`limits.maxSessions`). */
  readonly clients: number;
  readonly clientsLimit: number;
  readonly shared: { readonly streams: number; readonly clients: number };
  readonly traffic: Traffic;
  readonly opened: number;
  readonly ended: Readonly<Record<string, number>>;
  readonly limitHits: Readonly<Record<string, number>>;
  readonly upstreams: readonly { readonly domain: string; readonly upstream: string; readonly up: boolean }[];
  /** Where clients are sent on to; null while they are not. */
  readonly drain: Destinations | null;
  readonly shuttingDown: boolean;
  /** Bytes. */
  readonly memory: number;
}

/** @publicApi Which sessions are asked for. */
export interface XmppAdminFilter {
  /** In the id, the JID, the domain or the address, anywhere. */
  readonly search?: string | undefined;
  readonly jid?: string | undefined;
  readonly transport?: Transport | undefined;
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
      shared: { streams: shared.length, clients: shared.reduce((total, { clients }) => total + clients.length, 0) },
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
      node: (session as { readonly node?: string }).node ?? null,
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
