/**
 * What stands before a test run, and nothing else does: the programs that the tests use, the library and the
 * sample built. Runs before `npm test`; one line for each step. Nothing is skipped in silence: what is
 * missing and cannot be installed here ends the run.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { findCommand, TOOLS } from './tools.mjs';

function say(text) {
  process.stdout.write(`setup: ${text}\n`);
}

/** Runs a command quietly; its output is shown only when it fails. */
function step(what, command, args, env = {}, cwd = process.cwd()) {
  const started = Date.now();
  const result = spawnSync(command, args, { cwd, encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 });
  if (result.status === 0) {
    say(`${what} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    return;
  }
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  fail(`${what}: failed, ${result.error ? result.error.message : `exit code ${result.status}`}`);
}

function fail(text) {
  process.stderr.write(`setup: ${text}\n`);
  process.exit(1);
}

function missingPackages() {
  return TOOLS.filter((tool) => findCommand(...tool.commands) === undefined).map((tool) => tool.package);
}

/**
 * Debian starts the daemon of a package that it installs, unless this file says no; the tests start their
 * own. A machine that has the file keeps its own. Gone again however this ends.
 */
function startNoDaemons() {
  const policy = '/usr/sbin/policy-rc.d';
  try {
    writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755, flag: 'wx' });
  } catch (error) {
    if (error.code === 'EEXIST') return;
    throw error;
  }
  const remove = () => rmSync(policy, { force: true });
  process.once('exit', remove);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
}

/** The Nest before the current one, for the tests of host apps on it; again only when its lock file has changed. */
function installNest11() {
  const directory = join(dirname(fileURLToPath(import.meta.url)), '..', 'matrix', 'nest-11');
  const lock = join(directory, 'package-lock.json');
  const installed = join(directory, 'node_modules', '.installed-lock.json');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === readFileSync(lock, 'utf8')) return say('Nest 11 is installed');
  step('installed Nest 11', 'npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], {}, directory);
  copyFileSync(lock, installed);
}

const missing = missingPackages();
if (missing.length > 0) {
  const list = missing.join(' ');
  if (process.getuid?.() !== 0 || findCommand('apt-get') === undefined) {
    fail(`not on the PATH and needed: ${list}. Install them (on Debian: sudo apt-get install ${list}), then run the tests again`);
  }
  startNoDaemons();
  const quiet = { DEBIAN_FRONTEND: 'noninteractive' };
  step('read the Debian package lists', 'apt-get', ['update', '-q'], quiet);
  step(`installed ${missing.join(', ')}`, 'apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], quiet);
  const still = missingPackages();
  if (still.length > 0) fail(`installed, and yet not on the PATH: ${still.join(', ')}`);
}
for (const tool of TOOLS) say(`${tool.package} is ${findCommand(...tool.commands)}`);
step('built the library', 'npm', ['run', '--silent', 'build']);
step('built the sample', 'npm', ['run', '--silent', 'build:sample']);
installNest11();
