import { XmppSessionService, type XmppModuleOptions } from 'nestjs-xmpp';
import { body, BoshSession, creation } from '../support/bosh-client.js';
import { BOSH_MODES, BoshGateway, message, presence } from '../support/bosh-gateway.js';
import { ScriptedUpstream } from '../support/scripted-upstream.js';

describe.each(BOSH_MODES)('making a BOSH session, on %s behind the %s', (platform, ingress) => {
  let bosh: BoshGateway;
  const start = async (options: Partial<XmppModuleOptions> = {}, upstream?: ScriptedUpstream) =>
    (bosh = await BoshGateway.start(platform, ingress, options, upstream));
  afterEach(() => bosh.close());

  it('B4, B7, C27, C29: grants what it has, and names the domain', async () => {
    await start({ bosh: { maxpause: 90 } });
    const answer = await bosh.http.post(creation({ wait: 20, hold: 1 }));
    expect(answer.status).toBe(200);
    expect(answer.type).toBeUndefined();
    const names = ['wait', 'hold', 'requests', 'inactivity', 'polling', 'maxpause', 'ver', 'from'];
    expect(names.map((name) => answer.attribute(name))).toEqual(['20', '1', '2', '60', '5', '90', '1.11', 'example.org']);
    for (const name of ['secure', 'stream', 'charsets', 'ack']) expect(answer.attribute(name)).toBeUndefined();
  });

  it('B7, B33, R10: names each session by a sid of its own that nobody can guess', async () => {
    await start();
    const sids = new Set<string>();
    for (let i = 0; i < 20; i++) sids.add((await bosh.http.post(creation())).attribute('sid')!);
    expect(sids.size).toBe(20);
    for (const sid of sids) expect(sid).toMatch(/^[\w-]{22,}$/);
  });

  it('B7: grants no more wait and hold than it is asked for or may', async () => {
    await start({ bosh: { wait: 30, hold: 2 } });
    const granted = async (wait: number, hold: number) => {
      const answer = await bosh.http.post(creation({ wait, hold }));
      return ['wait', 'hold', 'requests'].map((name) => Number(answer.attribute(name)));
    };
    expect(await granted(20, 1)).toEqual([20, 1, 2]);
    expect(await granted(3000, 10)).toEqual([30, 2, 3]);
  });

  it('B5: takes a request without wait, hold and lang', async () => {
    await start();
    const answer = await bosh.http.post(creation({ wait: undefined, hold: undefined }));
    expect([answer.attribute('wait'), answer.attribute('hold')]).toEqual(['60', '1']);
  });

  it('B5, B16: refuses a rid that is none', async () => {
    await start();
    for (const rid of [undefined, '', '-1', '1.5', 'x', '9007199254740992', '9007199254740991']) {
      const answer = await bosh.http.post(creation({ rid }));
      expect([rid, answer.condition]).toEqual([rid, 'bad-request']);
      expect(answer.attribute('sid')).toBeUndefined();
    }
  });

  it('B16: takes rid 0', async () => {
    await start();
    const { session, stream } = await bosh.pair({ rid: 0 });
    await bosh.held(session, stream);
  });

  it('B5: refuses wait, hold and ver that are none', async () => {
    await start();
    for (const wrong of [{ wait: '-1' }, { wait: 'x' }, { hold: '1.5' }, { hold: '' }, { ver: '1' }, { ver: 'x.y' }]) {
      expect((await bosh.http.post(creation(wrong))).condition).toBe('bad-request');
    }
  });

  it('B5, C21, P18: makes no session for a request without `to`', async () => {
    await start();
    const answer = await bosh.http.post(creation({ to: undefined }, presence(1)));
    expect([answer.status, answer.condition]).toEqual([200, 'improper-addressing']);
    expect(answer.attribute('sid')).toBeUndefined();
    expect(bosh.gateway.app.get(XmppSessionService).count).toBe(0);
  });

  it('B5: refuses a domain that is not served', async () => {
    await start();
    expect((await bosh.http.post(creation({ to: 'example.com' }))).condition).toBe('host-unknown');
  });

  it.each([
    ['1.6', '1.6'],
    ['1.11', '1.11'],
    ['1.12', '1.11'],
    ['2.0', '1.11'],
    ['0.99', '0.99'],
  ])('B6: answers ver %s with %s', async (asked, answered) => {
    await start();
    expect((await bosh.http.post(creation({ ver: asked }))).attribute('ver')).toBe(answered);
  });

  it('B8, C28, X2: tells the server of the client: from, language and version', async () => {
    await start();
    const { stream } = await bosh.pair({ 'from': 'alice@example.org', 'xml:lang': 'de' });
    expect(stream.request).toMatchObject({
      domain: 'example.org',
      header: { from: 'alice@example.org', lang: 'de', version: '1.0', to: 'example.org' },
      client: { address: '127.0.0.1', secure: false },
    });
  });

  it('X2: reads xmpp:version by its namespace, not by its prefix', async () => {
    await start();
    const text = `<body xmlns='http://jabber.org/protocol/httpbind' xmlns:v='urn:xmpp:xbosh' rid='1' to='example.org' ver='1.6' v:version='1.1'/>`;
    await bosh.http.post(text);
    expect((await bosh.stream()).request.header.version).toBe('1.1');
  });

  it('B10, R16: never dials what a client names', async () => {
    await start();
    const { stream } = await bosh.pair({ route: 'xmpp:evil.example:5222', secure: 'true' });
    expect(stream.request.domain).toBe('example.org');
  });

  it('B11: acknowledges the request that made the session, for a client that acknowledges', async () => {
    await start();
    expect((await bosh.http.post(creation({ rid: 77, ack: 1 }))).attribute('ack')).toBe('77');
    expect((await bosh.http.post(creation({ rid: 77, ack: 0 }))).attribute('ack')).toBeUndefined();
  });

  it('X2, X3, C23: answers with the features, restartlogic and the id of the stream', async () => {
    await start();
    const answer = await bosh.http.post(creation());
    expect(answer.body).toContain(`xmlns:stream='http://etherx.jabber.org/streams'`);
    expect(answer.body).toContain(`xmlns:xmpp='urn:xmpp:xbosh'`);
    expect(answer.attribute('xmpp:version')).toBe('1.0');
    expect(answer.attribute('xmpp:restartlogic')).toBe('true');
    expect(answer.attribute('authid')).toBe('upstream-id');
    expect(answer.payload).toMatch(/^<stream:features .*PLAIN.*<\/stream:features>$/);
  });

  it('X5, X6: drops the features of TLS and compression, and EXTERNAL', async () => {
    await start({}, new ScriptedUpstream(false));
    const pending = bosh.http.post(creation());
    const stream = await bosh.stream();
    stream.open();
    stream.features(
      `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><compression xmlns='http://jabber.org/features/compress'/>` +
        `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism><mechanism>PLAIN</mechanism></mechanisms><x xmlns='y'/>`,
    );
    const { payload } = await pending;
    expect(payload).toContain(`<x xmlns='y'/>`);
    expect(payload).toContain('PLAIN');
    expect(payload).not.toMatch(/starttls|compression|EXTERNAL/);
  });

  it('C23: waits for the features for 10 s, then answers with all attributes; they come later', async () => {
    await start({}, new ScriptedUpstream(false));
    const pending = bosh.http.post(creation());
    const stream = await bosh.stream();
    bosh.clock.tick(9_800);
    expect(stream.ended).toBe(false);
    bosh.clock.tick(200);
    const answer = await pending;
    expect(answer.payload).toBe('');
    for (const name of ['sid', 'wait', 'requests', 'hold', 'from']) expect(answer.attribute(name)).toBeDefined();
    const next = bosh.http.post(body({ sid: answer.attribute('sid'), rid: 1001 }, presence(1)));
    await stream.seen.take();
    stream.open('late-id');
    stream.features();
    const later = await next;
    expect(later.payload).toContain('<stream:features');
    expect(later.attribute('authid')).toBe('late-id');
    // B7: what was granted is said once.
    for (const name of ['sid', 'wait', 'requests', 'from']) expect(later.attribute(name)).toBeUndefined();
  });

  it('C23: waits for the features no longer than `wait`', async () => {
    await start({}, new ScriptedUpstream(false));
    const pending = bosh.http.post(creation({ wait: 2 }));
    await bosh.stream();
    bosh.clock.tick(2_000);
    expect((await pending).attribute('sid')).toBeDefined();
  });

  it('C23, C13: answers a polling session at once', async () => {
    await start({}, new ScriptedUpstream(false));
    const answer = await bosh.http.post(creation({ hold: 0 }));
    expect(answer.attribute('sid')).toBeDefined();
    expect([answer.attribute('hold'), answer.attribute('requests')]).toEqual(['0', '1']);
  });

  it('C21: sends what came with the first request on when the features are there, before anything else', async () => {
    await start({}, new ScriptedUpstream(false));
    const pending = bosh.http.post(creation({}, presence('early')));
    const stream = await bosh.stream();
    stream.open();
    stream.features();
    const answer = await pending;
    bosh.http.post(body({ sid: answer.attribute('sid'), rid: 1001 }, presence('later')));
    expect(await stream.seen.take()).toContain('early');
    expect(await stream.seen.take()).toContain('later');
  });

  it('X1: takes stanzas in the namespace of the body as well', async () => {
    await start();
    const { session, stream } = await bosh.pair();
    session.send(`<message id='1'/><message xmlns='http://jabber.org/protocol/httpbind' id='2'/><message xmlns='jabber:client' id='3'/>`);
    for (const id of ['1', '2', '3']) {
      const seen = await stream.seen.take();
      expect(seen).toMatch(/^<message [^>]*xmlns=["']jabber:client["']/);
      expect(seen).toContain(`id='${id}'`);
    }
  });

  it('U3: passes elements of any namespace', async () => {
    await start();
    const { session, stream } = await bosh.pair();
    session.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGE=</auth><r xmlns='urn:xmpp:sm:3'/>`);
    expect(await stream.seen.take()).toContain('<auth');
    expect(await stream.seen.take()).toContain('<r ');
  });

  it('B29: tells of a server that cannot be reached', async () => {
    await start({}, new ScriptedUpstream(false));
    const pending = bosh.http.post(creation());
    (await bosh.stream()).finish({ reason: 'failed' });
    const answer = await pending;
    expect([answer.status, answer.type, answer.condition]).toEqual([200, 'terminate', 'remote-connection-failed']);
    expect(bosh.gateway.app.get(XmppSessionService).count).toBe(0);
  });

  it('X7: tells of a stream error during the opening', async () => {
    await start({}, new ScriptedUpstream(false));
    const pending = bosh.http.post(creation());
    const stream = await bosh.stream();
    stream.open();
    stream.push(`<stream:error xmlns:stream='http://etherx.jabber.org/streams'><host-gone xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`);
    const answer = await pending;
    expect(answer.condition).toBe('remote-stream-error');
    expect(answer.payload).toContain('<host-gone');
  });

  it('limits.maxSessionsPerAddress: refuses one more with policy-violation, and admits it when one has gone', async () => {
    await start({ limits: { maxSessionsPerAddress: 1 } });
    const session = await BoshSession.open(bosh.http);
    const answer = await bosh.http.post(creation());
    expect([answer.status, answer.condition]).toEqual([200, 'policy-violation']);
    await session.send('', { type: 'terminate' });
    expect((await bosh.http.post(creation())).attribute('sid')).toBeDefined();
  });

  it('limits.maxSessions: answers 503 with Retry-After, which clients try again', async () => {
    await start({ limits: { maxSessions: 1 } });
    await BoshSession.open(bosh.http);
    const answer = await bosh.http.post(creation());
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    expect(answer.headers['access-control-allow-origin']).toBe('*');
  });

  it('limits.sessionsPerMinute: refuses more with policy-violation', async () => {
    await start({ limits: { sessionsPerMinute: 1 } });
    await BoshSession.open(bosh.http);
    expect((await bosh.http.post(creation())).condition).toBe('policy-violation');
  });

  it('limits.maxDepth: counts the levels of a stanza, not the body', async () => {
    await start({ limits: { maxDepth: 8 } });
    const { session, stream } = await bosh.pair();
    const nested = (depth: number) => '<a>'.repeat(depth) + '</a>'.repeat(depth);
    session.send(nested(8));
    await stream.seen.take();
    expect((await session.send(nested(9))).condition).toBe('policy-violation');
  });

  it('ends a session whose maker has not got its sid', async () => {
    await start({}, new ScriptedUpstream(false));
    const pending = bosh.http.post(creation());
    const stream = await bosh.stream();
    await bosh.cut(pending);
    expect(await stream.seen.take()).toBe('close');
    expect(bosh.gateway.app.get(XmppSessionService).count).toBe(0);
  });

  it('B34: tells a client without ver by status code and body', async () => {
    await start();
    const bad = await bosh.http.post(creation({ ver: undefined, rid: undefined }));
    expect([bad.status, bad.condition]).toEqual([400, 'bad-request']);
    const session = await BoshSession.open(bosh.http, { ver: undefined });
    const missing = await session.again(5000);
    expect([missing.status, missing.condition]).toEqual([404, 'item-not-found']);
    const other = await bosh.http.post(creation({ ver: undefined, to: 'example.com' }));
    expect([other.status, other.condition]).toEqual([200, 'host-unknown']);
    const restless = await BoshSession.open(bosh.http, { ver: undefined });
    const paused = await restless.send('', { pause: 10_000 });
    expect([paused.status, paused.condition]).toEqual([403, 'policy-violation']);
  });

  it('B31, C12: tells a client with ver by the body alone', async () => {
    await start();
    const session = await BoshSession.open(bosh.http);
    const missing = await session.again(5000);
    expect([missing.status, missing.condition]).toEqual([200, 'item-not-found']);
  });

  it.each(['nobody', ''])('B27, C12, C22: answers the unknown sid %j with item-not-found, and harms no session', async (sid) => {
    await start();
    const { session, stream } = await bosh.pair();
    const answer = await bosh.http.post(body({ sid, rid: 1001, type: 'terminate' }));
    expect([answer.status, answer.type, answer.condition]).toEqual([200, 'terminate', 'item-not-found']);
    const { answer: held } = await bosh.held(session, stream);
    stream.push(message(1));
    expect((await held).payload).toContain(`id='m1'`);
  });

  it('answers an end without a session with item-not-found and makes none', async () => {
    await start();
    expect((await bosh.http.post(creation({ type: 'terminate' }))).condition).toBe('item-not-found');
    expect(bosh.gateway.app.get(XmppSessionService).count).toBe(0);
  });

  it('B33: drops a plain request of a session that began over TLS without ending it', async () => {
    await start({ trustProxy: true });
    const https = { 'X-Forwarded-For': '192.0.2.1', 'X-Forwarded-Proto': 'https' };
    const created = await bosh.http.post(creation(), https);
    const stream = await bosh.stream();
    expect(stream.request.client).toMatchObject({ address: '192.0.2.1', secure: true });
    const next = body({ sid: created.attribute('sid'), rid: 1001 }, presence(1));
    const plain = await bosh.http.post(next, { 'X-Forwarded-For': '192.0.2.1', 'X-Forwarded-Proto': 'http' });
    expect(plain.condition).toBe('item-not-found');
    const faulty = await bosh.http.post(next.replace('</body>', '<'), { 'X-Forwarded-Proto': 'http' });
    expect(faulty.condition).toBe('bad-request');
    bosh.http.post(next, https);
    expect(await stream.seen.take()).toContain('p1');
  });
});
