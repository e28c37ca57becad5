import { setTimeout as wait } from 'node:timers/promises';
import { SoakClient, type ClientOptions } from './client.js';
import type { Gate } from './link.js';
import type { Ledger, Reader } from './ledger.js';
import type { Random } from './random.js';
import type { StreamRecord } from './tape.js';

/** What all actors share. */
export interface World {
  readonly gate: Gate;
  readonly ledger: Ledger;
  /** Of every stream that anybody had, where they are compared with what the server saw. */
  readonly streams?: StreamRecord[];
  readonly users: readonly string[];
  readonly passwords: ReadonlyMap<string, string>;
  /** Of those who are alone on their streams. */
  readonly readers: ReadonlyMap<string, Reader>;
  counts: Record<string, number>;
  /** Nobody begins anything new. */
  stopping: boolean;
  /** When a connection to the XMPP server was cut last. */
  upstreamCutAt: number;
  /** A BOSH session that the sample's web login opened; undefined where it has none. */
  prebind?(user: string): Promise<ClientOptions['prebound']>;
}

const TRANSPORTS = ['websocket', 'bosh'] as const;
/** Milliseconds in which a cut connection to the server is an excuse. */
const AFTERMATH = 10_000;

export function count(world: World, what: string, user?: string): void {
  if (user !== undefined) world.ledger.note(user, what);
  world.counts[what] = (world.counts[what] ?? 0) + 1;
}

/** Somebody who logs in, talks, meets with accidents, leaves, and comes again. */
export async function person(world: World, user: string, random: Random): Promise<void> {
  while (!world.stopping) {
    const transport = random.pick(TRANSPORTS);
    const managed = random.chance(0.45);
    const prebinds = random.chance(0.3) && transport === 'bosh' && !managed;
    const ticks = random.between(20, 250);
    const client = await login(world, {
      user,
      transport,
      managed,
      ...(prebinds && world.prebind && { prebound: (await world.prebind(user))! }),
    });
    if (!client) {
      await wait(500);
      continue;
    }
    watch(world, client);
    for (let i = 0; i < ticks && !world.stopping; i++) {
      await wait(random.between(2, 120));
      if (client.gone !== undefined && !(await comeBack(world, client, random))) break;
      act(world, client, random);
    }
    await end(world, client, random);
    if (!world.stopping) await wait(random.between(0, 1500));
  }
}

/** Several clients on one stream; the first one counts what comes, the others have to see the same. */
export async function household(world: World, user: string, random: Random): Promise<void> {
  while (!world.stopping) {
    const key = `${user}-${random.between(1e12, 9e12)}-${random.between(1e12, 9e12)}`;
    const anchor = await login(world, { user, transport: random.pick(TRANSPORTS), managed: false, key });
    if (!anchor) {
      await wait(500);
      continue;
    }
    watch(world, anchor);
    const tabs: SoakClient[] = [];
    const seeds = [random.between(1, 1e9), random.between(1, 1e9), random.between(1, 1e9)];
    const over = { now: false };
    const members = seeds.map((seed) => tab(world, anchor, key, over, random.fork(seed), tabs));
    const ticks = random.between(200, 600);
    for (let i = 0; i < ticks && !world.stopping && anchor.alive; i++) {
      await wait(random.between(2, 80));
      if (anchor.alive) act(world, anchor, random, anchor.transport === 'bosh');
    }
    over.now = true;
    await Promise.all(members);
    await leave(world, anchor, random);
    if (anchor.life.diedAt !== undefined) continue; // one that others did not wait for; they have everything
    for (const { got, options, life } of tabs) {
      const start = got.length === 0 ? 0 : anchor.got.indexOf(got[0]!);
      const other = got.findIndex((id, i) => anchor.got[start + i] !== id);
      if (start < 0 || other >= 0) {
        const [here, there] = [got.slice(Math.max(0, other - 2), other + 3), anchor.got.slice(Math.max(0, start + other - 2), start + other + 3)];
        world.ledger.fault(`${user}: ${life.number} over ${options.transport} saw ${here.join(' ')}, the first one ${there.join(' ')}`);
      }
    }
  }
}

async function tab(world: World, anchor: SoakClient, key: string, over: { now: boolean }, random: Random, tabs: SoakClient[]): Promise<void> {
  while (!over.now && anchor.alive) {
    const client = await login(world, { user: anchor.options.user, transport: random.pick(TRANSPORTS), managed: false, key, joins: anchor });
    if (!client) {
      await wait(500);
      continue;
    }
    tabs.push(client);
    count(world, 'attached');
    watch(world, client, anchor);
    const ticks = random.between(20, 150);
    for (let i = 0; i < ticks && !over.now && client.alive; i++) {
      await wait(random.between(2, 120));
      if (client.alive) act(world, client, random);
    }
    await end(world, client, random);
    if (!over.now) await wait(random.between(0, 500));
  }
}

