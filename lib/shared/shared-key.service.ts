import { Injectable } from '@nestjs/common';
import type { Transport } from '../session/index.js';
import { KeyRing } from './key-ring.js';
import type { SharedStream } from './shared-stream.js';
import { Sharing } from './sharing.service.js';

/** @publicApi A client of a shared session. */
export interface SharedClient {
  /** In its session, from 1: what `shared:sent` says of its stanzas. */
  readonly number: number;
  /** Its own: clients of one session may differ in it. */
  readonly transport: Transport;
  /** IP address, after trusted proxies. */
  readonly address: string;
  /** Whether it came over TLS. */
  readonly secure: boolean;
  /** When it created the session, or joined it. */
  readonly attachedAt: Date;
}

/** @publicApi A shared session, without its key, which nobody knows but its clients. */
export interface SharedSession {
  /** As in `XmppSessionService`. */
  readonly id: string;
  /** XMPP domain. */
  readonly domain: string;
  /** Full JID; undefined until a resource is bound. */
  readonly jid: string | undefined;
  /** Whether a client can still attach with a key. */
  readonly hasKey: boolean;
  /** In the order in which they came; empty while the session lingers (`shared.linger`). */
  readonly clients: readonly SharedClient[];
}

/** @publicApi For how long, and for whom, a ticket is good. */
export interface TicketOptions {
  /** Seconds. Default: 60. */
  readonly ttl?: number;
  /** Good only for the web session of this name (see `XmppSharedGuard.identify`). */
  readonly boundTo?: string;
}

/**
 * The keys of shared sessions: whoever has one has the session, as if logged in. They are kept as digests
 * only, so that none can be looked up.
 *
 * @publicApi
 */
@Injectable()
export class XmppSharedKeyService {
  /** @internal Made by the module. */
  constructor(private readonly sharing: Sharing) {}

  /** A key that nobody can guess: 128 bits, in hexadecimal digits. */
  generate(): string {
    return KeyRing.generate();
  }

  /**
   * Gives a session a new key. The old one attaches nobody any more; clients that are attached stay.
   * @param sessionId of the session, as in `XmppSessionService`
   * @returns the new key
   * @throws {TypeError} when the session is not shared
   */
  async rotate(sessionId: string): Promise<string> {
    const stream = this.stream(sessionId);
    const key = this.generate();
    if (!(await this.sharing.rekey(stream, key))) throw new Error('the new key could not be stored');
    return key;
  }

  /**
   * Nobody attaches with this key any more; clients that are attached stay.
   * @returns whether a session had it
   */
  revoke(key: string): boolean {
    return this.sharing.revoke(key);
  }

  /**
   * A one-time stand-in for the key of a session, to be used as `shared:key`. It never creates a session.
   * @param sessionId of the session, as in `XmppSessionService`
   * @throws {TypeError} when the session is not shared
   */
  ticket(sessionId: string, { ttl = 60, boundTo }: TicketOptions = {}): string {
    return this.sharing.issueTicket(this.stream(sessionId), ttl * 1000, boundTo);
  }

  /** All shared sessions of this process. */
  list(): SharedSession[] {
    return this.sharing.list().map((stream) => ({
      id: stream.session!.id,
      domain: stream.domain,
      jid: stream.jid,
      hasKey: stream.digest !== undefined,
      clients: [...stream.members].map(({ number, attachedAt, client: { transport, address, secure } }) => ({
        number,
        transport,
        address,
        secure,
        attachedAt,
      })),
    }));
  }

  /**
   * Ends one client's part in a session; it is told `policy-violation`. The last one takes the session with it.
   * @param sessionId of the session, as in `XmppSessionService`
   * @param client its number
   * @returns whether there was such a client
   */
  detach(sessionId: string, client: number): boolean {
    const stream = this.sharing.find(sessionId);
    const member = stream && [...stream.members].find(({ number }) => number === client);
    if (!member) return false;
    stream.evict(member, { reason: 'terminated', condition: 'policy-violation', text: 'detached by the server' });
    return true;
  }

  private stream(sessionId: string): SharedStream {
    const stream = this.sharing.find(sessionId);
    if (!stream) throw new TypeError(`no shared session ${sessionId}`);
    return stream;
  }
}
