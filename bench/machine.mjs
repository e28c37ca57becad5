/** What the machine tells about itself and its processes. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import process from 'node:process';

const TICKS_PER_SECOND = Number(run('getconf', ['CLK_TCK']) ?? 100);
const PAGE_BYTES = Number(run('getconf', ['PAGESIZE']) ?? 4096);

function run(command, args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

/** Seconds of CPU that a process, with all its threads, has used so far: user and kernel. */
export function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name of the process may hold blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Bytes of memory that a process has resident. */
export function residentBytes(pid) {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
}

/** Files that one process may have open. */
export function fileLimit() {
  return Number(/^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 1024);
}

/** The numbers of the cores that we may run on. */
export function allowedCores() {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/**
 * One core for what is measured, the others for everything else.
 * @param chosen a core, when the caller wants a certain one
 * @returns undefined where there are no two cores, or no `taskset`
 */
export function splitCores(chosen) {
  const cores = allowedCores();
  if (cores.length < 2 || run('taskset', ['--version']) === undefined) return undefined;
  const measured = chosen ?? cores.at(-1);
  if (!cores.includes(measured)) throw new Error(`core ${measured} is not one of ${cores.join(', ')}`);
  return { measured: String(measured), others: cores.filter((core) => core !== measured).join(',') };
}

export function describeMachine() {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model ?? 'unknown',
    cores: allowedCores().length,
    memoryGB: Math.round(os.totalmem() / 2 ** 30),
    kernel: os.release(),
    node: process.version,
    load: Number(os.loadavg()[0].toFixed(1)),
  };
}
