import type { IncomingMessage, ServerResponse } from 'node:http';

/** Which web pages may talk to us: the list of `origins`, on the WebSocket and in CORS. */
export class Origins {
  private readonly any: boolean;
  /** Value of `Access-Control-Expose-Headers`; '' for none. */
  readonly exposed: string;

  /** @param exposed headers of answers that pages may read */
  constructor(
    private readonly allowed: readonly string[],
    exposed: readonly string[] = [],
  ) {
    this.any = allowed.includes('*');
    this.exposed = exposed.join(', ');
  }

  /** Whether a request may be served. One without `Origin` comes from no web page. */
  admits(request: IncomingMessage): boolean {
    const { origin } = request.headers;
    return this.any || origin === undefined || this.allowed.includes(origin);
  }

  /**
   * Whether a cookie that came with a request may log its user in: its page is of an origin that is listed, `*` being
   * none, or of the host that the request went to. Any page can make a browser send cookies.
   * @param secure whether it came over TLS
   */
  vouchFor({ headers }: IncomingMessage, secure: boolean): boolean {
    const { origin } = headers;
    if (origin === undefined) return headers['sec-fetch-site'] !== 'cross-site';
    if (origin !== '*' && this.allowed.includes(origin)) return true;
    if (!URL.canParse(origin)) return false;
    const { host, protocol } = new URL(origin);
    return host !== '' && host === (headers.host ?? headers[':authority']) && !(secure && protocol === 'http:');
  }

  /**
   * Sets the CORS headers of an answer, also of one that tells an error: without them a browser
   * shows its page nothing. A listed origin may send credentials, `*` may not.
   */
  setHeaders(request: IncomingMessage, response: ServerResponse): void {
    const { origin } = request.headers;
    if (this.exposed) response.setHeader('Access-Control-Expose-Headers', this.exposed);
    if (this.any) {
      response.setHeader('Access-Control-Allow-Origin', '*');
      return;
    }
    vary(response);
    if (origin !== undefined && this.allowed.includes(origin)) {
      response.setHeader('Access-Control-Allow-Origin', origin);
      response.setHeader('Access-Control-Allow-Credentials', 'true');
    }
  }
}

/** Caches must not give one origin's answer to another. What the host wrote into `Vary` stays. */
function vary(response: ServerResponse): void {
  const given = [response.getHeader('Vary') ?? []].flat().join(', ');
  if (!/\borigin\b/i.test(given)) response.setHeader('Vary', given ? `${given}, Origin` : 'Origin');
}
