import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable, Logger, Module, UnauthorizedException } from '@nestjs/common';
import {
  ConnectRefused,
  XmppGuard,
  XmppModule,
  XmppSessionService,
  type ConnectContext,
  type ConnectRoute,
  type XmppConnectGuard,
  type XmppModuleOptions,
} from 'nestjs-xmpp';
import { Mailbox, openFrame, RawWebSocket, ScriptedUpstream, startXmppApp, TRANSPORTS, type XmppTestApp } from 'nestjs-xmpp/testing';
import { BoshHttp, creation, type BoshAnswer } from '../support/bosh-client.js';
import { adapterOf, PLATFORMS } from '../support/gateway.js';

type Answer = boolean | ConnectRoute;
type Guard = (context: ConnectContext) => Answer | Promise<Answer>;
const MESSAGE = `<message xmlns='jabber:client' id='early'/>`;
const KEY = { 'xmlns:shared': 'urn:xmpp:tmp:shared-bosh:0', 'shared:key': 'a-key-that-is-long-enough' };

const apps: XmppTestApp[] = [];
const closers: (() => void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) close();
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

async function start(guard: Guard | readonly Guard[], options: Partial<XmppModuleOptions> = {}, adapter = adapterOf('express')): Promise<XmppTestApp> {
  const providers = [guard].flat().map((canConnect, order) => {
    @Injectable()
    @XmppGuard({ order })
    class AppGuard implements XmppConnectGuard {
      canConnect(context: ConnectContext): Answer | Promise<Answer> {
        return canConnect(context);
      }
    }
    return AppGuard;
  });
  @Module({ providers: providers.reverse() })
  class FeatureModule {}
  const imports = [XmppModule.forRoot({ domains: ['example.org', 'tenant.example'], ...options }), FeatureModule];
  const app = await startXmppApp({ imports, adapter, logger: false });
  apps.push(app);
  return app;
}

/** What a client is answered, as it comes: frames, or bodies of BOSH's answers. */
class Visitor {
  private constructor(
    readonly next: () => Promise<string>,
    readonly send: (xml: string) => void,
    readonly leave: () => void,
    readonly created: Promise<BoshAnswer | undefined>,
  ) {}

  static async come(transport: 'websocket' | 'bosh', app: XmppTestApp, attributes: Record<string, string> = {}, headers: Record<string, string> = {}, query = ''): Promise<Visitor> {
    const to = { to: 'example.org', ...attributes };
    if (transport === 'websocket') {
      const socket = await RawWebSocket.connect(`${app.wsUrl}${query}`, ['xmpp'], { headers });
      socket.send(openFrame(to));
      const leave = () => socket.socket.terminate();
      closers.push(leave);
      return new Visitor(() => socket.next(), (xml) => socket.send(xml), leave, Promise.resolve(undefined));
    }
    const http = new BoshHttp(`${app.boshUrl}${query}`);
    const answers = new Mailbox<string>();
    const created = http.post(creation(to, MESSAGE), headers);
    void created.then((answer) => answers.put(answer.body), () => {});
    const leave = () => http.close();
    closers.push(leave);
    return new Visitor(() => answers.take(), () => {}, leave, created);
  }
}

describe.each(PLATFORMS)('a guard of the entrance on %s', (platform) => {
  it.each(TRANSPORTS)('sees who comes over %s, with cookies, headers, query and what it asks for', async (transport) => {
    const seen = new Mailbox<ConnectContext>();
    const app = await start(
      (context) => {
        seen.put(context);
        return true;
      },
      { trustProxy: true },
      adapterOf(platform),
    );
    const headers = { 'Cookie': 'session=42', 'X-Forwarded-For': '203.0.113.9', 'X-Forwarded-Proto': 'https' };
    const visitor = await Visitor.come(transport, app, { from: 'romeo@example.org' }, headers, '?room=1');
    const { request, ...rest } = await seen.take();
    expect(rest).toEqual({ transport, address: '203.0.113.9', secure: true, to: 'example.org', from: 'romeo@example.org', shared: false });
    expect(request.headers.cookie).toBe('session=42');
    expect(new URL(request.url!, 'http://x').searchParams.get('room')).toBe('1');
    expect(await visitor.next()).toMatch(/^<(open|body) /);
  });
});

