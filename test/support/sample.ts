import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Child, type Exit } from './child.js';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const MAIN = join(ROOT, 'sample', 'dist', 'main.js');
const LISTENING = /^listening on (http:\/\/\S+)$/m;

/** The sample app's environment variables; see README. */
export interface SampleEnvironment {
  readonly HTTP_PLATFORM?: string;
  readonly XMPP_DOMAINS?: string;
  readonly XMPP_UPSTREAM?: string;
  readonly XMPP_USERS?: string;
  /** JSON. */
  readonly XMPP_OPTIONS?: string;
  /** A CA file that Node trusts besides its own; read at the start of a process only. */
  readonly NODE_EXTRA_CA_CERTS?: string;
  readonly [name: string]: string | undefined;
}

/** The sample app as a process of its own, on a free loopback port. */
export interface Sample {
  /** `http://127.0.0.1:PORT`, without a slash. */
  readonly url: string;
  readonly wsUrl: string;
  readonly boshUrl: string;
  readonly pid: number;
  /** Everything that it has printed up to now. */
  readonly output: string;
  /** How it ended, once it has. */
  readonly exit: Promise<Exit>;
  /** SIGTERM unless told otherwise; resolves when the process is over. */
  stop(signal?: NodeJS.Signals): Promise<Exit>;
}

/**
 * Starts the built sample and waits until it listens.
 * @throws Error with its output when it ends instead.
 */
export async function startSample(environment: SampleEnvironment = {}): Promise<Sample> {
  const child = spawnSample(environment);
  const [, url] = (await child.waitFor(LISTENING)) as unknown as [string, string];
  const { pid } = child;
  if (pid === undefined) throw new Error('the sample has no process id');
  return {
    url,
    wsUrl: `${url.replace(/^http/, 'ws')}/xmpp-websocket`,
    boshUrl: `${url}/http-bind`,
    pid,
    get output() {
      return child.output;
    },
    exit: child.exit,
    stop: async (signal) => await child.stop(signal),
  };
}

/** Starts the built sample without waiting: for starts that are meant to fail. */
export function spawnSample(environment: SampleEnvironment = {}): Child {
  if (!existsSync(MAIN)) throw new Error('the sample is not built: run "npm test", or "npm run build && npm run build:sample"');
  const { PATH } = process.env;
  return new Child(process.execPath, ['--enable-source-maps', MAIN], { cwd: ROOT, env: { PATH, PORT: '0', ...environment } });
}
