import { jest } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { posix } from 'node:path';
import { PLATFORMS } from '../support/app.js';
import type { Child } from '../support/child.js';
import { spawnSample, type SampleEnvironment } from '../support/sample.js';
import { CLOSE, open, RawWebSocket } from '../support/websocket-client.js';

jest.setTimeout(60_000);

/** "ends within 5 s of SIGTERM": one that does not is killed then, and shows the signal instead of its exit code. */
const SHUTDOWN_SECONDS = 5;

interface Running {
  readonly child: Child;
  readonly url: string;
  readonly wsUrl: string;
  readonly boshUrl: string;
}

const children: Child[] = [];

afterAll(async () => {
  await Promise.all(children.map((child) => child.stop()));
});

async function start(environment: SampleEnvironment): Promise<Running> {
  const child = spawnSample(environment);
  children.push(child);
  const [, url] = (await child.waitFor(/^listening on (http:\/\/\S+)$/m)) as unknown as [string, string];
  return { child, url, wsUrl: `${url.replace('http', 'ws')}/xmpp-websocket`, boshUrl: `${url}/http-bind` };
}

/** A `<body/>` answered, as text. */
async function bosh(url: string, attributes: Record<string, string | number>): Promise<string> {
  const text = Object.entries(attributes).map(([name, value]) => ` ${name}="${value}"`);
  const response = await fetch(url, { method: 'POST', body: `<body xmlns="http://jabber.org/protocol/httpbind"${text.join('')}/>` });
  expect(response.status).toBe(200);
  return await response.text();
}

