import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import process from 'node:process';
import { XmppHealth } from 'nestjs-xmpp';
import { BoshEndpoint } from '../../lib/bosh/bosh.endpoint.js';
import { SessionRegistry } from '../../lib/session/index.js';
import { body, BoshHttp, creation, type BoshAnswer } from '../support/bosh-client.js';
import { message, presence } from '../support/bosh-gateway.js';
import { RoamingSession, TestCluster } from '../support/cluster.js';
import { RedisServer } from '../support/redis.js';
import { startSample, type Sample } from '../support/sample.js';
import { ScriptedUpstream, type ScriptedStream } from '../support/scripted-upstream.js';

const FIRST = 1000;
const AUTH = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFsaWNlAGFsaWNl</auth>`;
const BIND = `<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`;
const PING = `<iq xmlns='jabber:client' type='get' id='ping' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`;

/** Asks again until something is so. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** The way of one node to Redis, which the test can close. */
class Way {
  private readonly sockets = new Set<Socket>();
  private closed = false;
  private muted = false;

  private constructor(
    private readonly server: Server,
    to: number,
  ) {
    server.on('connection', (near: Socket) => {
      if (this.closed) return void near.destroy();
      const far = connect(to, '127.0.0.1');
      for (const [one, other] of [[near, far], [far, near]] as const) {
        this.sockets.add(one);
        one.on('error', () => {}).on('close', () => {
          this.sockets.delete(one);
          other.destroy();
        });
        one.on('data', (data: Buffer) => {
          if (one === far || !this.muted) other.write(data);
        });
      }
    });
  }

  static async to(port: number): Promise<Way> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Way(server, port);
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** What the node says is lost from now on; it still hears. */
  mute(): void {
    this.muted = true;
  }

  close(): void {
    this.closed = true;
    for (const socket of this.sockets) socket.destroy();
  }

  open(): void {
    this.closed = false;
  }

  end(): void {
    this.close();
    this.server.close();
  }
}

describe('Redis fails', () => {
  let cluster: TestCluster;
  let upstream: ScriptedUpstream;
  let way: Way | undefined;
  beforeEach(async () => {
    upstream = new ScriptedUpstream();
    cluster = await TestCluster.start(1, { bosh: { wait: 30 } }, upstream);
  });
  afterEach(async () => {
    way?.end();
    way = undefined;
    await cluster.close();
  });

  async function open(node: number): Promise<[RoamingSession, ScriptedStream]> {
    const creating = cluster.http(node).post(creation({ rid: FIRST }));
    const stream = await upstream.streams.take();
    const created = await creating;
    return [new RoamingSession(cluster, created, created.attribute('sid')!, FIRST), stream];
  }

  const health = (node: number) => cluster.nodes[node]!.app.get(XmppHealth).check();

  /** Bytes for clients of the first node. */
  const waiting = () => cluster.nodes[0]!.app.get(BoshEndpoint).load().bufferedBytes;

  /** As clients do: what can be repeated is repeated, byte for byte. */
  async function insist(session: RoamingSession, rid: number, payload: string, node?: number): Promise<BoshAnswer> {
    for (;;) {
      const answer = await session.again(rid, payload, {}, node);
      if (answer.type !== 'error') return answer;
      expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** A session whose client has message 1 by another node, which dies before it says so; the first node has given that one up. */
  async function answeredByOneThatDies(): Promise<[RoamingSession, ScriptedStream]> {
    way = await Way.to(cluster.redis.port);
    await cluster.add({ redis: way.url });
    const [session, stream] = await open(0);
    const held = session.send(presence('held'), {}, 1);
    await stream.seen.take((seen) => seen.includes(`id='pheld'`));
    way.mute();
    stream.push(message(1));
    expect((await held).payload).toBe(message(1));
    await until(async () => waiting() === 0);
    return [session, stream];
  }

  it('P10: a node that is cut off from it serves its own; the others notice nothing, and count it as dead until it is back', async () => {
    way = await Way.to(cluster.redis.port);
    await cluster.add({ redis: way.url });
    const [whole, wholeStream] = await open(0);
    const [cut, cutStream] = await open(1);
    way.close();
    await until(async () => (await health(1)).status === 'degraded');
    expect((await health(0)).status).toBe('up');
    // Who comes to the node that has his session sees nothing of it.
    for (const [session, stream, node] of [[whole, wholeStream, 0], [cut, cutStream, 1]] as const) {
      stream.push(message('own'));
      expect((await session.send(presence('own'), {}, node)).body).toContain(`id='mown'`);
      await stream.seen.take((seen) => seen.includes(`id='pown'`));
    }
    // By the other node: not known at first, then as good as dead.
    const answer = await insist(cut, cut.rid + 1, presence('lost'), 0);
    expect([answer.type, answer.condition]).toEqual(['terminate', 'item-not-found']);
    expect((await health(0)).details.cluster).toMatchObject({ nodes: 1, bus: 'up' });
    way.open();
    await until(async () => (await health(0)).details.cluster!.nodes === 2 && (await health(1)).status === 'up');
    cutStream.push(message('back'));
    expect((await insist(cut, ++cut.rid, presence('back'), 0)).body).toContain(`id='mback'`);
    await cutStream.seen.take((seen) => seen.includes(`id='pback'`));
  });

  it('C17, P10: who has the answer by a node that dies before it says so gets nothing twice; who asks again gets it again', async () => {
    const [session, stream] = await answeredByOneThatDies();
    expect((await session.again(session.rid, presence('held'), {}, 0)).payload).toBe(message(1));
    const next = session.send(presence('next'), {}, 0);
    await stream.seen.take((seen) => seen.includes(`id='pnext'`));
    stream.push(message(2));
    expect((await next).payload).toBe(message(2));
  });

  it('C17, X8, P10: who had it by such a node and never comes back: the sender is told', async () => {
    const [, stream] = await answeredByOneThatDies();
    const sessions = cluster.nodes[0]!.app.get(SessionRegistry);
    for (const { id } of sessions.list()) sessions.terminate(id);
    expect(await stream.seen.take()).toContain('recipient-unavailable');
  });

  it('P10, P11: it restarts, empty, in the middle: what is repeated arrives once and in order', async () => {
    await cluster.add();
    const [session, stream] = await open(0);
    const count = 60;
    for (let i = 0; i < count; i++) {
      if (i === 20) {
        await cluster.redis.stop();
        await cluster.redis.startAgain();
      }
      stream.push(message(i));
      expect((await insist(session, ++session.rid, presence(i), 1)).body).toContain(`id='m${i}'`);
    }
    for (let i = 0; i < count; i++) expect(await stream.seen.take()).toContain(`id='p${i}'`);
    expect(stream.seen.size).toBe(0);
    await until(async () => (await health(0)).details.cluster!.nodes === 2);
  });

  it('P10: it stands still for longer than anybody waits for it, and goes on: nothing is lost, and nothing comes twice', async () => {
    await cluster.add();
    const [session, stream] = await open(0);
    stream.push(message('before'));
    await session.send('', {}, 1);
    process.kill(cluster.redis.pid, 'SIGSTOP');
    let answered: Promise<BoshAnswer>;
    try {
      stream.push(message('meanwhile'));
      answered = insist(session, ++session.rid, presence('meanwhile'), 1);
      await until(async () => (await health(0)).status === 'degraded' && (await health(1)).status === 'degraded');
      const [own, ownStream] = await open(1);
      ownStream.push(message('own'));
      expect((await own.send('', {}, 1)).body).toContain(`id='mown'`);
    } finally {
      process.kill(cluster.redis.pid, 'SIGCONT');
    }
    expect((await answered).body).toContain(`id='mmeanwhile'`);
    stream.push(message('after'));
    expect((await insist(session, ++session.rid, presence('after'), 1)).body).toContain(`id='mafter'`);
    expect(await stream.seen.take()).toContain(`id='pmeanwhile'`);
    expect(await stream.seen.take()).toContain(`id='pafter'`);
    await until(async () => (await health(0)).status === 'up' && (await health(1)).details.cluster!.nodes === 2);
  });

  it('two nodes of one name, by mistake, are two all the same', async () => {
    await cluster.add({ nodeId: 'node-1' });
    const [first, firstStream] = await open(0);
    const [second, secondStream] = await open(1);
    for (const [session, stream, other] of [[first, firstStream, 1], [second, secondStream, 0]] as const) {
      stream.push(message('x'));
      expect((await session.send(presence('x'), {}, other)).body).toContain(`id='mx'`);
      await stream.seen.take((seen) => seen.includes(`id='px'`));
    }
    await until(async () => {
      const names = await Promise.all([0, 1].map(async (node) => (await health(node)).details.cluster!.node));
      return new Set(names).size === 2 && names.includes('node-1');
    });
  });
});

describe('a process among others', () => {
  let redis: RedisServer;
  const nodes: Sample[] = [];
  const https: BoshHttp[] = [];
  beforeEach(async () => {
    redis = await RedisServer.start();
  });
  afterEach(async () => {
    for (const http of https.splice(0)) http.close();
    await Promise.all(nodes.splice(0).map((node) => node.stop()));
    await redis.stop();
  });

  async function start(...environments: Record<string, string>[]): Promise<void> {
    const options = { cluster: { deadAfter: 2 } };
    nodes.push(...(await Promise.all(environments.map((each) => startSample({ REDIS_URL: redis.url, XMPP_OPTIONS: JSON.stringify(options), ...each })))));
    https.push(...nodes.map(({ boshUrl }) => new BoshHttp(boshUrl)));
    for (const { url } of nodes) await until(async () => (await nodesOf(url)) === nodes.length);
  }

  async function nodesOf(url: string): Promise<number> {
    const { details } = (await (await fetch(`${url}/health`)).json()) as { details: { cluster: { nodes: number } } };
    return details.cluster.nodes;
  }

  type Send = (payload: string, node: number, attributes?: Record<string, string>) => Promise<BoshAnswer>;

  /** A session of a node; what is to be repeated is. */
  async function session(node: number, attributes: Record<string, string> = {}): Promise<[send: Send, created: BoshAnswer]> {
    const created = await https[node]!.post(creation({ to: 'localhost', rid: 1, wait: 5, ...attributes }));
    let rid = 1;
    const send: Send = async (payload, by, more = {}) => {
      const text = body({ rid: ++rid, sid: created.attribute('sid'), ...more }, payload);
      for (;;) {
        const answer = await https[by]!.post(text);
        if (answer.type !== 'error') return answer;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    return [send, created];
  }

  async function login(send: Send, node: number): Promise<void> {
    expect((await send(AUTH, node)).payload).toContain('<success');
    expect((await send('', node, { 'xmpp:restart': 'true' })).payload).toContain('<bind');
    expect((await send(BIND, node)).payload).toContain('alice@localhost/');
  }

  it('P10, S27: stands still: its sessions are over for who comes by another node, its keys are free; it goes on as one of them', async () => {
    await start({ XMPP_NODE: 'a' }, { XMPP_NODE: 'b' });
    const shared = {
      'xmlns:shared': 'urn:xmpp:tmp:shared-bosh:0',
      'shared:key': '3c1d69981b65bfbd641dcb64c82bb699',
    };
    const result = (answer: BoshAnswer) => answer.attribute('shared:result');
    const ownerOf = (answer: BoshAnswer) => answer.attribute('sid')!.split('.')[0];
    let owner: string | undefined;
    const [frozen, creator] = await session(0, shared);
    expect(result(creator)).toBe('created');
    await login(frozen, 0);
    const [living] = await session(1);
    await login(living, 1);

    process.kill(nodes[0]!.pid, 'SIGSTOP');
    try {
      const over = await frozen(PING, 1);
      expect([over.type, over.condition]).toEqual(['terminate', 'item-not-found']);
      expect((await living(PING, 1)).payload).toContain('type="result"');
      expect(await nodesOf(nodes[1]!.url)).toBe(1);
      const [anew, answer] = await session(1, shared);
      owner = ownerOf(answer);
      expect(result(answer)).toBe('created');
      await login(anew, 1);
    } finally {
      process.kill(nodes[0]!.pid, 'SIGCONT');
    }

    await until(async () => (await nodesOf(nodes[0]!.url)) === 2 && (await nodesOf(nodes[1]!.url)) === 2);
    expect((await living(PING, 0)).payload).toContain('type="result"');
    // Its key is another's now, and it knows.
    await until(async () => {
      const [, tab] = await session(0, { ...shared, 'xmlns:own': 'urn:nestjs-xmpp:shared:0', 'own:attach-only': 'true' });
      return ownerOf(tab) === owner;
    });
  });

  it('P10: clocks that differ by a day, and run backwards, are nobody\'s business', async () => {
    const shifted = (ms: string) => `--import=data:text/javascript,const{now}=Date;Date.now=()=>now()${ms}`;
    await start({ XMPP_NODE: 'a' }, { XMPP_NODE: 'b', NODE_OPTIONS: shifted('%2B86400000') }, { XMPP_NODE: 'c', NODE_OPTIONS: shifted('-2*(now()%2586400000)') });
    for (const node of [0, 1, 2]) {
      const [send] = await session(node);
      for (const by of [0, 1, 2]) if (by === 0) await login(send, (node + 1) % 3);
      for (const by of [0, 1, 2]) expect((await send(PING, by)).payload).toContain('type="result"');
    }
    // For longer than a silent one would be believed to live.
    const lines = nodes.map(({ output }) => output);
    for (let i = 0; i < 50; i++) {
      for (const { url } of nodes) expect(await nodesOf(url)).toBe(3);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(nodes.map(({ output }) => output)).toEqual(lines);
  });
});
