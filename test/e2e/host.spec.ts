import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:net';
import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { XmppModule } from 'nestjs-xmpp';
import { boshBody, boshCreation, handshakeRefusal } from 'nestjs-xmpp/testing';
import { io } from 'socket.io-client';
import { HostClient } from '../matrix/host-client.js';
import { prepare, startHosts, VERSIONS, type HostProcess, type Version } from '../matrix/processes.js';
import { createAuthority } from '../support/certificates.js';
import { PLATFORMS, type Platform } from '../support/gateway.js';

interface Case {
  readonly host: HostClient;
  readonly version: Version;
  readonly platform: Platform;
}

/** All endpoints answer as they should, whatever the host has put around its own routes. */
async function expectEndpoints({ host }: Case): Promise<void> {
  await expectWebSocket(host);
  await expectBosh(host);
  await expectDiscovery(host);
}

async function expectWebSocket(host: HostClient, path?: string, domain = 'example.org'): Promise<void> {
  const { client, came } = await host.open(path, domain);
  expect(came).toEqual([expect.stringContaining(`from="${domain}"`), expect.stringContaining('<stream:features')]);
  client.socket.terminate();
  await client.closed;
}

async function expectBosh(host: HostClient, path?: string, to?: string): Promise<void> {
  const { status, headers, text } = await host.create(path, { ...(to && { to }) });
  expect([status, headers['content-type']]).toEqual([200, 'text/xml; charset=utf-8']);
  expect(text).toMatch(/^<body [^>]* sid='[^>]*><stream:features/);
}

async function expectDiscovery(host: HostClient): Promise<void> {
  const secure = host.wsBase.startsWith('wss') ? 's' : '';
  const base = `://127.0.0.1:${host.port}`;
  const xrd = await host.ask('/.well-known/host-meta');
  expect([xrd.status, xrd.headers['content-type']]).toEqual([200, 'application/xrd+xml; charset=utf-8']);
  expect(xrd.text).toContain(`<Link rel="urn:xmpp:alt-connections:websocket" href="ws${secure}${base}/xmpp-websocket"/>`);
  const { links } = JSON.parse((await host.ask('/.well-known/host-meta.json')).text) as { links: { href: string }[] };
  expect(links.map(({ href }) => href)).toEqual([`ws${secure}${base}/xmpp-websocket`, `http${secure}${base}/http-bind`]);
}

async function expectCats({ host }: Case, path = '/cats', body = '["tom"]'): Promise<void> {
  const { status, text } = await host.ask(path);
  expect([status, text]).toEqual([200, body]);
}

/** A gateway of the host's own, on `ws`. */
async function expectChat({ host }: Case): Promise<void> {
  const socket = await host.chat();
  socket.send(JSON.stringify({ event: 'echo', data: 'hi' }));
  const [data] = await once(socket, 'message');
  expect(JSON.parse(String(data))).toEqual({ event: 'echo', data: 'hi' });
  socket.terminate();
}

async function expectSocketIo({ host }: Case): Promise<void> {
  const socket = io(`http://127.0.0.1:${host.port}`, { path: '/chat', transports: ['websocket'] });
  socket.emit('echo', 'hi');
  expect(await new Promise((resolve) => socket.once('echo', resolve))).toBe('hi');
  socket.disconnect();
}

const TYPES = ['text/xml', 'text/plain', 'application/json', 'application/x-www-form-urlencoded', 'rubbish', undefined];

/** N2, N3 */
async function expectAnyType({ host }: Case): Promise<void> {
  for (const type of TYPES) {
    const { status, text } = await host.create('/http-bind', { headers: type === undefined ? {} : { 'Content-Type': type } });
    expect([type, status, text.includes(' sid=')]).toEqual([type, 200, true]);
  }
}

const CROSS_SITE = { 'Origin': 'https://elsewhere.example', 'Sec-Fetch-Site': 'cross-site', 'Content-Type': 'text/xml' };

/** What holds for each host of test/matrix/hosts.ts. */
const TABLE: Readonly<Record<string, { readonly title: string; readonly check: (at: Case) => Promise<void> }>> = {
  'plain': {
    title: 'needs nothing but the import; N2, N3: a body may have any Content-Type; a path that is nobody’s is refused',
    check: async (at) => {
      await expectEndpoints(at);
      await expectCats(at);
      await expectAnyType(at);
      expect((await handshakeRefusal(`${at.host.wsBase}/elsewhere`)).status).toBe(404);
    },
  },
  'server ingress': {
    title: 'N2, N3: BOSH before the router takes any Content-Type, and leaves the host its own routes',
    check: async (at) => {
      await expectEndpoints(at);
      await expectCats(at);
      await expectAnyType(at);
    },
  },
  'ws gateway': {
    title: 'N1: gateways on WsAdapter stay',
    check: async (at) => {
      await expectChat(at);
      await expectEndpoints(at);
    },
  },
  'socket.io gateway, no adapter chosen': {
    title: 'N1: gateways on the adapter that Nest chooses stay',
    check: async (at) => {
      await expectSocketIo(at);
      await expectEndpoints(at);
    },
  },
  'socket.io gateway': {
    title: 'N1: gateways on IoAdapter stay',
    check: async (at) => {
      await expectSocketIo(at);
      await expectEndpoints(at);
    },
  },
  'ws gateway, our adapter by hand': {
    title: 'N1: XmppWsAdapter may be put before another adapter by hand',
    check: async (at) => {
      await expectChat(at);
      await expectEndpoints(at);
    },
  },
  'upgrades of others': {
    title: 'N1: upgrades that somebody else takes are left alone',
    check: async (at) => {
      await expectEndpoints(at);
      const socket = connect(at.host.port, '127.0.0.1');
      socket.write('GET /hmr HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: hmr\r\n\r\n');
      let answer = '';
      for await (const chunk of socket) answer += String(chunk);
      expect(answer).toBe('HTTP/1.1 101 Switching Protocols\r\nUpgrade: hmr\r\nConnection: Upgrade\r\n\r\n');
    },
  },
  'prefix, versions, CORS': {
    title: 'N4: a global prefix, versions in URIs and CORS of the host do not move the endpoints',
    check: async (at) => {
      await expectEndpoints(at);
      await expectCats(at, '/api/v1/cats');
      expect((await at.host.ask('/cats')).status).toBe(404);
    },
  },
  'guard': {
    title: 'N4: a global guard stands before BOSH and discovery in the router, and not before WebSocket',
    check: async ({ host }) => {
      expect((await host.create()).status).toBe(403);
      expect((await host.ask('/.well-known/host-meta')).status).toBe(403);
      await expectWebSocket(host);
    },
  },
  'guard, exempt': {
    title: "N4: a decorator given to the module exempts it from the host's guard",
    check: async (at) => {
      await expectEndpoints(at);
      expect((await at.host.ask('/cats')).status).toBe(403);
    },
  },
  'guard, server ingress': {
    title: 'N4: BOSH before the router is beyond guards',
    check: async ({ host }) => {
      await expectBosh(host);
      expect((await host.ask('/cats')).status).toBe(403);
    },
  },
  'throttler': {
    title: 'N4: a global throttler counts BOSH requests, too',
    check: async ({ host }) => {
      const statuses = [await host.create(), await host.create(), await host.create()].map(({ status }) => status);
      expect(statuses).toEqual([200, 200, 429]);
    },
  },
  'throttler, exempt': {
    title: 'N4: SkipThrottle() given to the module exempts it',
    check: async (at) => {
      for (let i = 0; i < 3; i++) await expectEndpoints(at);
      const statuses = [];
      for (let i = 0; i < 3; i++) statuses.push((await at.host.ask('/cats')).status);
      expect(statuses).toEqual([200, 200, 429]);
    },
  },
  'interceptor, pipe, filter': {
    title: 'N4: global interceptors, pipes and filters of the host touch no answer of ours',
    check: async (at) => {
      await expectEndpoints(at);
      await expectCats(at, '/cats', '{"data":["tom"]}');
      expect((await at.host.ask('/dogs')).status).toBe(418);
    },
  },
  'helmet, compression': {
    title: 'N4: helmet and compression leave BOSH and discovery readable',
    check: async (at) => {
      await expectEndpoints(at);
      const { headers, text } = await at.host.create('/http-bind', { headers: { 'Content-Type': 'text/xml', 'Accept-Encoding': 'gzip' } });
      expect(text).toContain(' sid=');
      expect(headers['content-security-policy']).toBe("sandbox; default-src 'none'");
      const cats = await at.host.ask('/cats', { headers: { 'Accept-Encoding': 'gzip' } });
      expect([cats.text, cats.headers['content-encoding'], cats.headers['x-frame-options']]).toEqual(['["tom"]', 'gzip', 'SAMEORIGIN']);
    },
  },
  'CSRF, security headers': {
    title: 'N4: where the host has CSRF protection, BOSH in the router is for pages of its own',
    check: async (at) => {
      await expectEndpoints(at);
      expect((await at.host.create('/http-bind', { headers: CROSS_SITE })).status).toBe(at.version === 11 ? 200 : 403);
    },
  },
  'CSRF, server ingress': {
    title: 'N4: BOSH before the router is beyond CSRF protection: `origins` says who may use it',
    check: async ({ host }) => {
      expect((await host.create('/http-bind', { headers: CROSS_SITE })).status).toBe(200);
    },
  },
  'raw bodies': { title: 'N3: rawBody changes nothing', check: expectAnyType },
  'no body parsers': { title: 'N3: bodyParser: false changes nothing', check: expectAnyType },
  'two modules': {
    title: 'two modules in one app keep their own paths and domains',
    check: async (at) => {
      await expectEndpoints(at);
      await expectWebSocket(at.host, '/second/ws', 'example.net');
      await expectBosh(at.host, '/second/bosh', 'example.net');
      const meta = await at.host.ask('/.well-known/host-meta', { headers: { Host: 'chat.example.net' } });
      expect(meta.text).toContain('ws://chat.example.net/second/ws');
      expect((await at.host.create('/http-bind', { to: 'example.net' })).text).toContain("condition='host-unknown'");
    },
  },
  'TLS': {
    title: 'serves all over TLS of its own, and says so in its links',
    check: async (at) => {
      await expectEndpoints(at);
      await expectCats(at);
    },
  },
  'HTTP/2': {
    title: 'serves BOSH over HTTP/2 and WebSocket over HTTP/1.1 on one port',
    check: async (at) => {
      const { host } = at;
      const [created] = await host.askHttp2({ path: '/http-bind', method: 'POST', body: boshCreation({ wait: 5 }) });
      const sid = / sid='([^']+)'/.exec(created!.text)![1];
      const [held, ended] = await host.askHttp2(
        { path: '/http-bind', method: 'POST', body: boshBody({ sid, rid: 1001 }) },
        { path: '/http-bind', method: 'POST', body: boshBody({ sid, rid: 1002, type: 'terminate' }) },
      );
      expect([held!.text, ended!.status]).toEqual([expect.stringContaining("type='terminate'"), 200]);
      await expectWebSocket(host);
      await expectBosh(host);
      if (at.platform === 'express') return; // its router speaks no HTTP/2
      await expectEndpoints(at);
      const [cats, meta] = await host.askHttp2({ path: '/cats' }, { path: '/.well-known/host-meta' });
      expect([cats!.text, meta!.text]).toEqual(['["tom"]', expect.stringContaining(`wss://localhost:${host.port}/`)]);
    },
  },
  'testing module': {
    title: 'Test.createTestingModule() makes an app as any other',
    check: async (at) => {
      await expectCats(at);
      const { client } = await at.host.open();
      client.socket.terminate();
    },
  },
};

