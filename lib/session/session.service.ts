import { Injectable } from '@nestjs/common';
import type { Stanza } from '../xml/index.js';
import type { PrebindOptions, Prebound, PreboundShared } from './prebind.js';
import { SessionRegistry, type Destinations, type Ending } from './registry.js';
import type { Traffic, XmppSession } from './session.js';

/** @publicApi The sessions of the web's clients. */
@Injectable()
export class XmppSessionService {
  constructor(private readonly local: SessionRegistry) {}

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

  /** All sessions, oldest first. */
  async list(): Promise<XmppSession[]> {
    return this.local.list();
  }

  /**
   * The sessions of a user.
   * @param key a session's `id`, a full JID, or a bare JID for all its resources
   */
  async find(key: string): Promise<XmppSession[]> {
    return this.local.find(key);
  }

  /**
   * Ends a session; its client gets a stream error.
   * @param key as for {@link find}
   * @param end what the client is told. Default: `policy-violation`
   * @returns how many were ended
   */
  async terminate(key: string, end?: Ending): Promise<number> {
    return this.local.terminate(key, end);
  }

  /**
   * Gives a stanza to the clients of a user as if the server had sent it. A client that runs stream
   * management counts what it gets, so nothing can be added for it (XEP-0198, section 4).
   * @param key as for {@link find}
   * @returns how many sessions got it
   */
  async send(key: string, stanza: Stanza): Promise<number> {
    return this.local.send(key, stanza);
  }

  /**
   * Sends a stanza to the server in the name of a session's client. Refused where no resource is
   * bound yet, and where the client runs stream management, whose counters it would break.
   * @param id the session's `id`
   * @returns whether it was sent
   */
  async sendAs(id: string, stanza: Stanza): Promise<boolean> {
    return this.local.sendAs(id, stanza);
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
