import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, gzipSync } from 'node:zlib';
import type { Stanza } from '../xml/index.js';
import type { HttpAnswers } from './http-answers.js';

/** Whoever answers a request: told when its connection is done with it. */
export interface ExchangeOwner {
  /**
   * The answer has left, or the connection was closed before (also before there was an answer).
   * @param flushed whether the whole answer was handed to the network
   */
  closed(exchange: Exchange, flushed: boolean): void;
}

/** An answer that was given, kept in case that it was lost (XEP-0124, section 14.3). */
export interface StoredResponse {
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

/** Smaller answers are not worth the time; larger ones than these come but rarely. */
const COMPRESS_FROM = 4096;

/** One HTTP request with a BOSH body, and the answer to it. */
export class Exchange {
  /** Nobody sees the answer any more. */
  gone: boolean;
  answered = false;
  owner: ExchangeOwner | undefined;
  private flushed = false;
  /** What it was answered with, where that is kept. */
  response: StoredResponse | undefined;

  constructor(
    readonly request: IncomingMessage,
    private readonly outgoing: ServerResponse,
    private readonly http: HttpAnswers,
    /** When the request was complete, on the clock's scale. */
    readonly at: number,
  ) {
    this.gone = outgoing.destroyed || outgoing.closed;
    if (this.gone) return;
    http.begin(this);
    outgoing.once('close', () => {
      this.gone = true;
      this.http.done(this);
      this.owner?.closed(this, this.flushed);
    });
  }

  /** Whether there is somebody who waits for an answer. */
  get live(): boolean {
    return !this.gone && !this.answered;
  }

  /** What carries one answer after the other: the connection, unless it carries several at once (HTTP/2). */
  get connection(): object | undefined {
    return this.request.httpVersionMajor === 1 ? this.request.socket : undefined;
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
    if (this.gone) return;
    if (body.length >= COMPRESS_FROM && acceptsGzip(this.request)) {
      // In one step, for answers leave in the order of their requests. The fastest level is hardly slower than copying.
      body = gzipSync(body, { level: constants.Z_BEST_SPEED });
      extra = { ...extra, 'Content-Encoding': 'gzip' };
    }
    this.http.send(this.request, this.outgoing, status, type, body, extra, this.onWritten);
  }

  private readonly onWritten = (error?: Error | null) => {
    // A write that was under way when the connection was lost ends without an error.
    this.flushed = !error && !this.request.socket.destroyed;
  };
}

function acceptsGzip({ headers }: IncomingMessage): boolean {
  const accepted = headers['accept-encoding'];
  if (typeof accepted !== 'string') return false;
  for (const item of accepted.split(',')) {
    const [coding, ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    if (coding === 'gzip' || coding === 'x-gzip') return !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  }
  return false;
}
