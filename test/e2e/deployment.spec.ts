import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect as connectHttp2, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { request as requestHttp } from 'node:http';
import { request, type RequestOptions } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Controller, Get, Module } from '@nestjs/common';
import { EmbeddedUpstream, type XmppModuleOptions, XmppEvents } from 'nestjs-xmpp';
import { BoshAnswer, boshBody, boshCreation, openFrame, RawWebSocket } from 'nestjs-xmpp/testing';
import { resolveOptions } from '../../lib/xmpp.options.js';
import { stropheInChromium } from '../interop/drivers/strophe-chromium.js';
import { tellStory } from '../interop/story.js';
import { startApp, type TestApp } from '../support/app.js';
import { Mailbox } from '../support/mailbox.js';
import { documentedConfiguration, PROXIES, startProxy, type Edits, type Proxy } from '../support/proxies.js';

@Controller('health')
class HealthController {
  @Get()
  check() {
    return { status: 'ok' };
  }
}

@Module({ controllers: [HealthController] })
class HealthModule {}

const USERS = { alice: 'alice', bob: 'bob' };
/** Of the client: not that of the proxy. */
const CLIENT = '127.0.0.2';
const FORGED = { 'X-Forwarded-For': '203.0.113.9' };

/** `listen` lines of the PROXY protocol instead of those without it. */
const WITH_PROXY_PROTOCOL: Record<(typeof PROXIES)[number], Edits> = {
  nginx: [
    [/^ *listen 443 ssl http2;\n *listen \[::\]:443 ssl http2;\n/m, ''],
    [/# (listen 443 ssl http2 proxy_protocol;)/, '$1'],
    [/# (listen \[::\]:443 ssl http2 proxy_protocol;)/, '$1'],
    [/# set_real_ip_from 10\.0\.0\.0\/8;/, 'set_real_ip_from 127.0.0.1;'],
    [/# (real_ip_header proxy_protocol;)/, '$1'],
  ],
  haproxy: [
    [/^ *bind :443 ssl .*\n/m, ''],
    [/# (bind :443 accept-proxy)/, '$1'],
  ],
};

async function startHost(options: Partial<XmppModuleOptions> = {}): Promise<{ host: TestApp; addresses: Mailbox<string> }> {
  const upstream = new EmbeddedUpstream({ domains: ['localhost'], users: USERS });
  const host = await startApp({ options: { upstream, trustProxy: 1, ...options }, imports: [HealthModule] });
  const addresses = new Mailbox<string>();
  host.app.get(XmppEvents).on('session.opened', ({ session }) => addresses.put(session.address));
  return { host, addresses };
}

describe.each(PROXIES)('behind %s, as docs/deployment has it', (name) => {
  let host: TestApp;
  let addresses: Mailbox<string>;
  let proxy: Proxy;

  beforeAll(async () => {
    ({ host, addresses } = await startHost());
    proxy = await startProxy(name, Number(new URL(host.url).port));
  });
  afterAll(async () => {
    await stropheInChromium.close?.();
    await host?.close();
    await proxy?.stop();
  });

  const ask = async (path: string, { body, ...options }: RequestOptions & { body?: string } = {}): Promise<BoshAnswer> => {
    const sent = request(proxy.url + path, { ca: proxy.ca, localAddress: CLIENT, agent: false, ...options });
    sent.end(body);
    return await answerTo(sent);
  };
  const create = (options: RequestOptions = {}) =>
    ask('/http-bind', { method: 'POST', body: boshCreation({ to: 'localhost' }), ...options });
  const connectClient = async (headers: Record<string, string> = {}) => {
    const client = await RawWebSocket.connect(`${proxy.url.replace('https', 'wss')}/xmpp-websocket`, ['xmpp'], {
      ca: proxy.ca,
      localAddress: CLIENT,
      headers,
    });
    client.send(openFrame({ to: 'localhost' }));
    return client;
  };

  it('P32: a session over WebSocket has the address of its client, whatever the client says', async () => {
    const client = await connectClient(FORGED);
    expect(await client.next()).toContain('<open ');
    expect(await client.next()).toContain('<stream:features');
    expect(await addresses.take()).toBe(CLIENT);
    client.socket.terminate();
  });

  it('P32: a session over BOSH has the address of its client, whatever the client says', async () => {
    const created = await create({ headers: FORGED });
    expect(created.payload).toContain('<stream:features');
    expect(await addresses.take()).toBe(CLIENT);
    const sid = created.attribute('sid');
    // Over TLS from end to end of what is told: a request without it would not be served (XEP-0124, section 19.1).
    const ended = await ask('/http-bind', { method: 'POST', body: boshBody({ sid, rid: 1001, type: 'terminate' }) });
    expect([ended.type, ended.condition]).toEqual(['terminate', undefined]);
  });

  it('P14: BOSH goes over one connection of HTTP/2, a held request beside others', async () => {
    const session = connectHttp2(proxy.url, { ca: proxy.ca });
    const created = await askHttp2(session, boshCreation({ to: 'localhost' }));
    const sid = created.attribute('sid');
    const held = askHttp2(session, boshBody({ sid, rid: 1001 }));
    const ended = await askHttp2(session, boshBody({ sid, rid: 1002, type: 'terminate' }));
    expect([(await held).type, ended.status]).toEqual(['terminate', 200]);
    session.close();
    await addresses.take();
  });

  it('D5: host-meta names the endpoints as the client sees them, in both of its forms', async () => {
    const { body: xrd, headers } = await ask('/.well-known/host-meta');
    expect(headers['access-control-allow-origin']).toBe('*');
    const jrd = JSON.parse((await ask('/.well-known/host-meta.json')).body) as { links: { href: string }[] };
    const expected = [`wss://localhost:${proxy.port}/xmpp-websocket`, `https://localhost:${proxy.port}/http-bind`];
    expect(jrd.links.map(({ href }) => href)).toEqual(expected);
    for (const href of expected) expect(xrd).toContain(`href="${href}"`);
  });

  it('C26: a body that is too large is refused by the app, in its own words', async () => {
    const refused = await ask('/http-bind', { method: 'POST', body: 'x'.repeat(300_000), headers: { Origin: 'https://app.example' } });
    expect([refused.status, refused.condition]).toEqual([413, 'policy-violation']);
    expect(refused.headers['access-control-allow-origin']).toBe('*');
  });

  it('sends who comes without TLS to where there is', async () => {
    const sent = requestHttp({ port: proxy.httpPort, path: '/http-bind?x', headers: { Host: 'chat.example.org' } });
    sent.end();
    const { status, headers } = await answerTo(sent);
    expect([status, headers.location]).toEqual([308, 'https://chat.example.org/http-bind?x']);
  });

  it('waits longer than a request is held, and than two pings take', () => {
    const { bosh, websocket } = resolveOptions({ domains: ['localhost'] });
    const text = documentedConfiguration(name);
    const waits = [...text.matchAll(/^ *(?:proxy_(?:read|send)_timeout|timeout (?:client|server|tunnel)) (\d+)s;?$/gm)].map(([, s]) => Number(s));
    expect(waits.length).toBeGreaterThanOrEqual(3);
    expect(Math.min(...waits)).toBeGreaterThan(Math.max(bosh.wait, 2 * websocket.pingInterval));
  });

  it('U3: Strophe in a browser tells the whole story, over WebSocket and over BOSH', async () => {
    const endpoint = { wsUrl: `${proxy.url.replace('https', 'wss')}/xmpp-websocket`, boshUrl: `${proxy.url}/http-bind`, domain: 'localhost' };
    const seat = (transport: 'websocket' | 'bosh') => ({ driver: stropheInChromium, transport });
    await tellStory(endpoint, seat('websocket'), seat('bosh'));
  });

  it('P32: behind the PROXY protocol, too, a session has the address of its client', async () => {
    const { port, ca, stop } = await startProxy(name, Number(new URL(host.url).port), WITH_PROXY_PROTOCOL[name]);
    try {
      while (addresses.size > 0) await addresses.take();
      const tcp = connectTcp(port, '127.0.0.1');
      await once(tcp, 'connect');
      tcp.write(`PROXY TCP4 192.0.2.77 127.0.0.1 4711 443\r\n`);
      const socket = connectTls({ socket: tcp, ca, servername: 'localhost' });
      await once(socket, 'secureConnect');
      const sent = requestHttp({ path: '/http-bind', method: 'POST', createConnection: () => socket, headers: { Host: 'localhost', ...FORGED } });
      sent.end(boshCreation({ to: 'localhost' }));
      expect((await answerTo(sent)).payload).toContain('<stream:features');
      expect(await addresses.take()).toBe('192.0.2.77');
      socket.destroy();
    } finally {
      await stop();
    }
  });
});

async function answerTo(sent: ReturnType<typeof request>): Promise<BoshAnswer> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return new BoshAnswer(response.statusCode!, response.headers, text);
}

async function askHttp2(session: ClientHttp2Session, body: string): Promise<BoshAnswer> {
  const stream = session.request({ ':method': 'POST', ':path': '/http-bind', 'content-type': 'text/xml' });
  stream.end(body);
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }];
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return new BoshAnswer(headers[':status'], headers, text);
}
