import type { IncomingMessage } from 'node:http';
import { peerOf } from '../http/index.js';
import { element, writeElement } from '../xml/index.js';
import type { ResolvedOptions } from '../xmpp.options.js';

/** XEP-0156, section 3. */
const WEBSOCKET = 'urn:xmpp:alt-connections:websocket';
const BOSH = 'urn:xmpp:alt-connections:xbosh';

/** An alternative connection method, as a web link (RFC 6415). */
export interface Link {
  rel: string;
  href: string;
}

/** Where this app's endpoints are, seen from the client that asks. One link of each kind. */
export function links(request: IncomingMessage, options: ResolvedOptions): Link[] {
  const base = configuredBase(request, options) ?? requestedBase(request, options);
  return [
    { rel: WEBSOCKET, href: base.replace(/^http/, 'ws') + options.websocket.path },
    { rel: BOSH, href: base + options.bosh.path },
  ];
}

/** RFC 6415, section 2. */
export function xrd(found: readonly Link[]): string {
  const xml = writeElement(
    element(
      'XRD',
      { xmlns: 'http://docs.oasis-open.org/ns/xri/xrd-1.0' },
      ...found.map(({ rel, href }) => element('Link', { rel, href })),
    ),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${xml}\n`;
}

/** RFC 6415, section 3; with what XEP-0487 adds where the operator gave all that it needs. */
export function jrd(found: readonly Link[], { hostMeta }: ResolvedOptions): string {
  const { ttl, ips, sni, priority, weight, pins } = hostMeta;
  if (ttl === undefined) return JSON.stringify({ links: found });
  const xmpp = { ttl, ...(pins && { 'public-key-pins-sha-256': pins }) };
  return JSON.stringify({ xmpp, links: found.map((link) => ({ ...link, ips, priority, weight, sni })) });
}

function configuredBase(request: IncomingMessage, { hostMeta, domains }: ResolvedOptions): string | undefined {
  const { url } = hostMeta;
  if (typeof url !== 'object') return url;
  const name = /^[^:]*/.exec(namedHost(request))![0].toLowerCase();
  return Object.hasOwn(url, name) ? url[name] : url[domains[0]!];
}

/** Whether the request was sent to a served domain, or to a name below it. */
export function isAskedFor(request: IncomingMessage, options: ResolvedOptions): boolean {
  return isServed(hostOf(request, options)?.name, options);
}

/**
 * The base URL that the request was sent to. A `Host` that is not ours is never reflected: a page
 * in a shared cache could send everybody elsewhere. Ours are the served domains, what lies below
 * them, and the address that the connection was made to.
 */
function requestedBase(request: IncomingMessage, options: ResolvedOptions): string {
  const { secure } = peerOf(request, options.trustProxy);
  const host = hostOf(request, options);
  const name = host?.name;
  const local = (request.socket.localAddress ?? '').replace(/^::ffff:/, '');
  const ours =
    isServed(name, options) || name === local || name === `[${local}]` || (name === 'localhost' && /^(127\.|::1$)/.test(local));
  return `${secure ? 'https' : 'http'}://${ours ? host!.authority : `${options.domains[0]}:${request.socket.localPort}`}`;
}

function isServed(name: string | undefined, { domains }: ResolvedOptions): boolean {
  return name !== undefined && domains.some((domain) => name === domain || name.endsWith(`.${domain}`));
}

/** Whom the client meant, as far as proxies can be believed; with its port as `authority`. */
function hostOf(request: IncomingMessage, { trustProxy }: ResolvedOptions): { name: string; authority: string } | undefined {
  const { headers } = request;
  const forwarded = trustProxy > 0 ? headers['x-forwarded-host'] : undefined;
  const named = (Array.isArray(forwarded) ? forwarded[0] : forwarded) ?? namedHost(request);
  const [authority, name] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(named.split(',').at(-1)!.trim()) ?? [];
  return authority === undefined ? undefined : { name: name!.toLowerCase(), authority };
}

/** HTTP/2 names the host in a header of its own (RFC 9113, section 8.3.1). */
function namedHost({ headers }: IncomingMessage): string {
  return headers.host ?? String(headers[':authority'] ?? '');
}
