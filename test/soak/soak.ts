import { request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { startProsody } from '../support/prosody.js';
import { count, household, inWorld, person, type World } from './actors.js';
import { SoakClient } from './client.js';
import { SoakGateway, type Holdings } from './gateway.js';
import { Ledger, type Account } from './ledger.js';
import { LossyProxy } from '../support/lossy-proxy.js';
import { Tap } from './tap.js';
import type { Comparison } from './tape.js';
import { Random } from './random.js';

export interface SoakOptions {
  /** Milliseconds in which people come and go; what it takes to settle comes on top. */
  readonly duration: number;
  /** The same before anything is measured, so that code is compiled and caches are filled. */
  readonly warmUp: number;
  readonly seed: number;
  readonly upstream: 'embedded' | 'prosody';
  readonly platform: 'express' | 'fastify';
  readonly people: number;
  /** Milliseconds between two cuts of a connection to the XMPP server; 0: none. */
  readonly cutEvery: number;
  /** Users with several clients on one stream. */
  readonly households: number;
  /** Of the project. */
  readonly root: string;
  readonly say?: (text: string) => void;
}

export interface SoakResult {
  readonly account: Account;
  /** Of what the clients saw with what the server saw, where that was recorded. */
  readonly comparison?: Comparison;
  /** What happened, and how often. */
  readonly counts: Readonly<Record<string, number>>;
  readonly before: Holdings;
  readonly after: Holdings;
  /** Of the sample, beside the line that says where it listens. */
  readonly output: string;
  /** What somebody did and went through. */
  readonly histories: ReadonlyMap<string, readonly string[]>;
  /** Its exit code after SIGTERM. */
  readonly exit: number | null;
}

const DOMAIN = 'localhost';
/** Short, so that everything happens often, and is over soon. Seconds, bytes. */
const OPTIONS = {
  websocket: { pingInterval: 6 },
  bosh: { wait: 5, inactivity: 10 },
  limits: { maxSessionsPerAddress: 10_000, sessionsPerMinute: 100_000, maxBufferedBytes: 300_000 },
  shared: { attemptsPerMinute: 100_000 },
};
/** Milliseconds in which everything is over: inactivity, stream management, tombstones. */
const SETTLES_IN = 50_000;
/** Milliseconds without anybody, the least before memory is looked at: streams that could be resumed are gone by then. */
const FORGETS_IN = 30_000;

/** People who come and go through a proxy that loses things; every message is counted. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const say = options.say ?? (() => {});
  const random = new Random(options.seed);
  const users = [
    ...Array.from({ length: options.people }, (_, i) => `person${i}`),
    ...Array.from({ length: options.households }, (_, i) => `family${i}`),
  ];
  const passwords = new Map(users.map((user) => [user, `secret-${user}`]));
  const upstream = options.upstream === 'prosody' ? await startProsodyBehindProxy(passwords) : undefined;
  const gateway = await SoakGateway.start(options.root, {
    HTTP_PLATFORM: options.platform,
    XMPP_USERS: [...passwords].map((entry) => entry.join(':')).join(','),
    XMPP_OPTIONS: JSON.stringify(OPTIONS),
    ...upstream?.environment,
  });
  const proxy = await LossyProxy.to(gateway.port);
  const ledger = new Ledger();
  const world: World = {
    gate: { proxy, domain: DOMAIN },
    ledger,
    users,
    passwords,
    readers: new Map(users.slice(0, options.people).map((user) => [user, { user }])),
    counts: {},
    stopping: false,
    upstreamCutAt: -Infinity,
    ...(upstream && { streams: [] }),
    ...(!upstream && { prebind: prebinder(gateway.url, passwords) }),
  };
  try {
    await live(world, random.fork(1), options, options.warmUp, upstream?.proxy);
    await settle(world);
    const before = await quiet(gateway);
    say(`warm: ${show(before)}`);
    world.counts = {};
    await live(world, random.fork(2), options, options.duration, upstream?.proxy);
    say(`everybody has left; ${ledger.open} messages are still open`);
    await settle(world);
    const after = await quiet(gateway, before);
    const account = ledger.account(upstream?.tap.tape);
    const comparison = upstream?.tap.tape.compare(world.streams!);
    const exit = await gateway.stop();
    const output = gateway.output.replace(/^listening on .*\n/m, '');
    return { account, ...(comparison && { comparison }), counts: world.counts, before, after, output, exit, histories: ledger.histories };
  } finally {
    await gateway.stop();
    await proxy.close();
    await upstream?.stop();
  }
}

async function live(world: World, random: Random, options: SoakOptions, duration: number, upstream?: LossyProxy): Promise<void> {
  world.stopping = false;
  const cutter = upstream && options.cutEvery > 0 && setInterval(() => cutOne(world, upstream, random), options.cutEvery);
  const actors = world.users.map((user, i) => (i < options.people ? person : household)(world, user, random.fork(1000 + i)));
  await wait(duration);
  world.stopping = true;
  if (cutter) clearInterval(cutter);
  await Promise.all(actors);
}

/** One connection to the XMPP server breaks. */
function cutOne(world: World, proxy: LossyProxy, random: Random): void {
  const connections = proxy.connections();
  if (connections.length === 0) return;
  world.upstreamCutAt = Date.now();
  count(world, 'cut from the server');
  random.pick(connections).cut();
}

/** Everybody looks whether something waits for him, until nothing is missing. */
async function settle(world: World): Promise<void> {
  const until = Date.now() + SETTLES_IN;
  do {
    for (const user of world.users) {
      const client = new SoakClient({ ...inWorld(world, user), user, transport: 'websocket', managed: false }, world.readers.get(user));
      try {
        await client.login();
        await client.leave();
      } catch (error) {
        world.ledger.fault(`to look for messages: ${String(error)}`);
      }
    }
    if (world.ledger.open > 0) await wait(1000);
  } while (world.ledger.open > 0 && Date.now() < until);
}

/** What the gateway holds when nothing happens any more, and all that waits for time to pass is over. */
async function quiet(gateway: SoakGateway, before?: Holdings): Promise<Holdings> {
  const begun = Date.now();
  for (let last = await gateway.report(); ; ) {
    await wait(3000);
    const now = await gateway.report();
    const still = now.sockets === last.sockets && Math.abs(now.heapUsed - last.heapUsed) < 100_000;
    const back = !before || (now.sockets <= before.sockets && JSON.stringify(now.handles) === JSON.stringify(before.handles));
    const passed = Date.now() - begun;
    if ((still && back && passed > FORGETS_IN) || passed > SETTLES_IN) return now;
    last = now;
  }
}

export function show({ heapUsed, external, rss, sockets, handles }: Holdings): string {
  const mib = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;
  const kinds = Object.entries(handles).map(([kind, number]) => `${kind} ${number}`);
  return `heap ${mib(heapUsed)}, external ${mib(external)}, resident ${mib(rss)}, descriptors ${sockets}, ${kinds.join(', ')}`;
}

interface Upstream {
  readonly environment: Record<string, string>;
  readonly proxy: LossyProxy;
  readonly tap: Tap;
  stop(): Promise<void>;
}

async function startProsodyBehindProxy(passwords: ReadonlyMap<string, string>): Promise<Upstream> {
  const prosody = await startProsody({ domain: DOMAIN, users: Object.fromEntries(passwords) });
  const tap = await Tap.before(prosody);
  const proxy = await LossyProxy.to(tap.port);
  return {
    environment: { XMPP_UPSTREAM: `xmpps://127.0.0.1:${proxy.port}`, NODE_EXTRA_CA_CERTS: prosody.caFile },
    proxy,
    tap,
    stop: async () => {
      await proxy.close();
      await tap.close();
      await prosody.stop();
    },
  };
}

/** Logs in at the sample's web app, once for each user, and has it open sessions. */
function prebinder(url: string, passwords: ReadonlyMap<string, string>): World['prebind'] {
  const cookies = new Map<string, string>();
  return async (user) => {
    let cookie = cookies.get(user);
    if (cookie === undefined) {
      const login = await ask(`${url}/login`, { 'Content-Type': 'application/json', 'Origin': url }, JSON.stringify({ user, password: passwords.get(user) }));
      cookie = login.cookie.split(';', 1)[0]!;
      cookies.set(user, cookie);
    }
    const { text } = await ask(`${url}/session`, { Cookie: cookie });
    return JSON.parse(text) as { jid: string; sid: string; rid: number };
  };
}

/** On a connection of its own, which is not kept. */
function ask(url: string, headers: Record<string, string>, body?: string): Promise<{ text: string; cookie: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: body === undefined ? 'GET' : 'POST', headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more: string) => (text += more));
      response.on('end', () => {
        if (response.statusCode! >= 300) reject(new Error(`${url}: HTTP ${response.statusCode} ${text}`));
        else resolve({ text, cookie: response.headers['set-cookie']?.[0] ?? '' });
      });
    });
    sent.on('error', reject).end(body);
  });
}
