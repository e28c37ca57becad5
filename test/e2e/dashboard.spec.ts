import { readFileSync } from 'node:fs';
import { EmbeddedUpstream, XmppMetrics, XmppSessionService } from 'nestjs-xmpp';
import { startApp, type TestApp } from '../support/app.js';
import { BoshHttp, creation } from '../support/bosh-client.js';
import { evaluate, metricsOf, parseMetrics, type Scrape } from '../support/promql.mjs';
import { openStream, TRANSPORTS, type WebClient } from '../support/web-client.js';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string; readonly datasource: { readonly uid: string } }[];
}
interface Dashboard {
  readonly schemaVersion: number;
  readonly id: null;
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[] };
}

const dashboard = JSON.parse(readFileSync(new URL('../../docs/grafana/nestjs-xmpp.json', import.meta.url), 'utf8')) as Dashboard;
const targets = dashboard.panels.flatMap(({ title, targets: own = [] }) => own.map(({ expr, legendFormat }) => [title, expr, legendFormat] as const));
const AUTH = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${Buffer.from('\0romeo\0pw').toString('base64')}</auth>`;
const BIND = `<iq xmlns='jabber:client' type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`;

describe('the dashboard for Grafana', () => {
  let gateway: TestApp;
  const texts: string[] = [];
  const scrapes: Scrape[] = [];
  const clients: WebClient[] = [];

  const scrape = async (at: number) => {
    const text = await gateway.app.get(XmppMetrics).text();
    texts.push(text);
    scrapes.push({ at, samples: parseMetrics(text, { job: 'xmpp', instance: 'a:1' }) });
  };

  async function until(client: WebClient, part: string): Promise<void> {
    while (!(await client.next()).includes(part));
  }

  beforeAll(async () => {
    const upstream = new EmbeddedUpstream({ domains: ['localhost'], users: { romeo: 'pw' } });
    gateway = await startApp({ options: { upstream, limits: { maxSessionsPerAddress: 3 } } });
    await scrape(0);
    for (const transport of TRANSPORTS) {
      const client = await openStream(transport, gateway, { to: 'localhost' });
      clients.push(client);
      await until(client, 'mechanisms');
      client.send(AUTH);
      await until(client, '<success');
      client.restart({ to: 'localhost' });
      client.send(BIND);
      await until(client, '<jid>');
    }
    const http = new BoshHttp(gateway.boshUrl);
    await http.post(creation({ 'to': 'localhost', 'xmlns:shared': 'urn:xmpp:tmp:shared-bosh:0', 'shared:key': 'short' }));
    await http.post(creation({ to: 'localhost' }));
    await http.post(creation({ to: 'localhost' }));
    http.close();
    await gateway.app.get(XmppSessionService).terminate('romeo@localhost');
    await scrape(30);
  });
  afterAll(async () => {
    for (const client of clients) client.cut();
    await gateway.close();
  });

  it.each(targets)('asks for what is on /metrics: %s, %s', (_title, expression, legend) => {
    const families = [...texts[1]!.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name, type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    );
    const names = metricsOf(expression);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(families).toContain(name);
    // With the labels that the legend and the groups name.
    const found = evaluate(expression, scrapes, 60);
    const labels = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
    for (const sample of found) expect(Object.keys(sample.labels)).toEqual(expect.arrayContaining(labels));
    // All of this happened above but for stanzas that are refused, and there is one node alone.
    if (!/xmpp_stanzas_refused_total|xmpp_cluster_/.test(expression)) expect(found).not.toEqual([]);
  });

  it('leaves the data source, the job and the instance to whoever looks', () => {
    const variables = dashboard.templating.list;
    expect(variables.map(({ name, type }) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['job', 'query'],
      ['instance', 'query'],
    ]);
    for (const { definition } of variables.slice(1)) expect(texts[1]).toContain(/label_values\((\w+)/.exec(definition!)![1]);
    for (const { type, datasource, targets: own = [] } of dashboard.panels) {
      if (type === 'row') continue;
      for (const source of [datasource, ...own.map((target) => target.datasource)]) expect(source?.uid).toBe('${datasource}');
    }
    for (const [, expression] of targets) {
      for (const [selector] of expression.matchAll(/\{[^}]*\}/g)) expect(selector).toContain('job=~"$job", instance=~"$instance"');
    }
  });

  it('is one that Grafana 10 takes: no panel on another, each with a number of its own', () => {
    expect(dashboard).toMatchObject({ schemaVersion: 38, id: null, uid: 'nestjs-xmpp' });
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Set<string>();
    for (const { gridPos, title } of panels) {
      const { x, y, w, h } = gridPos;
      expect([title, x + w <= 24]).toEqual([title, true]);
      for (let i = x; i < x + w; i++) {
        for (let j = y; j < y + h; j++) {
          expect([title, taken.has(`${i} ${j}`)]).toEqual([title, false]);
          taken.add(`${i} ${j}`);
        }
      }
    }
  });
});
