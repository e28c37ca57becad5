import type { ConnectionOptions } from './connection.js';
import type { SrvResolver } from './tcp/srv.js';
import { DEFAULT_PORT, parseHost, type StartTlsPolicy } from './tcp/target.js';
import { TcpUpstream } from './tcp/upstream.js';
import type { TcpUpstreamOptions } from './tcp/options.js';
import type { XmppUpstream } from './upstream.js';
import { WebSocketUpstream, type WebSocketUpstreamOptions } from './websocket/upstream.js';

/** What a URL does not say. `verify` is of the URL. */
export interface UpstreamUrlOptions extends Omit<ConnectionOptions, 'verify'> {
  /** `host` or `host:port` that a server may send us on to; see {@link TcpUpstreamOptions.redirects}. */
  readonly redirects?: readonly string[] | undefined;
  /** See {@link TcpUpstreamOptions.resolver}. */
  readonly resolver?: SrvResolver | undefined;
  /** See {@link TcpUpstreamOptions.random}. */
  readonly random?: (() => number) | undefined;
}

/** What a URL says. */
export type UpstreamAddress =
  | ({ readonly kind: 'tcp' } & Pick<TcpUpstreamOptions, 'server' | 'starttls' | 'verify' | 'proxyProtocol' | 'privateTargets'>)
  | ({ readonly kind: 'websocket'; readonly url: URL } & Pick<WebSocketUpstreamOptions, 'verify' | 'proxyProtocol'>);

/** An upstream URL that means nothing. The message names the value and what is allowed. */
export class UpstreamUrlError extends Error {
  /** Tells it from other errors also where `instanceof` cannot: when an app has loaded two copies of the package. */
  override readonly name = 'UpstreamUrlError';

  constructor(
    /** Such as `the port of an upstream URL`. */
    readonly what: string,
    /** As written; without user names and passwords. */
    readonly value: string,
    /** In words, such as `required, optional, never`. */
    readonly allowed: string,
  ) {
    super(`${what} is ${JSON.stringify(value)}; allowed: ${allowed}`);
  }
}

const URLS = 'srv, xmpp://host:port, xmpps://host:port, ws://… or wss://…';
const STARTTLS: readonly StartTlsPolicy[] = ['required', 'optional', 'never'];

/**
 * The upstream that a URL names: `xmpp://host:port` (STARTTLS), `xmpps://host:port` (TLS from the
 * first byte), `srv` (the SRV records of the domain), `ws://…` or `wss://…` (RFC 7395), with
 * `?starttls=required|optional|never`, `?verify=false` and `?proxy-protocol=1|2` behind it.
 * Other parameters of `ws:` and `wss:` belong to the server.
 * @throws {UpstreamUrlError}
 */
export function upstreamFromUrl(url: string, options: UpstreamUrlOptions = {}): XmppUpstream {
  const address = parseUpstreamUrl(url);
  const { redirects, resolver, random, ...connection } = options;
  return address.kind === 'websocket'
    ? new WebSocketUpstream({ ...connection, ...address })
    : new TcpUpstream({ ...connection, redirects, resolver, random, ...address });
}

/**
 * Reads an upstream URL.
 * @throws {UpstreamUrlError}
 */
export function parseUpstreamUrl(text: string): UpstreamAddress {
  const [, base, query] = /^([^?]*)(?:\?(.*))?$/s.exec(text) as unknown as [string, string, string | undefined];
  if (base === 'srv') return { kind: 'tcp', ...parameters(query, true, true) };
  const scheme = /^([a-z]+):\/\//i.exec(base)?.[1]?.toLowerCase();
  if (scheme === 'xmpp' || scheme === 'xmpps') {
    const tls = scheme === 'xmpps' ? 'direct' : 'starttls';
    // Not read by URL, which leaves the host of a foreign scheme as it is.
    const authority = base.slice(scheme.length + 3).replace(/\/$/, '');
    const server = parseHost(authority);
    if (!server) throw new UpstreamUrlError('the upstream URL', redact(text), `${scheme}://host:port`);
    const { host, port = DEFAULT_PORT[tls] } = server;
    return { kind: 'tcp', server: { host, port, tls }, ...parameters(query, tls === 'starttls') };
  }
  if (scheme !== 'ws' && scheme !== 'wss') throw new UpstreamUrlError('the upstream URL', redact(text), URLS);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.hash !== '') throw new UpstreamUrlError('the upstream URL', redact(text), `${scheme}://host/path`);
  if (url.searchParams.has('starttls')) {
    throw new UpstreamUrlError('starttls of the upstream URL', url.searchParams.get('starttls')!, `nothing, for ${scheme}://`);
  }
  const { verify, proxyProtocol } = parameters(ownParameters(url), false);
  return { kind: 'websocket', url, verify, proxyProtocol };
}

/** Takes our own parameters out of a URL. */
function ownParameters(url: URL): string {
  const own = new URLSearchParams();
  for (const name of ['verify', 'proxy-protocol']) {
    for (const value of url.searchParams.getAll(name)) own.append(name, value);
    // Touched only then: to write parameters anew can change how they are escaped.
    if (url.searchParams.has(name)) url.searchParams.delete(name);
  }
  return own.toString();
}

function parameters(query: string | undefined, withStartTls: boolean, withPrivate = false) {
  let starttls: StartTlsPolicy | undefined;
  let verify: boolean | undefined;
  let proxyProtocol: 1 | 2 | undefined;
  let privateTargets: 'allow' | 'refuse' | undefined;
  const seen = new Set<string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (seen.has(name)) throw new UpstreamUrlError(`${name} of the upstream URL`, value, 'each parameter once');
    seen.add(name);
    if (name === 'starttls' && withStartTls) starttls = oneOf(name, value, STARTTLS);
    else if (name === 'private' && withPrivate) privateTargets = oneOf(name, value, ['allow', 'refuse'] as const);
    else if (name === 'verify') verify = oneOf(name, value, ['true', 'false']) === 'true';
    else if (name === 'proxy-protocol') proxyProtocol = oneOf(name, value, ['1', '2']) === '1' ? 1 : 2;
    else {
      const allowed = `${withStartTls ? 'starttls, ' : ''}verify, proxy-protocol${withPrivate ? ', private' : ''}`;
      throw new UpstreamUrlError('a parameter of the upstream URL', name, allowed);
    }
  }
  return { starttls, verify, proxyProtocol, ...(privateTargets && { privateTargets }) };
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  if ((allowed as readonly string[]).includes(value)) return value as T;
  throw new UpstreamUrlError(`${name} of the upstream URL`, value, allowed.join(', '));
}

/** Without what may be a password. */
function redact(text: string): string {
  return text.replace(/\/\/.*@/s, '//…@').replace(/\?.*$/s, '?…');
}
