/**
 * What is measured. A scenario is run on each transport; it gives `values`, one for each of its `metrics`. A metric's `goal` is
 * the most that its ratio to the floor of the same round may be, for WebSocket and for BOSH.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileLimit } from './machine.mjs';

const PER_100K = { unit: 's', per: '100k messages', digits: 2 };

/** The same thing twice: flat within 20 %. */
const TIMES = { unit: 'times', digits: 2, absolute: true, goal: { ws: 1.2, bosh: 1.2 } };

/** Seconds of traffic before what is measured: until then the compilers of all that is Node are at work, for a large app longer. */
const WARM = 3;

/** Seconds of CPU for 100,000 messages that were delivered. */
const per100k = ({ cpu, delivered }) => (cpu / delivered) * 100_000;

/** Sessions of one process in turn. The last are fewer where the limit of open files is in the way: each session is two. */
const STEPS = ['100', '1,000', '10,000'];
const MOST_SESSIONS = 10_000;
const SPARE_FILES = 1000;

const FAMILIES = [
  {
    name: 'flood',
    title: 'flood, 50 pairs',
    about: '50 clients send 300 B messages to 50 others, each with up to 200 under way; over BOSH up to 32 in a request',
    metrics: { cpu: { title: 'flood, 50 pairs', ...PER_100K, goal: { ws: 0.5, bosh: 1 } } },
    async run(cell) {
      await cell.login(100);
      const args = { flows: 50, from: 0, first: 50, window: 200 };
      await cell.warm({ ...args, seconds: cell.seconds(WARM) });
      return { cpu: per100k(await cell.traffic({ ...args, seconds: cell.seconds(2.5) })) };
    },
  },
  {
    name: 'chatter',
    title: 'chatter, one message at a time',
    about: 'one client sends 300 B to another, which sends it back, and only then follows the next',
    metrics: {
      cpu: { title: 'chatter, one message at a time', ...PER_100K, goal: { ws: 1.15, bosh: 1.15 } },
      p50: { title: 'echo latency, p50', unit: 'µs', digits: 0, goal: { ws: 1.15, bosh: 1.15 } },
      p99: { title: 'echo latency, p99', unit: 'µs', digits: 0 },
    },
    async run(cell) {
      await cell.login(2);
      const args = { flows: 1, from: 0, first: 1, echo: 1, timed: 1 };
      await cell.warm({ ...args, seconds: cell.seconds(WARM) });
      const result = await cell.traffic({ ...args, seconds: cell.seconds(4) });
      return { cpu: per100k(result), p50: result.p50, p99: result.p99 };
    },
  },
  {
    name: 'large',
    title: '100 kB messages',
    about: '10 pairs, each with up to 4 messages of 100 kB under way',
    metrics: { cpu: { title: '100 kB messages', unit: 's', per: 'GB', digits: 2, goal: { ws: 1, bosh: 1 } } },
    async run(cell) {
      await cell.login(20);
      const size = 100_000;
      const args = { flows: 10, from: 0, first: 10, window: 4, size };
      await cell.warm({ ...args, seconds: cell.seconds(WARM) });
      const { cpu, delivered } = await cell.traffic({ ...args, seconds: cell.seconds(2) });
      return { cpu: (cpu / (delivered * size)) * 1e9 };
    },
  },
  {
    name: 'fanout',
    title: 'fan-out to 500 clients',
    about: 'one client sends to a group of 500, and the next message when all have it; cost of each delivery',
    metrics: { cpu: { title: 'fan-out to 500 clients', ...PER_100K, goal: { ws: 1.05, bosh: 1.05 } } },
    async run(cell) {
      const receivers = cell.quick ? 100 : 500;
      await cell.login(1);
      await cell.login(receivers, { group: receivers });
      const args = { flows: 1, from: 0, first: 1, receivers, to: cell.running.groupAddress ?? 'group' };
      await cell.warm({ ...args, seconds: cell.seconds(WARM) });
      return { cpu: per100k(await cell.traffic({ ...args, seconds: cell.seconds(2.5) })) };
    },
  },
  {
    name: 'login',
    title: 'login',
    about: 'connection, SASL PLAIN and resource binding, 20 at a time',
    metrics: {
      cpu: { title: 'login', unit: 'ms', digits: 2, goal: { ws: 1.2, bosh: 1.2 } },
      p50: { title: 'login, p50 of its time', unit: 'ms', digits: 1 },
    },
    async run(cell) {
      const factor = cell.scale * (cell.running.loginFactor ?? 1);
      for (let i = 0; i < 2; i++) {
        await cell.login(Math.ceil(1500 * factor));
        await cell.load.logout();
      }
      const count = Math.ceil(2000 * factor);
      const { cpu, p50 } = await cell.measure(() => cell.login(count));
      return { cpu: (cpu / count) * 1000, p50: p50 / 1000 };
    },
  },
  {
    name: 'idle',
    title: 'idle session',
    about: 'memory of 4,000 sessions (1,000 of a server) that are logged in and silent, over BOSH with a request held each; where it is Node, garbage was collected',
    looked: true,
    metrics: { memory: { title: 'idle session', unit: 'kB', digits: 1, goal: { ws: 1.15, bosh: 1.15 } } },
    async run(cell) {
      // The servers are slow at logins.
      const count = cell.quick ? 200 : cell.target.hasServer ? 1000 : 4000;
      await cell.login(Math.ceil(count / 4));
      await cell.load.logout();
      const before = await cell.memory();
      await cell.login(count);
      return { memory: (await cell.memory() - before) / count / 1000 };
    },
  },
  {
    name: 'silence',
    title: '5,000 idle sessions',
    about: 'CPU of 5,000 idle sessions, while each is pinged, or its request answered after `wait`, twice; not counted is the minute before, in which V8 tidies up behind the logins',
    targets: ['ours'],
    mostRounds: 1,
    metrics: { cpu: { title: 'CPU of 5,000 idle sessions', unit: '% of a core', digits: 2, absolute: true, goal: { ws: 1, bosh: 1 } } },
    async run(cell) {
      await cell.login(cell.quick ? 200 : 5000);
      await sleep(cell.quick ? 1000 : 65_000);
      const { cpu, wall } = await cell.measure(() => sleep(cell.quick ? 1000 : cell.transport === 'ws' ? 60_000 : 120_000));
      return { cpu: (cpu / wall) * 100 };
    },
  },
  {
    name: 'slow',
    title: 'a client that stops reading',
    about: 'a client gets 100 MB that it does not read, while 10 pairs chat; the same before with a client that reads; then it reads on',
    metrics: {
      growth: { title: 'slow reader, growth of memory', unit: 'MB', digits: 1, absolute: true, goal: { ws: 12, bosh: 12 } },
      others: { title: 'slow reader, rate of the others', unit: 'of the rate before', digits: 2, absolute: true, atLeast: true, goal: { ws: 0.9, bosh: 0.9 } },
    },
    run: slowReader,
  },
  {
    name: 'shared',
    title: 'shared session of 5 clients',
    about: 'flood to 10 sessions that 5 clients share each; at the floor 5 sessions of their own get a copy from the server each',
    targets: ['floor', 'ours'],
    metrics: { cpu: { title: 'shared session of 5 clients, flood', ...PER_100K, goal: { ws: 1.2, bosh: 1.2 } } },
    async run(cell) {
      const shares = cell.target.name !== 'floor';
      await cell.login(10);
      await cell.login(50, shares ? { shared: 5 } : { group: 5 });
      const args = { flows: 10, from: 0, first: 10, receivers: 5, to: shares ? 'jid' : 'group', window: 500 };
      await cell.warm({ ...args, seconds: cell.seconds(WARM) });
      return { cpu: per100k(await cell.traffic({ ...args, seconds: cell.seconds(2.5) })) };
    },
  },
  {
    name: 'scale',
    title: '100 to 10,000 sessions',
    about: 'messages from 50 clients to all the others in turn, 20 under way, with ever more sessions in one process; memory is what V8 holds',
    looked: true,
    targets: ['floor', 'ours'],
    mostRounds: 2,
    metrics: {
      ...Object.fromEntries(STEPS.map((n, i) => [`message${i}`, { title: `a message, ${n} sessions`, ...PER_100K }])),
      ...Object.fromEntries(STEPS.slice(1).map((n, i) => [`login${i + 1}`, { title: `a login, up to ${n} sessions`, unit: 'ms', digits: 2 }])),
      ...Object.fromEntries(STEPS.slice(1).map((n, i) => [`memory${i + 1}`, { title: `memory of each of ${n} sessions`, unit: 'kB', digits: 1 }])),
      sessions2: { title: 'sessions in fact, where the table says 10,000', unit: 'sessions', digits: 0 },
      messages: { title: 'a message with 10,000 sessions to one with 100', ...TIMES },
      logins: { title: 'a login up to 10,000 sessions to one up to 1,000', ...TIMES },
      memory: { title: 'memory of each of 10,000 sessions to one of 1,000', ...TIMES },
    },
    run: scale,
  },
];

