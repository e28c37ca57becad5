/**
 * A cluster on this machine, for trying it in a browser: Redis, three nodes of the sample, and HAProxy that hands every
 * request to the next of them. Behind the nodes stands the server of XMPP_UPSTREAM; without that, one more process of
 * the sample with its embedded server, which the nodes reach over WebSocket.
 *
 * HOST is always 127.0.0.1, PORT (5280) is that of HAProxy; the other variables are those of the sample.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { balancerConfiguration } from './balancer.js';
import { Program } from './child.js';

const SAMPLE = fileURLToPath(new URL('../main.js', import.meta.url));
const NODES = 3;
const LISTENING = /^listening on /m;
/** Behind one address stands everybody. */
const ANYBODY = { maxSessionsPerAddress: 10_000, sessionsPerMinute: 100_000 };

const say = (line: string) => console.log(line);
const port = Number(process.env['PORT'] ?? 5280);
const directory = await mkdtemp(join(tmpdir(), 'nestjs-xmpp-cluster-'));
const programs: Program[] = [];

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(0));

try {
  const [redis, server, ...nodes] = await freePorts(2 + NODES);
  await run('redis', 'redis-server', ['--port', String(redis), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {}, /Ready to accept/);
  let upstream = process.env['XMPP_UPSTREAM'];
  if (upstream === undefined) {
    await sample('server', { PORT: String(server), XMPP_OPTIONS: options({}) });
    upstream = `ws://127.0.0.1:${server}/xmpp-websocket`;
  }
  const common = {
    XMPP_UPSTREAM: upstream,
    XMPP_OPTIONS: options({ trustProxy: 1 }),
    REDIS_URL: `redis://127.0.0.1:${redis}`,
    CLUSTER_SECRET: process.env['CLUSTER_SECRET'] ?? randomBytes(24).toString('base64url'),
  };
  await Promise.all(nodes.map((node, index) => sample(`node-${index + 1}`, { ...common, PORT: String(node), XMPP_NODE: `node-${index + 1}` })));
  const configuration = join(directory, 'haproxy.cfg');
  await writeFile(configuration, balancerConfiguration(port, nodes));
  await run('haproxy', 'haproxy', ['-db', '-f', configuration], {}, port);
  say(`listening on http://127.0.0.1:${port}, nodes on ${nodes.map((node) => `http://127.0.0.1:${node}`).join(', ')}`);
} catch (error) {
  console.error(`cannot start: ${(error as Error).message}`);
  await stop(1);
}

async function run(name: string, command: string, args: readonly string[], environment: NodeJS.ProcessEnv, ready: RegExp | number): Promise<void> {
  const program = new Program(name, command, args, { ...process.env, NO_COLOR: '1', ...environment }, ready, say);
  programs.push(program);
  await program.start();
}

async function sample(name: string, environment: NodeJS.ProcessEnv): Promise<void> {
  await run(name, process.execPath, ['--enable-source-maps', SAMPLE], { HOST: '127.0.0.1', REDIS_URL: '', ...environment }, LISTENING);
}

/** The caller's, over what a cluster on one machine needs. */
function options(own: Record<string, unknown>): string {
  const given = JSON.parse(process.env['XMPP_OPTIONS'] ?? '{}') as Record<string, unknown>;
  return JSON.stringify({ ...own, ...given, limits: { ...ANYBODY, ...(given['limits'] as object | undefined) } });
}

/** The last first: nobody is asked who is gone. Those that got the same signal from the terminal may go at once. */
async function stop(code: number): Promise<void> {
  for (const program of programs) program.release();
  for (const program of programs.toReversed()) await program.stop();
  await rm(directory, { recursive: true, force: true });
  process.exit(code);
}

/** Loopback ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const holder = createServer();
      await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
      return holder;
    }),
  );
  const ports = servers.map((holder) => (holder.address() as AddressInfo).port);
  await Promise.all(servers.map((holder) => new Promise((resolve) => holder.close(resolve))));
  return ports;
}
