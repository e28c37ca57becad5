import type { SharedKey } from './key-source.js';
import type { ConnectionInternals } from './strophe.js';

/** Times that a login begins anew by itself: with a fresh key, or on the stream that other tabs have. */
const MOST_TRIES = 3;
/** The server does not know Shared BOSH: no other key would help. */
export const NOT_IMPLEMENTED = 'feature-not-implemented';
const HANDLER_LISTS = ['handlers', 'addHandlers', 'timedHandlers', 'addTimeds'] as const;

/** One call of `connect()` or `attach()`, with all that is tried for it. */
export class Login {
  stage: 'finding' | 'opening' | 'open' | 'settling' | 'leaving' = 'finding';
  /** Bare JID, or a domain, once it is known. */
  account = '';
  key: SharedKey | undefined;
  /** Of another stream, found in the XMPP server: this login goes there. */
  move: string | undefined;
  /** The condition with which the key is refused, until that is dealt with. */
  refused: string | undefined;
  /** The last key that was, and its condition. */
  stale: string | undefined;
  condition: string | undefined;
  tries = 0;
  /** The app wants no connection any more. */
  cancelled = false;
  /** Handlers that the app added before it connected: Strophe forgets them whenever a connection ends. */
  private readonly handlers: Pick<ConnectionInternals, (typeof HANDLER_LISTS)[number]>;

  constructor(
    connection: ConnectionInternals,
    /** undefined: only the key knows. */
    readonly jid: string | undefined,
    readonly password: string | object | undefined,
    /** Callback, wait, hold, and so on. */
    readonly more: readonly unknown[],
    /** Without a password: there must be a stream. */
    readonly attaches: boolean,
  ) {
    const { handlers, addHandlers, timedHandlers, addTimeds } = connection;
    this.handlers = {
      handlers: [...handlers],
      addHandlers: [...addHandlers],
      timedHandlers: [...timedHandlers],
      addTimeds: [...addTimeds],
    };
  }

  get attachOnly(): boolean {
    return this.attaches || this.move !== undefined;
  }

  /** Whose stream it must be; undefined where anybody's will do. */
  get owner(): string | undefined {
    return [this.account, this.key?.jid].find((jid) => jid?.includes('@'));
  }

  get mayRetry(): boolean {
    return !this.cancelled && this.tries + 1 < MOST_TRIES && this.refused !== NOT_IMPLEMENTED;
  }

  restoreHandlers(connection: ConnectionInternals): void {
    for (const list of HANDLER_LISTS) connection[list] = [...this.handlers[list]];
  }
}
