import type { IncomingMessage } from 'node:http';
import { Global, Module } from '@nestjs/common';
import {
  EmbeddedUpstream,
  PrebindError,
  XMPP_CREDENTIALS,
  XMPP_SHARED_GUARD,
  XmppEvents,
  XmppSessionService,
  XmppSharedKeyService,
  type PrebindOptions,
  type Prebound,
  type PreboundShared,
  type SessionEnd,
  type XmppCredentials,
  type XmppSharedGuard,
} from 'nestjs-xmpp';
import { startApp, type TestApp } from '../support/app.js';
import { body, BoshHttp, BoshSession, creation, type BoshAnswer } from '../support/bosh-client.js';
import { PLATFORMS, startGateway, type Gateway } from '../support/gateway.js';
import { Mailbox } from '../support/mailbox.js';
import { freePorts } from '../support/ports.js';
import { ScriptedUpstream, type ScriptedStream } from '../support/scripted-upstream.js';
import { open, RawWebSocket } from '../support/websocket-client.js';

const ALICE = { domain: 'example.org', username: 'alice', password: 'wonderland' } as const;
const BOB = { domain: 'example.org', username: 'bob', password: 'builder' } as const;
const USERS = { alice: ALICE.password, bob: BOB.password };
const RID = /^[1-9][0-9]*$/;
const message = (to: string, id: string) => `<message xmlns='jabber:client' to='${to}' id='${id}' type='chat'><body>hi</body></message>`;
const withTicket = (ticket: string) => ({ 'xmlns:shared': 'urn:xmpp:tmp:shared-bosh:0', 'shared:key': ticket });