export function inWorld({ gate, ledger, streams, passwords }: World, user: string): Pick<ClientOptions, 'gate' | 'ledger' | 'streams' | 'password'> {
  return { gate, ledger, password: passwords.get(user)!, ...(streams && { streams }) };
}

async function login(world: World, options: Omit<ClientOptions, 'gate' | 'ledger' | 'streams' | 'password'>): Promise<SoakClient | undefined> {
  const client = new SoakClient({ ...options, ...inWorld(world, options.user) }, world.readers.get(options.user));
  try {
    await client.login();
    count(world, `${options.prebound ? 'prebound' : options.transport}${options.managed ? ', resumable' : ''}`);
    return client;
  } catch (error) {
    if (!excused(world)) world.ledger.fault(`login: ${String(error)}`);
    client.drop();
    return undefined;
  }
}

/** A stream that ends by itself is a fault, unless something was done to it. */
function watch(world: World, client: SoakClient, anchor?: SoakClient): void {
  client.onGoneForGood = () => {
    client.onGoneForGood = undefined;
    const { user } = client.options;
    if (client.doomed || excused(world) || client.gone === 'left' || (anchor && !anchor.alive)) return;
    // Nobody waits for ever for one that does not read (limits.maxBufferedBytes).
    if (client.options.key !== undefined && client.gone === 'policy-violation') return count(world, 'left behind', user);
    world.ledger.fault(`${user} lost the stream over ${client.transport}: ${client.gone}`);
  };
}

function excused(world: World): boolean {
  return Date.now() - world.upstreamCutAt < AFTERMATH;
}

/** @returns false when it cannot go on with its stream */
async function comeBack(world: World, client: SoakClient, random: Random): Promise<boolean> {
  if (!client.resumable) return false;
  if (!client.doomed && !excused(world)) world.ledger.fault(`${client.options.user} lost a stream that can be resumed, over ${client.transport}: ${client.gone}`);
  for (let tries = 0; tries < 5; tries++) {
    try {
      await wait(random.between(0, 300));
      const resumed = await client.resume(random.pick(TRANSPORTS));
      if (resumed) {
        count(world, 'resumed');
        return true;
      }
      if (!excused(world)) world.ledger.fault(`${client.options.user} could not resume`);
      break;
    } catch (error) {
      if (!excused(world)) world.ledger.fault(`resume: ${String(error)}`);
    }
  }
  client.drop();
  return false;
}

function act(world: World, client: SoakClient, random: Random, mayFail = true): void {
  const dice = random.next();
  const to = random.pick(world.users.filter((user) => user !== client.options.user));
  const size = random.chance(0.1) ? random.between(0, 6000) : 0;
  const some = random.between(5, 40);
  const mishap = random.next();
  const duration = random.between(100, 2500);
  if (dice < 0.85) client.message(to, size);
  else if (dice < 0.9) for (let i = 0; i < some; i++) client.message(to, size >> 2);
  else if (dice < 0.95) void client.fence();
  else if (mayFail) accident(world, client, mishap, duration);
}

/** What happens to connections, and to those who read from them. */
function accident(world: World, client: SoakClient, dice: number, duration: number): void {
  const connections = client.connections();
  if (dice < 0.25) {
    count(world, 'reads slowly', client.options.user);
    client.sleep(duration);
  } else if (dice < 0.5) {
    count(world, 'stalled', client.options.user);
    for (const connection of connections) connection.stall(duration);
  } else if (client.transport === 'bosh') {
    if (connections.length === 0) return;
    const [connection] = connections;
    if (dice < 0.62) connection!.swallow();
    else if (dice < 0.74) connection!.truncate(1 + Math.floor(duration / 20));
    else if (dice < 0.86) connection!.cutBehindRequest();
    else for (const every of connections) every.cut();
    count(world, dice < 0.86 ? 'answer lost' : 'requests cut', client.options.user);
  } else if (client.resumable || dice < 0.6) {
    client.doomed = true;
    if (dice < 0.75) for (const connection of connections) connection.cut();
    else if (dice < 0.9) connections[0]?.truncate(1 + Math.floor(duration / 10));
    else client.lose();
    count(world, 'cut', client.options.user);
  }
}

async function end(world: World, client: SoakClient, random: Random): Promise<void> {
  const dice = random.next();
  if (client.gone !== undefined && !(await comeBack(world, client, random))) return;
  if (dice < 0.8 || world.stopping) {
    await leave(world, client, random);
    return;
  }
  count(world, 'dropped');
  client.doomed = true;
  client.drop();
}

async function leave(world: World, client: SoakClient, random: Random): Promise<void> {
  for (let tries = 0; tries < 5; tries++) {
    // An accident that was on its way may come first.
    if ((await client.leave()) || !(await comeBack(world, client, random))) return;
  }
}
