import {
  bareOf,
  CLOSING_FOR_ALL,
  elementsOf,
  isRekeyed,
  openingAttributes,
  rekeyingAttributes,
  sameAccount,
  senderOf,
  type SharedAnswer,
} from './attributes.js';
import { generateKey, type SharedKey, type SharedKeySource, type StreamLink } from './key-source.js';
import { Login, NOT_IMPLEMENTED } from './login.js';
import { StoredKey } from './stored-key.js';
import {
  Status,
  type Attributes,
  type ConnectionInternals,
  type StatusCallback,
  type StropheConnection,
  type TransportInternals,
} from './strophe.js';
import { linkTo } from './stream-link.js';
import { divert, sendCarrier, watchTransport } from './transport.js';

/**
 * How a connection came to its stream: it logged in to a new one that others can share, it joined that of another
 * tab, or the server does not know Shared BOSH and the stream is its own.
 */
export type SharedResult = 'created' | 'attached' | 'ordinary';

/** For {@link SharedConnection}. */
export interface ShareOptions {
  /** Where the key is found and kept, in the order in which they are asked. Default: a {@link StoredKey}. */
  readonly keys?: SharedKeySource | readonly SharedKeySource[];
  /** Told of what went wrong and was overcome, such as storage that cannot be read. */
  readonly onError?: (error: unknown) => void;
}

const NOT_FOUND = 'item-not-found';
/** What `item-not-found` is over WebSocket, where there is no such stream error. */
const UNDEFINED = 'undefined-condition';
/** Conditions with which a server refuses a key. */
const REFUSALS: ReadonlySet<string | null | undefined> = new Set([NOT_FOUND, UNDEFINED, 'policy-violation']);
/** Milliseconds that a server may take to replace a key. */
const REKEY_PATIENCE = 10_000;

/** Told of a stanza that another tab sent, and of that tab's number. */
export type SentHandler = (stanza: Element, sender: number) => void;

/**
 * Makes a Strophe connection one of several on the same XMPP stream (Shared BOSH), over BOSH or WebSocket.
 *
 * From now on `connection.connect()` joins the stream of another tab when there is one, without logging in: the
 * status is then `ATTACHED` instead of `CONNECTED`, and `connection.jid` the JID that all tabs have in common.
 * Otherwise it logs in as ever. Every tab receives every stanza; what other tabs send comes to {@link onSent}, not to
 * Strophe's handlers. `connection.disconnect()` leaves: the others stay.
 *
 * @example
 * ```ts
 * const connection = new Strophe.Connection('wss://chat.example.org/xmpp-websocket');
 * const shared = new SharedConnection(connection);
 * shared.onSent((stanza) => showAsMine(stanza));
 * connection.connect('alice@example.org', password, (status) => {
 *   if (status === Status.CONNECTED || status === Status.ATTACHED) start(shared.result);
 * });
 * ```
 */
export class SharedConnection {
  private readonly connection: ConnectionInternals;
  private readonly sources: readonly SharedKeySource[];
  private readonly onError: (error: unknown) => void;
  /** Strophe's own. */
  private readonly original: Pick<ConnectionInternals, 'connect' | 'disconnect' | '_changeConnectStatus'>;
  private readonly watched = new WeakSet<TransportInternals>();
  private readonly sentHandlers = new Set<SentHandler>();
  private login: Login | undefined;
  private current: SharedResult | undefined;
  /** The stream that ends now, ends for all. */
  private forAll = false;
  /** The key of the stream is being replaced. */
  private rekeying: { key: string; sent: boolean; done: () => void } | undefined;

  /**
   * @param connection a `Strophe.Connection` that is not connected yet
   * @throws {TypeError} when it runs in Strophe's shared worker, and is shared already
   */
  constructor(connection: StropheConnection, options: ShareOptions = {}) {
    if ('worker' in connection.options && connection.options.worker) {
      throw new TypeError('a connection in a shared worker is shared already');
    }
    const internals = connection as ConnectionInternals;
    const { connect, disconnect, _changeConnectStatus } = internals;
    this.connection = internals;
    this.original = { connect, disconnect, _changeConnectStatus };
    this.sources = [options.keys ?? new StoredKey()].flat() as readonly SharedKeySource[];
    this.onError = options.onError ?? (() => undefined);
    internals.connect = (jid, password, ...more) => {
      void this.begin(new Login(internals, jid, password, more, false));
    };
    internals.disconnect = (reason) => {
      if (this.login) this.login.cancelled = true;
      this.original.disconnect.call(internals, reason);
    };
    internals._changeConnectStatus = (status, condition, element) => {
      if (this.passes(status, condition)) this.tell(status, this.login?.refused ?? condition, element);
    };
    divert(
      internals,
      (stanza) => senderOf(stanza) !== undefined,
      (stanza) => this.onCopy(stanza),
      (envelope) => {
        if (isRekeyed(envelope)) this.rekeying?.done();
      },
    );
    this.watch();
  }

