import { XmppEvents, XmppSharedKeyService } from 'nestjs-xmpp';
import { BoshHttp, BoshSession, creation } from '../support/bosh-client.js';
import { PLATFORMS, startGateway, type Gateway } from '../support/gateway.js';
import type { ScriptedStream } from '../support/scripted-upstream.js';
import { CLOSE, open, RawWebSocket } from '../support/websocket-client.js';

const KEY = '3c1d69981b65bfbd641dcb64c82bb613';
const JID = 'alice@example.org/one';
const SHARED = `xmlns:shared='urn:xmpp:tmp:shared-bosh:0'`;
const message = (id: string) => `<message xmlns='jabber:client' to='bob@example.org' id='${id}'><body>x</body></message>`;
const keyed = (more: Record<string, string | undefined> = {}) => ({
  'xmlns:shared': 'urn:xmpp:tmp:shared-bosh:0',
  'xmlns:sx': 'urn:nestjs-xmpp:shared:0',
  'shared:key': KEY,
  ...more,
});

describe.each(PLATFORMS)('Shared BOSH over real sockets on %s', (platform) => {
  let gateway: Gateway;
  let http: BoshHttp;
  const start = async (...options: Parameters<typeof startGateway> extends [unknown?, ...infer Rest] ? Rest : never) => {
    gateway = await startGateway(platform, ...options);
    http = new BoshHttp(gateway.boshUrl);
  };
  afterEach(async () => {
    http.close();
    await gateway.close();
  });

  /** A tab over BOSH that created the shared session and has bound its resource. */
  async function creator(): Promise<{ tab: BoshSession; stream: ScriptedStream }> {
    const [tab, stream] = await Promise.all([BoshSession.open(http, keyed()), gateway.upstream.streams.take()]);
    stream.bound(JID);
    await tab.send(); // success and bind wait
    return { tab, stream };
  }

  /** A tab over WebSocket: the answer to its <open/>. */
  async function knock(attributes: Record<string, string | undefined> = {}): Promise<RawWebSocket> {
    const tab = await RawWebSocket.connect(gateway.wsUrl);
    tab.send(open({ to: 'example.org', ...keyed(), ...attributes }));
    return tab;
  }

  it('S1, S2, S5: the same request creates and attaches; the second tab has its own sid and needs no login', async () => {
    await start();
    const { tab: a, stream } = await creator();
    expect(a.created.attribute('shared:result')).toBe('created');
    expect(a.created.attribute('shared:jid')).toBeUndefined();
    const b = await BoshSession.open(http, keyed({ rid: '900001' }));
    expect(b.created.attribute('shared:result')).toBe('attached');
    expect(b.created.attribute('shared:jid')).toBe(JID);
    expect(b.sid).not.toBe(a.sid);
    expect(b.created.payload).toContain('<stream:features');
    expect(b.created.payload).not.toContain('mechanism');
    expect(gateway.upstream.streams.size).toBe(0); // one stream
    expect(stream.ended).toBe(false);
  });

  it('S11, S12, S13: what one tab sends the other sees, marked and stamped, before its answer', async () => {
    await start();
    const { tab: a, stream } = await creator();
    const b = await BoshSession.open(http, keyed({ rid: '900001' }));
    const held = b.send();
    const asked = a.send(`<iq xmlns='jabber:client' type='get' id='q1'><ping xmlns='urn:xmpp:ping'/></iq>`);
    await stream.seen.take((seen) => seen.includes(`id='q1'`));
    const copy = (await held).payload;
    expect(copy).toContain(`from="${JID}"`);
    expect(copy).toMatch(/shared:sent=["']1["']/);
    expect(copy).toContain('urn:xmpp:ping');
    stream.push(`<iq xmlns='jabber:client' type='result' id='q1' from='example.org'/>`);
    gateway.clock.tick(2100); // the tabs' requests change connections, which tells nothing of the answer before
    expect((await asked).payload).toContain(`id='q1'`);
    expect((await b.send()).payload).toContain(`type='result'`);
  });

  it('S13, R12: a mark forged from outside is stripped', async () => {
    await start();
    const { tab: a, stream } = await creator();
    stream.push(`<message xmlns='jabber:client' from='eve@example.org' ${SHARED} shared:sent='2'><body>forged</body></message>`);
    const { payload } = await a.send();
    expect(payload).toContain('forged');
    expect(payload).not.toContain('shared:sent');
  });

  it('S26: a tab over WebSocket attaches to the session of one over BOSH, and both see everything', async () => {
    await start();
    const { tab: a, stream } = await creator();
    const ws = await knock();
    const answer = await ws.next();
    expect(answer).toContain(`shared:result='attached'`);
    expect(answer).toContain(`shared:jid='${JID}'`);
    expect(await ws.next()).toContain('<stream:features');
    ws.send(message('from-ws'));
    await stream.seen.take((seen) => seen.includes('from-ws'));
    expect((await a.send()).payload).toContain('from-ws');
    a.send(message('from-bosh'));
    expect(await ws.next()).toMatch(/from-bosh.*/);
    stream.push(`<message xmlns='jabber:client' from='bob@example.org' id='back'/>`);
    expect(await ws.next()).toContain(`id='back'`);
    ws.socket.close();
  });

  it('S26: a tab whose WebSocket is lost leaves the others where they are, and attaches again with the snapshot', async () => {
    await start({ shared: { snapshot: true } });
    const { stream } = await creator();
    const presence = `<presence xmlns='jabber:client' from='bob@example.org/x'/>`;
    stream.push(presence);
    const ws = await knock();
    await ws.next();
    const lost = new Promise((resolve) => gateway.app.get(XmppEvents).on('shared.detached', ({ client, end }) => resolve([client, end.reason])));
    ws.socket.terminate();
    expect(await lost).toEqual([2, 'lost']);
    const again = await knock();
    expect(await again.next()).toContain(`shared:jid='${JID}'`);
    expect(await again.next()).toContain('<stream:features');
    expect(await again.next()).toMatch(/^<presence .*shared:snapshot=/);
    expect(stream.ended).toBe(false);
    expect(gateway.upstream.streams.size).toBe(0);
    again.socket.close();
  });

  it.each(['bosh', 'websocket'])('S6: an attach over %s waits until the creator has bound', async (transport) => {
    await start();
    const [tab, stream] = await Promise.all([BoshSession.open(http, keyed()), gateway.upstream.streams.take()]);
    const attached = transport === 'bosh' ? BoshSession.open(http, keyed({ rid: '900001' })) : knock();
    gateway.clock.tick(5000); // longer than an ordinary <open/> would stay without an answer
    tab.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>`);
    await stream.seen.take((seen) => seen.includes('ANONYMOUS'));
    stream.bound(JID);
    const second = await attached;
    if (second instanceof BoshSession) expect(second.created.attribute('shared:jid')).toBe(JID);
    else expect(await second.next()).toContain(`shared:jid='${JID}'`);
    if (second instanceof RawWebSocket) second.socket.close();
  });

  it('S2, S4: nothing to attach to, and a key that is too short, are refused', async () => {
    await start();
    const attachOnly = keyed({ 'sx:attach-only': 'true' });
    expect((await http.post(creation(attachOnly))).condition).toBe('item-not-found');
    expect((await http.post(creation(keyed({ 'shared:key': 'short' })))).condition).toBe('policy-violation');
    const ws = await knock({ 'sx:attach-only': 'true' });
    expect(await ws.next()).toContain('<open ');
    expect(await ws.next()).toContain('<undefined-condition');
    ws.socket.close();
    expect(gateway.upstream.streams.size).toBe(0);
  });

  it('S23: guessing keys is throttled per address', async () => {
    await start({ shared: { attemptsPerMinute: 3 } });
    const guess = (i: number) => http.post(creation(keyed({ 'shared:key': `${KEY}${i}`, 'sx:attach-only': 'true' })));
    const conditions = [];
    for (let i = 0; i < 5; i++) conditions.push((await guess(i)).condition);
    expect(conditions).toEqual(['item-not-found', 'item-not-found', 'item-not-found', 'policy-violation', 'policy-violation']);
  });

  it('S21: an earlier tab leaves without harm, the last one ends the stream', async () => {
    await start();
    const { tab: a, stream } = await creator();
    const ws = await knock();
    await ws.next();
    await ws.next();
    expect((await a.send('', { type: 'terminate' })).type).toBe('terminate');
    ws.send(message('alone'));
    await stream.seen.take((seen) => seen.includes('alone'));
    ws.send(CLOSE);
    expect(await ws.next()).toBe(CLOSE);
    expect(await stream.seen.take((seen) => seen === 'close' || seen === 'abort')).toBe('close');
    ws.socket.close();
  });

  it("S21: scope='all' logs every tab out", async () => {
    await start();
    const { tab: a, stream } = await creator();
    const ws = await knock();
    await ws.next();
    await ws.next();
    void a.send('', { 'type': 'terminate', 'xmlns:sx': 'urn:nestjs-xmpp:shared:0', 'sx:scope': 'all' });
    expect(await stream.seen.take((seen) => seen === 'close' || seen === 'abort')).toBe('close');
    expect(await ws.frames.take((frame) => frame === CLOSE)).toBe(CLOSE);
    ws.socket.close();
  });

  it('S22: a tab replaces the key over either transport; the old one attaches nobody', async () => {
    await start();
    const { tab: a } = await creator();
    const other = KEY.replaceAll('1', '7');
    const answer = await a.send('', keyed({ 'shared:key': undefined, 'shared:newkey': other }));
    expect(answer.attribute('shared:result')).toBe('rekeyed');
    const attachOnly = { 'sx:attach-only': 'true' };
    expect((await http.post(creation(keyed(attachOnly)))).condition).toBe('item-not-found');
    const ws = await knock({ 'shared:key': other });
    expect(await ws.next()).toContain(`shared:result='attached'`);
    await ws.next();
    ws.send(open({ to: 'example.org', ...keyed({ 'shared:key': undefined, 'shared:newkey': KEY }) }));
    expect(await ws.frames.take((frame) => frame.startsWith('<open '))).toContain(`shared:result='rekeyed'`);
    const again = await knock();
    expect(await again.next()).toContain(`shared:result='attached'`);
    again.socket.close();
    ws.socket.close();
  });

  it('S22, S24: the service lists, issues one-time tickets, detaches and revokes', async () => {
    await start();
    const keys = gateway.app.get(XmppSharedKeyService);
    await creator();
    const ticket = keys.ticket(keys.list()[0]!.id, { ttl: 60 });
    const attachOnly = { 'sx:attach-only': 'true' };
    const ws = await knock({ 'shared:key': ticket, ...attachOnly });
    expect(await ws.next()).toContain(`shared:result='attached'`);
    expect((await http.post(creation(keyed({ 'shared:key': ticket })))).condition).toBe('item-not-found');
    expect(keys.revoke(KEY)).toBe(true);
    expect((await http.post(creation(keyed(attachOnly)))).condition).toBe('item-not-found');
    ws.socket.close();
  });

  it('S3: with sharing off its attributes mean nothing', async () => {
    await start({ shared: { enabled: false } });
    const tab = await BoshSession.open(http, keyed());
    expect(tab.created.attribute('shared:result')).toBeUndefined();
    const ws = await knock();
    expect(await ws.next()).not.toContain('shared:');
    ws.socket.close();
  });

  it('S3: a key means nothing but where a session is asked for', async () => {
    await start();
    const { stream } = await creator();
    const [own, ownStream] = await Promise.all([BoshSession.open(http, { rid: '900001' }), gateway.upstream.streams.take()]);
    const ws = await RawWebSocket.connect(gateway.wsUrl);
    ws.send(open({ to: 'example.org' }));
    const wsStream = await gateway.upstream.streams.take();
    expect(await ws.next()).toContain('<open ');
    expect(await ws.next()).toContain('<stream:features');

    const answer = own.send(message('of-its-own'), keyed());
    await ownStream.seen.take((seen) => seen.includes('of-its-own'));
    ownStream.push(`<message xmlns='jabber:client' id='back'/>`);
    expect((await answer).attribute('shared:result')).toBeUndefined();
    ws.send(open({ to: 'example.org', ...keyed() }));
    await wsStream.seen.take((seen) => seen === 'restart');
    wsStream.open();
    expect(await ws.next()).toMatch(/^<open (?!.*shared:)/);
    expect(stream.seen.size).toBe(0);
    ws.socket.close();
  });
});
