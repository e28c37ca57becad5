import { randomInt } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { Clock } from '../clock.js';
import type { Cluster } from '../cluster/index.js';
import {
  SessionRefused,
  unguessable,
  type ClientSession,
  type ConnectContext,
  type Place,
  type Session,
  type SessionRegistry,
} from '../session/index.js';
import type { Sharing } from '../shared/index.js';
import type { Stanza } from '../xml/index.js';
import type { ResolvedOptions } from '../xmpp.options.js';
import type { RequestBody } from './body.js';
import { BoshClient, type ClientContext } from './client.js';
import { grant, headerOf, standardGrant, type Grant } from './creation.js';
import type { Exchange } from './exchange.js';
import { originationOf, type Origination } from './origination.js';
import { Tombstones, type Tombstone } from './tombstones.js';

/** Of a session that was made without a request: what its client has to know. */
export interface AdoptedSession {
  readonly sid: string;
  /** The one to use next. */
  readonly rid: number;
}

export interface BoshLoad {
  /** HTTP requests that wait for their answer. */
  readonly heldRequests: number;
  /** Bytes that wait for clients. */
  readonly bufferedBytes: number;
}

/** Leaves room for all that follow (XEP-0124, section 7.1). */
const MAX_FIRST_RID = 2 ** 47;

/** The BOSH sessions of this process by their `sid`, and what is left of those that ended. */
export class BoshSessions implements ClientContext {
  private readonly logger = new Logger('XmppBosh');
  private readonly clients = new Map<string, BoshClient>();
  private readonly tombstones: Tombstones;
  /** Have something to answer when what happens now has happened. */
  private scheduled: BoshClient[] = [];
  /** Left of sessions that ended with the process, while their clients have yet to be told. */
  private readonly untold = new Set<Tombstone>();
  private onAllTold: (() => void) | undefined;

  constructor(
    private readonly sessions: SessionRegistry,
    readonly sharing: Sharing,
    readonly options: ResolvedOptions,
    readonly clock: Clock,
    private readonly cluster: Cluster,
  ) {
    this.tombstones = new Tombstones(clock, options.bosh.inactivity * 1000, options.limits.maxSessions);
  }

  get(sid: string): BoshClient | Tombstone | undefined {
    return this.clients.get(sid) ?? this.tombstones.get(sid);
  }

  get size(): number {
    return this.clients.size;
  }

  /** What is kept for clients; counted when it is asked for. */
  load(): BoshLoad {
    let heldRequests = 0;
    let bufferedBytes = 0;
    for (const { held, outbox } of this.clients.values()) {
      heldRequests += held.liveCount;
      bufferedBytes += outbox.bytes;
    }
    return { heldRequests, bufferedBytes };
  }

  /**
   * Makes the session that a request without `sid` asks for.
   * @param claimed the key of the session to be shared was claimed before, with {@link locate}
   * @throws {BodyError} for a request that makes no sense
   * @throws {SessionRefused} when there is no such domain, or no room
   */
  create(exchange: Exchange, body: RequestBody, hash: string, claimed = false): void {
    const granted = grant(body, this.options.bosh);
    const origination = originationOf(exchange);
    const place = this.sessions.enter(origination.address);
    const client = new BoshClient(this.newSid(), origination, granted, place, this);
    try {
      const session = this.open(client, body, granted, exchange, claimed);
      this.clients.set(client.sid, client);
      client.start(session, exchange, body, hash);
    } catch (error) {
      place.release();
      throw error;
    }
  }

  /**
   * Makes a BOSH session of one that is open and bound, for a client that has yet to come.
   * @param undelivered what came for it since
   * @param ttl milliseconds until it has to come
   */
  adopt(session: Session, undelivered: readonly Stanza[], place: Place, ttl: number): AdoptedSession {
    const { domain, address, secure } = session;
    const last = randomInt(1, MAX_FIRST_RID);
    const origination: Origination = { address, port: 0, secure, certificate: undefined };
    const client = new BoshClient(this.newSid(), origination, standardGrant(last, domain, this.options.bosh), place, this);
    this.clients.set(client.sid, client);
    session.handTo(client);
    client.adopt(session, undelivered, ttl);
    return { sid: client.sid, rid: last + 1 };
  }

  /**
   * Finds the node that has the session that a request wants to share.
   * @param found called once: with the node, or without, to {@link create} the session here; at once where nothing is to be shared
   */
  locate(exchange: Exchange, body: RequestBody, found: (node?: string, claimed?: boolean) => void): void {
    const key = this.sharing.enabled ? body.shared?.key : undefined;
    if (key === undefined) return found();
    const domain = this.domainOf(body.attributes.get('to'));
    // A guard may yet choose one that is served.
    if (domain === undefined) return found();
    this.sharing.locate(domain, { key, attachOnly: body.shared!.attachOnly }, exchange.peer.address, found);
  }

  private open(client: BoshClient, body: RequestBody, granted: Grant, { request }: Exchange, claimed: boolean): ClientSession {
    const { to } = granted;
    const header = headerOf(body);
    const { address, secure } = client;
    const shared = this.sharing.enabled ? body.shared : undefined;
    const wish = shared?.attachOnly ? 'attach' : shared?.key !== undefined && 'create';
    const context: ConnectContext = { transport: 'bosh', request, address, secure, to, from: header.from, shared: wish };
    return this.sessions.entrance.enter(context, client, (admittance) => {
      const domain = this.sessions.domainOf(admittance.domain ?? to);
      if (shared?.key !== undefined) {
        const { key, attachOnly } = shared;
        const { patience } = client;
        // The key belongs to a domain, and was claimed for the one that was asked for.
        if (claimed && domain !== this.sessions.domainOf(to)) throw new SessionRefused('improper-addressing', 'ask for your domain', 400);
        return this.sharing.open(domain, header, client, { key, attachOnly, claimed, patience, http: request, admittance });
      }
      if (shared?.attachOnly) throw new SessionRefused('item-not-found', 'no key to attach with', 400);
      return this.sessions.open(domain, header, client, request, admittance);
    });
  }

  /** The one place where a `sid` is made: unguessable and never used twice (XEP-0124, section 19.3). */
  private newSid(): string {
    return this.cluster.mint(unguessable());
  }

  isDomain(name: string, domain: string): boolean {
    return this.domainOf(name) === domain;
  }

  private domainOf(name: string | undefined): string | undefined {
    try {
      return this.sessions.domainOf(name);
    } catch {
      return undefined;
    }
  }

  /** Stanzas come in bursts: all that come in one turn of the event loop go out in one answer. */
  schedule(client: BoshClient): void {
    if (this.scheduled.push(client) === 1) setImmediate(this.flush);
  }

  remove(client: BoshClient, tombstone?: Tombstone, awaited = false): void {
    this.clients.delete(client.sid);
    if (!tombstone) return;
    this.tombstones.put(client.sid, tombstone);
    if (!awaited) return;
    this.untold.add(tombstone);
    tombstone.onTold = () => {
      this.untold.delete(tombstone);
      if (this.untold.size === 0) this.onAllTold?.();
    };
  }

  /** Calls back once every client that was between two requests when the process was to end knows that its session is over. */
  whenAllTold(callback: () => void): void {
    if (this.untold.size === 0) callback();
    else this.onAllTold = callback;
  }

  private readonly flush = () => {
    const { scheduled } = this;
    this.scheduled = [];
    for (const client of scheduled) {
      try {
        client.flush();
      } catch (error) {
        // One session's trouble is no other's.
        this.logger.error('cannot answer', error instanceof Error ? error.stack : String(error));
      }
    }
  };
}