  /** How the present stream came about; undefined until that is known, and when the connection is over. */
  get result(): SharedResult | undefined {
    return this.current;
  }

  /**
   * Joins the stream of another tab, without a password. Where there is none, the status becomes `CONNFAIL` with
   * `item-not-found`, or `feature-not-implemented` where the server does not know Shared BOSH.
   * @param jid the user's; a domain, or undefined: that of the key, such as the one used last in this browser
   * @param more wait and hold, as for `connect()`; of BOSH only
   */
  attach(jid: string | undefined, callback: StatusCallback, ...more: readonly number[]): void {
    void this.begin(new Login(this.connection, jid, undefined, [callback, ...more], true));
  }

  /**
   * Has a function called with every stanza that another tab sends, in the one order that all tabs see. Strophe's
   * own `onForeignStanzaSent()` is called as well, with messages and presences.
   * @returns ends it
   */
  onSent(handler: SentHandler): () => void {
    this.sentHandlers.add(handler);
    return () => this.sentHandlers.delete(handler);
  }

  /**
   * Ends the stream for all tabs, and forgets its key wherever that is kept. What `connection.disconnect()` does for
   * this tab, happens to the others, too.
   */
  async logoutAll(reason?: string): Promise<void> {
    const { login, connection } = this;
    if (login) await this.discard(login, connection.authenticated ? linkTo(this.connection) : undefined);
    this.forAll = true;
    try {
      connection.disconnect(reason);
    } finally {
      this.forAll = false;
    }
  }

  /**
   * Gives the stream a new key, everywhere where the old one is kept. The old one attaches no tab any more; those that
   * are attached stay.
   * @throws Error when there is no shared stream, or the server does not answer within 10 seconds
   */
  async rotate(): Promise<void> {
    const { login, connection } = this;
    if (!login?.key || !connection.authenticated || this.current === 'ordinary' || this.rekeying) {
      throw new Error('there is no shared stream, or its key is being replaced');
    }
    const key = generateKey();
    try {
      await new Promise<void>((resolve, reject) => {
        const timeout = setTimeout(() => reject(new Error('the server did not replace the key')), REKEY_PATIENCE);
        const done = (): void => {
          clearTimeout(timeout);
          resolve();
        };
        this.rekeying = { key, sent: false, done };
        sendCarrier(connection);
      });
    } finally {
      this.rekeying = undefined;
    }
    const old = login.key.key;
    login.key = { ...login.key, key };
    const link = linkTo(connection);
    for (const source of this.sources) await this.attempt(() => source.settle?.(login.account, key, link, old));
  }

  // Logging in.

  private async begin(login: Login): Promise<void> {
    const { connection } = this;
    login.stage = 'finding';
    this.login = login;
    this.current = undefined;
    [connection.connect_callback] = login.more;
    const key = login.move === undefined ? await this.find(login) : { key: login.move };
    if (this.login !== login) return;
    if (login.cancelled) {
      this.login = undefined;
      return this.tell(Status.DISCONNECTED, null);
    }
    const jid = login.jid ?? key?.jid;
    if (jid === undefined || (login.attaches && (!key || key.key === login.stale))) {
      return this.fail(login.condition ?? NOT_FOUND);
    }
    login.key = key;
    login.account = bareOf(jid);
    login.stage = 'opening';
    if (login.tries > 0) login.restoreHandlers(connection);
    this.watch();
    try {
      this.original.connect.call(connection, jid, login.password as string, ...login.more);
    } catch (error) {
      this.onError(error);
      this.fail('bad-service');
    }
  }

  /** After a refusal, or for a better stream. */
  private async beginAgain(login: Login): Promise<void> {
    if (login.refused) {
      // What it was may be gone from here by now, or replaced by another tab.
      await this.discard(login, undefined);
      login.stale = login.key?.key;
      login.condition = login.refused;
      login.move = login.refused = undefined;
    }
    if (this.login !== login) return;
    login.tries++;
    await this.begin(login);
  }

  private async find(login: Login): Promise<SharedKey | undefined> {
    for (const source of this.sources) {
      const key = await this.attempt(() => source.acquire?.(login.jid && bareOf(login.jid), !login.attaches));
      if (key) return key;
    }
    return login.attaches ? undefined : { key: generateKey() };
  }

  private async discard({ account, key }: Login, link: StreamLink | undefined): Promise<void> {
    if (!key) return;
    for (const source of this.sources) await this.attempt(() => source.discard?.(account, key.key, link));
  }

  /** Logged in, on a new stream: where keys are kept, there may be that of a better one by now. */
  private async settle(login: Login): Promise<void> {
    const link = linkTo(this.connection);
    const own = login.key!.key;
    let key = own;
    for (const source of [...this.sources].reverse()) {
      const kept = key;
      const replaced = kept === own ? login.stale : own;
      key = (await this.attempt(() => source.settle?.(login.account, kept, link, replaced))) ?? key;
      if (this.login !== login) return;
    }
    if (key !== own && login.mayRetry) {
      login.move = key;
      this.leave(login);
    } else {
      login.stage = 'open';
      this.tell(Status.CONNECTED, null);
    }
  }

