import { Global, Injectable, Module } from '@nestjs/common';
import { JwtModule, JwtService } from '@nestjs/jwt';
import { client as xmppjs } from '@xmpp/client';
import {
  EmbeddedUpstream,
  XMPP_CREDENTIALS,
  XmppSessionService,
  type ConnectContext,
  type XmppCredentials,
  type XmppLogin,
} from 'nestjs-xmpp';
import { createClient } from 'stanza';
import 'strophe.js';
import { startApp, type TestApp } from '../support/app.js';
import { body, BoshHttp, creation, type BoshAnswer } from '../support/bosh-client.js';
import { startChromium } from '../support/chromium.js';
import { packageFile } from '../support/packages.js';
import { open, RawWebSocket } from '../support/websocket-client.js';
import './drivers/xmppjs.js'; // gives it a WebSocket
import { startUpstream, UPSTREAMS, type RunningUpstream } from './upstreams.js';

const STROPHE = packageFile('strophe.js', 'dist', 'strophe.umd.cjs');
const EXTERNAL = />EXTERNAL<\/mechanism>/;
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** An app whose users have a signed token, in a cookie or, for clients that have none, in the URL. */
@Injectable()
class Credentials implements XmppCredentials {
  constructor(private readonly jwt: JwtService) {}

  async userOf({ request: { url, headers } }: ConnectContext): Promise<string | undefined> {
    const token = /\buser=([^;]+)/.exec(headers.cookie ?? '')?.[1] ?? new URL(url!, 'http://x').searchParams.get('token');
    if (!token) return undefined;
    const { sub } = await this.jwt.verifyAsync<{ sub: string }>(token).catch(() => ({ sub: undefined }));
    return sub;
  }

  login(user: unknown): XmppLogin | undefined {
    return user === 'nobody' ? undefined : { username: user as string, password: user as string };
  }
}

@Global()
@Module({
  imports: [JwtModule.register({ secret: 'of the test' })],
  providers: [{ provide: XMPP_CREDENTIALS, useClass: Credentials }],
  exports: [XMPP_CREDENTIALS, JwtModule],
})
class CredentialsModule {}

