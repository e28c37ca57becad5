import { Stanza, XmppHealth, XmppSessionService } from 'nestjs-xmpp';
import { creation, type BoshAnswer, type Pending } from '../support/bosh-client.js';
import { message, presence } from '../support/bosh-gateway.js';
import { RoamingSession, TestCluster } from '../support/cluster.js';
import { ScriptedUpstream, type ScriptedStream } from '../support/scripted-upstream.js';

const ORIGIN = 'https://app.example.org';
const FIRST = 1000;
/** Long enough to be packed. */
const LONG = 'x'.repeat(20_000);

describe('three nodes on one Redis', () => {
  let cluster: TestCluster;
  let upstream: ScriptedUpstream;
  beforeAll(async () => {
    upstream = new ScriptedUpstream();
    const bosh = { maxBodyBytes: 65_536, wait: 30 };
    cluster = await TestCluster.start(3, { bosh, origins: [ORIGIN], trustProxy: true }, upstream);
  });
  afterAll(() => cluster.close());

  /** A session that the first node has. */
  async function open(attributes: Record<string, string | number> = {}, headers = {}): Promise<[RoamingSession, ScriptedStream]> {
    const creating = cluster.http(0).post(creation({ rid: FIRST, ...attributes }), headers);
    const stream = await upstream.streams.take();
    const created = await creating;
    return [new RoamingSession(cluster, created, created.attribute('sid')!, FIRST), stream];
  }

  /** A request that is held by the first node, and came by another. */
  async function held(session: RoamingSession, stream: ScriptedStream, node: number): Promise<{ answer: Pending }> {
    const answer = session.send(presence(`held-${session.rid + 1}`), {}, node);
    await stream.seen.take((seen) => seen.includes(`held-${session.rid}`));
    return { answer };
  }

  const sessionsOf = (node: number): XmppSessionService => cluster.nodes[node]!.app.get(XmppSessionService);

  describe('serve one BOSH session together', () => {
    it('P10, P11: each request by another node, in order, to the end', async () => {
      const [session, stream] = await open();
      for (let i = 0; i < 12; i++) {
        stream.push(message(i));
        const answer = await session.send(presence(i));
        expect(answer.body).toContain(`id='m${i}'`);
        await stream.seen.take((seen) => seen.includes(`id='p${i}'`));
      }
      expect((await session.send('', { type: 'terminate' })).type).toBe('terminate');
      await stream.seen.take((seen) => seen === 'close');
      expect((await session.send('', {}, 2)).condition).toBe('item-not-found');
    });

    it('B7, R10: its sid says which node has it to the nodes alone, and cannot be guessed', async () => {
      const [one] = await open();
      const [other] = await open();
      expect(one.sid).toMatch(/^[\w-]{8}\.[\w-]{27}$/); // 160 random bits behind the node
      expect(other.sid.slice(9)).not.toBe(one.sid.slice(9));
      expect(one.sid).not.toContain('node-1');
    });

    it('B13, P16: what comes by different nodes in the wrong order is served in the right one', async () => {
      const [session, stream] = await open();
      const third = session.again(FIRST + 2, presence('second'), {}, 2);
      const second = session.again(FIRST + 1, presence('first'), {}, 1);
      await second;
      expect(await stream.seen.take()).toContain('first');
      expect(await stream.seen.take()).toContain('second');
      third.sent.destroy();
    });

    it('B17: a rid beyond the window ends it, by whichever node', async () => {
      const [session, stream] = await open();
      expect((await session.again(FIRST + 9, '', {}, 2)).condition).toBe('item-not-found');
      await stream.seen.take((seen) => seen === 'close');
    });

    it('B18: a request is repeated by another node: the old one is told, the answer given again', async () => {
      const [session, stream] = await open();
      const { answer: old } = await held(session, stream, 1);
      const repeated = session.again(session.rid, presence(`held-${session.rid}`), {}, 2);
      expect((await old).type).toBe('error');
      stream.push(message('kept'));
      const given = await repeated;
      expect(given.body).toContain(`id='mkept'`);
      const again = await session.again(session.rid, presence(`held-${session.rid}`), {}, 0);
      expect(again.body).toBe(given.body);
    });

    it('C17, B20: what was to leave by a connection that is gone leaves by the next, of another node', async () => {
      const [session, stream] = await open();
      const { answer } = await held(session, stream, 1);
      answer.sent.destroy();
      // Whether it is lost with that one, or never given to it, depends on which node is told first.
      const next = session.send(presence('next'), {}, 2);
      await stream.seen.take((seen) => seen.includes('next'));
      stream.push(message('late'));
      expect((await next).body).toContain(`id='mlate'`);
    });

    it('C19: why it ended is told by any node', async () => {
      const [session, stream] = await open();
      stream.bound('carol@example.org/a');
      await session.send('', {}, 1);
      expect(await sessionsOf(2).terminate('carol@example.org/a')).toBe(1);
      expect((await session.send('', {}, 1)).condition).toBe('policy-violation');
    });

    it('pause and inactivity go by the connections of all nodes', async () => {
      const [session, stream] = await open();
      const { answer } = await held(session, stream, 2);
      const paused = session.send('', { pause: 60 }, 1);
      expect([(await answer).status, (await paused).body]).toEqual([200, `<body xmlns='http://jabber.org/protocol/httpbind'/>`]);
      stream.push(message('after'));
      expect((await session.send('', {}, 2)).body).toContain(`id='mafter'`);
    });

    it('P21: a body that is too large is answered with 413 where it came, and the session is over where it was', async () => {
      const [session, stream] = await open();
      const answer = await session.send(`<message xmlns='jabber:client'><body>${'x'.repeat(70_000)}</body></message>`, {}, 1);
      expect([answer.status, answer.condition]).toEqual([413, 'policy-violation']);
      await stream.seen.take((seen) => seen === 'close');
      expect((await session.send('', {}, 2)).condition).toBe('policy-violation');
    });

    it('R2: a body that is no XML ends the session of another node, too', async () => {
      const [session, stream] = await open();
      expect((await session.send('<message><</message>', {}, 2)).condition).toBe('bad-request');
      await stream.seen.take((seen) => seen === 'close');
    });

    it('C26: the headers are those of the node that has the connection; it packs what is long', async () => {
      const [session, stream] = await open();
      stream.push(`<message xmlns='jabber:client' from='bob@example.org'><body>${LONG}</body></message>`);
      const answer = await session.send('', {}, 1);
      expect(answer.body).toContain(LONG);
      const text = `<body xmlns='http://jabber.org/protocol/httpbind' sid='${session.sid}' rid='${++session.rid}'/>`;
      stream.push(`<message xmlns='jabber:client' from='bob@example.org'><body>${LONG}</body></message>`);
      const packed: BoshAnswer = await cluster.http(2).post(text, { 'Origin': ORIGIN, 'Accept-Encoding': 'gzip' });
      expect(packed.headers).toMatchObject({
        'access-control-allow-origin': ORIGIN,
        'access-control-allow-credentials': 'true',
        'content-encoding': 'gzip',
        'content-type': 'text/xml; charset=utf-8',
      });
      expect(packed.body).toContain(LONG);
    });

    it('B33: what began over TLS goes on over TLS, by any node; others harm nobody', async () => {
      const tls = { 'X-Forwarded-For': '192.0.2.7', 'X-Forwarded-Proto': 'https' };
      const [session, stream] = await open({}, tls);
      expect((await session.again(FIRST + 1, '', {}, 1)).condition).toBe('item-not-found');
      stream.push(message('safe'));
      const text = `<body xmlns='http://jabber.org/protocol/httpbind' sid='${session.sid}' rid='${FIRST + 1}'/>`;
      expect((await cluster.http(2).post(text, tls)).body).toContain(`id='msafe'`);
      expect(stream.request.client).toMatchObject({ address: '192.0.2.7', secure: true });
    });

    it('a session of a node that never was is unknown at once; so is one that this node never had', async () => {
      const unknown = new RoamingSession(cluster, undefined as never, 'AAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAA', 1);
      expect(await unknown.send('', {}, 1)).toMatchObject({ status: 200, condition: 'item-not-found' });
      const [session] = await open();
      const gone = new RoamingSession(cluster, undefined as never, `${session.sid.slice(0, 9)}AAAAAAAAAAAAAAAAAAAAAAAAAAA`, 1);
      expect(await gone.send('', {}, 2)).toMatchObject({ status: 200, condition: 'item-not-found' });
    });
  });

  it('find, list, send to and end sessions of any node', async () => {
    const [session, stream] = await open();
    stream.bound('dave@example.org/a');
    await session.send('', {}, 0);
    for (const node of [0, 1, 2]) {
      const [found, ...others] = await sessionsOf(node).find('dave@example.org');
      expect(others).toEqual([]);
      expect(found).toMatchObject({ jid: 'dave@example.org/a', domain: 'example.org', transport: 'bosh', authenticated: true });
      expect(found!.openedAt).toBeInstanceOf(Date);
      expect(found!.node).toBe(node === 0 ? undefined : 'node-1');
      expect(await sessionsOf(node).find(found!.id)).toHaveLength(1);
      expect((await sessionsOf(node).list()).map(({ jid }) => jid)).toContain('dave@example.org/a');
    }
    const [{ id } = { id: '' }] = await sessionsOf(1).find('dave@example.org/a');
    const note = Stanza.parse(`<message xmlns='jabber:client' id='note'><body>hear, hear</body></message>`);
    expect(await sessionsOf(1).send('dave@example.org', note)).toBe(1);
    expect((await session.send('', {}, 2)).body).toContain(`id='note'`);
    expect(await sessionsOf(2).sendAs(id, note)).toBe(true);
    await stream.seen.take((seen) => seen.includes(`id='note'`));
    expect(await sessionsOf(2).terminate(id, { condition: 'policy-violation' })).toBe(1);
    expect(await sessionsOf(1).find('dave@example.org')).toEqual([]);
    expect(await sessionsOf(1).sendAs(id, note)).toBe(false);
  });

  it('say how they are', async () => {
    expect(await cluster.nodes[1]!.app.get(XmppHealth).check()).toMatchObject({
      status: 'up',
      details: { cluster: { node: 'node-2', nodes: 3, bus: 'up' } },
    });
  });
});

