import type { SessionEnd } from './end.js';
import type { XmppSession } from './session.js';

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