describe.each(UPSTREAMS)('a web user, in front of %s', (server) => {
  let running: RunningUpstream | undefined;
  let app: TestApp;
  let sessions: XmppSessionService;
  let http: BoshHttp;
  let token: string;

  beforeAll(async () => {
    running = await startUpstream(server);
    app = await startApp({ options: { upstream: running.upstream, webLogin: { anonymous: true } }, imports: [CredentialsModule] });
    sessions = app.app.get(XmppSessionService);
    token = await app.app.get(JwtService, { strict: false }).signAsync({ sub: 'alice' });
    http = new BoshHttp(app.boshUrl);
  }, 60_000);
  afterAll(async () => {
    http?.close();
    await app?.close();
    await running?.stop();
  });

  const cookie = () => ({ Cookie: `a=b; user=${token}` });

  it('is in by Strophe, with EXTERNAL and no password', async () => {
    const { Strophe } = globalThis as unknown as { Strophe: typeof import('strophe.js').Strophe };
    Strophe.setLogLevel(Strophe.LogLevel.FATAL);
    const connection = new Strophe.Connection(`${app.wsUrl}?token=${token}`);
    await new Promise<void>((resolve, reject) => {
      connection.connect('alice@localhost', '', (status: number, condition: string) => {
        if (status === Strophe.Status.CONNECTED) resolve();
        if (status === Strophe.Status.AUTHFAIL || status === Strophe.Status.CONNFAIL) reject(new Error(condition));
      });
    });
    expect(connection.jid).toMatch(/^alice@localhost\//);
    expect(await sessions.find(connection.jid)).toHaveLength(1);
    connection.disconnect('');
  });

  it.each(['websocket', 'bosh'])('is in by stanza over %s, with EXTERNAL and no password', async (transport) => {
    const url = transport === 'bosh' ? app.boshUrl : app.wsUrl;
    const client = createClient({ jid: 'alice@localhost', transports: { [transport]: `${url}?token=${token}` }, autoReconnect: false });
    let mechanism = '';
    client.on('raw', (direction, data) => {
      if (direction === 'outgoing') mechanism ||= /<auth\b[^>]*\bmechanism="([^"]*)"/.exec(data)?.[1] ?? '';
    });
    const [jid] = await new Promise<[string]>((resolve, reject) => {
      client.on('session:started', () => resolve([client.jid]));
      client.on('auth:failed', () => reject(new Error('auth failed')));
      client.connect();
    });
    expect(jid).toMatch(/^alice@localhost\//);
    expect(mechanism).toBe('EXTERNAL');
    const disconnected = new Promise((resolve) => client.once('disconnected', resolve));
    client.disconnect();
    await disconnected;
  });

  it('is in by a page, over both transports, with the cookie of its browser alone', async () => {
    const browser = await startChromium();
    try {
      const context = await browser.newContext();
      await context.addCookies([{ name: 'user', value: token, url: app.url, httpOnly: true, sameSite: 'Strict' }]);
      const page = await context.newPage();
      await page.goto(`${app.url}/.well-known/host-meta.json`); // any page of the host
      await page.addScriptTag({ path: STROPHE });
      for (const url of [app.wsUrl, app.boshUrl]) {
        const jid: unknown = await page.evaluate(`new Promise((resolve) => {
          const { Strophe } = globalThis;
          const connection = new Strophe.Connection(${JSON.stringify(url)});
          connection.connect('alice@localhost', '', (status, condition) => {
            if (status === Strophe.Status.CONNECTED) resolve(connection.jid);
            if (status === Strophe.Status.AUTHFAIL || status === Strophe.Status.CONNFAIL) resolve('failed: ' + condition);
          });
        })`);
        expect(jid).toMatch(/^alice@localhost\//);
      }
    } finally {
      await browser.close();
    }
  }, 60_000);

  it('is in by xmpp.js, which knows no EXTERNAL, with ANONYMOUS', async () => {
    const client = xmppjs({ service: `${app.wsUrl}?token=${token}`, domain: 'localhost' });
    client.reconnect.stop();
    const address = await client.start();
    expect(String(address)).toMatch(/^alice@localhost\//);
    await client.stop();
  });

  it('S2: has a session that tabs share: the first is logged in, the second attaches', async () => {
    const key = { 'to': 'localhost', 'xmlns:shared': 'urn:xmpp:tmp:shared-bosh:0', 'shared:key': `a key for ${server}` };
    const created = await http.post(creation(key), cookie());
    expect(created.payload).toMatch(EXTERNAL);
    const sid = created.attribute('sid');
    let rid = 1000;
    const say = (payload: string, attributes = {}) => http.post(body({ sid, rid: ++rid, ...attributes }, payload), cookie());
    const told = async (what: string, answer: BoshAnswer): Promise<void> => {
      if (!answer.payload.includes(what)) await told(what, await say(''));
    };
    await told('<success', await say(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>`));
    await told('xmpp-bind', await say('', { 'xmpp:restart': 'true', 'to': 'localhost' }));
    await told('<jid>', await say(`<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`));
    const second = await http.post(creation(key), cookie());
    expect(second.attribute('shared:jid')).toMatch(/^alice@localhost\//);
    await say('', { type: 'terminate' });
  });

  it('is offered nothing without a token, or with one that is none', async () => {
    for (const Cookie of ['', 'user=eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.', `user=${token.slice(0, -2)}AA`]) {
      const { payload } = await http.post(creation({ to: 'localhost' }), { Cookie });
      expect(payload).not.toMatch(EXTERNAL);
      expect(payload).toMatch(/>SCRAM-SHA-1<\/mechanism>/);
    }
  });

  it('X5: over BOSH cannot say that it is somebody else', async () => {
    const answer = await http.post(creation({ to: 'localhost', from: 'bob@localhost' }), cookie());
    expect(answer.payload).toMatch(EXTERNAL);
    const sid = answer.attribute('sid');
    const auth = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>`;
    const told = await http.post(`<body xmlns='http://jabber.org/protocol/httpbind' rid='1001' sid='${sid}'>${auth}</body>`);
    expect(told.payload).toContain('<invalid-authzid');
  });

  it('cannot be anybody else by the name that it asks for', async () => {
    const socket = await RawWebSocket.connect(app.wsUrl, ['xmpp'], { headers: cookie() });
    socket.send(open({ to: 'localhost' }));
    await socket.next();
    expect(await socket.next()).toMatch(EXTERNAL);
    socket.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>${base64('bob@localhost')}</auth>`);
    expect(await socket.next()).toContain('<invalid-authzid');
    socket.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>${base64('alice@localhost')}</auth>`);
    expect(await socket.next()).toBe('<success xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>');
    socket.socket.close();
  });

  it('R15: is nobody for pages of other origins where none is listed, whatever cookies their browsers send', async () => {
    const offered = async (headers: Record<string, string>, transport: string): Promise<boolean> => {
      if (transport === 'bosh') return EXTERNAL.test((await http.post(creation({ to: 'localhost' }), { ...cookie(), ...headers })).payload);
      const socket = await RawWebSocket.connect(app.wsUrl, ['xmpp'], { headers: { ...cookie(), ...headers } });
      socket.send(open({ to: 'localhost' }));
      await socket.next();
      const features = await socket.next();
      socket.socket.terminate();
      return EXTERNAL.test(features);
    };
    for (const transport of ['websocket', 'bosh']) {
      expect(await offered({}, transport)).toBe(true);
      expect(await offered({ Origin: app.url }, transport)).toBe(true);
      for (const Origin of ['https://evil.example', 'http://127.0.0.1', 'null']) expect(await offered({ Origin }, transport)).toBe(false);
      expect(await offered({ 'Sec-Fetch-Site': 'cross-site' }, transport)).toBe(false);
    }
  });
});

it('R15: is somebody for pages of origins that are listed, and them alone', async () => {
  const upstream = new EmbeddedUpstream({ users: { alice: 'alice' } });
  const app = await startApp({ options: { upstream, origins: ['https://listed.example'] }, imports: [CredentialsModule] });
  const http = new BoshHttp(app.boshUrl);
  try {
    const token = await app.app.get(JwtService, { strict: false }).signAsync({ sub: 'alice' });
    const ask = (Origin: string) => http.post(creation({ to: 'localhost' }), { Cookie: `user=${token}`, Origin });
    expect((await ask('https://listed.example')).payload).toMatch(EXTERNAL);
    for (const origin of [app.url, 'https://evil.example']) expect((await ask(origin)).status).toBe(403);
  } finally {
    http.close();
    await app.close();
  }
});

it('who has no account at the server is told so, and nobody else hears why', async () => {
  const app = await startApp({ options: { upstream: new EmbeddedUpstream({ users: { alice: 'alice' } }) }, imports: [CredentialsModule] });
  try {
    const token = await app.app.get(JwtService, { strict: false }).signAsync({ sub: 'nobody' });
    const socket = await RawWebSocket.connect(`${app.wsUrl}?token=${token}`);
    socket.send(open({ to: 'localhost' }));
    await socket.next();
    await socket.next();
    socket.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>`);
    expect(await socket.next()).toBe('<failure xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><not-authorized/></failure>');
    socket.socket.terminate();
  } finally {
    await app.close();
  }
});
