import type { StreamHeader } from '../upstream/upstream.js';
import type { Stanza } from '../xml/index.js';
import type { SessionEnd } from './end.js';

/** Logs a web user in at the server in place of its client. Sees what passes until the client is authenticated. */
export interface SessionLogin {
  /**
   * @param features as the server offers them
   * @param passable what of them a client could use
   * @returns what the client is offered
   */
  features(features: Stanza, passable: Stanza): Stanza;
  /**
   * An element of the client.
   * @returns whether it was for us: it is not passed on
   */
  fromClient(stanza: Stanza): boolean;
  /**
   * An element of SASL, from the server.
   * @returns what the client gets of it; undefined for nothing
   */
  fromServer(stanza: Stanza): Stanza | undefined;
  /** Whether a client may open its stream anew with what it says of itself. */
  accepts(header: StreamHeader): boolean;
}

/** The stream on which it does so. */
export interface LoginStream {
  readonly domain: string;
  /** What the client opened the stream with, last. */
  header(): StreamHeader;
  /** Whether a password may go over it as it is. */
  secure(): boolean;
  toServer(stanza: Stanza): void;
  toClient(stanza: Stanza): void;
  /** Ends the session and tells the client why. */
  end(end: SessionEnd): void;
}

export type StartLogin = (stream: LoginStream) => SessionLogin;