/** 100 MB, in messages of 10 kB. */
async function slowReader(cell) {
  const messages = cell.quick ? 2000 : 10_000;
  await cell.login(22);
  const flood = { flows: 1, from: 1, first: 0, size: 10_000, messages, window: messages, patience: 30 };
  const chat = { flows: 10, from: 2, first: 12, echo: 1 };
  await cell.warm({ ...chat, seconds: cell.seconds(1) });

  /** Runs the flood, and tells how fast the others were while it was sent, and the most memory that it took. */
  const run = async (reads) => {
    await cell.settle();
    const before = cell.residentNow();
    const others = cell.load.begin(chat);
    const flooding = cell.load.begin({ ...flood, seconds: 0 });
    let peak = before;
    let state;
    const deadline = performance.now() + 60_000;
    do {
      if (performance.now() > deadline) throw new Error(`of the flood it had taken ${state.sent} of ${messages} messages after a minute`);
      await sleep(20);
      peak = Math.max(peak, cell.residentNow());
      state = await flooding.progress();
    } while (state.sent < messages && !state.done && state.gone === 0);
    const { delivered, seconds } = await others.progress();
    // What is on its way into the target gets there.
    for (let i = 0; i < 50; i++) {
      await sleep(20);
      peak = Math.max(peak, cell.residentNow());
    }
    if (!reads) cell.load.write('resume', { session: 0 });
    cell.note(await flooding.end());
    cell.note(await others.finish());
    return { rate: delivered / seconds, growth: (peak - before) / 1e6 };
  };

  return cell.measure(async () => {
    const reading = await run(true);
    cell.load.write('stall', { session: 0 });
    const stalled = await run(false);
    return { growth: stalled.growth, others: stalled.rate / reading.rate };
  });
}

