import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Metric, Registry } from 'prom-client';
import { BoshEndpoint } from '../bosh/index.js';
import { Cluster } from '../cluster/index.js';
import { SessionRegistry } from '../session/index.js';
import { Sharing } from '../shared/index.js';
import { XmppGateway } from '../websocket/index.js';
import { XMPP_OPTIONS, type ResolvedOptions } from '../xmpp.options.js';
import { Counts, type Labels } from './counts.js';
import { counter, gauge, histogram, type Family, type Sample } from './families.js';

/** Milliseconds between two looks at how late the event loop is. */
const LAG_RESOLUTION = 20;
const NANOSECONDS = 1e9;

/**
 * Prometheus metrics of this process. `prom-client` is an optional peer: it is loaded when the
 * text is asked for first. Counting itself is plain numbers, read at each scrape.
 *
 * @publicApi
 */
@Injectable()
export class XmppMetrics implements OnApplicationShutdown {
  /** Of {@link text}. */
  readonly contentType = 'text/plain; version=0.0.4; charset=utf-8';

  private registry: Promise<Registry> | undefined;
  /** Since the last scrape; there from the first on. */
  private lag: IntervalHistogram | undefined;
  private readonly families: readonly Family[];

  /** @internal Made by Nest. */
  constructor(
    private readonly sessions: SessionRegistry,
    private readonly sharing: Sharing,
    private readonly bosh: BoshEndpoint,
    private readonly gateway: XmppGateway,
    private readonly counts: Counts,
    private readonly cluster: Cluster,
    @Inject(XMPP_OPTIONS) private readonly options: ResolvedOptions,
  ) {
    this.families = [...this.aboutSessions(), ...this.aboutTraffic(), ...this.aboutUpstreams(), ...this.aboutProcess()];
  }

  /** In the text format of Prometheus, with those of the process that prom-client has. */
  async text(): Promise<string> {
    return (await (this.registry ??= this.ownRegistry())).metrics();
  }

  /**
   * Adds the metrics to a registry that the app has.
   * @param registry a `Registry` of prom-client; untyped here, since that package is optional
   */
  async registerIn(registry: object): Promise<void> {
    // A registry asks its metrics for name, type and values, and for nothing that ours would not have.
    for (const family of this.families) (registry as Registry).registerMetric(family as unknown as Metric);
  }

  /** Called by Nest. */
  onApplicationShutdown(): void {
    this.lag?.disable();
  }

  private async ownRegistry(): Promise<Registry> {
    const { collectDefaultMetrics, Registry } = await import('prom-client');
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    await this.registerIn(registry);
    return registry;
  }

  private aboutSessions(): Family[] {
    const { sessions, sharing, counts, options } = this;
    return [
      gauge('xmpp_sessions', 'Sessions that live now, by transport and state.', () => this.sessionStates()),
      gauge('xmpp_clients', 'Web clients that count against limits.maxSessions, also those without a session yet.', () => [
        { value: sessions.count },
      ]),
      gauge('xmpp_clients_limit', 'limits.maxSessions.', () => [{ value: options.limits.maxSessions }]),
      counter('xmpp_sessions_opened_total', 'Sessions whose stream was opened, by transport.', () => labelled(counts.opened, 'transport')),
      counter('xmpp_sessions_resumed_total', 'Streams that were resumed (XEP-0198).', () => [{ value: counts.resumed }]),
      counter('xmpp_sessions_ended_total', 'Sessions that ended, by reason.', () => labelled(counts.ended, 'reason')),
      histogram('xmpp_session_duration_seconds', 'How long sessions lived that ended.', counts.lifeSeconds),
      histogram('xmpp_login_duration_seconds', 'From the request of a client until its resource is bound or its stream resumed.', counts.loginSeconds),
      counter('xmpp_limit_hits_total', 'Times that a limit refused, slowed or ended somebody, by option.', () => labelled(counts.limits, 'limit')),
      gauge('xmpp_shared_streams', 'Streams that clients share.', () => [{ value: sharing.list().length }]),
      gauge('xmpp_shared_clients', 'Clients on them.', () => [
        { value: sharing.list().reduce((total, { members }) => total + members.size, 0) },
      ]),
      counter('xmpp_shared_refusals_total', 'Clients with a key or a ticket that got no session, by reason.', () =>
        labelled(counts.sharedRefused, 'reason'),
      ),
    ];
  }

