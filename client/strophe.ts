/**
 * What this package uses of Strophe 5, told by shape: nothing of Strophe is loaded here, so that a page can take it
 * from a bundler, from an import map or from a script tag.
 */

/** `Strophe.Status`: those that matter here. */
export const Status = {
  CONNECTING: 1,
  CONNFAIL: 2,
  CONNECTED: 5,
  DISCONNECTED: 6,
  DISCONNECTING: 7,
  ATTACHED: 8,
} as const;

/** Told of each change of a connection's status; a `Strophe.ConnectCallback`. */
export type StatusCallback = (status: number, condition: string | null, element?: Element) => void;

/** A `Strophe.Connection`. */
export interface StropheConnection {
  readonly service: string;
  readonly options: object;
  jid: string;
  authenticated: boolean;
  connected: boolean;
  /** The parameters after the password: callback, wait, hold, route, authcid, disconnection timeout. */
  connect(jid: string, password: string | object, ...more: unknown[]): void;
  disconnect(reason?: string): void;
  flush(): void;
  sendIQ(
    iq: Element,
    onResult?: (result: Element) => void,
    onError?: (error: Element | null) => void,
    timeout?: number,
  ): string;
  xmlInput(element: Node): void;
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
