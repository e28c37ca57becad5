import type { Stanza } from '../xml/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import type { SessionEnd } from './end.js';

/** How a web client is connected: RFC 7395, or XEP-0124 and XEP-0206. */
export type Transport = 'websocket' | 'bosh';

/**
 * A web client as the session sees it: the port that a transport implements, and the only way
 * back. The session calls it; it calls {@link ClientSession}.
 */
export interface Client {
  readonly transport: Transport;
  /** IP address, after trusted proxies were taken into account. */
  readonly address: string;
  /** TCP port, 0 where it is not known. */
  readonly port: number;
  /** Whether it came over TLS. */
  readonly secure: boolean;
  /** Whether its session is known by this `sid` (XEP-0124); there only where it may have one. */
  hasSid?(sid: string): boolean;
  /**
   * The stream is open; again after each restart.
   * @param opening the first time, when the client asked for a session that can be shared
   */
  onOpen(header: StreamHeader, opening?: SharedOpening): void;
  /**
   * One top-level element for the client, standing alone. Taken in any case.
   * @returns false when too much waits for this client: the session pauses the upstream until the
   * client calls {@link ClientSession.drained}.
   */
  onStanza(stanza: Stanza): boolean;
  /** The session takes stanzas again after {@link ClientSession.send} returned false. */
  onDrain(): void;
  /** The session is over, told exactly once; not called for a client that left by itself. */
  onEnd(end: SessionEnd): void;
}

/** What became of a client's wish for a session that can be shared (Shared BOSH, section 5). */
export interface SharedOpening {
  /** `attached`: the stream is another client's, logged in and bound already. */
  readonly result: 'created' | 'attached';
  /** Of the running stream: the full JID; where the client attached. */
  readonly jid?: string;
}

/** A session as its client sees it, whether it has the session for itself or shares it. */
export interface ClientSession {
  readonly domain: string;
  /** Full JID; undefined until a resource is bound. */
  readonly jid: string | undefined;
  /** The server keeps the stream for resumption when its connection is cut (XEP-0198). */
  readonly resumable: boolean;
  /** Whether what is sent is protected on its way to the server; known when {@link Client.onOpen} was called. */
  readonly upstreamSecure: boolean;
  /** Whether there will be a session is not known yet: the domain neither. */
  readonly undecided?: boolean;
  /**
   * One top-level element from the client.
   * @returns false when the upstream is slow: the transport stops reading until {@link Client.onDrain}
   */
  send(stanza: Stanza): boolean;
  /** A new stream on the same connection, after SASL (RFC 7395, section 3.7; XEP-0206, section 5). */
  restart(header: StreamHeader): void;
  /** The client takes stanzas again. */
  drained(): void;
  /**
   * The client is gone, or was told to go by its transport.
   * @param undelivered what the client never got, in order
   * @param scope `all`: the client asked to end the session also for those who share it
   */
  leave(end: SessionEnd, undelivered?: readonly Stanza[], scope?: 'all'): void;
  /** The senders of stanzas that the client never got learn of it (XEP-0206, section 7). */
  bounceAll(undelivered: readonly Stanza[]): void;
  /**
   * Replaces the key of a shared session; there only where it is shared.
   * @throws {SessionRefused} for a key that cannot be one
   */
  rekey?(key: string): void;
}
