import type { ClientMechanism } from '../sasl/index.js';
import type { ConnectContext } from '../session/index.js';

/** @publicApi With what a user logs in at the XMPP server. */
export interface XmppLogin {
  /** Localpart of the user's address. */
  readonly username: string;
  /** Password, or whatever the server takes for one: a token, the app's own secret. */
  readonly password: string;
  /** No other mechanism than this. Default: the best that the server has. */
  readonly mechanism?: ClientMechanism;
  /**
   * Localpart of an account that may act for others, instead of the user's own (RFC 4616): {@link password} is its
   * password then, and the user is who is acted for.
   */
  readonly actor?: string;
}

/**
 * @publicApi Makes XMPP credentials of what the app knows of its user: of a cookie's session, a JWT, a row of a table.
 * Provided under the token {@link XMPP_CREDENTIALS}.
 */
export interface XmppCredentials {
  /**
   * @param context as given to `XmppSessionService.prebind()`, or what {@link userOf} or a guard said of a request
   * @param domain where the user is to be logged in
   * @returns undefined for a user who has no account there: `prebind()` fails with `not-authorized`
   */
  login(context: unknown, domain: string): XmppLogin | undefined | Promise<XmppLogin | undefined>;
  /**
   * The web user whom the request for a session shows, by its cookie or token. Who has one is offered SASL EXTERNAL, and
   * logged in here without a password of its own. Pages of origins that are not listed in `origins` are not asked about.
   * @returns undefined for nobody
   */
  userOf?(context: ConnectContext): unknown;
}

/** @publicApi Injection token of an {@link XmppCredentials}. */
export const XMPP_CREDENTIALS = Symbol('XMPP_CREDENTIALS');
