import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Origins } from '../http/index.js';

/**
 * What no answer may lack. A client chooses the `Content-Type` of its answers (`content`, XEP-0124,
 * section 7.1): nothing in them may ever run in a browser.
 */
const SAFE: OutgoingHttpHeaders = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "sandbox; default-src 'none'",
};

/** Seconds that a browser may remember a preflight. */
const PREFLIGHT_AGE = '86400';
const HEADER_NAMES = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+(\s*,\s*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*$/;

/** Writes HTTP answers: every one with the headers of CORS, a length and in one piece. */
export class HttpAnswers {
  /** By `Content-Type`; Node reads a headers object at once, so that one will do for all answers. */
  private readonly headers = new Map<string, OutgoingHttpHeaders>();
  /** How many requests are not answered, or their answers have not left. */
  private open = 0;
  private idle: (() => void) | undefined;

  constructor(
    private readonly origins: Origins,
    /** Every origin is allowed: the headers of CORS are always the same. */
    private readonly anyOrigin: boolean,
    /** Whether the process goes down: connections are not kept. */
    private readonly isClosing: () => boolean,
  ) {}

  /** A request is there that will be answered. */
  begin(): void {
    this.open++;
  }

  /** It was answered, or there is nobody to answer. */
  done(): void {
    if (--this.open === 0) this.idle?.();
  }

  /** Calls back when every answer has left. */
  whenIdle(callback: () => void): void {
    if (this.open === 0) callback();
    else this.idle = callback;
  }

  /** @param onWritten called when the network has taken the answer, or never will */
  send(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    type: string,
    body: Buffer,
    extra?: Readonly<Record<string, string>>,
    onWritten?: (error?: Error | null) => void,
  ): void {
    if (response.headersSent || response.destroyed) return;
    let headers = this.headersOf(type);
    headers['Content-Length'] = body.length;
    const closing = this.isClosing();
    if (extra || closing || !this.anyOrigin) {
      headers = { ...headers, ...extra };
      const vary = this.anyOrigin ? [] : ['Origin'];
      if (!this.anyOrigin) this.origins.setHeaders(request, response);
      if (headers['Content-Encoding']) vary.push('Accept-Encoding');
      if (vary.length > 0) headers['Vary'] = vary.join(', ');
      if (closing && request.httpVersionMajor < 2) headers['Connection'] = 'close'; // HTTP/2 knows no such header
    }
    response.writeHead(status, headers);
    if (request.method === 'HEAD') {
      response.end();
    } else if (onWritten) {
      // `writableFinished` tells nothing: an answer whose connection is lost counts as finished.
      response.write(body, onWritten);
      response.end();
    } else {
      response.end(body);
    }
  }

  /** Answers the preflight of CORS. */
  preflight(request: IncomingMessage, response: ServerResponse): void {
    const asked = request.headers['access-control-request-headers'];
    this.origins.setHeaders(request, response);
    response.writeHead(204, {
      'Access-Control-Allow-Methods': 'POST, OPTIONS',
      'Access-Control-Allow-Headers': asked && HEADER_NAMES.test(asked) ? asked : 'Content-Type, Content-Encoding',
      'Access-Control-Max-Age': PREFLIGHT_AGE,
      'Allow': ALLOWED,
    });
    response.end();
  }

  private headersOf(type: string): OutgoingHttpHeaders {
    let headers = this.headers.get(type);
    if (!headers) {
      headers = { 'Content-Type': type, 'Content-Length': 0, ...SAFE };
      if (this.anyOrigin) {
        headers['Access-Control-Allow-Origin'] = '*';
        if (this.origins.exposed) headers['Access-Control-Expose-Headers'] = this.origins.exposed;
      }
      // A client names its type: what many clients name is remembered, what one invents is not.
      if (this.headers.size < 16) this.headers.set(type, headers);
    }
    return headers;
  }
}

/** For `Allow`. */
export const ALLOWED = 'POST, GET, HEAD, OPTIONS';
