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
  const ledger = new Ledger();
  const killed = new Ledger();
  const talkers: Talker[] = [];

  beforeAll(async () => {
    const names = Array.from({ length: 4 * EACH }, (_, i) => `user${i}`);
    cluster = await SampleCluster.start({ XMPP_USERS: names.map((name) => `${name}:${name}`).join(',') });
    proxy = await LossyProxy.to(Number(new URL(cluster.url).port));
    gate = { proxy, domain: DOMAIN };
    for (const [i, name] of names.entries()) talkers.push(new Talker(name, i % 2 ? 'bosh' : 'websocket', i % 4 < 2, gate, ledger));
  }, 60_000);
  afterAll(async () => {
    for (const { client } of talkers) client?.drop();
    await proxy?.close();
    await cluster?.stop();
  });

  it('Q1, P10, P11: three nodes are restarted in turn under load: who resumes has everything once and in order, the others are told', async () => {
    await Promise.all(talkers.map((talker) => talker.login()));
    const random = new Random(8);
    let over = false;
    const talking = Promise.all(talkers.map((talker, i) => talker.talk(talkers.filter((other) => other !== talker), random.fork(i), () => over)));
    for (const node of [0, 1, 2]) await cluster.restart(node);
    over = true;
    await talking;
    for (const until = Date.now() + ARRIVES_IN; ledger.open > 0 && Date.now() < until; ) await wait(50);
    await Promise.all(talkers.map(({ client }) => client.fence()));

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
    const survivors = talkers.filter(({ managed }) => managed).map(({ user, transport }) => new Talker(user, transport, true, gate, killed));
    await Promise.all(survivors.map((talker) => talker.login()));
    const random = new Random(9);
    let over = false;
    const talking = Promise.all(survivors.map((talker, i) => talker.talk(survivors.filter((other) => other !== talker), random.fork(i), () => over)));
    for (const node of [0, 1, 2]) await cluster.restart(node, 'SIGKILL');
    over = true;
    await talking;
    for (const until = Date.now() + ARRIVES_IN; killed.open > 0 && Date.now() < until; ) await wait(50);
    await Promise.all(survivors.map(({ client }) => client.fence()));
    const account = killed.account();
    expect(account).toMatchObject({ faults: [], crossed: 0 });
    expect(account.sent).toBeGreaterThan(200);
    expect(survivors.reduce((sum, { resumed }) => sum + resumed, 0)).toBeGreaterThanOrEqual(survivors.length);
    await Promise.all(survivors.map(({ client }) => client.leave()));
  }, 120_000);
});
