import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { SrvRecord } from 'node:dns';
import type { Clock } from '../../clock.js';
import { asciiDomain, DEFAULT_PORT, type Target } from './target.js';

/** What is needed of a DNS resolver; Node's `Resolver` of `node:dns/promises` is one. */
export interface SrvResolver {
  /** Rejects where there are none, or where none can be asked for. */
  resolveSrv(name: string): Promise<SrvRecord[]>;
}

/** A target as DNS names it, to be put in order. */
export interface WeightedTarget extends Target {
  readonly priority: number;
  readonly weight: number;
}

interface Found {
  readonly targets: readonly WeightedTarget[];
  /** Whether neither kind of record exists: then the domain itself may be the server. */
  readonly none: boolean;
}

/** Milliseconds for which records are used again: Node does not tell their time to live. */
const LIFETIME = 30_000;

/**
 * Finds the servers of a domain: the records of `_xmpps-client._tcp` (TLS from the first byte) and
 * `_xmpp-client._tcp` (STARTTLS), as one list (RFC 6120, section 3.2; XEP-0368, section 3).
 */
export class SrvTargets {
  private readonly cache = new Map<string, { until: number; found: Found }>();

  constructor(
    private readonly clock: Clock,
    private readonly resolver: SrvResolver = new Resolver(),
    /** In [0, 1). */
    private readonly random: () => number = Math.random,
  ) {}

  /**
   * The servers in the order in which they are to be tried, drawn anew each time.
   * @throws Error when the domain says that it has none
   */
  async of(domain: string): Promise<Target[]> {
    const name = asciiDomain(domain);
    if (isIP(name)) return [{ host: name, port: DEFAULT_PORT.starttls, tls: 'starttls' }];
    const { targets, none } = await this.find(name);
    if (targets.length > 0) return inOrder(targets, this.random);
    if (!none) throw new Error('the SRV records of the domain say that it offers no service');
    return [{ host: name, port: DEFAULT_PORT.starttls, tls: 'starttls' }];
  }

  private async find(name: string): Promise<Found> {
    const now = this.clock.now();
    const cached = this.cache.get(name);
    if (cached && cached.until > now) return cached.found;
    const [direct, starttls] = await Promise.all([
      this.look(`_xmpps-client._tcp.${name}`),
      this.look(`_xmpp-client._tcp.${name}`),
    ]);
    const records = [...weighted(direct, 'direct'), ...weighted(starttls, 'starttls')];
    // A target of "." says: decidedly not available (RFC 2782).
    const targets = records.filter(({ host }) => host !== '');
    const found = { targets, none: records.length === 0 };
    if (records.length > 0) this.cache.set(name, { until: now + LIFETIME, found });
    return found;
  }

  /** No answer counts as no record (RFC 6120, section 3.2.1, step 9). */
  private async look(name: string): Promise<SrvRecord[]> {
    try {
      return await this.resolver.resolveSrv(name);
    } catch {
      return [];
    }
  }
}

function weighted(records: readonly SrvRecord[], tls: Target['tls']): WeightedTarget[] {
  return records.map(({ name, port, priority, weight }) => ({ host: name.replace(/\.$/, ''), port, tls, priority, weight }));
}

/** By priority, and within one by chance in proportion to the weights (RFC 2782). */
export function inOrder(targets: readonly WeightedTarget[], random: () => number): Target[] {
  const ordered: Target[] = [];
  // Those without weight come first in the draw, which gives them their small chance.
  const pool = [...targets].sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  while (pool.length > 0) {
    const rivals = pool.filter(({ priority }) => priority === pool[0]!.priority);
    const [{ host, port, tls }] = pool.splice(draw(rivals, random), 1) as [WeightedTarget];
    ordered.push({ host, port, tls });
  }
  return ordered;
}

function draw(rivals: readonly WeightedTarget[], random: () => number): number {
  const total = rivals.reduce((sum, { weight }) => sum + weight, 0);
  if (total === 0) return Math.floor(random() * rivals.length);
  const drawn = Math.floor(random() * (total + 1));
  let sum = 0;
  return rivals.findIndex(({ weight }) => (sum += weight) >= drawn);
}
