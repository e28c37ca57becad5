import { execFile, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { transform } from '@swc/core';
import { rootFile } from '../architecture/source-files.js';
import type { Platform } from './hosts.js';

const run = promisify(execFile);

/** Nest's major version. The current one is that of this repository; the other has a folder of its own. */
export const VERSIONS = [11, 12] as const;
export type Version = (typeof VERSIONS)[number];

/** Where the compiled hosts find their packages, and how they are written there. */
const PLACES = {
  11: { directory: rootFile('test/matrix/nest-11/node_modules/.host'), module: 'commonjs' },
  12: { directory: rootFile('.cache/matrix/nest-12'), module: 'es6' },
} as const;
const NEST_11 = rootFile('test/matrix/nest-11');
const BUILT = 'run "npm test", or "npm run build" and "node test/support/setup.mjs"';

/** The process of all hosts of one Nest on one platform. */
export interface HostProcess {
  readonly ports: Readonly<Record<string, number>>;
  /** What they printed up to now. */
  readonly output: () => string;
  /** Closes every app. @returns when the process is over, with its exit code */
  close(): Promise<number>;
  kill(): void;
}

/** Compiles the hosts, and installs the package as `npm pack` makes it where they do not find it by its name. */
export async function prepare(version: Version): Promise<void> {
  if (!existsSync(rootFile('dist/index.js'))) throw new Error(`the library is not built: ${BUILT}`);
  const { directory, module } = PLACES[version];
  if (version === 11) await installPacked();
  await mkdir(directory, { recursive: true });
  for (const name of ['hosts', 'main']) {
    const { code } = await transform(await readFile(rootFile(`test/matrix/${name}.ts`), 'utf8'), {
      filename: `${name}.ts`,
      swcrc: false,
      jsc: {
        target: 'es2022',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
        keepClassNames: true,
      },
      module: { type: module },
    });
    await writeFile(join(directory, `${name}.js`), code);
  }
}

async function installPacked(): Promise<void> {
  if (!existsSync(join(NEST_11, 'node_modules', '@nestjs', 'core'))) throw new Error(`Nest 11 is not installed: ${BUILT}`);
  const into = join(NEST_11, 'node_modules', 'nestjs-xmpp');
  const directory = await mkdtemp(join(tmpdir(), 'nestjs-xmpp-matrix-'));
  try {
    const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', directory], { cwd: rootFile('.') });
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    await rm(into, { recursive: true, force: true });
    await mkdir(into);
    await run('tar', ['-xzf', join(directory, filename), '--strip-components=1', '-C', into]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** @throws Error with its output when a host does not start */
export async function startHosts(version: Version, platform: Platform, env: Record<string, string>): Promise<HostProcess> {
  const main = join(PLACES[version].directory, 'main.js');
  const { PATH } = process.env;
  const child = fork(main, { env: { PATH, ...env, PLATFORM: platform }, execArgv: [], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  const over = once(child, 'close') as Promise<[number]>;
  const [ports] = (await Promise.race([
    once(child, 'message'),
    over.then(([code]) => {
      throw new Error(`the hosts on Nest ${version} ended with ${code}:\n${output}`);
    }),
  ])) as [Record<string, number>];
  return {
    ports,
    output: () => output,
    close: async () => {
      child.send('close');
      return (await over)[0];
    },
    kill: () => kill(child),
  };
}

function kill(child: ChildProcess): void {
  if (child.exitCode === null) child.kill('SIGKILL');
}
