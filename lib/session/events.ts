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
  'session.opening': {
    /** Known already: domain, address and transport of the client. */
    session: XmppSession;
    /** With cookies and headers; not to be answered by a listener. */
    http: IncomingMessage | undefined;
  };
  /** The upstream's stream is open. */
  'session.opened': {
    /** Its client can log in now. */
    session: XmppSession;
  };
  /** The server says that the client is who it says (SASL, SASL2, or the login of old). */
  'session.authenticated': {
    /** `jid` is not known before `session.bound`. */
    session: XmppSession;
  };
  /** A resource is bound: `session.jid` is known. */
  'session.bound': {
    /** With its full `jid`. */
    session: XmppSession;
  };
  /** A stream was resumed (XEP-0198). */
  'session.resumed': {
    /** A new session with an `id` of its own; its `jid` is known where this process knew the old one. */
    session: XmppSession;
  };
  /** It is over; `end` says why. Sessions that were never opened are told of, too. */
  'session.closed': {
    /** As it was; `traffic` is final. */
    session: XmppSession;
    /** Why, and what the client was told. */
    end: SessionEnd;
  };
  /** A client joined a session that is shared; its creator is not told of. `client` is its number in the session. */
  'shared.attached': {
    /** The one that is shared. */
    session: XmppSession;
    /** From 2 on: its creator is 1. */
    client: number;
    /** IP address of the client that joined. */
    address: string;
  };
  /** A client left a session that is shared, the last one too. */
  'shared.detached': {
    /** It goes on while others share it, and for `shared.linger`. */
    session: XmppSession;
    /** The number of who left, which nobody else gets in this session. */
    client: number;
    /** Why, of this client alone. */
    end: SessionEnd;
  };
  /** A client that came with a key, or a ticket, got no session. */
  'shared.refused': {
    /** The XMPP domain that it asked for. */
    domain: string;
    /** IP address of who came. */
    address: string;
    /** Not told to the client in such detail. */
    reason: SharedRefusal;
  };
  /** A stanza did not go on as it came. `in`: from the client. */
  'stanza.refused': {
    /** That it would have passed through. */
    session: XmppSession;
    /** As it came, or as the interceptor before made it. */
    stanza: Stanza;
    /** The way that it was on. */
    direction: StanzaDirection;
    /** What became of it. */
    reason: StanzaRefusal;
  };
  /** A limit refused, slowed or ended somebody. `limit` is the name of the option. */
  'limit.hit': {
    /** Such as `limits.maxSessions`. */
    limit: string;
    /** IP address of who ran into it. */
    address: string;
  };
  /** A stream could not be opened, or its connection was lost. */
  'upstream.failed': {
    /** `session.closed` follows. */
    session: XmppSession;
    /** What happened, in one line without secrets. */
    message: string;
  };
  /** A stream was opened: the first one to this upstream for this domain, or the first after `upstream.down`. */
  'upstream.up': {
    /** The XMPP domain that the stream is for. */
    domain: string;
    /** Its name, such as `xmpp://xmpp.internal:5222`. */
    upstream: string;
  };
  /** A stream could not be opened, the first time since the last that could. */
  'upstream.down': {
    /** The XMPP domain that the stream was for. */
    domain: string;
    /** Its name, such as `xmpp://xmpp.internal:5222`. */
    upstream: string;
    /** What happened, in one line without secrets. */
    message: string;
  };
}

/** Of a stanza: `in` from the client to the server, `out` from the server to the client. */
export type StanzaDirection = 'in' | 'out';

/** What can be listened to. */
export type XmppEventName = keyof XmppEventMap;
/** May return a promise: what it rejects with is reported as what a listener throws. */
export type XmppEventListener<N extends XmppEventName> = (event: XmppEventMap[N]) => unknown;
type AnyListener = <N extends XmppEventName>(name: N, event: XmppEventMap[N]) => unknown;

/** Typed events. A listener that throws or rejects harms nobody: `onError` is told. */
export class XmppEvents {
  private readonly listeners = new Map<XmppEventName, Set<XmppEventListener<never>>>();
  private readonly listenersOfAll = new Set<AnyListener>();

  /** @internal Made by the module. */
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

  /** @internal Tells all listeners, before it returns. */
  emit<N extends XmppEventName>(name: N, event: XmppEventMap[N]): void {
    const listeners = this.listeners.get(name) as Set<XmppEventListener<N>> | undefined;
    if (listeners) {
      for (const listener of listeners) {
        try {
          this.watch(name, listener(event));
        } catch (error) {
          this.onError(name, error);
        }
      }
    }
    if (this.listenersOfAll.size === 0) return;
    for (const listener of this.listenersOfAll) {
      try {
        this.watch(name, listener(name, event));
      } catch (error) {
        this.onError(name, error);
      }
    }
  }

  private watch(name: XmppEventName, result: unknown): void {
    const promise = result as PromiseLike<unknown> | null | undefined;
    if (typeof promise?.then === 'function') promise.then(undefined, (error: unknown) => this.onError(name, error));
  }
}
