import { body, BoshHttp, creation, HTTPBIND } from '../support/bosh-client.js';
import { RedisServer } from '../support/redis.js';
import { spawnSample, startSample, type Sample } from '../support/sample.js';

const AUTH = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFsaWNlAGFsaWNl</auth>`;
const BIND = `<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`;
const PING = `<iq xmlns='jabber:client' type='get' id='ping' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`;

describe('the sample with REDIS_URL', () => {
  let redis: RedisServer;
  let nodes: Sample[];
  let https: BoshHttp[];
  beforeAll(async () => {
    redis = await RedisServer.start();
    const start = (name: string) => startSample({ REDIS_URL: redis.url, XMPP_NODE: name });
    nodes = await Promise.all(['a', 'b', 'c'].map(start));
    https = nodes.map(({ boshUrl }) => new BoshHttp(boshUrl));
  });
  afterAll(async () => {
    for (const http of https) http.close();
    await Promise.all(nodes.map((node) => node.stop()));
    await redis.stop();
  });

  /** A session on the first node, logged in by the requests of all. */
  async function login(): Promise<(payload?: string, attributes?: Record<string, string>) => ReturnType<BoshHttp['post']>> {
    const created = await https[0]!.post(creation({ to: 'localhost', rid: 1 }));
    const sid = created.attribute('sid');
    let rid = 1;
    const send = (payload = '', attributes: Record<string, string> = {}) => https[++rid % https.length]!.post(body({ rid, sid, ...attributes }, payload));
    expect((await send(AUTH)).payload).toContain('<success');
    expect((await send('', { 'xmpp:restart': 'true' })).payload).toContain('<bind');
    expect((await send(BIND)).payload).toContain('alice@localhost/');
    return send;
  }

  it('REDIS_URL: any process serves any request; none of them is killed in vain', async () => {
    const send = await login();
    for (let i = 0; i < 6; i++) expect((await send(PING)).payload).toContain(`type="result"`);
    const health = async () => {
      const answer = await fetch(`${nodes[1]!.url}/health`);
      return [answer.status, await answer.json()] as [number, { details: { cluster: { nodes: number } } }];
    };
    // On a busy machine a heartbeat may be late, and then comes.
    while ((await health())[1].details.cluster.nodes !== 3) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await health()).toMatchObject([200, { status: 'up', details: { cluster: { node: 'b', bus: 'up' } } }]);
    await nodes[0]!.stop('SIGKILL');
    nodes.splice(0, 1);
    https.splice(0, 1)[0]!.close();
    // At once, by whichever process: nobody waits until its time is over.
    expect((await send(PING)).body).toBe(`<body xmlns='${HTTPBIND}' type='terminate' condition='item-not-found'/>`);
    const again = await login();
    expect((await again(PING)).payload).toContain(`type="result"`);
    expect((await again('', { type: 'terminate' })).type).toBe('terminate');
  });

  it('Shutdown: a node ends in time, and exits with 0', async () => {
    const node = nodes.pop()!;
    https.pop()!.close();
    expect(await node.stop()).toEqual({ code: 0, signal: null });
  });

  it('Start: a Redis that is not there is no reason not to serve; a URL that is none is', async () => {
    const alone = await startSample({ REDIS_URL: 'redis://127.0.0.1:1' });
    const health = await fetch(`${alone.url}/health`);
    expect([health.status, await health.json()]).toMatchObject([200, { status: 'degraded', details: { cluster: { bus: 'down' } } }]);
    await alone.stop();
    expect(alone.output).toContain('cannot be reached');
    const wrong = spawnSample({ REDIS_URL: 'localhost' });
    expect((await wrong.exit).code).toBe(1);
  });
});
