import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, gzipSync } from 'node:zlib';
import { peerOf, type Peer } from '../http/index.js';
import { Exchange } from './exchange.js';
import type { HttpAnswers } from './http-answers.js';
import { certificateOf } from './origination.js';

/** Smaller answers are not worth the time; larger ones than these come but rarely. */
const COMPRESS_FROM = 4096;

const EXCHANGE = Symbol('exchange');
type AnsweredResponse = ServerResponse & { [EXCHANGE]?: HttpExchange };

/** One for all: a session holds a request for most of its time. */
function onClose(this: AnsweredResponse): void {
  this[EXCHANGE]?.closed();
}

/** One that came over HTTP to this process. */
export class HttpExchange extends Exchange {
  private flushed = false;

  constructor(
    readonly request: IncomingMessage,
    private readonly outgoing: ServerResponse,
    private readonly http: HttpAnswers,
    /** How many proxies in front are trusted. */
    private readonly proxies: number,
    at: number,
  ) {
    super(at, outgoing.destroyed || outgoing.closed);
    if (this.gone) return;
    http.begin();
    (outgoing as AnsweredResponse)[EXCHANGE] = this;
    outgoing.on('close', onClose);
  }

  get peer(): Peer {
    return peerOf(this.request, this.proxies);
  }

  get certificate(): string | undefined {
    return certificateOf(this.request);
  }

  get connection(): object | undefined {
    return this.request.httpVersionMajor === 1 ? this.request.socket : undefined;
  }

  protected write(body: Buffer, type: string, status: number, extra: Readonly<Record<string, string>> | undefined): void {
    if (body.length >= COMPRESS_FROM && acceptsGzip(this.request)) {
      // In one step, for answers leave in the order of their requests. The fastest level is hardly slower than copying.
      body = gzipSync(body, { level: constants.Z_BEST_SPEED });
      extra = { ...extra, 'Content-Encoding': 'gzip' };
    }
    this.http.send(this.request, this.outgoing, status, type, body, extra, (error) => this.written(error));
  }

  /** @internal The response is done with. */
  closed(): void {
    if (this.gone) return;
    this.http.done();
    this.over(this.flushed ? 'left' : 'lost');
  }

  private written(error: Error | null | undefined): void {
    // A write that was under way when the connection was lost ends without an error.
    this.flushed = !error && !this.request.socket.destroyed;
  }
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