async function scale(cell) {
  const most = Math.min(MOST_SESSIONS, Math.floor((fileLimit() - SPARE_FILES) / 2));
  const steps = cell.quick ? [60, 200, 400] : [100, 1000, most];
  await cell.login(cell.quick ? 50 : 500);
  await cell.load.logout();
  const values = { sessions2: steps[2] };
  const empty = await cell.held();
  let present = 0;
  for (const [step, n] of steps.entries()) {
    const { cpu } = await cell.measure(() => cell.login(n - present));
    if (step > 0) {
      values[`login${step}`] = (cpu / (n - present)) * 1000;
      values[`memory${step}`] = ((await cell.held()) - empty) / n / 1000;
    }
    present = n;
    const args = { flows: n - 50, from: 0, senders: 50, first: 50, concurrency: 20 };
    await cell.warm({ ...args, seconds: cell.seconds(1) });
    values[`message${step}`] = per100k(await cell.traffic({ ...args, seconds: cell.seconds(2) }));
  }
  values.messages = values.message2 / values.message0;
  values.logins = values.login2 / values.login1;
  values.memory = values.memory2 / values.memory1;
  return values;
}

const TRANSPORTS = { ws: 'WebSocket', bosh: 'BOSH' };

/** Every scenario, by its name such as `flood-ws`. */
export const SCENARIOS = FAMILIES.flatMap((family) =>
  (family.transports ?? Object.keys(TRANSPORTS)).map((transport) => ({
    ...family,
    family: family.name,
    name: `${family.name}-${transport}`,
    title: `${family.title}, ${TRANSPORTS[transport]}`,
    transport,
  })),
);
