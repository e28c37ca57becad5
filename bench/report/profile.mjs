/** Where the time of a CPU profile goes. */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import process from 'node:process';
import { ROOT } from '../paths.mjs';

/** @returns functions by the milliseconds that were spent in them alone, most first */
export function selfTimes(profile) {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const times = new Map();
  let total = 0;
  profile.samples.forEach((id, i) => {
    const { functionName, url, lineNumber } = nodes.get(id).callFrame;
    // The profiler's own start.
    if (functionName === 'dispatch' && !url) return;
    const ms = Math.max(0, profile.timeDeltas[i]) / 1000;
    const place = url ? `${relative(ROOT, url.replace(/^file:\/\//, ''))}:${lineNumber + 1}` : '';
    const name = `${functionName || '(anonymous)'}${place ? `  ${place}` : ''}`;
    times.set(name, (times.get(name) ?? 0) + ms);
    if (functionName !== '(idle)') total += ms;
  });
  const list = [...times].map(([name, ms]) => ({ name, ms })).toSorted((a, b) => b.ms - a.ms);
  return { total, list };
}

/** The functions that take most, in percent of the time that was not idle. */
export function topOf(file, count = 25) {
  const { total, list } = selfTimes(JSON.parse(readFileSync(file, 'utf8')));
  const busy = list.filter(({ name }) => !name.startsWith('(idle)')).slice(0, count);
  const lines = busy.map(({ name, ms }) => `  ${((ms / total) * 100).toFixed(1).padStart(5)} %  ${name}`);
  return [`  ${relative(process.cwd(), file)}, ${Math.round(total)} ms busy`, ...lines].join('\n');
}
