import { Injectable, Module, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  EmbeddedUpstream,
  XmppAdminModule,
  XmppOptionsError,
  type XmppAdminDetails,
  type XmppAdminOverview,
  type XmppAdminPage,
  type XmppRecordedLine,
} from 'nestjs-xmpp';
import { PLATFORMS, startApp, type TestApp } from '../support/app.js';
import { BoshHttp, BoshSession } from '../support/bosh-client.js';
import { openStream, type WebClient, type WebTransport } from '../support/web-client.js';

const KEY = '3c1d69981b65bfbd641dcb64c82bb613';
const AUTH = (name: string) =>
  `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${Buffer.from(`\0${name}\0pw-of-${name}`).toString('base64')}</auth>`;
const BIND = (resource: string) =>
  `<iq xmlns='jabber:client' type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind></iq>`;
const SHARED = { 'xmlns:shared': 'urn:xmpp:tmp:shared-bosh:0', 'shared:key': KEY };

/** Who may, as a provider of the app knows it. */
@Injectable()
class Operators {
  has(name: string | undefined): boolean {
    return name === 'operator';
  }
}

@Module({ providers: [Operators], exports: [Operators] })
class OperatorsModule {}

@Injectable()
class OperatorGuard implements CanActivate {
  constructor(private readonly operators: Operators) {}
  canActivate(context: ExecutionContext): boolean {
    return this.operators.has(context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>().headers['x-user']);
  }
}

async function until(client: WebClient, part: string): Promise<string> {
  for (;;) {
    const element = await client.next();
    if (element.includes(part)) return element;
  }
}

