import { readFileSync } from 'node:fs';
import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { EmbeddedUpstream, XmppMetrics, type XmppAdminPage } from 'nestjs-xmpp';
import { register } from 'prom-client';
import { Complaints } from '../examples/complaints.service.js';
import { HealthController } from '../examples/health.controller.js';
import { MetricsController } from '../examples/metrics.controller.js';
import { OperatorsModule } from '../examples/operators.module.js';
import { OwnRegistry } from '../examples/own-registry.service.js';
import { PLATFORMS, startApp, type TestApp } from '../support/app.js';
import { openStream } from '../support/web-client.js';

const root = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

@Module({
  imports: [TerminusModule, OperatorsModule],
  controllers: [MetricsController, HealthController],
  providers: [OwnRegistry, Complaints],
})
class OpsModule {}

describe.each(PLATFORMS)('the examples for operators, on %s', (platform) => {
  let gateway: TestApp;
  beforeAll(async () => {
    process.env['ADMIN_TOKEN'] = '3c1d69981b65bfbd641dcb64c82bb613';
    register.clear();
    const upstream = new EmbeddedUpstream({ domains: ['localhost'], users: { romeo: 'pw' } });
    gateway = await startApp({ platform, options: { upstream }, imports: [OpsModule], global: true });
  });
  afterAll(async () => {
    delete process.env['ADMIN_TOKEN'];
    await gateway.close();
  });

  it('serve metrics, also from a registry of the app', async () => {
    const response = await fetch(`${gateway.url}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toContain('xmpp_sessions{transport="bosh",state="bound"} 0');
    expect(await register.metrics()).toContain('xmpp_sessions{transport="bosh",state="bound"} 0');
  });

  it('serve health', async () => {
    expect(await (await fetch(`${gateway.url}/health`)).json()).toMatchObject({ status: 'ok', info: { xmpp: { status: 'up' } } });
  });

  it('keep what passes in the sessions of a user', async () => {
    const complaints = gateway.app.get(Complaints);
    complaints.lookAt('romeo@localhost');
    const client = await openStream('websocket', gateway, { to: 'localhost' });
    client.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${Buffer.from('\0romeo\0pw').toString('base64')}</auth>`);
    while (!(await client.next()).includes('<success'));
    client.restart({ to: 'localhost' });
    client.send(`<iq xmlns='jabber:client' type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`);
    while (!(await client.next()).includes('<jid>'));
    expect(complaints.lines[0]?.text).toMatch(/^bound as romeo@localhost\//);
    client.cut();
  });

  it('administer for those who have the token', async () => {
    const ask = (authorization: string) => fetch(`${gateway.url}/xmpp-admin/sessions`, { headers: { authorization } });
    expect((await ask('Bearer 3c1d69981b65bfbd641dcb64c82bb614')).status).toBe(403);
    const answer = await ask('Bearer 3c1d69981b65bfbd641dcb64c82bb613');
    expect(((await answer.json()) as XmppAdminPage).limit).toBe(50);
  });
});

describe.each(['docs/OBSERVABILITY.md', 'docs/ADMIN.md'])('%s', (page) => {
  const text = root(page);

  it('shows the examples that run here', () => {
    const shown = [...text.matchAll(/^<!-- (test\/examples\/\S+) -->\n```ts\n(.*?)^```$/gms)];
    expect(shown.length).toBeGreaterThan(0);
    expect((text.match(/^```ts$/gm) ?? []).length).toBe(shown.length);
    for (const [, file, code] of shown) expect([file, code]).toEqual([file, root(file!)]);
  });
});

it('docs/OBSERVABILITY.md names every metric', async () => {
  const gateway = await startApp();
  const metrics = await gateway.app.get(XmppMetrics).text();
  await gateway.close();
  const names = [...metrics.matchAll(/^# TYPE (xmpp_\S+)/gm)].map(([, name]) => name!);
  const page = root('docs/OBSERVABILITY.md');
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
