import { Injectable } from '@nestjs/common';
import { Cluster } from '../cluster/index.js';
import type { Stanza } from '../xml/index.js';
import type { PrebindOptions, Prebound, PreboundShared } from './prebind.js';
import { SessionRegistry, type Destinations, type Ending } from './registry.js';
import { RemoteSessions } from './remote.js';
import type { Traffic, XmppSession } from './session.js';

/** @publicApi The sessions of the web's clients. */
@Injectable()
export class XmppSessionService {
  private readonly remote: RemoteSessions;

  /** @internal Made by the module. */
  constructor(
    private readonly local: SessionRegistry,
    cluster: Cluster,
  ) {
    this.remote = new RemoteSessions(cluster, local);
  }

  /** Sessions of this process, and its clients that are about to have one. */
  get count(): number {
    return this.local.count;
  }

  /** Whether this process goes down and takes no new session. */
  get isDraining(): boolean {
    return this.local.isDraining;
  }

  /** Totals of this process since its start. */
  get traffic(): Readonly<Traffic> {
    return this.local.traffic;
  }

  /** All sessions, oldest first; of a cluster those of all nodes that answer. */
  async list(): Promise<XmppSession[]> {
    return merge(this.local.list(), await this.remote.ask({ ask: 'list' }));
  }

  /**
   * The sessions of a user, on whichever node.
   * @param key a session's `id`, a full JID, or a bare JID for all its resources
   */
  async find(key: string): Promise<XmppSession[]> {
    return merge(this.local.find(key), await this.remote.ask({ ask: 'find', key }, key));
  }

  /**
   * Ends a session; its client gets a stream error.
   * @param key as for {@link find}
   * @param end what the client is told. Default: `policy-violation`
   * @returns how many were ended
   */
  async terminate(key: string, end?: Ending): Promise<number> {
    return sum(this.local.terminate(key, end), await this.remote.ask({ ask: 'terminate', key, end }, key));
  }

  /**
   * Gives a stanza to the clients of a user as if the server had sent it. A client that runs stream
   * management counts what it gets, so nothing can be added for it (XEP-0198, section 4).
   * @param key as for {@link find}
   * @returns how many sessions got it
   */
  async send(key: string, stanza: Stanza): Promise<number> {
    return sum(this.local.send(key, stanza), await this.remote.ask({ ask: 'send', key, stanza: stanza.toString() }, key));
  }

  /**
   * Sends a stanza to the server in the name of a session's client. Refused where no resource is
   * bound yet, and where the client runs stream management, whose counters it would break.
   * @param id the session's `id`
   * @returns whether it was sent
   */
  async sendAs(id: string, stanza: Stanza): Promise<boolean> {
    if (this.local.sendAs(id, stanza)) return true;
    return (await this.remote.ask({ ask: 'sendAs', key: id, stanza: stanza.toString() }, id)).includes(true);
  }

  /**
   * Moves the clients of this process elsewhere, before maintenance for instance: running sessions end
   * with `see-other-uri` (RFC 7395, section 3.6.1; XEP-0124, section 17.2), new clients are sent on at
   * once, until {@link undrain}. A transport for which no URI is given stays. A client that came
   * over TLS is never sent to a URI without it.
   * @returns how many sessions were moved
   * @throws {TypeError} for what is no `ws:`, `wss:`, `http:` or `https:` URI
   */
  drain(to: Destinations): number {
    return this.local.drain(to);
  }

  /** Takes new sessions again after {@link drain}. */
  undrain(): void {
    this.local.undrain();
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
    const { prebinder } = this.local;
    if (!prebinder) throw new TypeError('nobody here can prebind');
    return await prebinder.prebind(options);
  }
}

function merge(local: readonly XmppSession[], remote: readonly XmppSession[][]): XmppSession[] {
  if (remote.length === 0) return [...local];
  return [...local, ...remote.flat()].toSorted((one, other) => one.openedAt.getTime() - other.openedAt.getTime());
}

function sum(local: number, remote: readonly number[]): number {
  return remote.reduce((total, count) => total + count, local);
}
