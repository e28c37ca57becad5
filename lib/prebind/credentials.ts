import type { ClientMechanism } from '../sasl/index.js';

/** @publicApi With what a user logs in at the XMPP server. */
export interface XmppLogin {
  /** Localpart of the user's address. */
  readonly username: string;
  /** Password, or whatever the server takes for one: a token, the app's own secret. */
  readonly password: string;
  /** No other mechanism than this. Default: the best that the server has. */
  readonly mechanism?: ClientMechanism;
}

/**
 * @publicApi Makes XMPP credentials of what the app knows of its user: of a cookie's session, a JWT, a row of a table.
 * Provided under the token {@link XMPP_CREDENTIALS}.
 */
export interface XmppCredentials {
  /**
   * @param context as given to `XmppSessionService.prebind()`
   * @param domain where the user is to be logged in
   * @returns undefined for a user who has no account there: `prebind()` fails with `not-authorized`
   */
  login(context: unknown, domain: string): XmppLogin | undefined | Promise<XmppLogin | undefined>;
}

/** @publicApi Injection token of an {@link XmppCredentials}. */
export const XMPP_CREDENTIALS = Symbol('XMPP_CREDENTIALS');