describe.each(PLATFORMS)('the administration on %s', (platform) => {
  let gateway: TestApp;
  let clients: WebClient[];

  beforeEach(async () => {
    clients = [];
    const upstream = new EmbeddedUpstream({ domains: ['localhost'], users: { romeo: 'pw-of-romeo', juliet: 'pw-of-juliet' } });
    @Module({ imports: [XmppAdminModule.forRoot({ guard: OperatorGuard, imports: [OperatorsModule], path: '/ops/xmpp' })] })
    class AdminHost {}
    gateway = await startApp({ platform, options: { upstream }, imports: [AdminHost] });
  });
  afterEach(async () => {
    for (const client of clients) client.cut();
    await gateway.close();
  });

  async function ask<T>(path: string, options: { method?: string; body?: unknown; type?: string; user?: string | undefined } = {}) {
    const { method = options.body === undefined ? 'GET' : 'POST', body, type = 'application/json', user = 'operator' } = options;
    const response = await fetch(`${gateway.url}/ops/xmpp${path}`, {
      method,
      headers: { ...(user && { 'x-user': user }), ...(body !== undefined && { 'Content-Type': type }) },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: JSON.parse(text) as T & { message?: string } };
  }

  async function login(name: string, transport: WebTransport, attributes: Record<string, string> = {}): Promise<WebClient> {
    const client = await openStream(transport, gateway, { to: 'localhost', ...attributes });
    clients.push(client);
    await until(client, 'mechanisms');
    client.send(AUTH(name));
    await until(client, '<success');
    client.restart({ to: 'localhost' });
    client.send(BIND(attributes['shared:key'] ? 'tab' : 'web'));
    await until(client, '<jid>');
    return client;
  }

  const list = async (query = '') => (await ask<XmppAdminPage>(`/sessions${query}`)).body;

  it('is for those alone whom the guard of the app lets in, each way', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/sessions'],
      ['GET', '/sessions/x'],
      ['POST', '/kick'],
      ['POST', '/drain'],
      ['DELETE', '/drain'],
      ['GET', '/traces'],
      ['POST', '/traces'],
      ['GET', '/traces/1'],
      ['DELETE', '/traces/1'],
    ] as const) {
      const body = method === 'POST' ? { key: 'romeo@localhost' } : undefined;
      const { status } = await ask(path, { method, body, user: 'somebody' });
      expect([method, path, status]).toEqual([method, path, 403]);
    }
    expect((await ask('')).status).toBe(200);
  });

  it('lists sessions page by page, filtered, with nothing secret in it', async () => {
    await login('romeo', 'websocket');
    await login('juliet', 'bosh');
    const shared = await login('romeo', 'bosh', SHARED);
    shared.send(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`);
    const all = await list();
    expect(all).toMatchObject({ total: 3, offset: 0, limit: 50 });
    const [first, second, third] = all.sessions;
    expect(first).toMatchObject({
      jid: 'romeo@localhost/web',
      domain: 'localhost',
      transport: 'websocket',
      address: '127.0.0.1',
      secure: false,
      state: 'bound',
      sharedBy: 0,
      traced: false,
      node: null,
      traffic: { stanzasIn: 2 },
    });
    expect(new Date(first!.openedAt).getTime()).toBeLessThanOrEqual(Date.now());
    expect(third).toMatchObject({ sharedBy: 1, transport: 'bosh' });
    const ids = async (query: string) => (await list(query)).sessions.map(({ id }) => id);
    expect(await ids('?order=newest&limit=2')).toEqual([third!.id, second!.id]);
    expect(await ids('?offset=1&limit=1')).toEqual([second!.id]);
    expect(await ids('?jid=JULIET')).toEqual([second!.id]);
    expect(await ids('?transport=bosh&jid=romeo')).toEqual([third!.id]);
    expect(await ids('?state=open')).toEqual([]);
    expect(await ids('?address=127.')).toHaveLength(3);
    expect(await ids('?address=10.')).toEqual([]);
    expect(await ids(`?search=${first!.id}`)).toEqual([first!.id]);
    const details = await ask<XmppAdminDetails>(`/sessions/${third!.id}`);
    expect(details.body.clients).toMatchObject([{ number: 1, transport: 'bosh', address: '127.0.0.1' }]);
    expect(details.headers.get('cache-control')).toBe('no-store');
    const overview = await ask<XmppAdminOverview>('');
    expect(overview.body).toMatchObject({
      sessions: { total: 3, websocket: 1, bosh: 2, bound: 3 },
      clients: 3,
      clientsLimit: 10_000,
      sharedStreams: 1,
      sharedClients: 1,
      opened: 3,
      ended: {},
      upstreams: [{ domain: 'localhost', upstream: 'embedded', up: true }],
      drain: null,
      shuttingDown: false,
    });
    expect(details.text + overview.text + JSON.stringify(all)).not.toMatch(new RegExp(`${KEY}|pw-of|"(?:sid|key|ticket|rid|previd)"`));
  });

  it('ends the sessions of a user, or one of them, with a word for the client', async () => {
    const romeo = await login('romeo', 'websocket');
    await login('juliet', 'bosh');
    const { sessions } = await list();
    expect(await ask('/kick', { body: { key: sessions[0]!.id, text: 'See you <later>' } })).toMatchObject({ status: 200, body: { ended: 1 } });
    const error = await until(romeo, 'stream:error');
    expect(error).toContain('policy-violation');
    expect(error).toContain('See you &lt;later&gt;');
    expect((await ask('/kick', { body: { key: 'juliet@localhost' } })).body).toEqual({ ended: 1 });
    expect((await list()).total).toBe(0);
    expect((await ask('/kick', { body: { key: 'juliet@localhost' } })).status).toBe(404);
    expect((await ask(`/sessions/${sessions[0]!.id}`)).status).toBe(404);
  });

  it('sends clients elsewhere until told otherwise', async () => {
    await login('romeo', 'websocket');
    const uri = 'ws://elsewhere.example/xmpp-websocket';
    expect((await ask('/drain', { body: { websocket: uri } })).body).toEqual({ moved: 1 });
    expect((await ask<XmppAdminOverview>('')).body.drain).toEqual({ websocket: uri });
    expect((await ask('/drain', { method: 'DELETE' })).body).toEqual({ drain: null });
    await login('romeo', 'websocket');
    expect((await list()).total).toBe(1);
  });

  it('R25: traces a session, by its sid too, and shows what passed with its secrets masked', async () => {
    const http = new BoshHttp(gateway.boshUrl);
    const session = await BoshSession.open(http, { to: 'localhost', ...SHARED });
    const started = await ask<{ id: number; key: string }>('/traces', { body: { key: session.sid, seconds: 60 } });
    expect(started.status).toBe(201);
    const { id, key } = started.body;
    await session.send(AUTH('romeo'));
    expect((await list('?state=authenticated')).sessions).toMatchObject([{ id: key, traced: true }]);
    const seen = await ask<{ running: boolean; recorded: XmppRecordedLine[] }>(`/traces/${id}`);
    expect(seen.body.running).toBe(true);
    expect(seen.body.recorded.map(({ number, direction }) => [number, direction])).toEqual([
      [1, 'in'],
      [2, 'note'],
      [3, 'out'],
    ]);
    expect(seen.body.recorded[0]!.text).toMatch(/^<auth .*mechanism='PLAIN'>\*\*\*<\/auth>$/);
    expect((await ask<{ recorded: unknown[] }>(`/traces/${id}?after=2`)).body.recorded).toHaveLength(1);
    await session.send('', { type: 'terminate' });
    const after = await ask('/traces');
    expect(after.body).toMatchObject({ traces: [{ id, key, running: false }] });
    for (const { text } of [started, seen, after]) expect(text).not.toContain(session.sid);
    expect((await ask(`/traces/${id}`, { method: 'DELETE' })).body).toEqual({ stopped: id });
    expect((await ask(`/traces/${id}`)).status).toBe(404);
    expect((await ask(`/traces/${id}`, { method: 'DELETE' })).status).toBe(404);
    expect(await ask('/traces', { body: { key: '53cr37-51d' } })).toMatchObject({ status: 409, text: expect.not.stringContaining('53cr37') as string });
    http.close();
  });

  it('keeps so many traces, and forgets those first that are over', async () => {
    for (let i = 1; i <= 16; i++) expect((await ask('/traces', { body: { key: `192.0.2.${i}` } })).status).toBe(201);
    expect((await ask('/traces', { body: { key: '192.0.2.99' } })).status).toBe(409);
    expect((await ask('/traces/3', { method: 'DELETE' })).status).toBe(200);
    expect((await ask('/traces', { body: { key: '192.0.2.99' } })).status).toBe(201);
  });

  it.each([
    ['GET', '/sessions?limit=0', undefined, 'limit: a whole number from 1 to 500'],
    ['GET', '/sessions?limit=501', undefined, 'limit: a whole number from 1 to 500'],
    ['GET', '/sessions?offset=-1', undefined, 'offset: a whole number'],
    ['GET', '/sessions?transport=smoke', undefined, 'transport: websocket or bosh'],
    ['GET', '/sessions?state=a&state=b', undefined, 'state: a text'],
    ['GET', '/sessions?offest=1', undefined, '"offest" is unknown; allowed: search, jid'],
    ['GET', '?x=1', undefined, '"x" is unknown; allowed: nothing'],
    ['POST', '/kick', {}, 'key is missing'],
    ['POST', '/kick', [], 'a JSON object is expected'],
    ['POST', '/kick', { key: 7 }, 'key: a text'],
    ['POST', '/kick', { key: 'a@b', text: 'x'.repeat(257) }, 'text: a text of at most 256'],
    ['POST', '/kick', { key: 'a@b', force: true }, '"force" is unknown'],
    ['POST', '/drain', {}, 'websocket or bosh: a URI is missing'],
    ['POST', '/drain', { bosh: 'javascript:alert(1)' }, 'no ws(s): or http(s): URI'],
    ['POST', '/traces', { key: 'a@b', seconds: 1.5 }, 'seconds: a whole number from 1 to 86400'],
    ['GET', '/traces/x', undefined, 'numeric'],
    ['GET', '/traces/1?after=x', undefined, 'after: a whole number'],
  ])('refuses %s %s %j', async (method, path, body, message) => {
    const answer = await ask(path, { method, body });
    expect(answer.status).toBe(400);
    expect(answer.body.message).toContain(message);
  });

  it('R15: takes nothing that a form of another site could send', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      for (const path of ['/kick', '/drain', '/traces']) {
        const { status } = await ask(path, { body: 'key=romeo%40localhost', type });
        expect(status).toBe(415);
      }
    }
  });
});

describe('the administration', () => {
  it('is not there without a guard, and the start says so', () => {
    for (const guard of [undefined, null, 'guard', {}, class {}, () => true]) {
      expect(() => XmppAdminModule.forRoot({ guard: guard as never })).toThrow(XmppOptionsError);
    }
    expect(() => XmppAdminModule.forRoot({ guard: undefined as never })).toThrow(
      'nestjs-xmpp: option guard (of XmppAdminModule) is undefined; allowed: a class with canActivate(), or an instance of one: it decides who may',
    );
    expect(() => XmppAdminModule.forRoot({ guard: { canActivate: () => true }, path: '/a b' })).toThrow('path (of XmppAdminModule)');
  });

  it('needs the module whose sessions it is for, and the start says so', async () => {
    @Module({ imports: [XmppAdminModule.forRoot({ guard: { canActivate: () => true } })] })
    class AppModule {}
    const start = NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
    await expect(start).rejects.toThrow('nestjs-xmpp: XmppAdminModule needs XmppModule.forRoot() in the same app');
  });
});