/** Where BOSH is open to all when the tests above are done. */
const CLOSABLE = ['plain', 'server ingress', 'ws gateway', 'socket.io gateway', 'helmet, compression', 'two modules', 'TLS'];

describe.each(VERSIONS.flatMap((version) => PLATFORMS.map((platform) => ({ version, platform }))))(
  'host apps on Nest $version and $platform',
  ({ version, platform }) => {
    let directory: string;
    let ca: Buffer;
    let hosts: HostProcess;

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'nestjs-xmpp-hosts-'));
      const authority = await createAuthority(directory);
      const { certFile, keyFile } = await authority.issue(['localhost']);
      ca = await readFile(authority.certFile);
      if (platform === PLATFORMS[0]) await prepare(version);
      hosts = await startHosts(version, platform, { TLS_CERT: certFile, TLS_KEY: keyFile });
    });
    afterAll(async () => {
      hosts?.kill();
      await rm(directory, { recursive: true, force: true });
    });
    const clientOf = (name: string) => new HostClient(hosts.ports[name]!, name === 'TLS' || name === 'HTTP/2' ? ca : undefined);

    it('are all in the table', () => {
      expect(Object.keys(hosts.ports).toSorted()).toEqual(Object.keys(TABLE).toSorted());
    });

    it.each(Object.entries(TABLE).map(([name, { title, check }]) => ({ name, title, check })))('$title ($name)', ({ name, check }) =>
      check({ host: clientOf(name), version, platform }),
    );

    it('N5: close() answers held requests, tells WebSockets, and hangs on neither, in all apps of a process', async () => {
      const open = await Promise.all(
        CLOSABLE.map(async (name) => {
          const host = clientOf(name);
          const [{ client }, created] = await Promise.all([host.open(), host.create()]);
          return { client, held: host.hold(created) };
        }),
      );
      // What comes after a request on its own connection shows that the request has come.
      await Promise.all(CLOSABLE.map((name) => clientOf(name).ask('/cats')));
      const closed = hosts.close();
      for (const { client, held } of open) {
        expect((await held).text).toContain("type='terminate' condition='system-shutdown'");
        expect(await client.next()).toContain('<system-shutdown');
        expect(await client.next()).toContain('<close');
        await client.closed;
      }
      expect([await closed, hosts.output()]).toEqual([0, '']);
    });
  },
);

it('forRootAsync: a wrong option stops the start with a message that names it', async () => {
  @Module({ imports: [XmppModule.forRootAsync({ useFactory: () => ({ domains: [] }) })] })
  class AppModule {}
  await expect(Test.createTestingModule({ imports: [AppModule] }).compile()).rejects.toThrow(
    'option domains is []; allowed: a list of at least one XMPP domain',
  );
});