async function openBosh(url: string): Promise<string> {
  const answer = await bosh(url, { rid: 1000, to: 'localhost', hold: 1, wait: 60, ver: '1.11' });
  return /\bsid=['"]([^'"]+)/.exec(answer)![1]!;
}

describe.each(PLATFORMS)('the sample on %s', (platform) => {
  let sample: Running;

  beforeAll(async () => {
    sample = await start({ HTTP_PLATFORM: platform });
  });

  it('Start: says where it listens, in one line and nothing else', () => {
    expect(sample.child.output).toMatch(/^listening on http:\/\/127\.0\.0\.1:[1-9]\d*\n$/);
  });

  it('Endpoints: /health is 200 with JSON while the gateway is usable', async () => {
    const response = await fetch(`${sample.url}/health`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toMatchObject({ status: 'up' });
  });

  it('Endpoints: /metrics is Prometheus text that counts what is open', async () => {
    const socket = await RawWebSocket.open(sample.wsUrl, 'localhost');
    const response = await fetch(`${sample.url}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    const text = await response.text();
    expect(text).toMatch(/^# TYPE \S+ (gauge|counter|histogram)$/m);
    expect(text).toMatch(/^\S*sessions\S* 1$/m);
    socket.socket.terminate();
  });

  it('Endpoints: XMPP over WebSocket, BOSH and host-meta are where the contract puts them', async () => {
    const socket = await RawWebSocket.connect(sample.wsUrl);
    socket.send(open({ to: 'localhost' }));
    expect(await socket.next()).toMatch(/^<open /);
    socket.socket.terminate();
    const sid = await openBosh(sample.boshUrl);
    expect(sid.length).toBeGreaterThan(20);
    await bosh(sample.boshUrl, { sid, rid: 1001, type: 'terminate' });
    for (const path of ['/.well-known/host-meta', '/.well-known/host-meta.json']) {
      expect(await (await fetch(sample.url + path)).text()).toContain('urn:xmpp:alt-connections:xbosh');
    }
  });

  it('Page: all that it needs comes from the app itself, typed, not sniffed, with a strict policy', async () => {
    const page = await fetch(sample.url);
    expect(page.status).toBe(200);
    const html = await page.text();
    const named = [...html.matchAll(/(?:src|href)="([^"#?]+)"/g)].map(([, name]) => name!);
    expect(named).toEqual(expect.arrayContaining(['app.js', 'style.css', 'favicon.svg']));
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|\son\w+=|<style|\sstyle=/);

    const seen = new Map([['', page]]);
    const queue = [...named];
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      if (seen.has(name)) continue;
      const response = await fetch(new URL(name, `${sample.url}/`));
      seen.set(name, response);
      if (!name.endsWith('.js') || name === 'strophe.js') continue;
      queue.push(...[...(await response.text()).matchAll(/from '\.\/([^']+)'/g)].map(([, next]) => posix.join(posix.dirname(name), next!)));
    }
    expect([...seen.keys()]).toEqual(expect.arrayContaining(['strophe.js', 'client/index.js', 'client/shared-connection.js']));
    const types: Record<string, string> = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', '': 'text/html' };
    for (const [name, { status, headers }] of seen) {
      const type = types[/[^.]*$/.exec(name)![0]]!;
      expect([name, status, headers.get('content-type')]).toEqual([name, 200, `${type}; charset=utf-8`]);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      const policy = headers.get('content-security-policy');
      expect(policy).toMatch(/default-src 'none'; script-src 'self';/);
      expect(policy).not.toContain('unsafe');
    }
  });

  it('Page: Strophe is the build for browsers', async () => {
    const text = await (await fetch(`${sample.url}/strophe.js`)).text();
    expect(text).toMatch(/^export \{.*\bStrophe\b.*\};$/m);
    expect(text).not.toMatch(/^import /m);
  });

  it('Page: a browser that has a file is told so, and HEAD brings no content', async () => {
    const url = `${sample.url}/app.js`;
    const first = await fetch(url);
    await first.text();
    const etag = first.headers.get('etag')!;
    const second = await fetch(url, { headers: { 'If-None-Match': etag } });
    expect([second.status, await second.text(), second.headers.get('etag')]).toEqual([304, '', etag]);
    const head = await fetch(url, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('Page: no path reaches beyond its files', async () => {
    for (const path of ['/index.html', '/main.js', '/..%2fmain.ts', '/%2e%2e/package.json', '/public/app.js', '/app.js%00', '/.git/config']) {
      expect([path, (await fetch(sample.url + path)).status]).toEqual([path, 404]);
    }
  });

  it('Page: is told the endpoints, and the accounts that everybody knows', async () => {
    expect(await (await fetch(`${sample.url}/demo.json`)).json()).toEqual({
      domain: 'localhost',
      websocket: '/xmpp-websocket',
      bosh: '/http-bind',
      accounts: [
        { jid: 'alice@localhost', password: 'alice' },
        { jid: 'bob@localhost', password: 'bob' },
      ],
    });
  });
});

describe.each(PLATFORMS)('the sample on %s, told otherwise', (platform) => {
  it('Options: moves its endpoints, and no password of an operator reaches the page', async () => {
    const XMPP_OPTIONS = JSON.stringify({ websocket: { path: '/chat' }, bosh: { path: '/chat-bosh' } });
    const { url } = await start({ HTTP_PLATFORM: platform, XMPP_DOMAINS: 'a.example', XMPP_USERS: 'carol:secret', XMPP_OPTIONS });
    const demo = await (await fetch(`${url}/demo.json`)).json();
    expect(demo).toEqual({ domain: 'a.example', websocket: '/chat', bosh: '/chat-bosh', accounts: [] });
    const socket = await RawWebSocket.open(`${url.replace('http', 'ws')}/chat`, 'a.example');
    socket.socket.terminate();
  });

  it('Endpoints: /health is 503 while the upstream cannot be used', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const { port } = gone.address() as AddressInfo;
    gone.close();
    await once(gone, 'close');
    const { url } = await start({ HTTP_PLATFORM: platform, XMPP_UPSTREAM: `xmpp://127.0.0.1:${port}` });
    const response = await fetch(`${url}/health`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ status: 'down' });
  });
});

describe.each(PLATFORMS)('SIGTERM to the sample on %s', (platform) => {
  it('Shutdown: tells WebSocket and BOSH clients why, and ends with exit code 0', async () => {
    const { child, wsUrl, boshUrl } = await start({ HTTP_PLATFORM: platform });
    const socket = await RawWebSocket.open(wsUrl, 'localhost');
    const sid = await openBosh(boshUrl);
    const held = bosh(boshUrl, { sid, rid: 1001 });
    // One request must be on hold before the signal: the one after it brings its answer back.
    const last = bosh(boshUrl, { sid, rid: 1002 });
    expect(await held).not.toContain('terminate');

    const exit = child.stop('SIGTERM', SHUTDOWN_SECONDS);
    expect(await socket.next()).toMatch(/^<stream:error .*<system-shutdown /);
    expect(await socket.next()).toBe(CLOSE);
    socket.send(CLOSE);
    socket.socket.close();
    const body = await last;
    expect(body).toMatch(/\stype=(['"])terminate\1/);
    expect(body).toMatch(/\scondition=(['"])system-shutdown\1/);
    expect(await exit).toEqual({ code: 0, signal: null });
    expect(child.output).toMatch(/^listening on \S+\n$/);
  });

  it('Shutdown: waits for nobody who does not answer', async () => {
    const { child, url, wsUrl } = await start({ HTTP_PLATFORM: platform });
    const silent = await RawWebSocket.open(wsUrl, 'localhost');
    silent.socket.pause();
    const unopened = await RawWebSocket.connect(wsUrl);
    const half = connect(Number(new URL(url).port), '127.0.0.1');
    half.on('error', () => {});
    half.write('POST /http-bind HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n<body ');
    await fetch(`${url}/health`); // and a connection kept alive; the half request was read by then

    expect(await child.stop('SIGTERM', SHUTDOWN_SECONDS)).toEqual({ code: 0, signal: null });
    silent.socket.terminate();
    unopened.socket.terminate();
    half.destroy();
  });
});

describe('the sample with a configuration that is wrong', () => {
  const inUse = createServer();

  beforeAll(async () => {
    inUse.listen(0, '127.0.0.1');
    await once(inUse, 'listening');
  });

  afterAll(async () => {
    inUse.close();
    await once(inUse, 'close');
  });

  const CASES: readonly (readonly [string, () => Record<string, string>, RegExp])[] = [
    ['a port that is none', () => ({ PORT: 'http' }), /PORT is "http"; allowed/],
    ['a port in use', () => ({ PORT: String((inUse.address() as AddressInfo).port) }), /EADDRINUSE/],
    ['an address that is not its own', () => ({ HOST: '192.0.2.1' }), /EADDRNOTAVAIL.*192\.0\.2\.1/],
    ['an unknown platform', () => ({ HTTP_PLATFORM: 'koa' }), /HTTP_PLATFORM is "koa"; allowed: express or fastify/],
    ['a domain that is none', () => ({ XMPP_DOMAINS: 'a b' }), /XMPP_DOMAINS is "a b"; allowed/],
    ['an upstream of an unknown scheme', () => ({ XMPP_UPSTREAM: 'http://localhost' }), /XMPP_UPSTREAM is "http:\/\/localhost"; allowed/],
    ['an upstream parameter that is none', () => ({ XMPP_UPSTREAM: 'xmpp://localhost?starttls=maybe' }), /starttls/],
    ['an account without a password', () => ({ XMPP_USERS: 'alice' }), /XMPP_USERS: entry 1 is no account/],
    ['options that are no JSON', () => ({ XMPP_OPTIONS: '{"bosh"' }), /XMPP_OPTIONS is .*; allowed: a JSON object/],
    ['an option out of range', () => ({ XMPP_OPTIONS: '{"bosh":{"wait":-1}}' }), /bosh\.wait is -1; allowed/],
    ['an option that does not exist', () => ({ XMPP_OPTIONS: '{"bosh":{"wiat":30}}' }), /bosh\.wiat/],
    ['a Redis elsewhere, and no secret', () => ({ REDIS_URL: 'redis://redis.example' }), /CLUSTER_SECRET is not set/],
  ];

  describe.each(PLATFORMS)('on %s', (platform) => {
    it.each(CASES)('Start: exits non-zero with one clear line for %s', async (_what, environment, line) => {
      const child = spawnSample({ HTTP_PLATFORM: platform, ...environment() } as SampleEnvironment);
      children.push(child);
      expect(await child.exit).toEqual({ code: 1, signal: null });
      expect(child.output).toMatch(/^cannot start: [^\n]+\n$/);
      expect(child.output).toMatch(line);
    });
  });
});