describe('nodes come and go', () => {
  let cluster: TestCluster;
  let upstream: ScriptedUpstream;
  beforeEach(async () => {
    upstream = new ScriptedUpstream();
    cluster = await TestCluster.start(2, { bosh: { wait: 30 } }, upstream);
  });
  afterEach(() => cluster.close());

  async function open(node: number): Promise<[RoamingSession, ScriptedStream]> {
    const creating = cluster.http(node).post(creation({ rid: FIRST }));
    const stream = await upstream.streams.take();
    const created = await creating;
    return [new RoamingSession(cluster, created, created.attribute('sid')!, FIRST), stream];
  }

  it('Shutdown: a node that goes answers the requests that it carries for others; their sessions go on', async () => {
    const [session, stream] = await open(0);
    const carried = session.send(presence('carried'), {}, 1);
    await stream.seen.take((seen) => seen.includes('carried'));
    const ending = cluster.end(1);
    const answer = await carried;
    expect([answer.status, answer.type]).toEqual([200, undefined]);
    await ending;
    stream.push(message('later'));
    expect((await session.send('', {}, 0)).body).toContain(`id='mlater'`);
    expect(stream.ended).toBe(false);
  });

  it('Shutdown: a node that goes tells the clients of its sessions, whichever node has their requests', async () => {
    const [session, stream] = await open(0);
    const held = session.send(presence('held'), {}, 1);
    await stream.seen.take((seen) => seen.includes('held'));
    stream.push(message('last'));
    expect((await held).body).toContain(`id='mlast'`);
    const waiting = session.send(presence('waiting'), {}, 1);
    await stream.seen.take((seen) => seen.includes('waiting'));
    const survivor = cluster.http(1);
    await cluster.end(0);
    expect(await waiting).toMatchObject({ type: 'terminate', condition: 'system-shutdown' });
    const after = await survivor.post(`<body xmlns='http://jabber.org/protocol/httpbind' sid='${session.sid}' rid='${session.rid + 1}'/>`);
    expect(after).toMatchObject({ status: 200, condition: 'item-not-found' });
  });

  it('a new node serves at once what others have', async () => {
    const [session, stream] = await open(0);
    await cluster.add();
    stream.push(message('new'));
    expect((await session.send('', {}, 2)).body).toContain(`id='mnew'`);
  });

  it('without Redis: own sessions are served, requests for others are to be repeated, health says degraded', async () => {
    const [session, stream] = await open(0);
    const health = cluster.nodes[1]!.app.get(XmppHealth);
    stream.push(message('before'));
    expect((await session.send('', {}, 1)).body).toContain(`id='mbefore'`);
    await cluster.redis.stop();
    await until(async () => (await health.check()).status === 'degraded');
    const refused = await session.again(session.rid + 1, presence('x'), {}, 1);
    expect([refused.status, refused.type, refused.headers['retry-after']]).toEqual([503, 'error', '1']);
    const [own, ownStream] = await open(1);
    ownStream.push(message('own'));
    expect((await own.send('', {}, 1)).body).toContain(`id='mown'`);
    await cluster.redis.startAgain();
    await until(async () => (await health.check()).details.cluster!.nodes === 2 && (await health.check()).status === 'up');
    const answer = session.send(presence('x'), {}, 1);
    await stream.seen.take((seen) => seen.includes(`id='px'`));
    stream.push(message('again'));
    expect((await answer).body).toContain(`id='magain'`);
  });
});

/** Asks again until something is so. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}
