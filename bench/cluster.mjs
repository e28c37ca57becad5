/**
 * What a cluster costs: `npm run bench:cluster -- [--quick] [--page] [--rounds n]`.
 *
 * - A BOSH request that another node has the session of, beside the same request where it belongs.
 * - Sessions and messages of one, two and three nodes, through HAProxy without stickiness.
 * - What Redis does for each session and each message.
 *
 * Each node has a core of its own, as far as there are cores; load, XMPP server, HAProxy and Redis share what is left. CPU is
 * what counts, as everywhere in this folder; rates say only what this machine did with all of it on board.
 * `--page` writes the tables into docs/SCALING.md.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { Child, killAll, stopAll } from './child.mjs';
import { Load } from './load.mjs';
import { allowedCores, cpuSeconds, describeMachine } from './machine.mjs';
import { buildNative } from './native.mjs';
import { ROOT } from './paths.mjs';
import { fill, markdownTable } from './report/index.mjs';
import { startNode } from './targets/node.mjs';
import { RAISED_LIMITS } from './targets/ours.mjs';
import { freePort } from './targets/ports.mjs';

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, page: { type: 'boolean', default: false }, rounds: { type: 'string' } },
});
const SCALE = options.quick ? 0.2 : 1;
const ROUNDS = Number(options.rounds ?? (options.quick ? 1 : 3));
const MOST_NODES = 3;
const SECRET = 'a secret of the benchmark alone';
const PATHS = { ws: '/xmpp-websocket', bosh: '/http-bind' };
const TITLES = { ws: 'WebSocket', bosh: 'BOSH' };

/** Work that BOSH requests carry: each alone, and as many in one as come together. */
const WORK = {
  chatter: { title: 'one message at a time', args: { flows: 1, from: 0, first: 1, echo: 1 }, clients: 2 },
  flood: { title: 'flood, 50 pairs, up to 32 messages in a request', args: { flows: 50, from: 0, first: 50, window: 200 }, clients: 100 },
};

/** Redis, an XMPP server, nodes and a balancer, and a load for each of its ports. */
class Stage {
  constructor(programs, transport, count) {
    Object.assign(this, { programs, transport, count });
    this.folder = mkdtempSync(join(tmpdir(), 'bench-cluster-'));
    this.lost = 0;
  }

  /** @param frontends by their names, the lines of HAProxy's configuration that choose among its backends */
  async start(frontends) {
    const cores = allowedCores();
    const many = cores.length > 1;
    const own = Math.min(MOST_NODES, cores.length - 1);
    const others = many ? cores.slice(0, cores.length - own).join(',') : undefined;
    const server = new Child('server', this.programs.server, [], { cores: others });
    const upstream = Number((await server.line((line) => line.startsWith('listening'))).split(' ')[1]);
    const redisPort = await freePort();
    const args = ['--port', String(redisPort), '--bind', '127.0.0.1', '--dir', this.folder, '--save', '', '--appendonly', 'no'];
    this.redisProcess = new Child('redis', 'redis-server', args, { cores: others });
    await this.redisProcess.line((line) => line.includes('Ready to accept'));
    this.redis = new Redis(redisPort, '127.0.0.1');
    this.nodes = [];
    for (let i = 0; i < this.count; i++) {
      const env = {
        HOST: '127.0.0.1',
        PORT: '0',
        XMPP_DOMAINS: 'localhost',
        XMPP_UPSTREAM: `xmpp://127.0.0.1:${upstream}`,
        XMPP_OPTIONS: JSON.stringify({ ...RAISED_LIMITS, trustProxy: 1 }),
        XMPP_NODE: `node-${i + 1}`,
        REDIS_URL: `redis://127.0.0.1:${redisPort}`,
        CLUSTER_SECRET: SECRET,
      };
      const main = ['--enable-source-maps', join(ROOT, 'sample', 'dist', 'main.js')];
      this.nodes.push(await startNode(`node-${i + 1}`, main, { cores: many ? String(cores.at(-1 - (i % own))) : undefined, env }));
    }
    const ports = {};
    for (const name of Object.keys(frontends)) ports[name] = await freePort();
    const file = join(this.folder, 'haproxy.cfg');
    writeFileSync(file, this.balancer(frontends, ports));
    this.haproxy = new Child('haproxy', 'haproxy', ['-db', '-f', file], { cores: others });
    this.loads = {};
    for (const [name, port] of Object.entries(ports)) {
      for (let i = 0; !(await fetch(`http://127.0.0.1:${port}/health`).then(({ ok }) => ok, () => false)); i++) {
        if (i === 100) throw new Error(`nothing answers behind HAProxy: ${this.haproxy.said()}`);
        await sleep(50);
      }
      this.loads[name] = new Load(this.programs.load, { transport: this.transport, port, path: PATHS[this.transport] }, others);
    }
  }

