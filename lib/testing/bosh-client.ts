import { Agent, request, type ClientRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { NS } from '../xml/index.js';

/** An HTTP answer, as it came. */
export class BoshAnswer {
  constructor(
    /** HTTP status; also with errors of BOSH it is 200 for clients of today (XEP-0124, section 17). */
    readonly status: number,
    /** With names in lower case. */
    readonly headers: IncomingHttpHeaders,
    /** As text, inflated. */
    readonly body: string,
  ) {}

  /** An attribute of `<body/>`, as it is written. */
  attribute(name: string): string | undefined {
    const tag = /^<body[^>]*>/.exec(this.body)?.[0] ?? '';
    return new RegExp(`\\s${name}=(?:'([^']*)'|"([^"]*)")`).exec(tag)?.slice(1).find((value) => value !== undefined);
  }

  /** `terminate` where the session is over. */
  get type(): string | undefined {
    return this.attribute('type');
  }

  /** Why it is over (XEP-0124, section 17.2); undefined for an end in order. */
  get condition(): string | undefined {
    return this.attribute('condition');
  }

  /** What the body wraps. */
  get payload(): string {
    return /^<body[^>]*[^/]>(.*)<\/body>$/s.exec(this.body)?.[1] ?? '';
  }
}

/** A request that was sent and has no answer yet. */
export interface Pending extends Promise<BoshAnswer> {
  /** To be cut with `destroy()`, or to write a body to by hand. */
  readonly sent: ClientRequest;
}

/** Sends HTTP requests, each on a connection of its own if others are busy, and counts no `rid`s. */
export class BoshHttp {
  private readonly agent = new Agent({ keepAlive: true });

  constructor(
    /** Of the BOSH endpoint. */
    readonly url: string,
  ) {}

  /**
   * Sends a request with this body, as `text/xml`.
   * @returns a promise of the answer, which comes when the gateway has something to say, or `wait` is over
   */
  post(body: string | Buffer, headers: OutgoingHttpHeaders = {}): Pending {
    const pending = this.start('POST', { 'Content-Type': 'text/xml; charset=utf-8', 'Content-Length': Buffer.byteLength(body), ...headers });
    pending.sent.end(body);
    return pending;
  }

  /** A request without a body. */
  async other(method: string, headers: OutgoingHttpHeaders = {}): Promise<BoshAnswer> {
    const pending = this.start(method, headers);
    pending.sent.end();
    return pending;
  }

  /** A request whose body the test writes by hand. */
  start(method: string, headers: OutgoingHttpHeaders): Pending {
    const sent = request(this.url, { method, headers, agent: this.agent });
    const answer = new Promise<BoshAnswer>((resolve, reject) => {
      sent.on('error', reject);
      sent.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const raw = Buffer.concat(chunks);
          const text = response.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
          resolve(new BoshAnswer(response.statusCode!, response.headers, text.toString()));
        });
      });
    });
    answer.catch(() => {}); // a test that cuts the connection does not wait for it
    return Object.assign(answer, { sent });
  }

  /** Cuts every connection. */
  close(): void {
    this.agent.destroy();
  }
}

/** Of a `<body/>`; undefined leaves one out. */
export type BodyAttributes = Record<string, string | number | undefined>;

/** `<body/>` with these attributes. */
export function boshBody(attributes: BodyAttributes, payload = ''): string {
  const text = Object.entries({ 'xmlns': NS.httpbind, 'xmlns:xmpp': NS.xbosh, ...attributes })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}='${value}'`)
    .join('');
  return payload === '' ? `<body${text}/>` : `<body${text}>${payload}</body>`;
}

/** What a session is asked for with: XEP-0124, section 7.1. */
export function boshCreation(attributes: BodyAttributes = {}, payload = ''): string {
  return boshBody({ 'rid': 1000, 'to': 'example.org', 'ver': '1.11', 'wait': 60, 'hold': 1, 'xmpp:version': '1.0', ...attributes }, payload);
}

/** A session, by a client that follows the rules unless it is told otherwise. */
export class BoshSession {
  private constructor(
    /** For requests that break the rules. */
    readonly http: BoshHttp,
    /** The answer that created the session. */
    readonly created: BoshAnswer,
    /** As the gateway gave it (XEP-0124, section 7.2). */
    readonly sid: string,
    /** Of the last request. */
    public rid: number,
  ) {}

  /** @throws Error with the answer when there is no session */
  static async open(http: BoshHttp, attributes: BodyAttributes = {}, payload = ''): Promise<BoshSession> {
    const created = await http.post(boshCreation(attributes, payload));
    const sid = created.attribute('sid');
    if (sid === undefined) throw new Error(`no session: ${created.status} ${created.body}`);
    return new BoshSession(http, created, sid, Number(attributes['rid'] ?? 1000));
  }

  /** The next request. */
  send(payload = '', attributes: BodyAttributes = {}): Pending {
    return this.again(++this.rid, payload, attributes);
  }

  /** A request with any `rid`. */
  again(rid: number, payload = '', attributes: BodyAttributes = {}): Pending {
    return this.http.post(this.text(rid, payload, attributes));
  }

  /** The body of a request, to be sent in some other way. */
  text(rid: number, payload = '', attributes: BodyAttributes = {}): string {
    return boshBody({ rid, sid: this.sid, ...attributes }, payload);
  }
}
