import { Inject, Injectable } from '@nestjs/common';
import { Clock, Timeout } from '../clock.js';
import { Cluster } from '../cluster/index.js';
import { SessionRegistry } from '../session/index.js';
import { Upstreams } from '../upstream/upstreams.js';
import { XMPP_OPTIONS, type ResolvedOptions } from '../xmpp.options.js';

/** @publicApi What {@link XmppHealth.check} says. */
export interface XmppHealthReport {
  /**
   * `degraded`: some of the domains have no usable upstream, or the other nodes cannot be reached. `down`: no domain
   * has one, or the process shuts down.
   */
  status: 'up' | 'degraded' | 'down';
  /** What it is made of. */
  details: XmppHealthDetails;
}

/** @publicApi What an {@link XmppHealthReport} is made of. */
export interface XmppHealthDetails {
  /** Of this process. */
  sessions: number;
  /** By domain: `up`, or why it is not. */
  upstreams: Record<string, string>;
  /** Only in a cluster. */
  cluster?: XmppClusterHealth;
}

/** @publicApi A node among the others. */
export interface XmppClusterHealth {
  /** What this node is called. */
  node: string;
  /** How many nodes live. */
  nodes: number;
  /** Whether they can be reached. */
  bus: 'up' | 'down';
}

/** Milliseconds that a probe may take, and that its result is good for. */
const PROBE_TIMEOUT = 3000;
const PROBE_FRESH = 5000;

/**
 * Whether the gateway and its upstreams are usable.
 *
 * @publicApi
 */
@Injectable()
export class XmppHealth {
  private readonly probes = new Map<string, { at: number; result: Promise<string> }>();

  /** @internal Made by Nest. */
  constructor(
    @Inject(XMPP_OPTIONS) private readonly options: ResolvedOptions,
    private readonly sessions: SessionRegistry,
    private readonly upstreams: Upstreams,
    private readonly clock: Clock,
    private readonly cluster: Cluster,
  ) {}

  /** Probes the upstream of every domain, at most once in five seconds each. Never rejects. */
  async check(): Promise<XmppHealthReport> {
    const { domains } = this.options;
    const results = await Promise.all(domains.map((domain) => this.probe(domain)));
    const up = results.filter((result) => result === 'up').length;
    return {
      status: this.sessions.isDraining || up === 0 ? 'down' : up < domains.length || !this.cluster.isConnected ? 'degraded' : 'up',
      details: {
        sessions: this.sessions.list().length,
        upstreams: Object.fromEntries(domains.map((domain, i) => [domain, results[i]!])),
        ...this.nodes(),
      },
    };
  }

  private nodes(): Pick<XmppHealthReport['details'], 'cluster'> {
    const { nodeName, nodeCount, isConnected } = this.cluster;
    return nodeName === undefined ? {} : { cluster: { node: nodeName, nodes: nodeCount, bus: isConnected ? 'up' : 'down' } };
  }

  private probe(domain: string): Promise<string> {
    const last = this.probes.get(domain);
    if (last && this.clock.now() - last.at < PROBE_FRESH) return last.result;
    const result = this.attempt(domain);
    this.probes.set(domain, { at: this.clock.now(), result });
    return result;
  }

  private async attempt(domain: string): Promise<string> {
    let refuse!: (error: Error) => void;
    const timeout = new Timeout(this.clock, () => refuse(new Error('no answer')));
    try {
      const patience = new Promise<never>((_, reject) => (refuse = reject));
      timeout.start(PROBE_TIMEOUT);
      await Promise.race([this.upstreams.select(domain).probe?.(domain), patience]);
      return 'up';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      timeout.stop();
    }
  }
}