  balancer(frontends, ports) {
    const server = (i) => `  server node-${i + 1} 127.0.0.1:${this.nodes[i].port}`;
    const each = this.nodes.map((_, i) => [`backend node-${i + 1}`, server(i)]);
    return [
      'defaults',
      '  mode http',
      '  timeout connect 5s',
      '  timeout client 90s',
      '  timeout server 90s',
      '  timeout tunnel 1h',
      '  option forwardfor',
      '  option http-buffer-request',
      'backend any',
      '  balance roundrobin',
      ...this.nodes.map((_, i) => server(i)),
      ...each.flat(),
      ...Object.entries(frontends).flatMap(([name, lines]) => [`frontend ${name}`, `  bind 127.0.0.1:${ports[name]}`, ...lines.map((line) => `  ${line}`)]),
      '',
    ].join('\n');
  }

  /**
   * @param work resolves when all that belongs to it is done
   * @returns its result, the CPU of the nodes and of each, and what Redis did meanwhile
   */
  async measure(work) {
    await sleep(400);
    const before = await this.read();
    const result = await work();
    const after = await this.read();
    const nodes = after.nodes.map((cpu, i) => cpu - before.nodes[i]);
    const minus = (name) => after[name] - before[name];
    return {
      ...result,
      nodes,
      cpu: nodes.reduce((sum, cpu) => sum + cpu, 0),
      wall: minus('at'),
      redis: { cpu: minus('redisCpu'), bytes: minus('bytes'), commands: difference(after.commands, before.commands) },
    };
  }

  async read() {
    const info = (await this.redis.info('all')).split(/\r?\n/);
    const find = (name) => Number(info.find((line) => line.startsWith(`${name}:`))?.split(':')[1]);
    const commands = new Map();
    for (const line of info) {
      const [, name, calls] = /^cmdstat_([^:]+):calls=(\d+)/.exec(line) ?? [];
      if (name !== undefined && name !== 'info') commands.set(name, Number(calls));
    }
    return {
      at: performance.now() / 1000,
      nodes: this.nodes.map(({ child }) => cpuSeconds(child.pid)),
      redisCpu: cpuSeconds(this.redisProcess.pid),
      bytes: find('total_net_input_bytes') + find('total_net_output_bytes'),
      commands,
    };
  }

  async traffic(name, args) {
    const result = await this.loads[name].traffic(args);
    this.lost += result.lost + result.gone;
    if (result.error) console.log(`    ${name}: ${result.error}`);
    return result;
  }

