import type { Stanza } from '../xml/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import type { SessionEnd } from './end.js';

export type Transport = 'websocket' | 'bosh';

/**
 * A web client as the session sees it: the port that a transport implements, and the only way
 * back. The session calls it; it calls {@link Session}.
 */
export interface Client {
  readonly transport: Transport;
  /** IP address, after trusted proxies were taken into account. */
  readonly address: string;
  /** TCP port, 0 where it is not known. */
  readonly port: number;
  /** Whether it came over TLS. */
  readonly secure: boolean;
  /** The stream is open; again after each restart. */
  onOpen(header: StreamHeader): void;
  /**
   * One top-level element for the client, standing alone. Taken in any case.
   * @returns false when too much waits for this client: the session pauses the upstream until the
   * client calls {@link Session.drained}.
   */
  onStanza(stanza: Stanza): boolean;
  /** The session takes stanzas again after {@link Session.send} returned false. */
  onDrain(): void;
  /** The session is over, told exactly once; not called for a client that left by itself. */
  onEnd(end: SessionEnd): void;
}
