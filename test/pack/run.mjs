/**
 * The package as its users get it: packed, installed into empty apps from the registry, started, spoken to.
 * One line for each thing that holds; ends with exit code 1 at the first that does not.
 */
import { execFile, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { WebSocket } from 'ws';

const run = promisify(execFile);
const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..', '..');
const PATIENCE = 30_000;

const NEST_PACKAGES = ['common', 'core', 'platform-express', 'platform-ws', 'testing', 'websockets'];
const BESIDE_NEST = ['reflect-metadata@^0.2', 'rxjs@^7'];
/** What a tarball may hold. */
const PUBLISHED = /^(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|dist\/.+\.(?:js|js\.map|d\.ts))$/;
const NEEDED = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'dist/index.js', 'dist/index.d.ts', 'dist/client/index.js', 'dist/client/index.d.ts', 'dist/testing/index.js', 'dist/testing/index.d.ts'];

function say(text) {
  process.stdout.write(`pack: ${text}\n`);
}

async function npm(cwd, ...args) {
  return (await run('npm', args, { cwd, maxBuffer: 64 * 1024 * 1024 })).stdout;
}

/** Rejects when `promise` takes longer than anybody would wait. */
async function within(promise, what) {
  let timer;
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${PATIENCE / 1000} s`)), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function pack(directory) {
  // By itself, so that nothing of what it prints stands before the JSON.
  await npm(ROOT, 'run', '--silent', 'prepack');
  const [packed] = JSON.parse(await npm(ROOT, 'pack', '--ignore-scripts', '--json', '--pack-destination', directory));
  const files = packed.files.map(({ path }) => path);
  const strangers = files.filter((path) => !PUBLISHED.test(path));
  if (strangers.length > 0) throw new Error(`the tarball holds what nobody needs: ${strangers.join(', ')}`);
  const missing = NEEDED.filter((path) => !files.includes(path));
  if (missing.length > 0) throw new Error(`the tarball lacks ${missing.join(', ')}`);
  say(`${packed.filename} holds ${files.length} files, ${Math.round(packed.size / 1024)} KiB, and nothing else`);
  return join(directory, packed.filename);
}

async function install(directory, tarball, { type, nest, extra = [] }) {
  await mkdir(directory);
  await writeFile(join(directory, 'package.json'), JSON.stringify({ name: 'empty-app', private: true, type }));
  const packages = [...NEST_PACKAGES.map((name) => `@nestjs/${name}@^${nest}`), ...BESIDE_NEST, ...extra];
  await npm(directory, 'install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', tarball, ...packages);
  const { version } = JSON.parse(await readFile(join(directory, 'node_modules', '@nestjs', 'core', 'package.json'), 'utf8'));
  if (!version.startsWith(`${nest}.`)) throw new Error(`Nest ${version} was installed instead of ${nest}`);
  return version;
}

/** Starts an app, speaks to both endpoints and ends it with SIGTERM. */
async function tryApp(directory, main) {
  await cp(join(HERE, 'apps', main), join(directory, main));
  const child = spawn(process.execPath, [main], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const exit = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
  try {
    const url = await within(
      new Promise((resolve, reject) => {
        for (const stream of [child.stdout, child.stderr]) {
          stream.setEncoding('utf8').on('data', (chunk) => {
            output += chunk;
            const [, address] = /^listening on (\S+)$/m.exec(output) ?? [];
            if (address) resolve(address);
          });
        }
        void exit.then(({ code }) => reject(new Error(`${main} ended with ${code}`)));
      }),
      main,
    );
    const open = await within(firstFrame(`${url.replace('http', 'ws')}/xmpp-websocket`), `${main} over WebSocket`);
    if (!open.startsWith('<open ')) throw new Error(`${main} answered <open/> with ${open}`);
    const body = await within(createSession(`${url}/http-bind`), `${main} over BOSH`);
    if (!/^<body .*\bsid=/s.test(body)) throw new Error(`${main} answered <body/> with ${body}`);
    if (/warn|error/i.test(output)) throw new Error(`${main} started with complaints`);
    await examine(directory, url);
    child.kill('SIGTERM');
    const { code, signal } = await within(exit, `the end of ${main}`);
    // Nest 11 ends itself with the signal that it got, Nest 12 may exit instead.
    if (code !== 0 && signal !== 'SIGTERM') throw new Error(`${main} ended with ${code ?? signal}`);
  } catch (error) {
    process.stderr.write(output);
    throw error;
  } finally {
    child.kill('SIGKILL');
  }
}

async function firstFrame(url) {
  const socket = new WebSocket(url, ['xmpp']);
  try {
    return await new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('open', () => socket.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>"));
      socket.once('message', (data) => resolve(data.toString()));
    });
  } finally {
    socket.terminate();
  }
}

async function createSession(url) {
  const attributes = "to='localhost' rid='1573741820' hold='1' wait='5' ver='1.6' xmpp:version='1.0'";
  const body = `<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' ${attributes}/>`;
  const response = await fetch(url, { method: 'POST', body, headers: { 'Content-Type': 'text/xml; charset=utf-8' } });
  if (response.status !== 200) throw new Error(`BOSH answered with HTTP ${response.status}`);
  return await response.text();
}

