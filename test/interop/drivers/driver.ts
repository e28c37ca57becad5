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

/**
 * What became of a session whose connection was lost: it went on over new requests (BOSH), or was resumed by
 * stream management (XEP-0198), or is gone and there is a new one.
 */
export type Recovery = 'kept' | 'resumed' | 'lost';

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
  /** Sends chat messages in this order. */
  sendMessages(to: string, bodies: readonly string[]): Promise<void>;
  /**
   * Gets over the loss of its connection as its users would have it; called when the network is there again.
   * Resolves when it can be used as before.
   */
  recover(): Promise<Recovery>;
  /**
   * How many stanzas came in that the client has not counted, by a fault of its own: the server must take it that
   * so many of the last ones were lost, and sends them again at a resumption (XEP-0198, sections 4 and 5).
   */
  forgotten?(): number;
  /** Logs out in order; resolves when the client says that it is disconnected. */
  disconnect(): Promise<void>;
}

/** A client library or app: how its users log in and talk. Another one is added by writing another of these. */
export interface Driver {
  readonly name: string;
  readonly version: string;
  /** Where it runs. */
  readonly host: 'Node' | 'Chromium';
  readonly transports: readonly Transport[];
  /** How many messages it may be told to send in one go; as many as one likes unless given. */
  readonly burst?: number;
  /** What goes wrong by a fault of its own, in a sentence with its evidence; docs/INTEROP.md shows it. */
  readonly faults?: Readonly<Partial<Record<Transport, string>>>;
  /**
   * Logs in, binds and asks for nothing more.
   * @throws Error when the login fails, with what the library says of it.
   */
  connect(login: Login, listener: Listener): Promise<ChatClient>;
  /** Releases what the driver holds; clients are disconnected before. */
  close?(): Promise<void>;
}
