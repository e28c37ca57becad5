import { readFileSync } from 'node:fs';
import { Controller, Get, Inject, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { EmbeddedUpstream, ManualClock, XmppModule, XmppSessionService } from 'nestjs-xmpp';
import { boshCreation, BoshHttp, handshakeRefusal, overrideXmpp, ScriptedUpstream, startXmppApp, XmppTestApp } from 'nestjs-xmpp/testing';
import { rootFile } from '../architecture/source-files.js';
import { adapterOf, PLATFORMS } from '../support/gateway.js';

@Controller('cats')
class CatsController {
  constructor(@Inject('name') private readonly name: string) {}
  @Get()
  find() {
    return [this.name];
  }
}

/** A host app, whose XMPP server nobody could reach. */
@Module({
  imports: [
    XmppModule.forRootAsync({
      useFactory: async () => ({
        domains: ['example.net'],
        upstream: 'xmpps://192.0.2.1:1',
        websocket: { path: '/ws', pingInterval: 7 },
        bosh: { path: '/bosh' },
      }),
    }),
  ],
  controllers: [CatsController],
  providers: [{ provide: 'name', useValue: 'tom' }],
})
class HostModule {}

describe.each(PLATFORMS)('the testing kit on %s', (platform) => {
  const apps: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });
  const keep = <T extends { close(): Promise<void> }>(app: T): T => {
    apps.push(app);
    return app;
  };

  it("starts the app's own modules with its own options, but for upstream, clock, and what the test says", async () => {
    const xmpp = keep(
      await startXmppApp({
        imports: [HostModule],
        adapter: adapterOf(platform),
        options: { websocket: { path: '/other' }, limits: { maxSessionsPerAddress: 1 } },
        override: (builder) => builder.overrideProvider('name').useValue('kit'),
        configure: (app) => app.setGlobalPrefix('api'),
      }),
    );
    expect(xmpp.wsUrl).toBe(`ws://127.0.0.1:${xmpp.port}/other`);
    expect(xmpp.boshUrl).toBe(`${xmpp.url}/bosh`);
    expect(await (await fetch(`${xmpp.url}/api/cats`)).json()).toEqual(['kit']);
    const { client, stream } = await xmpp.login('alice@example.net/tab', { attributes: { 'xml:lang': 'de' } });
    expect(stream.request).toMatchObject({ domain: 'example.net', header: { lang: 'de' }, client: { address: '127.0.0.1', secure: false } });
    expect((await handshakeRefusal(xmpp.wsUrl)).status).toBe(429);
    client.close();
    expect(await stream.seen.take()).toBe('close');
  });

  it('closes an app whose XMPP server hangs', async () => {
    const xmpp = await startXmppApp({ adapter: adapterOf(platform) });
    const { stream } = await xmpp.login();
    stream.answersClose = false;
    await xmpp.close();
    expect(await stream.seen.take()).toBe('close');
  });

  it('lets the whole embedded server stand behind the app, on the same clock', async () => {
    const clock = new ManualClock();
    const upstream = new EmbeddedUpstream({ domains: ['example.org'], users: { alice: 'wonderland' }, clock });
    const xmpp = keep(await startXmppApp({ adapter: adapterOf(platform), upstream, clock }));
    const client = await xmpp.connect('bosh');
    expect(await client.next()).toContain('<stream:features');
    const data = Buffer.from('\0alice\0wonderland').toString('base64');
    client.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${data}</auth>`);
    expect(await client.next()).toContain('<success');
    client.restart();
    expect(await client.next()).toContain('urn:ietf:params:xml:ns:xmpp-bind');
  });

  it('overrides the same in an app that the test makes by itself', async () => {
    const builder = Test.createTestingModule({ imports: [HostModule] });
    const { upstream, clock } = overrideXmpp(builder, { upstream: new ScriptedUpstream(false), options: { bosh: { path: '/b' } } });
    const app = (await builder.compile()).createNestApplication(adapterOf(platform), { logger: ['error'] });
    await app.listen(0, '127.0.0.1');
    const xmpp = keep(new XmppTestApp(app, upstream, clock));
    const http = new BoshHttp(xmpp.boshUrl);
    const created = http.post(boshCreation({ to: 'example.net' }));
    const stream = await upstream.streams.take();
    stream.open('by-hand');
    stream.features();
    expect((await created).attribute('authid')).toBe('by-hand');
    http.close();
    expect(app.get(XmppSessionService, { strict: false }).count).toBe(1);
    clock.tick(120_000);
    expect(app.get(XmppSessionService, { strict: false }).count).toBe(0);
  });

  it('tells what keeps an app from starting, and leaves nothing behind', async () => {
    await expect(startXmppApp({ options: { bosh: { wait: -1 } } })).rejects.toThrow('option bosh.wait is -1');
    const configure = () => {
      throw new Error('of the app');
    };
    await expect(startXmppApp({ adapter: adapterOf(platform), configure })).rejects.toThrow('of the app');
  });
});

it('docs/TESTING.md shows the example that runs here', () => {
  const page = readFileSync(rootFile('docs/TESTING.md'), 'utf8');
  const [, shown] = /^<!-- test\/e2e\/testing-example\.spec\.ts -->\n```ts\n(.*?)^```$/ms.exec(page)!;
  expect(shown).toBe(readFileSync(rootFile('test/e2e/testing-example.spec.ts'), 'utf8'));
});

it('docs/TESTING.md names every part of the kit', async () => {
  const page = readFileSync(rootFile('docs/TESTING.md'), 'utf8');
  const parts = Object.keys(await import('nestjs-xmpp/testing')).filter((name) => !['BoshAnswer', 'openStream', 'TRANSPORTS'].includes(name));
  expect(parts.filter((name) => !page.includes(name))).toEqual([]);
});