  /** Gives up a stream that the app has not heard of. */
  private leave(login: Login): void {
    login.stage = 'leaving';
    this.original.disconnect.call(this.connection);
    this.connection.flush();
  }

  private fail(condition: string): void {
    this.login = undefined;
    this.tell(Status.CONNFAIL, condition);
    this.tell(Status.DISCONNECTED, condition);
  }

  // What Strophe's transport meets.

  private watch(): void {
    const { _proto } = this.connection;
    if (this.watched.has(_proto)) return;
    this.watched.add(_proto);
    watchTransport(_proto, {
      opening: () => this.openingAttributes(),
      closing: () => (this.forAll ? CLOSING_FOR_ALL : {}),
      passing: () => this.passingAttributes(),
      answered: (answer, first) => this.answered(answer, first),
    });
  }

  private openingAttributes(): Attributes {
    const { login } = this;
    if (login?.stage !== 'opening' || !login.key) return {};
    return openingAttributes(login.key.key, login.attachOnly, login.owner && bareOf(login.owner));
  }

  private passingAttributes(): Attributes {
    const { rekeying } = this;
    if (!rekeying || rekeying.sent) return {};
    rekeying.sent = true;
    return rekeyingAttributes(rekeying.key);
  }

  /** @returns whether the login is complete, or hopeless */
  private answered(answer: SharedAnswer, first: Element): boolean {
    const { login } = this;
    if (login?.stage !== 'opening') return false;
    login.stage = 'open';
    if (answer.result === 'attached') {
      // A key that somebody slipped in would show us to others as somebody else.
      if (answer.jid && login.owner && !sameAccount(answer.jid, login.owner)) this.refuse(login, NOT_FOUND);
      else this.attached(answer.jid, first);
      return true;
    }
    if (login.attachOnly) {
      this.refuse(login, answer.result ? NOT_FOUND : NOT_IMPLEMENTED);
      return true;
    }
    this.current = answer.result ?? 'ordinary';
    return false;
  }

  private refuse(login: Login, condition: string): void {
    login.refused = condition;
    if (!login.mayRetry) this.tell(Status.CONNFAIL, condition);
    this.leave(login);
  }

  private attached(jid: string | undefined, first: Element): void {
    const { connection } = this;
    connection.jid = jid ?? connection.jid;
    connection.authzid = bareOf(connection.jid);
    connection.authenticated = true;
    connection.do_bind = connection.do_session = false;
    const rest = first.cloneNode(false);
    for (const element of elementsOf(first)) {
      if (element.localName === 'features') connection.features = element;
      else rest.appendChild(element);
    }
    this.current = 'attached';
    this.tell(Status.ATTACHED, null);
    if (rest.firstChild) connection._dataRecv(rest);
    // Strophe begins to poll only when it is asked for something.
    if (connection.connected) connection.flush();
  }

  /** Whether the app is to hear of a status. */
  private passes(status: number, condition: string | null | undefined): boolean {
    const { login } = this;
    if (!login) return true;
    const hidden = login.stage === 'leaving' && login.mayRetry;
    switch (status) {
      case Status.CONNECTING:
        return login.tries === 0;
      case Status.CONNFAIL:
        if (login.stage !== 'opening' || !login.key || !REFUSALS.has(condition)) return !hidden;
        login.refused = condition === UNDEFINED ? NOT_FOUND : condition!;
        return !login.mayRetry;
      case Status.CONNECTED:
        if (this.current !== 'created' || !this.sources.some((source) => source.settle)) return true;
        login.stage = 'settling';
        void this.settle(login);
        return false;
      case Status.DISCONNECTED:
        if ((hidden || login.refused) && login.mayRetry) {
          void this.beginAgain(login);
          return false;
        }
        if (login.refused) void this.discard(login, undefined);
        this.login = undefined;
        this.current = undefined;
        return true;
      default:
        return !hidden;
    }
  }

  private tell(status: number, condition: string | null | undefined, element?: Element): void {
    this.original._changeConnectStatus.call(this.connection, status, condition, element);
  }

  // Traffic.

  private onCopy(stanza: Element): void {
    const { connection } = this;
    const sender = senderOf(stanza)!;
    connection.xmlInput(stanza);
    connection.rawInput(new XMLSerializer().serializeToString(stanza));
    const isIq = stanza.localName === 'iq';
    const handlers: SentHandler[] = [...this.sentHandlers];
    if (!isIq) handlers.unshift((element) => connection.onForeignStanzaSent?.(element));
    for (const handler of handlers) {
      try {
        handler(stanza, sender);
      } catch (error) {
        this.onError(error);
      }
    }
  }

  /** Nothing about keys keeps a user from logging in. */
  private async attempt<T>(act: () => Promise<T> | undefined): Promise<T | undefined> {
    try {
      return await act();
    } catch (error) {
      this.onError(error);
      return undefined;
    }
  }
}
