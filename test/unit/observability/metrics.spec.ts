import { Registry } from 'prom-client';
import type { BoshEndpoint } from '../../../lib/bosh/index.js';
import type { Cluster } from '../../../lib/cluster/index.js';
import { Counts, XmppMetrics } from '../../../lib/observability/index.js';
import type { Sharing } from '../../../lib/shared/index.js';
import type { XmppGateway } from '../../../lib/websocket/index.js';
import { resolveOptions } from '../../../lib/xmpp.options.js';
import { Stage } from '../session/scripted.js';

/** What a registry says, of a node with these others. */
async function scrape(cluster: Partial<Cluster>, act: (stage: Stage) => void = () => {}): Promise<string> {
  const stage = new Stage();
  const counts = new Counts(stage.service.events, stage.clock);
  act(stage);
  const metrics = new XmppMetrics(
    stage.service,
    { list: () => [] } as unknown as Sharing,
    { load: () => ({ heldRequests: 0, bufferedBytes: 0 }) } as BoshEndpoint,
    { load: () => ({ bufferedBytes: 0 }), connections: 0 } as XmppGateway,
    counts,
    cluster as Cluster,
    resolveOptions({ domains: ['example.org'] }),
  );
  const registry = new Registry();
  await metrics.registerIn(registry);
  metrics.onApplicationShutdown();
  return await registry.metrics();
}

describe('the metrics', () => {
  it('tell of the other nodes, and nothing where there are none', async () => {
    const lonely = { nodeName: 'a', nodeCount: 1, isConnected: false };
    expect(await scrape(lonely)).toMatch(/^xmpp_cluster_nodes 1$/m);
    expect(await scrape(lonely)).toMatch(/^xmpp_cluster_connected 0$/m);
    expect(await scrape({ nodeName: 'a', nodeCount: 3, isConnected: true })).toMatch(/^xmpp_cluster_nodes 3$[^]*^xmpp_cluster_connected 1$/m);
    const single = await scrape({ nodeName: undefined, nodeCount: 1, isConnected: true });
    expect(single).toContain('# TYPE xmpp_cluster_nodes gauge');
    expect(single).not.toMatch(/^xmpp_cluster_nodes /m);
  });

  it('tell what became of attempts to reach an upstream, and how long those took that did', async () => {
    const text = await scrape({}, (stage) => {
      const reached = stage.open();
      stage.clock.tick(60);
      reached.stream.handler.onOpen({});
      stage.open().stream.handler.onEnd({ reason: 'failed', message: 'ECONNREFUSED' });
      stage.open().session.leave({ reason: 'lost' });
      reached.session.leave({ reason: 'closed' });
    });
    for (const result of ['opened', 'failed', 'abandoned']) expect(text).toContain(`xmpp_upstream_connects_total{result="${result}"} 1`);
    expect(text).toContain('xmpp_upstream_connect_duration_seconds_bucket{le="0.05"} 0');
    expect(text).toContain('xmpp_upstream_connect_duration_seconds_bucket{le="0.1"} 1');
    expect(text).toContain('xmpp_upstream_connect_duration_seconds_count 1');
    expect(text).toContain('xmpp_session_duration_seconds_count 3');
    expect(text).toContain('xmpp_upstream_up{domain="example.org",upstream="scripted"} 0');
  });
});
