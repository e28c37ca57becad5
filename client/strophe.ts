/**
 * What this package uses of Strophe 5, told by shape: nothing of Strophe is loaded here, so that a page can take it
 * from a bundler, from an import map or from a script tag.
 */

/** `Strophe.Status`: those that matter here. */
export const Status = {
  /** `connect()` was called. */
  CONNECTING: 1,
  /** There is no connection; `DISCONNECTED` follows. */
  CONNFAIL: 2,
  /** Logged in, to a stream of its own or one that others can join. */
  CONNECTED: 5,
  /** The end. */
  DISCONNECTED: 6,
  /** `disconnect()` was called. */
  DISCONNECTING: 7,
  /** Joined the stream of another tab, without a login. */
  ATTACHED: 8,
} as const;

/** Told of each change of a connection's status; a `Strophe.ConnectCallback`. */
export type StatusCallback = (status: number, condition: string | null, element?: Element) => void;

/** A `Strophe.Connection`. */
export interface StropheConnection {
  /** The URL that it was made with. */
  readonly service: string;
  /** Those that it was made with. */
  readonly options: object;
  /** As given to `connect()`, and full when it is connected. */
  jid: string;
  /** Logged in, or joined to a stream that is. */
  authenticated: boolean;
  /** From `CONNECTED` or `ATTACHED` to the end. */
  connected: boolean;
  /** The parameters after the password: callback, wait, hold, route, authcid, disconnection timeout. */
  connect(jid: string, password: string | object, ...more: unknown[]): void;
  /** With {@link SharedConnection}: leaves; other tabs stay. */
  disconnect(reason?: string): void;
  /** Sends at once what waits for the next tick. */
  flush(): void;
  /**
   * Sends an iq. `timeout` is in milliseconds; `onError` is then given null.
   * @returns its id
   */
  sendIQ(
    iq: Element,
    onResult?: (result: Element) => void,
    onError?: (error: Element | null) => void,
    timeout?: number,
  ): string;
  /** Told of each element that comes in. */
  xmlInput(element: Node): void;
  /** Told of all that comes in, as text. */
  rawInput(text: string): void;
  /** Told of messages and presences that other tabs sent; since Strophe 4. */
  onForeignStanzaSent?(stanza: Element): void;
}

/** Attributes of an element that is being built. */
export type Attributes = Readonly<Record<string, string>>;

/** The parts of a connection that Strophe marks with an underscore, as they are in 5.0. */
export interface ConnectionInternals extends StropheConnection {
  _proto: TransportInternals;
  connect_callback: unknown;
  features: Element | null;
  authzid: string | null;
  /** To be sent; `restart` restarts the stream, null sends nothing. */
  _data: (Element | 'restart' | null)[];
  do_bind: boolean;
  do_session: boolean;
  handlers: unknown[];
  addHandlers: unknown[];
  timedHandlers: unknown[];
  addTimeds: unknown[];
  _changeConnectStatus(status: number, condition?: string | null, element?: Element): void;
  _dataRecv(data: unknown, raw?: string): void;
}

interface Builder {
  attrs(attributes: Attributes): Builder;
}

/** `Strophe.Bosh` or `Strophe.Websocket`. */
export interface TransportInternals {
  _connect(...parameters: unknown[]): void;
  _connect_cb(answer: Element): number | void;
  _disconnect(presence?: unknown): void;
  /** BOSH: a new `<body/>`. */
  _buildBody?(): Builder;
  _sendTerminate?(presence: unknown): void;
  /** BOSH: the `<body/>` of an answer. */
  _reqToData?(request: unknown): Element | null | undefined;
  /** WebSocket: a new `<open/>`. */
  _buildStream?(): Builder;
  socket?: { send(text: string): void } | null;
}
