/** The programs in C++, built on first use and whenever their sources change. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { CACHE, ROOT } from './paths.mjs';

const SOURCES = join(ROOT, 'bench', 'native');
const COMPILERS = ['g++', 'c++', 'clang++'];

/** @returns the paths of `load` and `server` */
export function buildNative() {
  const hash = createHash('sha256');
  for (const name of readdirSync(SOURCES).toSorted()) hash.update(name).update(readFileSync(join(SOURCES, name)));
  const folder = join(CACHE, `native-${hash.digest('hex').slice(0, 12)}`);
  mkdirSync(folder, { recursive: true });
  return { load: build('load', folder), server: build('server', folder) };
}

function findCompiler() {
  return COMPILERS.find((command) => spawnSync(command, ['--version']).status === 0);
}

function installCompiler() {
  if (process.getuid?.() === 0 && spawnSync('apt-get', ['--version']).status === 0) {
    console.log('installing g++ for the load generator');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync('apt-get', ['update', '-q'], { env });
    spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'g++'], { env });
  }
  const compiler = findCompiler();
  if (compiler !== undefined) return compiler;
  throw new Error(`no C++ compiler for the load generator: install one (on Debian: apt-get install g++); looked for ${COMPILERS.join(', ')}`);
}

function build(name, folder) {
  const program = join(folder, name);
  if (existsSync(program)) return program;
  const compiler = findCompiler() ?? installCompiler();
  console.log(`building bench/native/${name}.cc with ${compiler}`);
  const unfinished = `${program}.${process.pid}`;
  const result = spawnSync(compiler, ['-O2', '-std=c++17', '-o', unfinished, join(SOURCES, `${name}.cc`)], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${compiler} failed on ${name}.cc:\n${result.stderr}`);
  renameSync(unfinished, program);
  return program;
}
