import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootFile } from '../architecture/source-files.js';
import { createAuthority } from './certificates.js';
import { Child } from './child.js';
import { freePorts } from './ports.js';
import { requireTool } from './tools.mjs';

/** The documented configurations, by the program. */
export const PROXIES = ['nginx', 'haproxy'] as const;
export type ProxyName = (typeof PROXIES)[number];

/** Changes to a configuration: what is written there, and what stands there instead. Each must be found. */
export type Edits = readonly (readonly [from: string | RegExp, to: string])[];

/** A reverse proxy before an app of this machine, started from its page of the documentation. */
export interface Proxy {
  /** `https://localhost:PORT`, without a slash. */
  readonly url: string;
  readonly port: number;
  /** Without TLS. */
  readonly httpPort: number;
  /** The authority of its certificate. */
  readonly ca: Buffer;
  readonly caFile: string;
  stop(): Promise<void>;
}

const FILES: Record<ProxyName, string> = { nginx: 'docs/deployment/nginx.conf', haproxy: 'docs/deployment/haproxy.cfg' };

/** The documented configuration. */
export function documentedConfiguration(name: ProxyName): string {
  return readFileSync(rootFile(FILES[name]), 'utf8');
}

const ATTEMPTS = 5;
const PORT_TAKEN = /Address already in use|cannot bind socket/;
const LOOK_AGAIN = 50;

/**
 * Starts a proxy with nothing of its documented configuration changed but ports, paths, and what `edits` say.
 *
 * @param days that its certificate is valid
 * @throws Error with its output when it does not start
 */
export function startProxy(name: ProxyName, appPort: number, edits: Edits = [], days = 90): Promise<Proxy> {
  const started = turn.then(() => start(name, appPort, edits, days));
  turn = started.catch(() => {});
  return started;
}

/** One after the other: a port that was found free is free until it is listened on. */
let turn: Promise<unknown> = Promise.resolve();

async function start(name: ProxyName, appPort: number, edits: Edits, days: number): Promise<Proxy> {
  const directory = await mkdtemp(join(tmpdir(), `nestjs-xmpp-${name}-`));
  const clean = () => rm(directory, { recursive: true, force: true });
  try {
    const authority = await createAuthority(join(directory, 'tls'), 'nestjs-xmpp test CA', days);
    const { certFile, keyFile } = await authority.issue(['localhost', 'chat.example.org']);
    const bundle = join(directory, 'bundle.pem');
    await writeFile(bundle, `${await readFile(certFile, 'utf8')}${await readFile(keyFile, 'utf8')}`);
    const paths = { directory, certFile, keyFile, bundle };

    for (let attempt = 1; ; attempt++) {
      const [port, httpPort] = (await freePorts(2)) as [number, number];
      const text = edit(edit(documentedConfiguration(name), edits), SUBSTITUTES[name]({ port, httpPort, appPort }, paths));
      const child = await STARTERS[name](directory, text);
      if ((await listens(port, child)) && !PORT_TAKEN.test(child.output)) {
        const stop = async () => {
          await child.stop();
          await clean();
        };
        const ca = await readFile(authority.certFile);
        return { url: `https://localhost:${port}`, port, httpPort, ca, caFile: authority.certFile, stop };
      }
      await child.stop();
      if (!PORT_TAKEN.test(child.output) || attempt === ATTEMPTS) throw new Error(`${name} did not start:\n${child.output}\n${text}`);
    }
  } catch (error) {
    await clean();
    throw error;
  }
}

interface Ports {
  readonly port: number;
  readonly httpPort: number;
  readonly appPort: number;
}
interface Paths {
  readonly directory: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly bundle: string;
}

const SUBSTITUTES: Record<ProxyName, (ports: Ports, paths: Paths) => Edits> = {
  nginx: ({ port, httpPort, appPort }, { certFile, keyFile }) => [
    [/^ *listen \[::\].*\n/gm, ''],
    ['listen 80;', `listen 127.0.0.1:${httpPort};`],
    [/^ *listen 443 /gm, `listen 127.0.0.1:${port} `],
    ['127.0.0.1:5280', `127.0.0.1:${appPort}`],
    [/server_name chat\.example\.org/g, 'server_name chat.example.org localhost'],
    [/\/etc\/letsencrypt\/\S+\/fullchain\.pem/, certFile],
    [/\/etc\/letsencrypt\/\S+\/privkey\.pem/, keyFile],
  ],
  haproxy: ({ port, httpPort, appPort }, { bundle }) => [
    ['bind :80', `bind 127.0.0.1:${httpPort}`],
    [/^ *bind :443 /gm, `bind 127.0.0.1:${port} `],
    [/\/etc\/haproxy\/certs\/\S+/, bundle],
    ['127.0.0.1:5280', `127.0.0.1:${appPort}`],
    // Up at once, in the test's time.
    ['check inter 2s', 'check inter 100ms rise 1'],
  ],
};

const STARTERS: Record<ProxyName, (directory: string, text: string) => Promise<Child>> = {
  nginx: async (directory, text) => {
    const main = join(directory, 'nginx.conf');
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${directory}/${kind};`);
    await writeFile(join(directory, 'site.conf'), text);
    await writeFile(
      main,
      `daemon off; master_process off; pid ${directory}/pid; error_log stderr; events {}
http { access_log off; ${temporary.join(' ')} include ${directory}/site.conf; }\n`,
    );
    return new Child(requireTool('nginx'), ['-c', main, '-e', 'stderr']);
  },
  haproxy: async (directory, text) => {
    const main = join(directory, 'haproxy.cfg');
    await writeFile(main, text);
    return new Child(requireTool('haproxy'), ['-db', '-f', main]);
  },
};

function edit(text: string, edits: Edits): string {
  return edits.reduce((before, [from, to]) => {
    const after = before.replace(from, to);
    if (after === before) throw new Error(`the configuration has no ${String(from)}`);
    return after;
  }, text);
}

/** Waits until somebody listens there. @returns whether it does; false when the process has ended */
async function listens(port: number, child: Child): Promise<boolean> {
  let over = false;
  void child.exit.then(() => (over = true));
  while (!over) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return true;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  }
  return false;
}
