/**
 * Somebody has a Nest app and reads docs/getting-started.md: every line of it is done, in an app on Express with
 * socket.io and in one on Fastify. What the page says in words, comments before its code say to this script.
 */
import { execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { io } from 'socket.io-client';

const run = promisify(execFile);
const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..', '..');
const NEST = '^12';
const PATIENCE = 60_000;
const APPS = {
  'express-socketio': ['platform-express', 'platform-socket.io', 'websockets'],
  fastify: ['platform-fastify'],
};

function say(text) {
  process.stdout.write(`newcomer: ${text}\n`);
}

/** The steps of the page, in order. A block without a comment is for reading. */
async function steps() {
  const page = await readFile(join(ROOT, 'docs', 'getting-started.md'), 'utf8');
  const found = [...page.matchAll(/^<!-- (?!given)(.+?) -->\n```\w+\n([^]*?)^```$/gm)].map(([, what, code]) => ({ what, code }));
  const blocks = [...page.matchAll(/^```\w+$/gm)].length;
  if (found.length < 10 || found.length < blocks - 1) throw new Error(`only ${found.length} of ${blocks} blocks of the page say what to do`);
  return found;
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

class Newcomer {
  output = '';

  constructor(directory, tarball, port) {
    this.directory = directory;
    this.tarball = tarball;
    this.port = port;
  }

  async follow({ what, code }) {
    if (what === 'run') return await this.run(code);
    if (what === 'start') return await this.start(code);
    if (what === 'prints') return this.compare(code);
    const [, file] = /^new file: (\S+)$/.exec(what) ?? [];
    if (file) return await writeFile(join(this.directory, file), this.here(code));
    const [, path, place] = /^(\S+): (.+)$/.exec(what) ?? [];
    return await this.edit(path, place, code);
  }

  /** Tests run side by side: another port than 3000. */
  here(text) {
    return text.replaceAll('localhost:3000', `127.0.0.1:${this.port}`);
  }

  async run(code) {
    for (const line of code.trim().split('\n')) {
      const command = this.here(line).replace('npm install nestjs-xmpp', `npm install ${this.tarball}`);
      const { stdout, stderr } = await run('sh', ['-c', command], { cwd: this.directory, env: { ...process.env, npm_config_loglevel: 'error' } });
      this.output = stdout;
      if (/\berr(or|!)/i.test(stderr)) throw new Error(`${line}:\n${stderr}`);
    }
  }

  async start(code) {
    this.app = spawn('sh', ['-c', `exec ${code.trim()}`], { cwd: this.directory, env: { ...process.env, PORT: String(this.port) }, detached: true });
    let log = '';
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the app does not start:\n${log}`)), PATIENCE);
      for (const stream of [this.app.stdout, this.app.stderr]) {
        stream.setEncoding('utf8').on('data', (chunk) => {
          log += chunk;
          if (log.includes('successfully started')) {
            clearTimeout(timer);
            resolve();
          }
        });
      }
      this.app.once('exit', (status) => reject(new Error(`the app ended with ${status}:\n${log}`)));
    });
    this.log = () => log;
  }

  compare(code) {
    if (this.output !== code) throw new Error(`the page says\n${code}and it prints\n${this.output}`);
  }

  async edit(path, place, code) {
    const file = join(this.directory, path);
    const before = await readFile(file, 'utf8');
    const after = {
      'at the top': () => code + before,
      'first in imports': () => before.replace(/imports: \[\n?/, (found) => `${found.trimEnd()}\n${code}`),
      'before app.listen': () => before.replace(/^.*app\.listen\(/m, (found) => code + found),
    }[place]?.();
    if (after === undefined || after === before) throw new Error(`${path} has no place "${place}"`);
    await writeFile(file, after);
  }

  async stop() {
    if (!this.app || this.app.exitCode !== null || this.app.signalCode !== null) return;
    const ended = new Promise((resolve) => this.app.once('exit', (code, signal) => resolve(code ?? signal)));
    const timer = setTimeout(() => process.kill(-this.app.pid, 'SIGKILL'), 10_000);
    process.kill(-this.app.pid, 'SIGTERM');
    const how = await ended;
    clearTimeout(timer);
    if (how === 'SIGKILL') throw new Error('the app does not end at SIGTERM');
  }
}

/** What was there before. */
async function check(app, port) {
  const hello = await (await fetch(`http://127.0.0.1:${port}/api/hello`)).text();
  if (hello !== 'Hello') throw new Error(`/api/hello says ${hello}`);
  if (app !== 'express-socketio') return;
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], reconnection: false });
  try {
    const news = await new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error('socket.io says nothing')), PATIENCE).unref();
      socket.once('connect_error', reject).once('news', resolve).emit('news', 'XMPP');
    });
    if (news !== 'nothing new about XMPP') throw new Error(`socket.io says ${news}`);
  } finally {
    socket.disconnect();
  }
}

async function existingApp(directory, app) {
  await cp(join(HERE, 'newcomers', app), directory, { recursive: true });
  await cp(join(HERE, 'newcomers', 'tsconfig.json'), join(directory, 'tsconfig.json'));
  const nest = ['common', 'core', ...APPS[app]].map((name) => [`@nestjs/${name}`, NEST]);
  const manifest = {
    name: app,
    private: true,
    scripts: { build: 'tsc', start: 'node dist/main.js' },
    dependencies: { ...Object.fromEntries(nest), 'reflect-metadata': '^0.2', rxjs: '^7' },
    devDependencies: { '@types/node': '^20', typescript: '~6.0' },
  };
  await writeFile(join(directory, 'package.json'), JSON.stringify(manifest, undefined, 2));
  await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'], { cwd: directory });
}

const directory = await mkdtemp(join(tmpdir(), 'nestjs-xmpp-newcomer-'));
try {
  await run('npm', ['run', '--silent', 'prepack'], { cwd: ROOT });
  const packed = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', directory], { cwd: ROOT });
  const [{ filename }] = JSON.parse(packed.stdout);
  const page = await steps();
  for (const app of Object.keys(APPS)) {
    const home = join(directory, app);
    await existingApp(home, app);
    const port = await freePort();
    const newcomer = new Newcomer(home, join(directory, filename), port);
    try {
      for (const step of page) await newcomer.follow(step);
      await check(app, port);
      await newcomer.stop();
      say(`an app on ${app} has XMPP after ${page.length} steps, and all that it had before`);
    } catch (error) {
      process.stderr.write(newcomer.log?.() ?? '');
      throw error;
    } finally {
      await newcomer.stop().catch(() => {});
    }
  }
} catch (error) {
  process.stderr.write(`newcomer: ${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`);
  process.exitCode = 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}
