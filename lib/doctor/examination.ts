import { request as requestHttp, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';

/** How good a finding is: `problem` keeps clients out, `warning` some of them or sometimes, `note` is for the reader. */
export type Level = 'ok' | 'note' | 'warning' | 'problem';
export type Area = 'tls' | 'host-meta' | 'websocket' | 'bosh' | 'proxies' | 'time-outs';

/** What was seen, and what to do about it. */
export interface Finding {
  readonly level: Level;
  readonly area: Area;
  /** One line. */
  readonly text: string;
  /** One line; none where nothing is to be done. */
  readonly advice?: string;
}

export interface DoctorOptions {
  /** The XMPP domain that clients name. Default: the host of the URL, or a domain above it. */
  readonly domain?: string | undefined;
  /** Seconds that a held request and an idle WebSocket have to survive; 0, the default: not looked at. */
  readonly idle?: number | undefined;
  /** Seconds that an answer may take. Default: 10. */
  readonly patience?: number | undefined;
  /** Called with each finding as it is made. */
  readonly onFinding?: ((finding: Finding) => void) | undefined;
}

/** An HTTP answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** When it was there, in milliseconds of a monotonic clock. */
  readonly at: number;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
  /** Milliseconds. Default: the patience of the examination. */
  readonly timeout?: number;
}

const PATIENCE = 10;
/** No answer that is asked for is larger. */
const LARGEST = 1_000_000;
/** Characters. */
const LONGEST_TEXT = 300;

/** One look at a deployment: where it is, who asks, and what was found. */
export class Examination {
  readonly findings: Finding[] = [];
  /** The domains that clients may mean, likely ones first. */
  readonly domains: readonly string[];
  /** Of a web page that is not the deployment's own. */
  readonly origin: string;
  /** Milliseconds. */
  readonly patience: number;
  readonly local: boolean;

  constructor(
    /** Of which nothing but scheme, host and port counts. */
    readonly base: URL,
    readonly options: DoctorOptions = {},
  ) {
    const host = base.hostname.replace(/^\[|\]$/g, '');
    this.local = host === 'localhost' || host === '::1' || host.startsWith('127.');
    this.domains = options.domain ? [options.domain] : domainsOf(host, this.local);
    this.origin = `https://page.${this.domains[0]}`;
    this.patience = (options.patience ?? PATIENCE) * 1000;
  }

  ok(area: Area, text: string): void {
    this.report({ level: 'ok', area, text });
  }

  note(area: Area, text: string): void {
    this.report({ level: 'note', area, text });
  }

  warn(area: Area, text: string, advice: string): void {
    this.report({ level: 'warning', area, text, advice });
  }

  problem(area: Area, text: string, advice: string): void {
    this.report({ level: 'problem', area, text, advice });
  }

  /**
   * One HTTP request, on a connection of its own. Certificates are looked at elsewhere, so that a wrong one hides nothing.
   *
   * @throws Error when there is no answer in time
   */
  async ask(url: URL, { method = 'GET', headers = {}, body, timeout = this.patience }: Asked = {}): Promise<Answer> {
    const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const options = {
      method,
      headers: { 'User-Agent': 'nestjs-xmpp-doctor', ...length, ...headers },
      agent: false,
      rejectUnauthorized: false,
      signal: AbortSignal.timeout(timeout),
    };
    const sent = url.protocol === 'https:' ? requestHttps(url, options) : requestHttp(url, options);
    return await new Promise<Answer>((resolve, reject) => {
      const failed = (error: Error) => reject(error.name === 'TimeoutError' || error.name === 'AbortError' ? new Error(`no answer within ${timeout / 1000} s`) : error);
      sent.on('error', failed);
      sent.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('error', failed);
        response.on('data', (chunk: string) => {
          if (text.length < LARGEST) text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text, at: performance.now() }));
      });
      sent.end(body);
    });
  }

  /** Whether pages of other sites may read an answer. */
  isReadable({ headers }: Answer): boolean {
    const allowed = headers['access-control-allow-origin'];
    return allowed === '*' || allowed === this.origin;
  }

  private report({ text, ...finding }: Finding): void {
    const safe = { ...finding, text: printable(text) };
    this.findings.push(safe);
    this.options.onFinding?.(safe);
  }
}

/** Much of it comes from the other side: it must neither move a terminal's cursor nor flood it. */
function printable(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?');
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT)}…` : line;
}

/** What went wrong, in one line. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0]);
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, ' ').trim();
}

/** `chat.example.org` may serve `example.org`. */
function domainsOf(host: string, local: boolean): string[] {
  if (local) return ['localhost', host];
  if (isIP(host)) return [host];
  const labels = host.split('.');
  return labels.slice(0, Math.max(1, labels.length - 1)).map((_, index) => labels.slice(index).join('.'));
}
