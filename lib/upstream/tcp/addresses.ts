import { lookup as resolve, type LookupAddress, type LookupOptions } from 'node:dns';
import { BlockList, isIPv6, type LookupFunction } from 'node:net';

/** Where no XMPP server is, but things that must not be asked: the metadata service of a cloud, above all. */
const NEVER = blockList(['0.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4', '::/128', 'fe80::/10', 'ff00::/8', 'fd00:ec2::/32']);
/** What only the own network can reach (RFC 6890). */
const PRIVATE = blockList(['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '::1/128', 'fc00::/7']);

function blockList(subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [network, bits] = subnet.split('/') as [string, string];
    list.addSubnet(network, Number(bits), isIPv6(network) ? 'ipv6' : 'ipv4');
  }
  return list;
}

/** Whether DNS may lead us to an address. */
export function mayDial(address: string, privateTargets: 'allow' | 'refuse'): boolean {
  // An IPv4 address in IPv6 form is looked at as what it is.
  const plain = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  const family = isIPv6(plain) ? 'ipv6' : 'ipv4';
  return !NEVER.check(plain, family) && (privateTargets === 'allow' || !PRIVATE.check(plain, family));
}

/**
 * Looks names up for a connection, and leaves out what must not be dialled: asked at the moment of dialling, so
 * that a name cannot lead elsewhere than it did when it was looked at.
 */
export function cautiousLookup(privateTargets: 'allow' | 'refuse'): LookupFunction {
  return (host: string, options: LookupOptions, done: Parameters<LookupFunction>[2]) => {
    resolve(host, { ...options, all: true }, (error: NodeJS.ErrnoException | null, found: LookupAddress[] = []) => {
      if (error) return done(error, [], 0);
      const allowed = found.filter(({ address }) => mayDial(address, privateTargets));
      if (allowed.length === 0) return done(new Error('the name leads to addresses that must not be dialled'), [], 0);
      if (options.all) done(null, allowed);
      else done(null, allowed[0]!.address, allowed[0]!.family);
    });
  };
}
