/** The programs in C++, built on first use and whenever their sources change. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
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

function build(name, folder) {
  const program = join(folder, name);
  if (existsSync(program)) return program;
  const compiler = COMPILERS.find((command) => spawnSync(command, ['--version']).status === 0);
  if (compiler === undefined) {
    throw new Error(`no C++ compiler for the load generator: install one (on Debian: apt-get install g++); looked for ${COMPILERS.join(', ')}`);
  }
  console.log(`building bench/native/${name}.cc with ${compiler}`);
  const unfinished = `${program}.${process.pid}`;
  const result = spawnSync(compiler, ['-O2', '-std=c++17', '-o', unfinished, join(SOURCES, `${name}.cc`)], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${compiler} failed on ${name}.cc:\n${result.stderr}`);
  renameSync(unfinished, program);
  return program;
}
