import { setTimeout as wait } from 'node:timers/promises';
import { SoakClient } from '../soak/client.js';
import { Ledger, type Life, type Reader } from '../soak/ledger.js';
import type { Gate, Link } from '../soak/link.js';
import { Random } from '../soak/random.js';
import { LossyProxy } from '../support/lossy-proxy.js';
import { SampleCluster } from '../support/sample-cluster.js';

const DOMAIN = 'localhost';
const EACH = 3;
/** Milliseconds between two messages of somebody. */
const PACE = 40;
/** Milliseconds in which all that is on its way arrives. */
const ARRIVES_IN = 15_000;
/** Milliseconds in which a message can be on its way while the stream of its receiver ends. */
const CROSSES_IN = 3000;

const named = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}${i}`);

/** Somebody who talks all the time; what ends his stream he survives. */
class Talker {
  /** Why each of his streams was over. */
  readonly ends: string[] = [];
  readonly lives: Life[] = [];
  resumed = 0;
  client!: SoakClient;
  private readonly reader: Reader;

  constructor(
    readonly user: string,
    readonly transport: Link['transport'],
    /** Stream management: his stream can be resumed. */
    readonly managed: boolean,
    private readonly gate: Gate,
    private readonly ledger: Ledger,
  ) {
    this.reader = { user };
  }

  async login(): Promise<void> {
    const { user, transport, managed, gate, ledger } = this;
    for (;;) {
      this.client = new SoakClient({ gate, ledger, user, password: user, transport, managed }, this.reader);
      try {
        await this.client.login();
        this.lives.push(this.client.life);
        return;
      } catch {
        await wait(50); // by a node that goes: 503, and the next one is another
      }
    }
  }

  async talk(others: readonly Talker[], random: Random, over: () => boolean): Promise<void> {
    while (!over()) {
      if (this.client.gone !== undefined) await this.comeBack();
      this.client.message(random.pick(others).user, 0);
      await wait(random.between(1, 2 * PACE));
    }
    if (this.client.gone !== undefined) await this.comeBack();
  }

  private async comeBack(): Promise<void> {
    this.ends.push(this.client.gone!);
    if (!this.managed) return await this.login();
    for (;;) {
      let resumed: boolean;
      try {
        resumed = await this.client.resume(this.transport);
      } catch {
        await wait(50);
        continue;
      }
      if (!resumed) throw new Error(`${this.user} cannot resume`);
      this.resumed++;
      return;
    }
  }
}

describe('nodes that come and go', () => {
  let cluster: SampleCluster;
  let proxy: LossyProxy;
  let gate: Gate;
  /** Those of one test; another has its own, with other names. */
  let talkers: Talker[] = [];
  let ledger: Ledger;
  let over: boolean;

  beforeAll(async () => {
    const users = [...named('user', 4 * EACH), ...named('survivor', 2 * EACH)];
    cluster = await SampleCluster.start({ XMPP_USERS: users.map((name) => `${name}:${name}`).join(',') });
    proxy = await LossyProxy.to(Number(new URL(cluster.url).port));
    gate = { proxy, domain: DOMAIN };
  }, 60_000);
  afterAll(async () => {
    await proxy?.close();
    await cluster?.stop();
  });
  beforeEach(() => {
    ledger = new Ledger();
    over = false;
  });
  afterEach(() => {
    over = true;
    for (const { client } of talkers) client?.drop();
  });

  /** All talk with one another, from now until `over`. */
  function talk(seed: number): Promise<unknown> {
    const random = new Random(seed);
    return Promise.all(talkers.map((talker, i) => talker.talk(talkers.filter((other) => other !== talker), random.fork(i), () => over)));
  }

  /** Nobody says anything more, and what was said has arrived. */
  async function silence(talking: Promise<unknown>): Promise<void> {
    over = true;
    await talking;
    for (const until = Date.now() + ARRIVES_IN; ledger.open > 0 && Date.now() < until; ) await wait(50);
    await Promise.all(talkers.map(({ client }) => client.fence()));
  }

  it('Q1, P10, P11: three nodes are restarted in turn under load: who resumes has everything once and in order, the others are told', async () => {
    talkers = named('user', 4 * EACH).map((name, i) => new Talker(name, i % 2 ? 'bosh' : 'websocket', i % 4 < 2, gate, ledger));
    await Promise.all(talkers.map((talker) => talker.login()));
    const talking = talk(8);
    for (const node of [0, 1, 2]) await cluster.restart(node);
    await silence(talking);

    const account = ledger.account();
    // Neither lost, nor doubled, nor out of order.
    expect(account).toMatchObject({ faults: [], crossed: 0 });
    // Of those who cannot resume: nothing that was accepted is lost, but what crossed with the end of a stream.
    const died = new Map(talkers.map(({ user, lives }) => [user, lives.flatMap(({ diedAt }) => diedAt ?? [])]));
    for (const { entries } of talkers.flatMap(({ lives }) => lives)) {
      const silent = entries.filter(({ confirmed, readers, bounced }) => confirmed && readers.length === 0 && bounced === 0);
      expect(silent.filter(({ to, sentAt }) => !died.get(to)!.some((at) => Math.abs(at - sentAt) < CROSSES_IN))).toEqual([]);
    }
    expect(account.sent).toBeGreaterThan(500);
    const managed = talkers.filter((talker) => talker.managed);
    expect(managed.reduce((sum, { resumed }) => sum + resumed, 0)).toBeGreaterThanOrEqual(managed.length);
    const told = talkers.filter((talker) => !talker.managed).flatMap(({ ends }) => ends);
    expect(told.length).toBeGreaterThanOrEqual(talkers.length - managed.length);
    expect(new Set(told)).toEqual(new Set(['system-shutdown']));
    await Promise.all(talkers.map(({ client }) => client.leave()));
  }, 120_000);

  it('P10, W17, U12: every node is killed in turn under load: who resumes, through another one, has everything once and in order', async () => {
    talkers = named('survivor', 2 * EACH).map((name, i) => new Talker(name, i % 2 ? 'bosh' : 'websocket', true, gate, ledger));
    await Promise.all(talkers.map((talker) => talker.login()));
    const talking = talk(9);
    for (const node of [0, 1, 2]) await cluster.restart(node, 'SIGKILL');
    await silence(talking);
    const account = ledger.account();
    expect(account).toMatchObject({ faults: [], crossed: 0 });
    expect(account.sent).toBeGreaterThan(200);
    expect(talkers.reduce((sum, { resumed }) => sum + resumed, 0)).toBeGreaterThanOrEqual(talkers.length);
    await Promise.all(talkers.map(({ client }) => client.leave()));
  }, 120_000);
});
