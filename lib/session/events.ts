import type { SessionEnd } from './end.js';
import type { XmppSession } from './session.js';

/**
 * Why a client with a key got no session: the key cannot be one (`key`) or none has it (`no-match`), the
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

/** What happens to sessions, by name. */
export interface XmppEventMap {
  /** The upstream's stream is open. */
  'session.opened': { session: XmppSession };
  /** SASL succeeded. */
  'session.authenticated': { session: XmppSession };
  /** A resource is bound: `session.jid` is known. */
  'session.bound': { session: XmppSession };
  /** A stream was resumed (XEP-0198). */
  'session.resumed': { session: XmppSession };
  /** A client joined a session that is shared; its creator is not told of. `client` is its number in the session. */
  'shared.attached': { session: XmppSession; client: number; address: string };
  /** A client left a session that is shared, the last one too. */
  'shared.detached': { session: XmppSession; client: number; end: SessionEnd };
  /** A client that came with a key, or a ticket, got no session. */
  'shared.refused': { domain: string; address: string; reason: SharedRefusal };
  'session.closed': { session: XmppSession; end: SessionEnd };
  /** A limit refused or slowed somebody. `limit` is the name of the option. */
  'limit.hit': { limit: string; address: string };
  /** An upstream could not be reached, or was lost. */
  'upstream.failed': { session: XmppSession; message: string };
}

export type XmppEventName = keyof XmppEventMap;
type Listener<N extends XmppEventName> = (event: XmppEventMap[N]) => void;

/** Typed events. A listener that throws harms nobody: `onError` is told. */
export class XmppEvents {
  private readonly listeners = new Map<XmppEventName, Set<Listener<never>>>();

  constructor(private readonly onError: (name: XmppEventName, error: unknown) => void = () => {}) {}

  /** @returns a function that removes the listener */
  on<N extends XmppEventName>(name: N, listener: Listener<N>): () => void {
    let listeners = this.listeners.get(name);
    if (!listeners) this.listeners.set(name, (listeners = new Set()));
    listeners.add(listener as Listener<never>);
    return () => listeners.delete(listener as Listener<never>);
  }

  emit<N extends XmppEventName>(name: N, event: XmppEventMap[N]): void {
    const listeners = this.listeners.get(name) as Set<Listener<N>> | undefined;
    if (!listeners) return;
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        this.onError(name, error);
      }
    }
  }
}
