export type Transport = 'websocket' | 'bosh';

/** Where and as whom a client logs in. */
export interface Login {
  /** The endpoint of {@link transport}: `ws://…/xmpp-websocket` or `http://…/http-bind`. */
  readonly url: string;
  readonly transport: Transport;
  readonly domain: string;
  readonly user: string;
  readonly password: string;
  readonly resource: string;
}

export interface ReceivedMessage {
  /** Full JID. */
  readonly from: string;
  readonly body: string;
}

export interface ReceivedPresence {
  readonly from: string;
  /** The `type` attribute; empty for an available one. */
  readonly type: string;
  readonly status: string;
}

export interface RosterItem {
  readonly jid: string;
  readonly name: string;
}

/** What a client does when something comes in. Given at the login, so that nothing is missed. */
export interface Listener {
  message(message: ReceivedMessage): void;
  presence(presence: ReceivedPresence): void;
}

/** One logged-in client, bound to a resource. */
export interface ChatClient {
  /** The full JID that the server gave it. */
  readonly jid: string;
  /** The SASL mechanism that it chose. */
  readonly mechanism: string;
  addContact(jid: string, name: string): Promise<void>;
  roster(): Promise<readonly RosterItem[]>;
  /** Sends available presence, to everybody or to one JID. */
  presence(to?: string, status?: string): Promise<void>;
  sendMessage(to: string, body: string): Promise<void>;
  /** Logs out in order; resolves when the client says that it is disconnected. */
  disconnect(): Promise<void>;
}

/** A client library: how its users log in and talk. Another one is added by writing another of these. */
export interface Driver {
  readonly name: string;
  readonly transports: readonly Transport[];
  /**
   * Logs in, binds and asks for nothing more.
   * @throws Error when the login fails, with what the library says of it.
   */
  connect(login: Login, listener: Listener): Promise<ChatClient>;
  /** Releases what the driver holds; clients are disconnected before. */
  close?(): Promise<void>;
}
