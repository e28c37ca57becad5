/**
 * What is measured. A scenario is run on each transport; it gives `values`, one for each of its `metrics`. A metric's `goal` is
 * the most that its ratio to the floor of the same round may be, for WebSocket and for BOSH.
 */

const PER_100K = { unit: 's', per: '100k messages', digits: 2 };

/** Seconds of CPU for 100,000 messages that were delivered. */
const per100k = ({ cpu, delivered }) => (cpu / delivered) * 100_000;

const FAMILIES = [
  {
    name: 'flood',
    title: 'flood, 50 pairs',
    about: '50 clients send 300 B messages to 50 others, each with up to 500 under way; over BOSH up to 32 in a request',
    metrics: { cpu: { title: 'flood, 50 pairs', ...PER_100K, goal: { ws: 0.5, bosh: 1 } } },
    async run(cell) {
      await cell.login(100);
      const args = { flows: 50, from: 0, first: 50, window: 500 };
      await cell.warm({ ...args, seconds: cell.seconds(1) });
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
      await cell.warm({ ...args, seconds: cell.seconds(1.5) });
      const result = await cell.traffic({ ...args, seconds: cell.seconds(3) });
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
      await cell.warm({ ...args, seconds: cell.seconds(0.7) });
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
      await cell.warm({ ...args, seconds: cell.seconds(1.5) });
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
      await cell.login(Math.ceil(500 * factor));
      await cell.load.logout();
      const count = Math.ceil(2000 * factor);
      const { cpu, p50 } = await cell.measure(() => cell.login(count));
      return { cpu: (cpu / count) * 1000, p50: p50 / 1000 };
    },
  },
];

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
