import { SampleCluster } from '../support/sample-cluster.js';
import type { Appearance } from './cast.js';
import { Chronicle, type Step } from './chronicle.js';
import { named } from './clients.js';
import { DOMAIN, type Server, SERVERS } from './servers.js';
import { tellStory } from './story.js';

/** While the two talk most, a node that has neither of their sessions is killed, and started again. */
class Turmoil extends Chronicle {
  /** Nodes that were killed. */
  killed = 0;

  constructor(private readonly cluster: SampleCluster) {
    super();
  }

  override async step(name: Step, act: () => Promise<string | void>): Promise<void> {
    if (name !== '500 messages each way, in order') return await super.step(name, act);
    const sessions = await this.cluster.sessions();
    const idle = sessions.indexOf(0);
    if (idle < 0) throw new Error(`every node has a session: ${sessions.join(', ')}`);
    await Promise.all([super.step(name, act), this.cluster.killAndRestart(idle)]);
    this.killed++;
  }
}

/**
 * The story by these clients, once over each transport, through a balancer that hands every request to the next of three nodes,
 * with Prosody behind them.
 */
export function describeClusterClients(appearances: readonly Appearance[]): void {
  let server: Server;
  let cluster: SampleCluster;

  beforeAll(async () => {
    server = await SERVERS['Prosody behind STARTTLS']();
    cluster = await SampleCluster.start({ XMPP_DOMAINS: DOMAIN, ...server.environment });
  });

  afterAll(async () => {
    const drivers = new Set(appearances.map(({ driver }) => driver));
    await Promise.all([...drivers].map(async (driver) => await driver.close?.()));
    await cluster?.stop();
    await server?.stop();
  });

  const once = appearances.filter(
    (each, index) => appearances.findIndex(({ driver, transport }) => driver === each.driver && transport === each.transport) === index,
  );
  it.each(named(once))('P10, P11: %s tells the whole story by way of every node, while one is killed and started again', async (_name, each) => {
    const turmoil = new Turmoil(cluster);
    await tellStory({ wsUrl: cluster.wsUrl, boshUrl: cluster.boshUrl, domain: DOMAIN }, each, each, turmoil);
    expect(turmoil.killed).toBe(1);
  });
}