  async stop() {
    this.redis?.disconnect();
    await Promise.all(Object.values(this.loads ?? {}).map(({ child }) => child.stop()));
    await Promise.all((this.nodes ?? []).map(({ child }) => child.stop()));
    await stopAll();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function difference(after, before) {
  return new Map([...after].map(([name, calls]) => [name, calls - (before.get(name) ?? 0)]).filter(([, calls]) => calls > 0));
}

const sum = (map) => [...map.values()].reduce((all, one) => all + one, 0);
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const range = (values, digits) =>
  values.length > 1 ? `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}-${Math.max(...values).toFixed(digits)})` : values[0].toFixed(digits);

/** The same nodes, the same balancer: what belongs to the first node goes there, or to the second one. */
async function compareForwarding(programs) {
  const frontends = { local: ['default_backend node-1'], forwarded: ['use_backend node-2 if { req.body -m sub sid= }', 'default_backend node-1'] };
  const lines = [];
  let lost = 0;
  for (const { title, args, clients } of Object.values(WORK)) {
    const stage = new Stage(programs, 'bosh', 2);
    const figures = { local: [], forwarded: [] };
    const perMessage = { commands: [], bytes: [], cpu: [] };
    const share = [];
    try {
      await stage.start(frontends);
      // Users count on: those of the second load are others than those of the first.
      await stage.loads.forwarded.login(clients);
      await stage.loads.forwarded.logout();
      for (const name of Object.keys(frontends)) {
        await stage.loads[name].login(clients);
        await stage.traffic(name, { ...args, seconds: 2 * SCALE });
      }
      for (let round = 0; round < ROUNDS; round++) {
        for (const name of Object.keys(frontends)) {
          const { delivered, cpu, nodes, redis } = await stage.measure(() => stage.traffic(name, { ...args, seconds: 3 * SCALE }));
          figures[name].push((cpu / delivered) * 1e5);
          if (name === 'local') continue;
          share.push(nodes[1] / cpu);
          perMessage.commands.push(sum(redis.commands) / delivered);
          perMessage.bytes.push(redis.bytes / delivered);
          perMessage.cpu.push(redis.cpu / cpu);
        }
      }
    } finally {
      await stage.stop();
      lost += stage.lost;
    }
    const ratios = figures.forwarded.map((value, i) => value / figures.local[i]);
    lines.push([
      title,
      range(ratios, 2),
      range(share.map((one) => one * 100), 0),
      range(perMessage.commands, 2),
      range(perMessage.bytes, 0),
      range(perMessage.cpu, 2),
    ]);
    console.log(`forwarding, ${title}: ${range(ratios, 2)} times the CPU`);
  }
  const head = [
    'BOSH work',
    'CPU of both nodes, forwarded to local',
    '% of it at the node with the connection',
    'Redis commands per message',
    'Redis bytes, in and out, per message',
    "Redis' CPU to that of the nodes",
  ];
  return { table: markdownTable([head, ...lines]), lost };
}

/** Logins and messages of one, two and three nodes. */
async function compareSizes(programs) {
  const lines = [];
  const redisLines = [];
  let lost = 0;
  for (const transport of ['ws', 'bosh']) {
    let alone;
    for (let count = 1; count <= MOST_NODES; count++) {
      const stage = new Stage(programs, transport, count);
      const clients = options.quick ? 100 : 400;
      let login;
      let chatter;
      let flood;
      try {
        await stage.start({ web: ['default_backend any'] });
        await stage.loads.web.login(100 * count);
        await stage.loads.web.logout();
        login = await stage.measure(async () => ({ delivered: clients, ...(await stage.loads.web.login(clients)) }));
        const half = clients / 2;
        // Few enough that little comes together: where a node is busy it handles many messages at a time, which is cheaper.
        const single = { flows: 10 * count, from: 0, first: half, echo: 1 };
        await stage.traffic('web', { ...single, seconds: 3 * SCALE });
        for (let round = 0; round < ROUNDS; round++) {
          const measured = await stage.measure(() => stage.traffic('web', { ...single, seconds: 3 * SCALE }));
          // The best of them: what the machine's other work adds is left out.
          if (!chatter || measured.cpu / measured.delivered < chatter.cpu / chatter.delivered) chatter = measured;
        }
        const args = { flows: half, from: 0, first: half, window: 50 };
        await stage.traffic('web', { ...args, seconds: 2 * SCALE });
        flood = await stage.measure(() => stage.traffic('web', { ...args, seconds: 4 * SCALE }));
      } finally {
        await stage.stop();
        lost += stage.lost;
      }
      const perMessage = chatter.cpu / chatter.delivered;
      const perLogin = login.cpu / clients;
      alone ??= { perMessage, perLogin };
      lines.push([
        TITLES[transport],
        String(count),
        (perMessage / alone.perMessage).toFixed(2),
        (perLogin / alone.perLogin).toFixed(2),
        ((count * alone.perMessage) / perMessage).toFixed(2),
        Math.round(flood.delivered / flood.wall).toLocaleString('en'),
        Math.round(clients / login.seconds).toLocaleString('en'),
        `${Math.round((flood.cpu / flood.wall / count) * 100)} %`,
      ]);
      redisLines.push([
        TITLES[transport],
        String(count),
        (sum(login.redis.commands) / clients).toFixed(2),
        Math.round(login.redis.bytes / clients).toLocaleString('en'),
        (sum(chatter.redis.commands) / chatter.delivered).toFixed(2),
        Math.round(chatter.redis.bytes / chatter.delivered).toLocaleString('en'),
        (chatter.redis.cpu / chatter.cpu).toFixed(2),
        (sum(flood.redis.commands) / flood.delivered).toFixed(2),
        Math.round(flood.redis.bytes / flood.delivered).toLocaleString('en'),
        (flood.redis.cpu / flood.cpu).toFixed(2),
      ]);
      console.log(`${TITLES[transport]}, ${count} nodes: ${Math.round(flood.delivered / flood.wall)} messages/s, ${(perMessage / alone.perMessage).toFixed(2)} times the CPU of one node's`);
    }
  }
  const head = [
    'transport',
    'nodes',
    'CPU of a message, all nodes, to 1 node',
    'CPU of a login, to 1 node',
    'messages that so many cores carry, to 1 node',
    'flood here, messages/s',
    'logins/s here',
    'in the flood, busy nodes',
  ];
  const redisHead = ['transport', 'nodes', 'commands per login', 'bytes per login', ...['one at a time', 'flood'].flatMap((what) => [`${what}: commands per message`, 'bytes', "Redis' CPU to the nodes'"])];
  return { sizes: markdownTable([head, ...lines]), redis: markdownTable([redisHead, ...redisLines]), lost };
}

/** What nodes ask of Redis where nothing happens. */
async function rest(programs) {
  const stage = new Stage(programs, 'ws', MOST_NODES);
  try {
    await stage.start({ web: ['default_backend any'] });
    const seconds = options.quick ? 3 : 10;
    const { redis } = await stage.measure(() => sleep(seconds * 1000));
    const { commands } = redis;
    const perNode = (calls) => (calls / seconds / MOST_NODES).toFixed(1);
    return `Where nothing happens, each of ${MOST_NODES} nodes has Redis do ${perNode(commands.get('eval') ?? commands.get('evalsha') ?? 0)} scripts a second, of ${perNode(sum(commands))} commands together, ${Math.round(redis.bytes / seconds / MOST_NODES)} bytes.`;
  } finally {
    await stage.stop();
  }
}

async function main() {
  const started = new Date().toISOString().slice(0, 16).replace('T', ' ');
  const machine = describeMachine();
  console.log(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load ${machine.load}`);
  const programs = buildNative();
  const forwarding = await compareForwarding(programs);
  const { sizes, redis, lost } = await compareSizes(programs);
  const silence = await rest(programs);
  const all = forwarding.lost + lost;
  for (const table of [forwarding.table, sizes, redis, silence]) console.log(`\n${table}`);
  console.log(`LOST ${all}`);
  if (options.page) {
    const page = join(ROOT, 'docs', 'SCALING.md');
    const busy = machine.load > 1 ? ` The machine had other work, too (load average ${machine.load}): rates say little, ratios are rough.` : '';
    const run = `${started} UTC, ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${ROUNDS} rounds; lost: ${all}.${busy}`;
    writeFileSync(page, fill(readFileSync(page, 'utf8'), { forwarding: forwarding.table, sizes, redis: `${redis}\n\n${silence}`, run }));
    console.log(`written to ${page}`);
  }
  process.exitCode = all > 0 ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    killAll();
    process.exit(130);
  });
}
try {
  await main();
} catch (error) {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
}
