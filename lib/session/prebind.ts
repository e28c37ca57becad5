/** @publicApi How `XmppSessionService.prebind()` logs a user in, and what becomes of the session. */
export interface PrebindOptions {
  /** One of `domains`. */
  readonly domain: string;
  /** Localpart of the user's address; with `password`. */
  readonly username?: string;
  /** Towards the server only, by SASL; never logged nor kept. */
  readonly password?: string;
  /** What the app's `XmppCredentials` makes a user name and a password of; instead of those. */
  readonly context?: unknown;
  /** Asked for; the server may give another. Default: the server's choice. */
  readonly resource?: string;
  /** Seconds that the stream lives without a client. Default: 60. */
  readonly ttl?: number;
  /** IP address of the web user, for limits, logs and the upstream. Default: `127.0.0.1`. */
  readonly address?: string;
  /** Whether the client has to come over TLS. Default: false. */
  readonly secure?: boolean;
  /** A session that many clients share (Shared BOSH), over either transport. */
  readonly shared?: boolean;
  /** Where it is shared: the ticket is good only for the web session of this name (see `XmppSharedGuard.identify`). */
  readonly boundTo?: string;
}

/** @publicApi A BOSH session, for the `attach(jid, sid, rid)` of a client. Whoever has it is logged in. */
export interface Prebound {
  /** Full JID. */
  readonly jid: string;
  /** Of XEP-0124, section 7.2: as secret as a password. */
  readonly sid: string;
  /** The one to use next. */
  readonly rid: number;
}

/** @publicApi A shared session. Whoever has the ticket can attach to it, once. */
export interface PreboundShared {
  /** Full JID. */
  readonly jid: string;
  /** To be used as `shared:key`. */
  readonly ticket: string;
}

/**
 * @publicApi Why nobody could be logged in: the server refused the credentials, or the app has none
 * (`not-authorized`), the server has no mechanism that we know and that is safe on the way to it (`no-mechanism`), it
 * could not be reached, or the stream was lost (`upstream-failed`), it took too long (`timeout`), it did not show that
 * it knows the password, or broke the protocol (`untrusted`), or the session is not to be: domain, limits, shutdown,
 * resource (`refused`).
 */
export type PrebindFailure = 'not-authorized' | 'no-mechanism' | 'upstream-failed' | 'timeout' | 'untrusted' | 'refused';

/** @publicApi A login on the server that failed. Its texts hold no secret. */
export class PrebindError extends Error {
  /** Tells it from other errors also where `instanceof` cannot: when an app has loaded two copies of the package. */
  override readonly name = 'PrebindError';

  constructor(
    /** What failed, for code to decide by. */
    readonly reason: PrebindFailure,
    message: string,
    /** The XMPP condition, where there is one: of SASL, of the stream, or of a stanza. */
    readonly condition?: string,
    options?: ErrorOptions,
  ) {
    super(`${reason}: ${message}`, options);
  }
}

/** Who does it: somebody who knows transports, as sessions do not. */
export interface Prebinder {
  /** @throws {PrebindError} */
  prebind(options: PrebindOptions): Promise<Prebound | PreboundShared>;
}
