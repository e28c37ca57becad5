import { isIPv4, isIPv6 } from 'node:net';

/** An IP address and a TCP port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

const SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const VERSION_2_LOCAL = 0x20;
const VERSION_2_PROXY = 0x21;
const UNSPECIFIED = 0x00;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

/**
 * The first bytes of a connection, which tell the server for whom it is made: the PROXY protocol
 * in its text form (1) or its binary one (2). Where an address is not known, they say so, and the
 * server takes the addresses of the connection itself.
 */
export function proxyHeader(version: 1 | 2, source: Endpoint, destination: Endpoint): Buffer {
  let from = plain(source.address);
  let to = plain(destination.address);
  if (!isIPv4(from) && !isIPv6(from)) from = to = '';
  if (!isIPv4(to) && !isIPv6(to)) from = to = '';
  if (isIPv4(from) !== isIPv4(to)) {
    // One family for both.
    from = mapped(from);
    to = mapped(to);
  }
  return version === 1 ? text(from, source.port, to, destination.port) : binary(from, source.port, to, destination.port);
}

function text(from: string, fromPort: number, to: string, toPort: number): Buffer {
  if (from === '') return Buffer.from('PROXY UNKNOWN\r\n');
  return Buffer.from(`PROXY ${isIPv4(from) ? 'TCP4' : 'TCP6'} ${from} ${to} ${fromPort} ${toPort}\r\n`);
}

function binary(from: string, fromPort: number, to: string, toPort: number): Buffer {
  if (from === '') return Buffer.concat([SIGNATURE, Buffer.from([VERSION_2_LOCAL, UNSPECIFIED, 0, 0])]);
  const addresses = [...addressBytes(from), ...addressBytes(to)];
  const head = [VERSION_2_PROXY, isIPv4(from) ? TCP_OVER_IPV4 : TCP_OVER_IPV6, 0, addresses.length + 4];
  const ports = [fromPort >> 8, fromPort & 0xff, toPort >> 8, toPort & 0xff];
  return Buffer.concat([SIGNATURE, Buffer.from([...head, ...addresses, ...ports])]);
}

/** Without zone, and IPv4 as such where it came inside IPv6. */
function plain(address: string): string {
  const bare = address.replace(/%.*$/, '');
  const inner = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1];
  return inner !== undefined && isIPv4(inner) ? inner : bare;
}

function mapped(address: string): string {
  return isIPv4(address) ? `::ffff:${address}` : address;
}

function addressBytes(address: string): number[] {
  if (isIPv4(address)) return address.split('.').map(Number);
  const [head, tail] = address.split('::') as [string, string | undefined];
  const front = groupBytes(head);
  if (tail === undefined) return front;
  const back = groupBytes(tail);
  return [...front, ...new Array<number>(16 - front.length - back.length).fill(0), ...back];
}

function groupBytes(groups: string): number[] {
  if (groups === '') return [];
  return groups.split(':').flatMap((group) => {
    if (group.includes('.')) return addressBytes(group);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
