import type { Stanza } from '../xml/index.js';

/** The attributes of a stream header (RFC 6120, section 4.7). */
export interface StreamHeader {
  /** In an answer: the served domain. In a request: the client's bare JID, if it gave one. */
  from?: string | undefined;
  /** In a request: the domain. In an answer: the client, if the server names it. */
  to?: string | undefined;
  /** Of an answer: the stream's identifier (RFC 6120, section 4.7.3), a secret between server and client. */
  id?: string | undefined;
  /** `xml:lang`. */
  lang?: string | undefined;
  /** `1.0` for XMPP as of RFC 3920 and later; a server of before has none. */
  version?: string | undefined;
}

/** What an upstream is told when it opens a stream. */
export interface UpstreamRequest {
  /** The XMPP domain: one of `domains`, checked before. Fixed for the life of the stream. */
  readonly domain: string;
  /** What the client gave (`from`, `lang`, `version`), for the stream header. `to` is {@link domain}. */
  readonly header: StreamHeader;
  /** The web client behind the stream, after trusted proxies were taken into account. */
  readonly client: UpstreamClient;
}

/** The web client that a stream is for. Upstreams may tell the server (PROXY protocol) and must trust nothing else. */
export interface UpstreamClient {
  /** IP address. */
  readonly address: string;
  /** TCP port; 0 where it is not known. */
  readonly port: number;
  /** Whether the client came over TLS. */
  readonly secure: boolean;
}

/**
 * What flows back from an upstream stream. Never called before {@link XmppUpstream.open} has
 * returned. After {@link onEnd} nothing follows.
 */
export interface UpstreamHandler {
  /** The server's stream header came; again after each restart. */
  onOpen(header: StreamHeader): void;
  /**
   * One top-level element, of any namespace, in order: stanzas, `stream:features`, SASL, stream
   * management, also `stream:error`. It stands alone: inherited namespaces are declared on it.
   */
  onStanza(stanza: Stanza): void;
  /** The stream takes stanzas again after {@link UpstreamStream.send} returned false. */
  onDrain(): void;
  /** The stream is over. Called exactly once, also after `close()` and `abort()`. */
  onEnd(end: UpstreamEnd): void;
}

/** How a stream came to its end. */
export interface UpstreamEnd {
  /**
   * - `closed`: the server sent `</stream:stream>`, or answered ours.
   * - `failed`: no connection could be made, TLS was refused, or the connection was lost.
   * - `aborted`: by {@link UpstreamStream.abort}.
   */
  readonly reason: 'closed' | 'failed' | 'aborted';
  /** For the log: what happened, in one line without secrets. */
  readonly message?: string;
  /** The server sent what cannot be read: the stream was ended for it, and cannot be resumed. */
  readonly violation?: boolean;
  /** It was too large: `maxStanzaBytes`. */
  readonly tooLarge?: boolean;
}

/** One connection to the XMPP server. */
export interface UpstreamStream {
  /** Whether what is sent is protected by TLS on its way to the server. Known when `onOpen` was called. */
  readonly secure: boolean;
  /**
   * Sends one top-level element. Accepted before the stream is open (it is queued).
   * @returns false when the stream's buffer is full: the caller stops until `onDrain`.
   */
  send(stanza: Stanza): boolean;
  /** Opens the stream anew on the same connection after SASL (RFC 6120, section 4.3.3). */
  restart(header: StreamHeader): void;
  /** Stops reading from the server until {@link resume}. */
  pause(): void;
  /** Reads on after {@link pause}. */
  resume(): void;
  /** Ends the stream in order: what was sent goes out, then `</stream:stream>`. */
  close(): void;
  /** Cuts the connection without `</stream:stream>`: a stream with stream management stays resumable. What was sent goes out first. */
  abort(): void;
}

/** Opens streams to an XMPP server. The one thing that an app implements to bring its own. */
export interface XmppUpstream {
  /** For logs, without secrets. */
  readonly name: string;
  /**
   * Opens a stream, or begins to: it returns at once, and everything that follows is told to `handler`, and
   * failures are, too: it throws nothing.
   */
  open(request: UpstreamRequest, handler: UpstreamHandler): UpstreamStream;
  /** Rejects with the reason when the server cannot be used. For health checks. */
  probe?(domain: string): Promise<void>;
  /** Releases what the upstream holds. Streams were ended before. */
  close?(): Promise<void>;
}
