import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';

/** Where to dial, and when TLS begins there: with the first byte (XEP-0368), or by STARTTLS. */
export interface Target {
  /** Name or IP address, IPv6 without brackets. */
  readonly host: string;
  /** TCP port, usually 5222, or 5223 for direct TLS. */
  readonly port: number;
  /** When TLS begins. */
  readonly tls: 'direct' | 'starttls';
}

export const DEFAULT_PORT = { starttls: 5222, direct: 5223 } as const;

/**
 * - `required`: nothing but the negotiation of TLS passes in clear.
 * - `optional`: TLS where the server offers it.
 * - `never`: in clear.
 */
export type StartTlsPolicy = 'required' | 'optional' | 'never';

/** What a host is dealt with like where nothing else is said: on the way to loopback nobody listens. */
export function defaultStartTls(host: string): StartTlsPolicy {
  return isLoopback(host) ? 'optional' : 'required';
}

export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  return name === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'));
}

/** `host:port` for logs, IPv6 in brackets. */
export function showTarget({ host, port }: Target): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** A domain as DNS and certificates know it; an IP address without brackets. */
export function asciiDomain(domain: string): string {
  if (domain.startsWith('[') && domain.endsWith(']')) return domain.slice(1, -1);
  if (isIPv4(domain) || isIPv6(domain)) return domain;
  return domainToASCII(domain) || domain;
}

/** Reads `host`, `host:port`, `[v6]`, `[v6]:port` or `v6`; undefined when it is none of them. */
export function parseHost(text: string): { host: string; port: number | undefined } | undefined {
  if (isIPv6(text)) return { host: text, port: undefined };
  const match = /^(?:\[([^\]]+)\]|([\p{L}\p{N}._-]+))(?::(\d{1,5}))?$/u.exec(text);
  if (!match) return undefined;
  const [, v6, name, digits] = match;
  if (v6 !== undefined && !isIPv6(v6)) return undefined;
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65535)) return undefined;
  return { host: (v6 ?? name!).toLowerCase(), port };
}
