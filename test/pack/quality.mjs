/**
 * The package as the tools of the field judge it: its manifest and files (publint), its types under every way of
 * resolving them (attw), what optional peers its declarations would demand, and what an installation weighs. One line
 * for each thing that holds; exit code 1 when one does not.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));

function say(text) {
  process.stdout.write(`package: ${text}\n`);
}

function fail(text) {
  process.stderr.write(`package: ${text}\n`);
  process.exitCode = 1;
}

async function filesBelow(directory) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Optional peers must not be needed to compile against the types of the main entry points. */
async function checkTypes() {
  const optional = Object.keys(manifest.peerDependenciesMeta);
  // What one asks for by importing the entry point that is about it.
  const allowed = { client: ['strophe.js'], testing: ['@nestjs/testing'] };
  let clean = true;
  for (const file of await filesBelow(join(ROOT, 'dist'))) {
    if (!file.endsWith('.d.ts')) continue;
    const text = await readFile(file, 'utf8');
    const room = file.slice(join(ROOT, 'dist').length + 1).split('/')[0];
    for (const [, name] of text.matchAll(/(?:from|import\()\s*['"]([^'"]+)['"]/g)) {
      const leaks = optional.some((peer) => name === peer || name.startsWith(`${peer}/`));
      if (!leaks || allowed[room]?.includes(name)) continue;
      clean = false;
      fail(`${file.slice(ROOT.length)} names the optional peer ${name}`);
    }
  }
  if (clean) say('no declaration names an optional peer');
}

async function checkManifest() {
  const { messages } = await publint({ pkgDir: ROOT, strict: true, pack: 'npm' });
  for (const message of messages) fail(formatMessage(message, manifest));
  if (messages.length === 0) say('publint finds nothing');
}

/** Node loads ES modules from CommonJS in every version that we support, so that one kind of module is enough. */
async function checkResolution(tarball) {
  const attw = join(ROOT, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js');
  try {
    await run(process.execPath, [attw, tarball, '--profile', 'esm-only', '--no-emoji', '--no-color'], { cwd: ROOT });
    say('attw finds nothing');
  } catch (error) {
    fail(`attw:\n${error.stdout}${error.stderr}`);
  }
}

/** What an app gets with the package that has Nest already, by its installation into an empty folder without peers. */
async function weigh(directory, tarball) {
  await writeFile(join(directory, 'package.json'), '{ "name": "empty-app", "private": true }');
  await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--legacy-peer-deps', '--loglevel=error', tarball], { cwd: directory });
  const modules = join(directory, 'node_modules');
  const packages = Object.keys(JSON.parse(await readFile(join(modules, '.package-lock.json'), 'utf8')).packages);
  let bytes = 0;
  for (const file of await filesBelow(modules)) bytes += (await stat(file)).size;
  const others = packages.map((path) => path.slice('node_modules/'.length)).filter((name) => name !== manifest.name);
  say(`installed: ${(bytes / 1e6).toFixed(1)} MB, beside it ${others.length} packages (${others.join(', ')})`);
  const [, most] = /at most (\d+) packages/.exec(await readFile(join(ROOT, 'README.md'), 'utf8')) ?? [];
  if (most === undefined) return fail('README.md says nothing of "at most N packages"');
  if (others.length > Number(most)) fail(`README.md promises at most ${most} packages beside it`);
}

const directory = await mkdtemp(join(tmpdir(), 'nestjs-xmpp-quality-'));
try {
  await run('npm', ['run', '--silent', 'prepack'], { cwd: ROOT });
  const packed = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', directory], { cwd: ROOT });
  const [{ filename }] = JSON.parse(packed.stdout);
  const tarball = join(directory, filename);
  await checkManifest();
  await checkResolution(tarball);
  await checkTypes();
  await weigh(directory, tarball);
} finally {
  await rm(directory, { recursive: true, force: true });
}