describe.each(PLATFORMS)('prebinding on %s', (platform) => {
  let gateway: Gateway;
  let http: BoshHttp;
  let sessions: XmppSessionService;
  let ends: Mailbox<SessionEnd>;
  const start = async (options: Parameters<typeof startGateway>[1] = {}, scripted?: ScriptedUpstream) => {
    const upstream = new EmbeddedUpstream({ users: USERS });
    gateway = await startGateway(platform, { ...(!scripted && { upstream }), ...options }, scripted);
    http = new BoshHttp(gateway.boshUrl);
    sessions = gateway.app.get(XmppSessionService);
    ends = new Mailbox();
    gateway.app.get(XmppEvents).on('session.closed', ({ end }) => ends.put(end));
  };
  afterEach(async () => {
    http.close();
    await gateway.close();
  });

  const failure = (options: PrebindOptions): Promise<PrebindError> => sessions.prebind(options).then(
    () => { throw new Error('logged in'); },
    (error: unknown) => {
      expect(error).toBeInstanceOf(PrebindError);
      expect(JSON.stringify(error) + String(error)).not.toMatch(/wonderland|builder|sesame/);
      return error as PrebindError;
    },
  );
  const request = (sid: string, rid: number, payload = '', more = {}): Promise<BoshAnswer> => http.post(body({ sid, rid, ...more }, payload));

  it('P7: returns jid, sid and the next rid; the client goes on where the login ended', async () => {
    await start();
    const alice = await sessions.prebind({ ...ALICE, resource: 'page' });
    expect(alice).toEqual({ jid: 'alice@example.org/page', sid: expect.stringMatching(/^.{20,}$/), rid: expect.any(Number) });
    expect(String(alice.rid)).toMatch(RID);
    const bob = await sessions.prebind(BOB);
    expect(bob.jid).toMatch(/^bob@example\.org\/.+/);
    const held = request(bob.sid, bob.rid);
    await request(alice.sid, alice.rid, message(bob.jid, 'm1') + `<iq xmlns='jabber:client' type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>`);
    const { payload } = await held;
    expect(payload).toContain('m1');
    expect(payload).toContain(alice.jid);
    expect((await request(bob.sid, bob.rid + 1, '', { type: 'terminate' })).type).toBe('terminate');
    expect(await ends.take()).toMatchObject({ reason: 'closed' });
  });

  it('P5: every page gets a session of its own', async () => {
    await start();
    const [first, second] = [await sessions.prebind(ALICE), await sessions.prebind(ALICE)];
    expect(second.sid).not.toBe(first.sid);
    expect(second.rid).not.toBe(first.rid);
    expect(second.jid).not.toBe(first.jid);
    // The rid before the first one, and another session's, open nothing.
    expect((await request(first.sid, first.rid - 1)).condition).toBe('item-not-found');
    expect((await request(second.sid, first.rid)).condition).toBe('item-not-found');
  });

  it('S24: what comes before the client waits for it, with no presence sent in its name (P6)', async () => {
    await start();
    const alice = await sessions.prebind(ALICE);
    const bob = await sessions.prebind(BOB);
    await request(bob.sid, bob.rid, message(alice.jid, 'early') + message('alice@example.org', 'offline') + message(bob.jid, 'self'));
    const { payload } = await request(alice.sid, alice.rid);
    expect(payload).toContain('early');
    expect(payload).not.toContain('offline'); // a server that had seen presence would have sent it here
    expect(await sessions.find(alice.jid)).toHaveLength(1);
  });

  /** Plays the server as far as to the answer to `<bind/>`, which is left to the test, with its id. */
  async function playLogin(): Promise<{ stream: ScriptedStream; id: string }> {
    const stream = await gateway.upstream.streams.take();
    await stream.seen.take((seen) => seen.startsWith('<auth'));
    stream.push(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`);
    await stream.seen.take((seen) => seen === 'restart');
    stream.open();
    stream.features(`<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>`);
    const bind = await stream.seen.take((seen) => seen.startsWith('<iq'));
    return { stream, id: /id=["']([^"']+)/.exec(bind)![1]! };
  }
  const JID = 'alice@example.org/page';
  const bindResult = (id: string) =>
    `<iq xmlns='jabber:client' type='result' id='${id}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>${JID}</jid></bind></iq>`;

  it.each([false, true])('S24: loses nothing that comes on the heels of the login (shared: %s)', async (shared) => {
    await start({}, new ScriptedUpstream());
    const login = sessions.prebind({ ...ALICE, shared });
    const { stream, id } = await playLogin();
    stream.push(bindResult(id));
    stream.push(message(JID, 'm1'));
    const bound = (await login) as Prebound & PreboundShared;
    stream.push(message(JID, 'm2'));
    expect(bound.jid).toBe(JID);
    const first = shared ? http.post(creation(withTicket(bound.ticket))) : request(bound.sid, bound.rid);
    expect((await first).payload).toMatch(/m1.*m2/s);
    expect(stream.seen.size).toBe(0); // and says nothing in the name of the user
  });

  it.each([false, true])('S24: a stream that ends on the heels of the login is no session (shared: %s)', async (shared) => {
    await start({}, new ScriptedUpstream());
    const login = failure({ ...ALICE, shared });
    const { stream, id } = await playLogin();
    stream.push(bindResult(id));
    stream.finish({ reason: 'failed', message: 'gone' });
    expect((await login).reason).toBe('upstream-failed');
    expect(sessions.count).toBe(0);
  });

  it.each([false, true])('S24: a session that nobody came for returns what came for it, and closes its stream (shared: %s)', async (shared) => {
    await start({}, new ScriptedUpstream());
    const login = sessions.prebind({ ...ALICE, shared });
    const { stream, id } = await playLogin();
    stream.push(bindResult(id));
    await login;
    stream.push(message(JID, 'm1').replace('<message', `<message from='bob@example.org/x'`));
    gateway.clock.tick(60_000);
    expect(await stream.seen.take()).toContain('recipient-unavailable');
    expect(await stream.seen.take()).toBe('close');
  });

  it('S24: a session whose client never comes ends after ttl, and its stream with it', async () => {
    await start();
    const { sid, rid, jid } = await sessions.prebind({ ...ALICE, ttl: 30 });
    gateway.clock.tick(29_000);
    expect(await sessions.find(jid)).toHaveLength(1);
    gateway.clock.tick(1_000);
    expect(await ends.take()).toMatchObject({ reason: 'inactivity' });
    expect(await sessions.find(jid)).toEqual([]);
    expect((await request(sid, rid)).condition).toBe('item-not-found');
  });

  it('S24: after its client came, the session has the inactivity of every other', async () => {
    await start();
    const { sid, rid, jid } = await sessions.prebind({ ...ALICE, ttl: 5 });
    await request(sid, rid, message(jid, 'self'));
    gateway.clock.tick(30_000);
    expect(await sessions.find(jid)).toHaveLength(1);
    await request(sid, rid + 1, message(jid, 'again'));
  });

  it('tells a wrong password, and an unknown user, from each other by nothing', async () => {
    await start();
    const wrong = await failure({ ...ALICE, password: 'sesame' });
    expect(wrong).toMatchObject({ reason: 'not-authorized', condition: 'not-authorized' });
    expect((await failure({ ...ALICE, username: 'nobody' })).message).toBe(wrong.message);
    expect(sessions.count).toBe(0);
    const shared = await failure({ ...ALICE, password: 'sesame', shared: true });
    expect(shared.reason).toBe('not-authorized');
    expect(sessions.count).toBe(0);
  });

  it('tells that the upstream is down', async () => {
    const [port] = await freePorts(1);
    await start({ upstream: `xmpp://127.0.0.1:${port}` });
    for (const shared of [false, true]) {
      expect(await failure({ ...ALICE, shared })).toMatchObject({ reason: 'upstream-failed', condition: 'remote-connection-failed' });
    }
    expect(sessions.count).toBe(0);
  });

  it('tells that there is no mechanism', async () => {
    await start({ upstream: new EmbeddedUpstream({ users: USERS, mechanisms: ['ANONYMOUS'] }) });
    expect((await failure(ALICE)).reason).toBe('no-mechanism');
  });

  it.each(['SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN'] as const)('logs in by %s', async (mechanism) => {
    await start({ upstream: new EmbeddedUpstream({ users: USERS, mechanisms: [mechanism] }) });
    expect((await sessions.prebind(ALICE)).jid).toMatch(/^alice@example\.org\//);
  });

  it('tells that the domain is not served', async () => {
    await start();
    expect(await failure({ ...ALICE, domain: 'example.com' })).toMatchObject({ reason: 'refused', condition: 'host-unknown' });
  });

  it.each([false, true])('counts among the sessions, until it is over (shared: %s)', async (shared) => {
    await start({ limits: { maxSessions: 1 } });
    await sessions.prebind({ ...ALICE, shared });
    expect(sessions.count).toBe(1);
    expect(await failure(BOB)).toMatchObject({ reason: 'refused', condition: 'resource-constraint' });
    gateway.clock.tick(61_000);
    await ends.take();
    expect(sessions.count).toBe(0);
    await sessions.prebind(BOB);
  });

  it('counts for the address that it was made for', async () => {
    await start({ limits: { maxSessionsPerAddress: 1 } });
    await sessions.prebind({ ...ALICE, address: '192.0.2.1' });
    expect(await failure({ ...BOB, address: '192.0.2.1' })).toMatchObject({ reason: 'refused', condition: 'policy-violation' });
    const { jid } = await sessions.prebind({ ...BOB, address: '192.0.2.2' });
    expect((await sessions.find(jid))[0]!.address).toBe('192.0.2.2');
  });

  it('XEP-0124, section 19.1: a session for TLS is none without it', async () => {
    await start();
    const { sid, rid } = await sessions.prebind({ ...ALICE, secure: true });
    expect((await request(sid, rid)).condition).toBe('item-not-found');
  });

  it('S24: a ticket attaches once, over BOSH, to a stream that is logged in', async () => {
    await start();
    const { jid, ticket } = await sessions.prebind({ ...ALICE, shared: true });
    const tab = await BoshSession.open(http, withTicket(ticket));
    expect(tab.created.attribute('shared:result')).toBe('attached');
    expect(tab.created.attribute('shared:jid')).toBe(jid);
    expect(sessions.count).toBe(1); // the tab's own place alone
    expect((await http.post(creation(withTicket(ticket)))).condition).toBe('item-not-found');
    expect((await tab.send(message(jid, 'self'))).payload).toContain('self');
    // A second tab, by a second ticket.
    const keys = gateway.app.get(XmppSharedKeyService);
    const [{ id } = { id: '' }] = keys.list();
    const other = await BoshSession.open(http, { ...withTicket(keys.ticket(id)), rid: 5000 });
    expect(other.created.attribute('shared:jid')).toBe(jid);
  });

  it('S24: a ticket attaches over WebSocket, and gets what came before', async () => {
    await start();
    const { jid, ticket } = await sessions.prebind({ ...ALICE, shared: true });
    const bob = await sessions.prebind(BOB);
    await request(bob.sid, bob.rid, message(jid, 'early') + message(bob.jid, 'self'));
    const tab = await RawWebSocket.connect(gateway.wsUrl);
    tab.send(open({ to: 'example.org', ...withTicket(ticket) }));
    expect(await tab.next()).toContain(`shared:jid='${jid}'`);
    expect(await tab.next()).toContain('features');
    expect(await tab.next()).toContain('early');
    tab.socket.close();
  });

  it('S24: a shared stream to which nobody comes ends after ttl, its ticket with it', async () => {
    await start();
    const { jid, ticket } = await sessions.prebind({ ...ALICE, shared: true, ttl: 10 });
    gateway.clock.tick(9_000);
    expect(await sessions.find(jid)).toHaveLength(1);
    gateway.clock.tick(1_000);
    expect(await ends.take()).toMatchObject({ reason: 'closed' });
    expect((await http.post(creation(withTicket(ticket)))).condition).toBe('item-not-found');
    expect(sessions.count).toBe(0);
  });

  it('knows no options that make no sense', async () => {
    await start({ shared: { enabled: false } });
    const wrong: PrebindOptions[] = [
      { ...ALICE, ttl: 0 },
      { ...ALICE, ttl: Number.NaN },
      { ...ALICE, ttl: 3601 },
      { ...ALICE, shared: true },
      { ...ALICE, boundTo: 'web session' },
      { ...ALICE, context: {} },
      { domain: 'example.org', context: {} },
      { domain: 'example.org', username: 'alice' },
      { domain: 'example.org', username: '', password: '' },
    ];
    for (const options of wrong) await expect(sessions.prebind(options)).rejects.toThrow(TypeError);
    expect(sessions.count).toBe(0);
  });
});

describe('prebinding by what the app knows', () => {
  const asked: unknown[] = [];
  const credentials: XmppCredentials = {
    login: async (context, domain) => {
      asked.push([context, domain]);
      if (context === 'fails') throw new RangeError('of the app');
      return context === 'cookie' ? { username: 'alice', password: 'wonderland', mechanism: 'PLAIN' } : undefined;
    },
  };
  const guard: XmppSharedGuard = { identify: ({ headers }: IncomingMessage) => headers.cookie };

  @Global()
  @Module({
    providers: [
      { provide: XMPP_CREDENTIALS, useValue: credentials },
      { provide: XMPP_SHARED_GUARD, useValue: guard },
    ],
    exports: [XMPP_CREDENTIALS, XMPP_SHARED_GUARD],
  })
  class AppsOwn {}

  let app: TestApp;
  let sessions: XmppSessionService;
  beforeAll(async () => {
    app = await startApp({ options: { upstream: new EmbeddedUpstream({ users: USERS }) }, imports: [AppsOwn] });
    sessions = app.app.get(XmppSessionService);
  });
  afterAll(async () => {
    await app.close();
  });

  it('P7: XmppCredentials makes a login of a context', async () => {
    expect((await sessions.prebind({ domain: 'localhost', context: 'cookie' })).jid).toMatch(/^alice@localhost\//);
    expect(asked).toEqual([['cookie', 'localhost']]);
  });

  it('tells of a user without an account, and passes on what the app throws', async () => {
    await expect(sessions.prebind({ domain: 'localhost', context: 'stranger' })).rejects.toMatchObject({ reason: 'not-authorized' });
    await expect(sessions.prebind({ domain: 'localhost', context: 'fails' })).rejects.toThrow(RangeError);
    await expect(sessions.prebind({ domain: 'localhost', context: 'cookie', username: 'bob' })).rejects.toThrow(TypeError);
  });

  it('S24: a ticket that is bound to a web session is good for it alone', async () => {
    const { jid, ticket } = await sessions.prebind({ domain: 'localhost', context: 'cookie', shared: true, boundTo: 'web=1' });
    const http = new BoshHttp(app.boshUrl);
    const request = creation({ to: 'localhost', ...withTicket(ticket) });
    expect((await http.post(request)).condition).toBe('item-not-found');
    expect((await http.post(request, { Cookie: 'web=2' })).condition).toBe('item-not-found');
    expect((await http.post(request, { Cookie: 'web=1' })).attribute('shared:jid')).toBe(jid);
    http.close();
  });
});
