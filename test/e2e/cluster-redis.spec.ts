import { Cluster as RedisCluster, Redis } from 'ioredis';
import { XmppHealth, XmppOptionsError } from 'nestjs-xmpp';
import { startApp, type TestApp } from '../support/app.js';
import { creation } from '../support/bosh-client.js';
import { message } from '../support/bosh-gateway.js';
import { RoamingSession, TestCluster } from '../support/cluster.js';
import { RedisServer } from '../support/redis.js';
import { ScriptedUpstream } from '../support/scripted-upstream.js';

describe('cluster.redis', () => {
  let cluster: TestCluster;
  let upstream: ScriptedUpstream;
  const own: (Redis | RedisCluster)[] = [];
  afterEach(async () => {
    for (const client of own.splice(0)) client.disconnect();
    await cluster.close();
  });

  async function crosses(): Promise<void> {
    const creating = cluster.http(0).post(creation({ rid: 1 }));
    const stream = await upstream.streams.take();
    const created = await creating;
    const session = new RoamingSession(cluster, created, created.attribute('sid')!, 1);
    for (let i = 0; i < 3; i++) {
      stream.push(message(i));
      expect((await session.send('', {}, 1)).body).toContain(`id='m${i}'`);
    }
  }

  it('takes a client of ioredis, which stays the app\'s, and a function that makes one', async () => {
    upstream = new ScriptedUpstream();
    cluster = await TestCluster.start(0, {}, upstream);
    const mine = new Redis(cluster.redis.url);
    own.push(mine);
    await cluster.add({ redis: mine });
    await cluster.add({ redis: () => new Redis(cluster.redis.url) });
    await crosses();
    await Promise.all(cluster.nodes.splice(0).map((node) => node.close()));
    expect(await mine.ping()).toBe('PONG');
    expect(String(await mine.client('LIST')).match(/\bid=/g)).toHaveLength(1); // theirs are closed
    expect(await mine.keys('*')).toEqual(['{xmpp}:names']);
  });

  it('takes a cluster of Redis', async () => {
    upstream = new ScriptedUpstream();
    cluster = await TestCluster.start(0, {}, upstream, await RedisServer.start(['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']));
    const admin = new Redis(cluster.redis.url);
    own.push(admin);
    await admin.cluster('ADDSLOTSRANGE', 0, 16_383);
    while (!String(await admin.cluster('INFO')).includes('cluster_state:ok')) await new Promise((resolve) => setTimeout(resolve, 20));
    const make = (): RedisCluster => new RedisCluster([{ host: '127.0.0.1', port: cluster.redis.port }], { slotsRefreshTimeout: 5000 });
    await cluster.add({ redis: make });
    await cluster.add({ redis: make });
    await crosses();
  });

  it('keeps clusters with other prefixes apart', async () => {
    upstream = new ScriptedUpstream();
    cluster = await TestCluster.start(1, {}, upstream);
    const other = await cluster.add({ prefix: 'other' });
    expect((await other.app.get(XmppHealth).check()).details.cluster).toMatchObject({ nodes: 1, bus: 'up' });
  });
});

describe('the start of a node', () => {
  it('without a secret is refused, with the name of the option and no value', async () => {
    const start = (secret?: string): Promise<TestApp> => startApp({ options: { cluster: { redis: 'redis://:hunter2@127.0.0.1:1', ...(secret && { secret }) } } });
    await expect(start()).rejects.toThrow(XmppOptionsError);
    await expect(start()).rejects.toThrow(/cluster\.secret is undefined; allowed: a string of at least 16 characters, the same for all nodes/);
    await expect(start('hunter2')).rejects.toThrow(/cluster\.secret is not shown/);
  });
});
