import type { IncomingMessage } from 'node:http';
import type { Admittance, XmppSession } from '../session/index.js';

/** What a client says, beside what every client says, that wants a session to be shared. */
export interface SharedRequest {
  /** `shared:key`, or a ticket. */
  readonly key: string;
  /** It wants no session but one that is there. */
  readonly attachOnly: boolean;
  /** The key was claimed for this node before it was known that no stream here has it. */
  readonly claimed?: boolean;
  /** Milliseconds that it waits for the creator to bind a resource; at most `limits.authTimeout`, the default. */
  readonly patience?: number;
  /** The HTTP request that it came with, for the app's {@link XmppSharedGuard}. */
  readonly http?: IncomingMessage;
  /** What the app's guards said; for the stream that it may have to open. */
  readonly admittance?: Admittance;
}

/** @publicApi A client that has the key of a session, and would join it. */
export interface SharedAttempt {
  /** Of the creator: user, address, when it was opened. */
  readonly session: XmppSession;
  /** IP address, after trusted proxies were taken into account. */
  readonly address: string;
  /** Whether it came over TLS. */
  readonly secure: boolean;
  /** As the client gave it; its user, if any, is that of the session. */
  readonly from: string | undefined;
  /** With cookies and headers. */
  readonly http: IncomingMessage | undefined;
}

/**
 * @publicApi The app's word on who shares a session, beyond the key. Provided under the token
 * {@link XMPP_SHARED_GUARD}.
 */
export interface XmppSharedGuard {
  /** Whether a client that has the key may attach. Default: yes. */
  mayAttach?(attempt: SharedAttempt): boolean;
  /** Names the web session of a request: the one that a ticket can be bound to. */
  identify?(http: IncomingMessage): string | undefined;
}

/** @publicApi Injection token of an {@link XmppSharedGuard}. */
export const XMPP_SHARED_GUARD = Symbol('XMPP_SHARED_GUARD');
/** @publicApi Injection token of a {@link SharedKeyStore}; default: one of this process. */
export const SHARED_KEY_STORE = Symbol('SHARED_KEY_STORE');
