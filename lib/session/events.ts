import type { IncomingMessage } from 'node:http';
import type { Stanza } from '../xml/index.js';
import type { SessionEnd } from './end.js';
import type { XmppSession } from './session.js';

/**
 * @publicApi Why a client with a key got no session: the key cannot be one (`key`) or none has it (`no-match`), the
 * ticket is unknown, used, too old or somebody else's (`ticket`), it names another user (`from`), it came
 * without TLS to a session begun with it (`insecure`), the app refused it (`guard`), there are too many
 * clients (`clients`), its address tried too often (`throttled`), or nobody bound a resource in time (`unbound`).
 */
export type SharedRefusal =
  | 'key'
  | 'no-match'
  | 'ticket'
  | 'from'
  | 'insecure'
  | 'guard'
  | 'clients'
  | 'throttled'
  | 'unbound';

/**
 * @publicApi Why a stanza was not passed on as it came: an interceptor dropped it (`dropped`), or answered it with an error
 * (`refused`); one failed, or took too long (`failed`); or it was added where stream management counts stanzas, and
 * nothing can be added (`managed`).
 */
export type StanzaRefusal = 'dropped' | 'refused' | 'failed' | 'managed';

/** @publicApi What happens, by name, and what listeners are told of it. */
export interface XmppEventMap {
  /**
   * A client asked for a session: its upstream is being reached. `http`: the request that began it, BOSH's first or the
   * handshake of a WebSocket; none where the app asked for it (prebinding).
   */
  'session.opening': { session: XmppSession; http: IncomingMessage | undefined };
  /** The upstream's stream is open. */
  'session.opened': { session: XmppSession };
  /** The server says that the client is who it says (SASL, SASL2, or the login of old). */
  'session.authenticated': { session: XmppSession };
  /** A resource is bound: `session.jid` is known. */
  'session.bound': { session: XmppSession };
  /** A stream was resumed (XEP-0198). */
  'session.resumed': { session: XmppSession };
  /** It is over; `end` says why. Sessions that were never opened are told of, too. */
  'session.closed': { session: XmppSession; end: SessionEnd };
  /** A client joined a session that is shared; its creator is not told of. `client` is its number in the session. */
  'shared.attached': { session: XmppSession; client: number; address: string };
  /** A client left a session that is shared, the last one too. */
  'shared.detached': { session: XmppSession; client: number; end: SessionEnd };
  /** A client that came with a key, or a ticket, got no session. */
  'shared.refused': { domain: string; address: string; reason: SharedRefusal };
  /** A stanza did not go on as it came. `in`: from the client. */
  'stanza.refused': { session: XmppSession; stanza: Stanza; direction: StanzaDirection; reason: StanzaRefusal };
  /** A limit refused, slowed or ended somebody. `limit` is the name of the option. */
  'limit.hit': { limit: string; address: string };
  /** A stream could not be opened, or its connection was lost. */
  'upstream.failed': { session: XmppSession; message: string };
  /** A stream was opened: the first one to this upstream for this domain, or the first after `upstream.down`. */
  'upstream.up': { domain: string; upstream: string };
  /** A stream could not be opened, the first time since the last that could. */
  'upstream.down': { domain: string; upstream: string; message: string };
}

/** Of a stanza: `in` from the client to the server, `out` from the server to the client. */
export type StanzaDirection = 'in' | 'out';

export type XmppEventName = keyof XmppEventMap;
/** May return a promise: what it rejects with is reported as what a listener throws. */
export type XmppEventListener<N extends XmppEventName> = (event: XmppEventMap[N]) => unknown;
type AnyListener = <N extends XmppEventName>(name: N, event: XmppEventMap[N]) => unknown;

/** Typed events. A listener that throws or rejects harms nobody: `onError` is told. */
export class XmppEvents {
  private readonly listeners = new Map<XmppEventName, Set<XmppEventListener<never>>>();
  private readonly listenersOfAll = new Set<AnyListener>();

  constructor(private readonly onError: (name: XmppEventName, error: unknown) => void = () => {}) {}

  /** @returns a function that removes the listener */
  on<N extends XmppEventName>(name: N, listener: XmppEventListener<N>): () => void {
    let listeners = this.listeners.get(name);
    if (!listeners) this.listeners.set(name, (listeners = new Set()));
    listeners.add(listener as XmppEventListener<never>);
    return () => listeners.delete(listener as XmppEventListener<never>);
  }

  /**
   * Listens to every event.
   * @returns a function that removes the listener
   */
  onAny(listener: AnyListener): () => void {
    this.listenersOfAll.add(listener);
    return () => this.listenersOfAll.delete(listener);
  }

  emit<N extends XmppEventName>(name: N, event: XmppEventMap[N]): void {
    const listeners = this.listeners.get(name) as Set<XmppEventListener<N>> | undefined;
    if (listeners) for (const listener of listeners) this.call(name, () => listener(event));
    if (this.listenersOfAll.size > 0) for (const listener of this.listenersOfAll) this.call(name, () => listener(name, event));
  }

  private call(name: XmppEventName, listener: () => unknown): void {
    try {
      const result = listener() as PromiseLike<unknown> | undefined;
      if (typeof result?.then === 'function') result.then(undefined, (error: unknown) => this.onError(name, error));
    } catch (error) {
      this.onError(name, error);
    }
  }
}
