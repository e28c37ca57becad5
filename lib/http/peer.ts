import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** Who sent an HTTP request. */
export interface Peer {
  /** IP address; IPv4 in its own form, also where it came as `::ffff:…`. */
  readonly address: string;
  /** TCP port; 0 when a proxy stands between. */
  readonly port: number;
  /** Whether the peer came over TLS. */
  readonly secure: boolean;
}

/**
 * The client of a request. Behind `proxies` trusted proxies its address is the entry of
 * `X-Forwarded-For` that the outermost of them wrote: counted from the right, since a client can
 * write anything further left.
 */
export function peerOf(request: IncomingMessage, proxies: number): Peer {
  const { socket, headers } = request;
  const direct = plain(socket.remoteAddress ?? '');
  if (proxies > 0) {
    const hops = list(headers['x-forwarded-for']);
    const hop = plain(hops[Math.max(0, hops.length - proxies)] ?? '');
    const schemes = list(headers['x-forwarded-proto']);
    const scheme = schemes[Math.max(0, schemes.length - proxies)]?.toLowerCase();
    if (isIP(hop)) return { address: hop, port: 0, secure: scheme ? scheme === 'https' || scheme === 'wss' : false };
  }
  return { address: direct, port: socket.remotePort ?? 0, secure: (socket as TLSSocket).encrypted === true };
}

function list(header: string | string[] | undefined): string[] {
  if (header === undefined) return [];
  return (Array.isArray(header) ? header.join(',') : header).split(',').map((item) => item.trim());
}

/** Without brackets, port and the IPv6 form of an IPv4 address. */
function plain(address: string): string {
  if (!/[:[]/.test(address)) return address;
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(address);
  if (bracketed) return plain(bracketed[1]!);
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped) return mapped[1]!;
  const withPort = /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(address);
  return withPort ? withPort[1]! : address;
}
