import type { AddressInfo } from 'node:net';
import { Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { EmbeddedUpstream, XmppModule, XmppSessionService, type Prebound, type PreboundShared } from 'nestjs-xmpp';
import { readConfig } from '../../sample/config.js';
import { LoginModule } from '../../sample/login/login.module.js';
import { WebSessions } from '../../sample/login/web-sessions.js';
import { PLATFORMS } from '../support/app.js';
import { body, BoshHttp, creation } from '../support/bosh-client.js';

const PASSWORDS = { alice: 'wonderland', bob: 'builder' };
const withTicket = (ticket: string) => ({ 'to': 'localhost', 'xmlns:shared': 'urn:xmpp:tmp:shared-bosh:0', 'shared:key': ticket });

describe.each(PLATFORMS)("the sample's cookie login on %s", (platform) => {
  let app: INestApplication;
  let url: string;
  let http: BoshHttp;
  let sessions: XmppSessionService;

  beforeAll(async () => {
    const config = readConfig({ XMPP_USERS: Object.entries(PASSWORDS).map((entry) => entry.join(':')).join(',') });
    const upstream = new EmbeddedUpstream({ users: config.users });
    @Module({ imports: [XmppModule.forRoot({ domains: ['localhost'], upstream, isGlobal: true }), LoginModule.register(config)] })
    class Host {}
    const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
    app = await NestFactory.create<INestApplication>(Host, adapter, { logger: false, abortOnError: false });
    await app.listen(0, '127.0.0.1');
    url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
    http = new BoshHttp(`${url}/http-bind`);
    sessions = app.get(XmppSessionService);
  });
  afterAll(async () => {
    http.close();
    await app.close();
  });

  const json = { 'Content-Type': 'application/json' };
  function post(path: string, content: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    return fetch(`${url}/${path}`, { method: 'POST', body: text, headers: { ...json, Origin: url, ...headers } });
  }
  async function login(user: keyof typeof PASSWORDS = 'alice', headers = {}): Promise<string> {
    const response = await post('login', { user, password: PASSWORDS[user] }, headers);
    expect(response.status).toBe(204);
    return response.headers.get('set-cookie')!.split(';', 1)[0]!;
  }
  const session = (cookie?: string, query = '', headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${url}/session${query}`, { headers: { ...(cookie && { Cookie: cookie }), ...headers } });

  it('sets a random cookie that scripts and other sites do not get', async () => {
    const response = await post('login', { user: 'alice', password: 'wonderland' });
    expect(response.status).toBe(204);
    expect(response.headers.get('set-cookie')).toMatch(/^session=[\w-]{32}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=28800$/);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await login()).not.toBe(await login());
  });

  it('P7, S24: a page with the cookie gets a BOSH session, and no password', async () => {
    const response = await session(await login());
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const { jid, sid, rid } = (await response.json()) as Prebound;
    expect(jid).toMatch(/^alice@localhost\/.+/);
    const sent = `<message xmlns='jabber:client' to='${jid}' id='self' type='chat'/>`;
    expect((await http.post(body({ sid, rid }, sent))).payload).toContain('self');
    expect((await sessions.find(jid))[0]!.address).toBe('127.0.0.1');
  });

  it('S24: a ticket is good for the page that has the cookie', async () => {
    const [mine, other] = [await login(), await login('bob')];
    const { jid, ticket } = (await (await session(mine, '?shared=true')).json()) as PreboundShared;
    const request = creation(withTicket(ticket));
    expect((await http.post(request, { Cookie: other })).condition).toBe('item-not-found');
    expect((await http.post(request)).condition).toBe('item-not-found');
    expect((await http.post(request, { Cookie: `a=b; ${mine}` })).attribute('shared:jid')).toBe(jid);
  });

  it('R15: with a signed cookie a page needs no password at the endpoints, either', async () => {
    const response = await post('token', { user: 'alice', password: 'wonderland' });
    expect(response.status).toBe(204);
    const set = response.headers.get('set-cookie')!;
    expect(set).toMatch(/^user=[\w-]+\.[\w-]+\.[\w-]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=3600$/);
    const headers = { Cookie: set.split(';', 1)[0]!, Origin: url };
    const created = await http.post(creation({ to: 'localhost' }), headers);
    expect(created.payload).toContain('>EXTERNAL<');
    const auth = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>`;
    const answer = await http.post(body({ sid: created.attribute('sid'), rid: 1001 }, auth), headers);
    expect(answer.payload).toContain('<success');
    const foreign = await http.post(creation({ to: 'localhost' }), { ...headers, Origin: 'https://evil.example' });
    expect(foreign.payload).not.toContain('>EXTERNAL<');
    expect((await post('token', { user: 'alice', password: 'builder' })).status).toBe(401);
    expect((await post('token', { user: 'alice' })).status).toBe(400);
    expect((await post('token', { user: 'alice', password: 'wonderland' }, { Origin: 'https://evil.example' })).status).toBe(403);
  });

  it('gives nothing without the cookie, or for one that it never gave', async () => {
    for (const cookie of [undefined, 'session=', 'session=guessed', 'other=1']) {
      const response = await session(cookie);
      expect([response.status, await response.text()]).toEqual([401, '']);
    }
  });

  it('refuses a wrong password, an unknown user, and what is neither', async () => {
    const contents = [
      [{ user: 'alice', password: 'builder' }, 401],
      [{ user: 'nobody', password: '' }, 401],
      [{ user: 'constructor', password: 'x' }, 401],
      [{ user: 'alice' }, 400],
      [{ user: ['alice'], password: 'wonderland' }, 400],
      ['[]', 400],
    ] as const;
    for (const [content, status] of contents) {
      const response = await post('login', content);
      expect([content, response.status, response.headers.get('set-cookie')]).toEqual([content, status, null]);
    }
  });

  it('R15: no other site logs anybody in or out, or asks for a session', async () => {
    const cookie = await login();
    const alice = { user: 'alice', password: 'wonderland' };
    for (const Origin of ['https://evil.example', 'null', 'http://127.0.0.1']) {
      expect((await post('login', alice, { Origin })).status).toBe(403);
      expect((await post('logout', '{}', { Origin, Cookie: cookie })).status).toBe(403);
      expect((await session(cookie, '', { Origin })).status).toBe(403);
    }
    expect((await session(cookie, '', { 'Sec-Fetch-Site': 'cross-site' })).status).toBe(403);
    // What a form could send is not read, and what has no origin comes from no page.
    const form = { method: 'POST', body: new URLSearchParams(alice), headers: { Origin: url } };
    expect((await fetch(`${url}/login`, form)).ok).toBe(false);
    expect((await fetch(`${url}/login`, { method: 'POST', body: JSON.stringify(alice), headers: json })).status).toBe(403);
    expect((await session(cookie)).status).toBe(200);
  });

  it('logs out: the cookie is worth nothing, and what it had at the XMPP server is over', async () => {
    const [mine, other] = [await login('bob'), await login('bob')];
    const one = (await (await session(mine)).json()) as Prebound;
    const shared = (await (await session(mine, '?shared=true')).json()) as PreboundShared;
    const others = (await (await session(other)).json()) as Prebound;
    const response = await post('logout', '{}', { Cookie: mine });
    expect(response.status).toBe(204);
    expect(response.headers.get('set-cookie')).toMatch(/^session=; .*Max-Age=0$/);
    const left = await Promise.all([one, shared, others].map(async ({ jid }) => (await sessions.find(jid)).length));
    expect(left).toEqual([0, 0, 1]);
    expect((await session(mine)).status).toBe(401);
    expect((await session(other)).status).toBe(200);
  });

  it('logs out also what is being logged in', async () => {
    const cookie = await login('bob');
    const before = (await sessions.find('bob@localhost')).length;
    const [asked] = await Promise.all([session(cookie), post('logout', '{}', { Cookie: cookie })]);
    expect([200, 401]).toContain(asked.status); // whichever came first
    expect(await sessions.find('bob@localhost')).toHaveLength(before);
  });

  it('behind TLS its cookie never travels without', async () => {
    const origin = url.replace('http:', 'https:');
    const response = await post('login', { user: 'bob', password: 'builder' }, { Origin: origin });
    expect(response.headers.get('set-cookie')).toMatch(/; Secure$/);
  });

  it('tells that there is no session for now', async () => {
    const cookie = await login();
    sessions.drain({ bosh: 'http://elsewhere.example/http-bind' });
    const response = await session(cookie);
    sessions.undrain();
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ reason: 'refused' });
  });

  it('forgets a web session after its time', async () => {
    const cookie = await login();
    const webSessions = app.get(WebSessions, { strict: false });
    const now = Date.now;
    try {
      Date.now = () => now() + 8 * 3600 * 1000 + 1000;
      expect(webSessions.find(cookie)).toBeUndefined();
    } finally {
      Date.now = now;
    }
    expect((await session(cookie)).status).toBe(401);
  });
});
