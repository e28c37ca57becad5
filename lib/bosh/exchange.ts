import type { IncomingMessage } from 'node:http';
import type { Peer } from '../http/index.js';
import type { Stanza } from '../xml/index.js';
import type { Link } from './chain.js';
import type { Sender } from './origination.js';

/** What became of an answer: the network has all of it, it has not, or nobody can say. */
export type Fate = 'left' | 'lost' | 'unknown';

/** Whoever answers a request: told when its connection is done with it. */
export interface ExchangeOwner {
  /** The answer has left, or the connection was closed before (also before there was an answer). */
  closed(exchange: Exchange, fate: Fate): void;
  /** It has to be answered soon, with whatever there is: who has its connection goes down. */
  release?(exchange: Exchange): void;
}

/** An answer that was given, kept in case that it was lost (XEP-0124, section 14.3). */
export interface StoredResponse extends Link<StoredResponse> {
  readonly rid: number;
  /** Of the request: the answer is given again to the same bytes alone (section 15.2). */
  readonly hash: string;
  /** When it was given, on the clock's scale. */
  readonly at: number;
  body: Buffer;
  /** HTTP status. */
  readonly status: number;
  repeats: number;
  /** What it carries, until all of it has left. */
  stanzas: readonly Stanza[];
  /** The request that it leaves by, until it has left. */
  exchange: Exchange | undefined;
}

/** Default `Content-Type` of answers (XEP-0124, section 7.1). */
export const XML_TYPE = 'text/xml; charset=utf-8';

/** One request with a BOSH body, and the answer to it. How it came, and how the answer leaves, is another's business. */
export abstract class Exchange implements Sender {
  answered = false;
  owner: ExchangeOwner | undefined;
  /** What it was answered with, where that is kept. */
  response: StoredResponse | undefined;

  constructor(
    /** When the request was complete, on the clock's scale. */
    readonly at: number,
    /** Nobody sees the answer any more. */
    public gone: boolean,
  ) {}

  abstract readonly peer: Peer;
  abstract readonly certificate: string | undefined;
  /** With cookies and headers, for the app. */
  abstract readonly request: IncomingMessage;
  /** What carries one answer after the other: the connection, unless it carries several at once (HTTP/2). */
  abstract readonly connection: object | string | undefined;

  /** Whether there is somebody who waits for an answer. */
  get live(): boolean {
    return !this.gone && !this.answered;
  }

  /** Gives an answer that is kept, or gives it again. */
  deliver(response: StoredResponse, type: string): void {
    this.response = response;
    response.exchange = this;
    this.send(response.body, type, response.status);
  }

  /**
   * Answers, once. Harmless when the client is gone.
   * @param type `Content-Type` of the session
   */
  send(body: Buffer, type: string = XML_TYPE, status = 200, extra?: Readonly<Record<string, string>>): void {
    if (this.answered) return;
    this.answered = true;
    if (!this.gone) this.write(body, type, status, extra);
  }

  protected abstract write(body: Buffer, type: string, status: number, extra: Readonly<Record<string, string>> | undefined): void;

  protected over(fate: Fate): void {
    this.gone = true;
    this.owner?.closed(this, fate);
  }
}