/** Looks at the app with the command of the package. */
async function examine(directory, url) {
  const { stdout } = await run(join(directory, 'node_modules', '.bin', 'nestjs-xmpp'), ['doctor', url], { cwd: directory });
  if (!/ 0 warnings, 0 problems$/m.test(stdout)) throw new Error(`the doctor is not content:\n${stdout}`);
}

/** A script that uses the testing kit over both transports. */
async function tryTestingKit(directory, main) {
  await cp(join(HERE, 'apps', main), join(directory, main));
  const { stdout } = await within(run(process.execPath, [main], { cwd: directory }), main);
  if (!/id='websocket'.*\n.*id='bosh'/.test(stdout)) throw new Error(`${main} said ${stdout}`);
}

/** How apps let TypeScript find types. Under node16, CommonJS code cannot import ESM (TS1479): that is nodenext's. */
const RESOLUTIONS = {
  module: [
    { module: 'nodenext', moduleResolution: 'nodenext' },
    { module: 'node16', moduleResolution: 'node16' },
    { module: 'esnext', moduleResolution: 'bundler' },
  ],
  commonjs: [
    { module: 'nodenext', moduleResolution: 'nodenext' },
    { module: 'preserve', moduleResolution: 'bundler' },
    { module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '6.0' },
  ],
};

/** Compiles consumers against the published types, in each way that apps do, and the declarations themselves strictly. */
async function compile(directory, type) {
  const files = ['consumer.ts', 'consumer-testing.ts'];
  for (const file of files) await cp(join(HERE, 'apps', file), join(directory, file));
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  for (const resolution of RESOLUTIONS[type]) {
    const compilerOptions = {
      target: 'es2023',
      ...resolution,
      strict: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      skipLibCheck: false,
      types: ['node'],
      noEmit: true,
    };
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    try {
      await run(process.execPath, [tsc, '-p', directory]);
    } catch (error) {
      const how = `${type} code with moduleResolution ${resolution.moduleResolution}`;
      throw new Error(`the published types do not compile in ${how}:\n${error.stdout}`, { cause: error });
    }
  }
  return RESOLUTIONS[type].map(({ moduleResolution }) => moduleResolution).join(', ');
}

/** A jest that compiles to CommonJS, set up as the README says. It is this repository's: the app brings nothing but its configuration. */
async function tryJest(directory) {
  await cp(join(HERE, 'apps', 'jest-host.ts'), join(directory, 'host.spec.ts'));
  const { resolve } = createRequire(join(ROOT, 'package.json'));
  const swc = {
    jsc: { parser: { syntax: 'typescript', decorators: true }, transform: { legacyDecorator: true, decoratorMetadata: true }, target: 'es2022' },
    module: { type: 'commonjs' },
  };
  const config = {
    rootDir: directory,
    testEnvironment: 'node',
    testRegex: 'host\\.spec\\.ts$',
    transform: { '^.+\\.[jt]s$': [resolve('@swc/jest'), swc] },
    transformIgnorePatterns: ['/node_modules/(?!nestjs-xmpp/)'],
  };
  await writeFile(join(directory, 'jest.config.json'), JSON.stringify(config));
  const jest = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
  try {
    await run(process.execPath, [jest, '--config', 'jest.config.json'], { cwd: directory });
  } catch (error) {
    throw new Error(`jest in CommonJS:\n${error.stderr}`, { cause: error });
  }
}

const directory = await mkdtemp(join(tmpdir(), 'nestjs-xmpp-pack-'));
try {
  const tarball = await pack(directory);
  const types = ['@types/node@^20'];

  const esm = join(directory, 'esm');
  const nest12 = await install(esm, tarball, { type: 'module', nest: 12, extra: types });
  await tryApp(esm, 'esm.mjs');
  say(`an ESM app on Nest ${nest12} serves WebSocket and BOSH`);
  say('the command of the package finds nothing wrong with it');
  await tryTestingKit(esm, 'testing.mjs');
  say('the testing kit works there');
  say(`types compile in ESM with ${await compile(esm, 'module')}`);

  const cjs = join(directory, 'cjs');
  const nest11 = await install(cjs, tarball, { type: 'commonjs', nest: 11, extra: types });
  await tryApp(cjs, 'cjs.cjs');
  say(`a CommonJS app on Nest ${nest11} serves WebSocket and BOSH`);
  await tryTestingKit(cjs, 'testing.cjs');
  say('the testing kit works there');
  await tryJest(cjs);
  say('so it does in a jest that compiles to CommonJS');
  say(`types compile in CommonJS with ${await compile(cjs, 'commonjs')}`);
} catch (error) {
  process.stderr.write(`pack: ${error.message}\n`);
  process.exitCode = 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}
