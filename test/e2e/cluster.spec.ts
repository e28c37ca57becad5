import { XmppSessionService } from 'nestjs-xmpp';
import { creation } from '../support/bosh-client.js';
import { message, presence } from '../support/bosh-gateway.js';
import { RoamingSession, TestCluster } from '../support/cluster.js';
import type { ScriptedStream, ScriptedUpstream } from '../support/scripted-upstream.js';
import { ScriptedUpstream as Upstream } from '../support/scripted-upstream.js';

describe('three nodes on one Redis', () => {
  let cluster: TestCluster;
  let upstream: ScriptedUpstream;
  beforeAll(async () => {
    upstream = new Upstream();
    cluster = await TestCluster.start(3, {}, upstream);
  });
  afterAll(() => cluster.close());

  async function open(attributes: Record<string, string | number> = {}): Promise<[RoamingSession, ScriptedStream]> {
    const creating = cluster.http(0).post(creation(attributes));
    const stream = await upstream.streams.take();
    const created = await creating;
    return [new RoamingSession(cluster, created, created.attribute('sid')!, 1000), stream];
  }

  it('P10: serve the requests of one session, each by another node, in order', async () => {
    const [session, stream] = await open();
    for (let i = 0; i < 12; i++) {
      stream.push(message(i));
      const answer = await session.send(presence(i));
      expect(answer.body).toContain(`id='m${i}'`);
      await stream.seen.take((seen) => seen.includes(`id='p${i}'`));
    }
    const last = await session.send('', { type: 'terminate' });
    expect(last.type).toBe('terminate');
    await stream.seen.take((seen) => seen === 'close');
  });

  it('find the session from any node', async () => {
    const [session, stream] = await open();
    stream.bound('alice@example.org/a');
    await session.send('');
    for (const node of cluster.nodes) {
      const sessions = node.app.get(XmppSessionService);
      expect(await sessions.find('alice@example.org')).toMatchObject([{ jid: 'alice@example.org/a', transport: 'bosh' }]);
    }
    expect(await cluster.nodes[2]!.app.get(XmppSessionService).terminate('alice@example.org')).toBe(1);
    expect((await session.send('')).condition).toBe('policy-violation');
  });
});