describe.each(TRANSPORTS)('a guard, over %s', (transport) => {
  const says = async (guard: Guard) => {
    const visitor = await Visitor.come(transport, await start(guard));
    const first = await visitor.next();
    if (transport === 'bosh') return first;
    expect(first).toMatch(/^<open [^>]*from="/); // RFC 7395, section 3.5
    const error = await visitor.next();
    expect(await visitor.next()).toBe('<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />');
    return error;
  };
  const refusals: [name: string, guard: Guard, websocket: RegExp, bosh: string][] = [
    ['false', () => false, /<not-authorized .*not admitted/, 'policy-violation'],
    ['a promise of false', async () => false, /<not-authorized .*not admitted/, 'policy-violation'],
    [
      'a condition',
      () => {
        throw new ConnectRefused('policy-violation', 'pay first');
      },
      /<policy-violation .*pay first/,
      'policy-violation',
    ],
    ['a condition, later', () => Promise.reject(new ConnectRefused('host-gone', 'moved out')), /<host-gone .*moved out/, 'host-gone'],
    ["an exception of Nest's", () => Promise.reject(new UnauthorizedException('log in')), /<not-authorized .*log in/, 'policy-violation'],
    ['a fault', () => Promise.reject(new Error('database at 10.1.2.3')), /<internal-server-error /, 'internal-server-error'],
    [
      'a fault at once',
      () => {
        throw new Error('database at 10.1.2.3');
      },
      /<internal-server-error /,
      'internal-server-error',
    ],
    ['a domain that is not ours', () => ({ domain: 'elsewhere.example' }), /<host-unknown /, 'host-unknown'],
    ['an upstream that is none', async () => ({ upstream: 'gopher://x' }), /<internal-server-error /, 'internal-server-error'],
  ];
  it.each(refusals)('W9, B27: that says %s leaves the client with a standard error', async (_name, guard, websocket, bosh) => {
    const told = await says(guard);
    if (transport === 'websocket') expect(told).toMatch(websocket);
    else expect(told).toMatch(new RegExp(`^<body [^>]*type='terminate' condition='${bosh}'`));
    expect(told).not.toContain('10.1.2.3');
    const { upstream } = apps[0]!;
    expect(upstream.streams.size).toBe(0);
  });

  it('W13: may send a client elsewhere', async () => {
    const guard: Guard = async () => {
      throw new ConnectRefused('see-other-host', 'other shard', { uri: 'ws://other.example/xmpp' });
    };
    const visitor = await Visitor.come(transport, await start(guard));
    expect(await visitor.next()).toMatch(
      transport === 'websocket' ? /^<close [^>]*see-other-uri="ws:\/\/other.example\/xmpp"/ : /condition='see-other-uri'.*<uri[^>]*>ws:\/\/other.example\/xmpp</,
    );
  });

  it('chooses domain and upstream', async () => {
    const upstream = new ScriptedUpstream();
    const app = await start(async ({ request }) => ({ domain: request.headers.host?.startsWith('127.') ? 'tenant.example' : 'example.org', upstream }));
    const visitor = await Visitor.come(transport, app, { to: 'whatever.example' });
    const stream = await upstream.streams.take();
    expect(stream.request.domain).toBe('tenant.example');
    expect(await visitor.next()).toMatch(/^<(open|body) [^>]*from=["']tenant.example["']/);
    expect(app.upstream.streams.size).toBe(0);
  });

  it('C8: a restart may name the domain that the client asked for, or the one that it got, and no other', async () => {
    const app = await start(() => ({ domain: 'tenant.example' }));
    for (const [to, allowed] of [['example.org', true], ['tenant.example', true], [undefined, true], ['other.example', false]] as const) {
      const client = await app.connect(transport, { to: 'example.org' });
      const stream = await app.upstream.streams.take();
      await client.next();
      client.restart(to === undefined ? {} : { to });
      expect(await stream.seen.take((seen) => seen === 'restart' || seen === 'close')).toBe(allowed ? 'restart' : 'close');
      client.cut();
    }
  });

  it('that takes time holds up what the client sends, and nothing is lost', async () => {
    let admit!: (answer: Answer) => void;
    const app = await start(() => new Promise((resolve) => (admit = resolve)));
    const visitor = await Visitor.come(transport, app);
    visitor.send(MESSAGE);
    while (!admit) await nextTurn();
    expect(app.upstream.streams.size).toBe(0);
    admit(true);
    const stream = await app.upstream.streams.take();
    expect(await visitor.next()).toMatch(/^<(open|body) /);
    expect(await stream.seen.take()).toBe(MESSAGE);
  });

  it('that takes too long has failed', async () => {
    const asked = new Mailbox<true>();
    const app = await start(() => {
      asked.put(true);
      return new Promise(() => {});
    });
    const visitor = await Visitor.come(transport, app);
    await asked.take();
    app.clock.tick(10_000);
    const first = await visitor.next();
    expect(transport === 'bosh' ? first : await visitor.next()).toContain('internal-server-error');
  });

  it('is not waited for by a client that left', async () => {
    let admit!: (answer: Answer) => void;
    const app = await start(() => new Promise((resolve) => (admit = resolve)));
    const visitor = await Visitor.come(transport, app);
    while (!admit) await nextTurn();
    const sessions = app.app.get(XmppSessionService);
    expect(sessions.count).toBe(1);
    visitor.leave();
    while (sessions.count > 0) await nextTurn();
    admit(true);
    await nextTurn();
    expect(app.upstream.streams.size).toBe(0);
  });

  it('is asked for a client that wants to share a session, too, and the stream is where it says', async () => {
    const asked: ConnectContext['shared'][] = [];
    const upstream = new ScriptedUpstream();
    const app = await start(async ({ shared }) => {
      asked.push(shared);
      return asked.length === 2 ? false : { upstream };
    });
    const one = await Visitor.come(transport, app, KEY);
    const stream = await upstream.streams.take();
    stream.bound('alice@example.org/tab');
    expect(await one.next()).toContain(`shared:result='created'`);
    const two = await Visitor.come(transport, app, KEY);
    const first = await two.next();
    expect(transport === 'bosh' ? first : await two.next()).toMatch(/not-authorized|policy-violation/);
    const three = await Visitor.come(transport, app, { ...KEY, 'xmlns:ext': 'urn:nestjs-xmpp:shared:0', 'ext:attach-only': 'true' });
    await three.next();
    expect(asked).toEqual(['create', 'create', 'attach']);
  });
});

it('several guards have to say yes, in their order; what they say of where adds up', async () => {
  const asked: string[] = [];
  const guard = (name: string, answer: Answer): Guard => () => {
    asked.push(name);
    return answer;
  };
  const upstream = new ScriptedUpstream();
  const app = await start([guard('a', { upstream }), guard('b', true), guard('c', { domain: 'tenant.example' })]);
  await Visitor.come('websocket', app);
  expect((await upstream.streams.take()).request.domain).toBe('tenant.example');
  expect(asked).toEqual(['a', 'b', 'c']);
  const strict = await start([guard('d', false), guard('e', true)]);
  await (await Visitor.come('websocket', strict)).next();
  expect(asked.slice(3)).toEqual(['d']);
});

it('B31, B34: over BOSH a refusal is 200 with its condition, or the status that the guard wants', async () => {
  const app = await start(async ({ request }) => {
    const status = Number(request.headers['x-status']);
    throw new ConnectRefused('policy-violation', 'no', Number.isNaN(status) ? {} : { status });
  });
  const http = new BoshHttp(app.boshUrl);
  closers.push(() => http.close());
  expect((await http.post(creation())).status).toBe(200);
  const told = await http.post(creation(), { 'X-Status': '401' });
  expect([told.status, told.condition]).toEqual([401, 'policy-violation']);
  expect((await http.post(creation({ ver: undefined }))).status).toBe(403);
});

it('C23: a polling client waits for the guard, too', async () => {
  let admit!: (answer: Answer) => void;
  const app = await start(() => new Promise((resolve) => (admit = resolve)));
  const http = new BoshHttp(app.boshUrl);
  closers.push(() => http.close());
  const answer = http.post(creation({ wait: 0, hold: 0 }));
  while (!admit) await nextTurn();
  admit({ domain: 'tenant.example' });
  expect((await answer).attribute('from')).toBe('tenant.example');
});

it('logs the faults of guards, not their refusals', async () => {
  const errors: unknown[][] = [];
  const app = await start(async ({ from }) => {
    throw from ? new Error('a fault') : new ConnectRefused('policy-violation', 'no');
  });
  Logger.overrideLogger({ error: (...args: unknown[]) => void errors.push(args), log() {}, warn() {}, debug() {} });
  await (await Visitor.come('websocket', app)).next();
  await (await Visitor.come('websocket', app, { from: 'a@example.org' })).next();
  Logger.overrideLogger(false);
  expect(errors.map(([what, error]) => `${String(what)}: ${String((error as Error).message)}`)).toEqual(['a guard failed: a fault']);
});
