import { XmppHealth, XmppSessionService, XmppSharedKeyService } from 'nestjs-xmpp';
import { Cluster } from '../../lib/cluster/index.js';
import { BoshSession, creation } from '../support/bosh-client.js';
import { TestCluster } from '../support/cluster.js';
import { ScriptedUpstream, type ScriptedStream } from '../support/scripted-upstream.js';
import { CLOSE, open, RawWebSocket } from '../support/websocket-client.js';

let keys = 0;
const JID = 'alice@example.org/one';
const message = (id: string) => `<message xmlns='jabber:client' to='bob@example.org' id='${id}'><body>x</body></message>`;

describe('S27: tabs on different nodes share a session', () => {
  let cluster: TestCluster;
  let upstream: ScriptedUpstream;
  let key: string;
  const sockets: RawWebSocket[] = [];
  beforeAll(async () => {
    upstream = new ScriptedUpstream();
    cluster = await TestCluster.start(3, { limits: { maxBufferedBytes: 65_536 } }, upstream);
  });
  beforeEach(() => {
    key = `3c1d69981b65bfbd641dcb64c82bb6${10 + ++keys}`;
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.socket.terminate();
    for (const node of cluster.nodes) {
      const sessions = node.app.get(XmppSessionService);
      for (const { id } of await sessions.list()) await sessions.terminate(id);
    }
  });
  afterAll(() => cluster.close());

  const keyed = (more: Record<string, string | undefined> = {}) => ({
    'xmlns:shared': 'urn:xmpp:tmp:shared-bosh:0',
    'xmlns:sx': 'urn:nestjs-xmpp:shared:0',
    'shared:key': key,
    ...more,
  });
  const attachOnly = () => keyed({ 'sx:attach-only': 'true' });

  async function creator(node: number): Promise<{ tab: BoshSession; stream: ScriptedStream }> {
    const [tab, stream] = await Promise.all([BoshSession.open(cluster.http(node), keyed()), upstream.streams.take()]);
    stream.bound(JID);
    await tab.send();
    return { tab, stream };
  }

  async function knock(node: number, attributes: Record<string, string | undefined> = keyed()): Promise<RawWebSocket> {
    const tab = await RawWebSocket.connect(cluster.nodes[node]!.wsUrl);
    sockets.push(tab);
    tab.send(open({ to: 'example.org', ...attributes }));
    return tab;
  }

  /** A tab over WebSocket that has the session of another node. */
  async function attached(node: number): Promise<RawWebSocket> {
    const tab = await knock(node);
    const answer = await tab.next();
    expect(answer).toContain(`shared:result='attached'`);
    expect(answer).toContain(`shared:jid='${JID}'`);
    expect(await tab.next()).toContain('<stream:features');
    return tab;
  }

  it('S27: over BOSH the new sid is of the node that has the stream, whichever node was asked', async () => {
    const { tab: a, stream } = await creator(0);
    expect(a.created.attribute('shared:result')).toBe('created');
    const b = await BoshSession.open(cluster.http(1), keyed({ rid: '900001' }));
    expect(b.created.attribute('shared:result')).toBe('attached');
    expect(b.created.attribute('shared:jid')).toBe(JID);
    expect(b.sid.slice(0, 9)).toBe(a.sid.slice(0, 9));
    expect(b.sid).not.toBe(a.sid);
    expect(upstream.streams.size).toBe(0);
    b.send(message('from-b'));
    await stream.seen.take((seen) => seen.includes('from-b'));
    expect((await a.send()).payload).toContain('from-b');
    stream.push(`<message xmlns='jabber:client' from='bob@example.org' id='back'/>`);
    expect((await a.send()).payload).toContain(`id='back'`);
  });

  it('S8, S26, S27: over WebSocket both see everything, in order', async () => {
    const { tab: a, stream } = await creator(0);
    const ws = await attached(1);
    const third = await attached(2);
    for (let i = 0; i < 20; i++) ws.send(message(`ws-${i}`));
    for (let i = 0; i < 20; i++) {
      expect(await stream.seen.take()).toContain(`ws-${i}'`);
      expect(await third.next()).toContain(`ws-${i}'`);
    }
    a.send(message('from-bosh'));
    expect(await ws.next()).toContain('from-bosh');
    stream.push(`<message xmlns='jabber:client' from='bob@example.org' id='back'/>`);
    expect(await ws.next()).toContain(`id='back'`);
    ws.send(`<iq xmlns='jabber:client' type='get' id='q1'><ping xmlns='urn:xmpp:ping'/></iq>`);
    await stream.seen.take((seen) => seen.includes(`id='q1'`));
    stream.push(`<iq xmlns='jabber:client' type='result' id='q1' from='example.org'/>`);
    expect(await ws.next()).toContain(`id='q1'`);
    // A restart, too, is answered by that node.
    ws.send(open({ to: 'example.org' }));
    expect(await ws.next()).toContain('<open ');
    expect(await ws.next()).toContain('<stream:features');
  });

  it('S28: two that create at once on two nodes are one that creates and one that attaches', async () => {
    const both = [0, 1].map((node) => BoshSession.open(cluster.http(node), keyed({ rid: `${900_001 + node}` })));
    const stream = await upstream.streams.take();
    const first = await Promise.race(both);
    stream.bound(JID);
    const [one, two] = await Promise.all(both);
    const results = [one!, two!].map(({ created }) => created.attribute('shared:result'));
    expect(first.created.attribute('shared:result')).toBe('created');
    expect(results.toSorted()).toEqual(['attached', 'created']);
    expect(upstream.streams.size).toBe(0);
    expect(one!.sid.slice(0, 8)).toBe(two!.sid.slice(0, 8));
  });

  it('S28: many that create at once, over both transports, share one stream', async () => {
    const tabs = Array.from({ length: 6 }, (_, i) => BoshSession.open(cluster.http(i % 3), keyed({ rid: `${900_001 + i}` })));
    const web = await Promise.all([0, 1, 2].map((node) => knock(node)));
    const stream = await upstream.streams.take();
    stream.bound(JID);
    const answers = await Promise.all(web.map((tab) => tab.next()));
    const opened = await Promise.all(tabs);
    const results = [...opened.map(({ created }) => created.attribute('shared:result')), ...answers.map((text) => /shared:result='(\w+)'/.exec(text)?.[1])];
    expect(results.filter((result) => result === 'created')).toHaveLength(1);
    expect(results.filter((result) => result === 'attached')).toHaveLength(8);
    expect(upstream.streams.size).toBe(0);
  });

  it('S21: one leaves without harm to the others, the last one ends the stream', async () => {
    const { tab: a, stream } = await creator(0);
    const ws = await attached(2);
    expect((await a.send('', { type: 'terminate' })).type).toBe('terminate');
    ws.send(message('alone'));
    await stream.seen.take((seen) => seen.includes('alone'));
    ws.send(CLOSE);
    expect(await ws.next()).toBe(CLOSE);
    expect(await stream.seen.take((seen) => seen === 'close' || seen === 'abort')).toBe('close');
  });

  it('X8: the last one is gone without a word, and whoever wrote to it learns so', async () => {
    const { tab: a, stream } = await creator(0);
    const ws = await attached(1);
    await a.send('', { type: 'terminate' });
    ws.socket.terminate();
    expect(await stream.seen.take((seen) => seen === 'close' || seen === 'abort')).toBe('close');
  });

  it("S21: scope='all' ends it for the tabs of all nodes; the server's end, too", async () => {
    const { tab: a, stream } = await creator(0);
    const ws = await attached(1);
    void a.send('', { 'type': 'terminate', 'xmlns:sx': 'urn:nestjs-xmpp:shared:0', 'sx:scope': 'all' });
    expect(await ws.frames.take((frame) => frame === CLOSE)).toBe(CLOSE);
    await stream.seen.take((seen) => seen === 'close');
    key += 'b';
    const again = await creator(0);
    const other = await attached(2);
    again.stream.push(
      `<stream:error xmlns:stream='http://etherx.jabber.org/streams'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`,
    );
    expect(await other.next()).toContain('<conflict');
  });

  it('S22: a key is replaced by the tab of another node; the old one attaches nobody, on no node', async () => {
    await creator(0);
    const ws = await attached(1);
    const old = key;
    key = `${key}-new`;
    ws.send(open({ to: 'example.org', ...keyed({ 'shared:key': undefined, 'shared:newkey': key }) }));
    expect(await ws.next()).toContain(`shared:result='rekeyed'`);
    await attached(2);
    for (const node of [0, 1, 2]) {
      expect((await cluster.http(node).post(creation({ ...attachOnly(), 'shared:key': old }))).condition).toBe('item-not-found');
    }
  });

  it('S22, S24: a ticket of one node is good on another, once; a revoked key on none', async () => {
    await creator(0);
    const service = cluster.nodes[0]!.app.get(XmppSharedKeyService);
    const ticket = service.ticket(service.list()[0]!.id, { ttl: 60 });
    const ws = await knock(1, { ...attachOnly(), 'shared:key': ticket });
    expect(await ws.next()).toContain(`shared:result='attached'`);
    expect((await cluster.http(2).post(creation(keyed({ 'shared:key': ticket })))).condition).toBe('item-not-found');
    expect(service.revoke(key)).toBe(true);
    expect((await cluster.http(1).post(creation(attachOnly()))).condition).toBe('item-not-found');
  });

  it('S20: a tab of another node that does not read holds up the stream for a while, and gets all of it later', async () => {
    const { tab: a, stream } = await creator(0);
    const ws = await attached(1);
    ws.socket.pause();
    const body = 'x'.repeat(10_000);
    let sent = 0;
    while (!stream.paused && sent < 10_000) {
      stream.push(`<message xmlns='jabber:client' from='bob@example.org' id='n${++sent}'><body>${body}</body></message>`);
      await a.send();
    }
    expect(stream.paused).toBe(true);
    ws.socket.resume();
    for (let i = 1; i <= sent; i++) expect(await ws.next()).toContain(`id='n${i}'`);
    await stream.seen.take((seen) => seen === 'resume');
  });

  it('a server that does not read holds up the tab of another node', async () => {
    const { tab: a, stream } = await creator(0);
    const ws = await attached(1);
    await a.send('', { type: 'terminate' }); // it would be slow itself
    stream.takes = false;
    const body = 'x'.repeat(10_000);
    for (let i = 0; i < 200; i++) ws.send(`<message xmlns='jabber:client' to='bob@example.org' id='n${i}'><body>${body}</body></message>`);
    await stream.seen.take((seen) => seen.includes(`id='n0'`));
    const held = stream.seen.size;
    expect(held).toBeLessThan(199);
    stream.drain();
    for (let i = 1; i < 200; i++) await stream.seen.take((seen) => seen.includes(`id='n${i}'`));
  });

  it('a session is prebound on one node and taken on another', async () => {
    const login = cluster.nodes[0]!.app.get(XmppSessionService).prebind({ domain: 'example.org', username: 'erin', password: 'x', shared: true });
    const stream = await upstream.streams.take();
    await stream.seen.take((seen) => seen.includes('<auth'));
    stream.push(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`);
    await stream.seen.take((seen) => seen === 'restart');
    stream.features(`<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>`);
    const bind = await stream.seen.take((seen) => seen.includes('xmpp-bind'));
    const id = /id=["']([^"']+)/.exec(bind)![1];
    stream.push(`<iq xmlns='jabber:client' type='result' id='${id}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>erin@example.org/a</jid></bind></iq>`);
    const { ticket, jid } = await login;
    const ws = await knock(2, { ...attachOnly(), 'shared:key': ticket });
    expect(await ws.next()).toContain(`shared:jid='${jid}'`);
  });

  it('when its node is gone the tab of another learns so at once, and can log in anew with the key', async () => {
    await cluster.add();
    const { stream } = await creator(3);
    const ws = await attached(0);
    const [lost] = cluster.nodes.splice(3, 1);
    // As by SIGKILL: its connections to Redis are gone.
    await (lost!.app.get(Cluster) as unknown as { bus: { stop(): Promise<void> } }).bus.stop();
    expect(await ws.next()).toContain('<system-shutdown');
    expect(await ws.next()).toBe(CLOSE);
    await lost!.close();
    expect(stream.seen.size).toBeGreaterThan(0);
    const { tab } = await creator(1);
    expect(tab.created.attribute('shared:result')).toBe('created');
  });

  it('without Redis: who has the key here attaches, others get a session of their own', async () => {
    const { stream } = await creator(0);
    await cluster.redis.stop();
    const health = cluster.nodes[1]!.app.get(XmppHealth);
    while ((await health.check()).status !== 'degraded') await new Promise((resolve) => setTimeout(resolve, 20));
    const here = await BoshSession.open(cluster.http(0), keyed({ rid: '900001' }));
    expect(here.created.attribute('shared:result')).toBe('attached');
    key = `${key}-other`;
    const { tab } = await creator(1);
    expect(tab.created.attribute('shared:result')).toBe('created');
    await cluster.redis.startAgain();
    for (const { app } of cluster.nodes) {
      while ((await app.get(XmppHealth).check()).status !== 'up') await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // What was claimed meanwhile is known now.
    const there = await BoshSession.open(cluster.http(2), keyed({ rid: '900002' }));
    expect(there.created.attribute('shared:result')).toBe('attached');
    expect(stream.ended).toBe(false);
  });
});
