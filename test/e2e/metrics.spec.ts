import { Counter, Registry } from 'prom-client';
import { EmbeddedUpstream, XmppMetrics, XmppSessionService } from 'nestjs-xmpp';
import { PLATFORMS, startApp, type TestApp } from '../support/app.js';
import { BoshHttp, BoshSession } from '../support/bosh-client.js';
import { startGateway } from '../support/gateway.js';
import { openStream, type WebClient } from '../support/web-client.js';
import { RawWebSocket, open } from '../support/websocket-client.js';

const KEY = '3c1d69981b65bfbd641dcb64c82bb613';
const AUTH = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${Buffer.from('\0romeo\0pw').toString('base64')}</auth>`;
const BIND = `<iq xmlns='jabber:client' type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`;

/** The values on a page of Prometheus, by name and labels as they stand there. */
function parse(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

async function until(client: WebClient, part: string): Promise<void> {
  while (!(await client.next()).includes(part));
}

describe.each(PLATFORMS)('the metrics on %s', (platform) => {
  let gateway: TestApp;
  const start = async (options: Parameters<typeof startApp>[0] = {}) => {
    const upstream = new EmbeddedUpstream({ domains: ['localhost'], users: { romeo: 'pw' } });
    gateway = await startApp({ platform, ...options, options: { upstream, ...options?.options } });
  };
  afterEach(() => gateway.close());
  const scrape = async () => parse(await gateway.app.get(XmppMetrics).text());

  async function login(transport: 'websocket' | 'bosh'): Promise<WebClient> {
    const client = await openStream(transport, gateway, { to: 'localhost' });
    await until(client, 'mechanisms');
    client.send(AUTH);
    await until(client, '<success');
    client.restart({ to: 'localhost' });
    client.send(BIND);
    await until(client, '<jid>');
    return client;
  }

  it('count sessions, stanzas and what waits, by transport', async () => {
    await start();
    const before = await scrape();
    expect(before.get('xmpp_sessions{transport="bosh",state="bound"}')).toBe(0);
    expect(before.get('xmpp_upstream_connects_total{result="failed"}')).toBe(0);
    const socket = await login('websocket');
    const bosh = await login('bosh');
    const values = await scrape();
    expect(values.get('xmpp_sessions{transport="websocket",state="bound"}')).toBe(1);
    expect(values.get('xmpp_sessions{transport="bosh",state="bound"}')).toBe(1);
    expect(values.get('xmpp_sessions_opened_total{transport="bosh"}')).toBe(1);
    expect(values.get('xmpp_clients')).toBe(2);
    expect(values.get('xmpp_clients_limit')).toBe(10_000);
    expect(values.get('xmpp_websocket_connections')).toBe(1);
    expect(values.get('xmpp_bosh_held_requests')).toBe(1);
    expect(values.get('xmpp_buffered_bytes{transport="websocket"}')).toBe(0);
    expect(values.get('xmpp_stanzas_total{direction="in"}')).toBe(4);
    expect(values.get('xmpp_stanza_bytes_total{direction="in"}')).toBe(2 * (AUTH.length + BIND.length));
    expect(values.get('xmpp_upstream_connects_total{result="opened"}')).toBe(2);
    expect(values.get('xmpp_upstream_connect_duration_seconds_count')).toBe(2);
    expect(values.get('xmpp_upstream_connect_duration_seconds_bucket{le="+Inf"}')).toBe(2);
    expect(values.get('xmpp_login_duration_seconds_count')).toBe(2);
    expect(values.get('xmpp_upstream_up{domain="localhost",upstream="embedded"}')).toBe(1);
    expect(values.get('xmpp_draining')).toBe(0);
    expect(values.get('xmpp_event_loop_lag_seconds{quantile="0.99"}')).toBeGreaterThanOrEqual(0);
    expect([...values.keys()].some((name) => name.startsWith('process_cpu_seconds_total'))).toBe(true);
    await gateway.app.get(XmppSessionService).terminate('romeo@localhost');
    const after = await scrape();
    expect(after.get('xmpp_sessions_ended_total{reason="terminated"}')).toBe(2);
    expect(after.get('xmpp_session_duration_seconds_count')).toBe(2);
    socket.cut();
    bosh.cut();
  });

  it('count the clients that share, and those that may not', async () => {
    await start();
    const http = new BoshHttp(gateway.boshUrl);
    const keyed = { 'to': 'localhost', 'xmlns:shared': 'urn:xmpp:tmp:shared-bosh:0', 'shared:key': KEY };
    const session = await BoshSession.open(http, keyed);
    await http.post(`<body xmlns='http://jabber.org/protocol/httpbind' xmlns:shared='urn:xmpp:tmp:shared-bosh:0' rid='1' to='localhost' ver='1.11' wait='60' hold='1' shared:key='short'/>`);
    const values = await scrape();
    expect(values.get('xmpp_shared_streams')).toBe(1);
    expect(values.get('xmpp_shared_clients')).toBe(1);
    expect(values.get('xmpp_shared_refusals_total{reason="key"}')).toBe(1);
    await session.send('', { type: 'terminate' });
    expect((await scrape()).get('xmpp_shared_streams')).toBe(0);
    http.close();
  });

  it('count the limits that were hit, and the upstreams that could not be reached', async () => {
    await start({ options: { upstream: 'xmpp://127.0.0.1:9?starttls=never', limits: { maxSessionsPerAddress: 1 } } });
    const client = await RawWebSocket.connect(gateway.wsUrl);
    await expect(RawWebSocket.connect(gateway.wsUrl)).rejects.toThrow();
    client.send(open({ to: 'localhost' }));
    await client.frames.take((frame) => frame.includes('remote-connection-failed'));
    const values = await scrape();
    expect(values.get('xmpp_limit_hits_total{limit="limits.maxSessionsPerAddress"}')).toBe(1);
    expect(values.get('xmpp_upstream_connects_total{result="failed"}')).toBe(1);
    expect(values.get('xmpp_upstream_failures_total')).toBe(1);
    expect(values.get('xmpp_sessions_ended_total{reason="upstream-failed"}')).toBe(1);
    const up = [...values].filter(([name]) => name.startsWith('xmpp_upstream_up{domain="localhost"'));
    expect(up.map(([, value]) => value)).toEqual([0]);
    client.socket.terminate();
  });

  it('stand in a registry of the app, in any format, beside its own', async () => {
    await start();
    for (const openMetrics of [false, true]) {
      const registry = new Registry();
      if (openMetrics) (registry as unknown as { setContentType(type: string): void }).setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
      new Counter({ name: 'mine_total', help: 'Of the app.', registers: [registry] });
      await gateway.app.get(XmppMetrics).registerIn(registry);
      const text = await registry.metrics();
      expect(text).toContain('mine_total 0');
      expect(text).toMatch(/^xmpp_stanzas_total\{direction="in"\} 0$/m);
      expect(text).toMatch(/^# TYPE xmpp_upstream_connect_duration_seconds histogram$/m);
      registry.resetMetrics();
      expect(await registry.getMetricsAsJSON()).toContainEqual(expect.objectContaining({ name: 'xmpp_clients', type: 'gauge' }));
    }
  });
});

describe('the metrics of time', () => {
  it('sort logins by how long they took', async () => {
    const gateway = await startGateway();
    const client = await RawWebSocket.connect(gateway.wsUrl);
    client.send(open({ to: 'example.org' }));
    const stream = await gateway.upstream.streams.take();
    await client.frames.take((frame) => frame.includes('mechanisms'));
    gateway.clock.tick(300);
    stream.bound('romeo@example.org/orchard');
    await client.frames.take((frame) => frame.includes('<jid>'));
    const values = parse(await gateway.app.get(XmppMetrics).text());
    expect(values.get('xmpp_login_duration_seconds_bucket{le="0.25"}')).toBe(0);
    expect(values.get('xmpp_login_duration_seconds_bucket{le="0.5"}')).toBe(1);
    expect(values.get('xmpp_login_duration_seconds_sum')).toBeCloseTo(0.3);
    client.socket.terminate();
    await gateway.close();
  });
});