  private aboutTraffic(): Family[] {
    const { sessions, bosh, gateway, counts } = this;
    const { traffic } = sessions;
    return [
      counter('xmpp_stanzas_total', 'Top-level elements passed on; in: from web clients.', () => [
        { labels: { direction: 'in' }, value: traffic.stanzasIn },
        { labels: { direction: 'out' }, value: traffic.stanzasOut },
      ]),
      counter('xmpp_stanza_bytes_total', 'Bytes of them.', () => [
        { labels: { direction: 'in' }, value: traffic.bytesIn },
        { labels: { direction: 'out' }, value: traffic.bytesOut },
      ]),
      counter('xmpp_stanzas_refused_total', 'Stanzas that did not go on as they came, by direction and reason.', () =>
        labelled(counts.stanzasRefused, 'direction', 'reason'),
      ),
      gauge('xmpp_buffered_bytes', 'Bytes that wait for web clients, by transport.', () => [
        { labels: { transport: 'websocket' }, value: gateway.load().bufferedBytes },
        { labels: { transport: 'bosh' }, value: bosh.load().bufferedBytes },
      ]),
      gauge('xmpp_websocket_connections', 'WebSockets that are open.', () => [{ value: gateway.connections }]),
      gauge('xmpp_bosh_held_requests', 'HTTP requests that wait for their answer.', () => [{ value: bosh.load().heldRequests }]),
    ];
  }

  private aboutUpstreams(): Family[] {
    const { counts } = this;
    return [
      counter('xmpp_upstream_connects_total', 'Attempts to open a stream to the XMPP server, by result.', () =>
        labelled(counts.connects, 'result'),
      ),
      histogram(
        'xmpp_upstream_connect_duration_seconds',
        "From the request of a client to the server's answer, of streams that were opened.",
        counts.connectSeconds,
      ),
      counter('xmpp_upstream_failures_total', 'Streams whose server could not be reached or was lost.', () => [
        { value: counts.upstreamFailures },
      ]),
      gauge('xmpp_upstream_up', 'Whether the last stream could be opened, by domain and upstream.', () =>
        [...counts.upstreams].map(([key, up]) => {
          const [domain, ...upstream] = key.split(' ');
          return { labels: { domain: domain!, upstream: upstream.join(' ') }, value: Number(up) };
        }),
      ),
    ];
  }

  private aboutProcess(): Family[] {
    return [
      gauge('xmpp_draining', 'Whether this process goes down and takes no new session.', () => [
        { value: Number(this.sessions.isDraining) },
      ]),
      gauge('xmpp_cluster_nodes', 'Nodes that live, as this one sees it; only in a cluster.', () => this.ofCluster(({ nodeCount }) => nodeCount)),
      gauge('xmpp_cluster_connected', 'Whether the other nodes can be reached; only in a cluster.', () =>
        this.ofCluster(({ isConnected }) => Number(isConnected)),
      ),
      gauge('xmpp_event_loop_lag_seconds', 'How late the event loop was since the last scrape, by quantile.', () => this.lags()),
    ];
  }

  private ofCluster(read: (cluster: Cluster) => number): Sample[] {
    return this.cluster.nodeName === undefined ? [] : [{ value: read(this.cluster) }];
  }

  private sessionStates(): Sample[] {
    const states = new Map<string, Sample>();
    for (const transport of ['websocket', 'bosh']) {
      for (const state of ['open', 'authenticated', 'bound']) {
        states.set(`${transport} ${state}`, { labels: { transport, state }, value: 0 });
      }
    }
    for (const { transport, jid, authenticated } of this.sessions.list()) {
      states.get(`${transport} ${jid ? 'bound' : authenticated ? 'authenticated' : 'open'}`)!.value++;
    }
    return [...states.values()];
  }

  private lags(): Sample[] {
    let { lag } = this;
    if (!lag) {
      this.lag = lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION });
      lag.enable();
    }
    // What it measures is the time between two looks.
    const late = (nanoseconds: number): number => (lag.count > 0 ? Math.max(0, nanoseconds / NANOSECONDS - LAG_RESOLUTION / 1000) : 0);
    const samples = [
      { labels: { quantile: '0.5' }, value: late(lag.percentile(50)) },
      { labels: { quantile: '0.99' }, value: late(lag.percentile(99)) },
      { labels: { quantile: '1' }, value: late(lag.max) },
    ];
    lag.reset();
    return samples;
  }
}

/** @param names of the labels, in the order in which their values stand in the keys, a space between */
function labelled(counts: Labels<string>, ...names: string[]): Sample[] {
  return [...counts].map(([key, value]) => {
    const values = key.split(' ');
    return { labels: Object.fromEntries(names.map((name, i) => [name, values[i]!])), value };
  });
}
