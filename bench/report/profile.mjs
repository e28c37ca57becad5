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

const WRITES = new Set(['writev', 'writeBuffer', 'writeUtf8String', 'writeLatin1String', 'writeAsciiString', 'shutdown']);
const BYTES = new Set(['_copyActual', 'copy', 'compare', 'createUnsafeArrayBuffer', 'utf8Slice', 'latin1Slice', 'utf8Write', 'utf8WriteStatic', 'latin1Write']);
const CODES = new Set(['oneShotDigest', 'setAAD', 'initiv', 'CipherBase', 'final', 'getAuthTag']);

/** What a function's own time counts as, in the order of the table. */
const PARTS = [
  ['writing to sockets', ({ functionName, url }) => url === '' && WRITES.has(functionName)],
  ['native, reading from sockets', ({ functionName }) => functionName === '(program)'],
  ['garbage', ({ functionName }) => functionName === '(garbage collector)'],
  ['Node: `node:http`, streams, events, timers', ({ url }) => url.startsWith('node:') && !/buffer|crypto/.test(url)],
  ['buffers: making, copying', ({ functionName, url }) => /^node:(?:internal\/)?buffer/.test(url) || (url === '' && BYTES.has(functionName))],
  ['telling repeated requests', ({ functionName, url }) => /crypto|fingerprint/.test(url) || (url === '' && CODES.has(functionName))],
  ['XML', ({ functionName, url }) => /^wasm:|\/dist\/(?:xml\/|simd)/.test(url) || functionName === 'isUtf8' || functionName.startsWith('indexOf')],
  ['ws', ({ url }) => url.includes('/node_modules/ws/')],
  ['the rest: ours, or the relay', () => true],
];

export const PART_NAMES = PARTS.map(([name]) => name);

/**
 * @param count of what was done meanwhile
 * @returns microseconds for each, in the order of {@link PART_NAMES}
 */
export function partsOf({ nodes, samples, timeDeltas }, count) {
  const parts = new Array(PARTS.length).fill(0);
  const partOf = new Map(
    nodes.map(({ id, callFrame }) => {
      const { functionName, url } = callFrame;
      const aside = functionName === '(idle)' || (functionName === 'dispatch' && !url);
      return [id, aside ? -1 : PARTS.findIndex(([, fits]) => fits(callFrame))];
    }),
  );
  samples.forEach((id, i) => {
    const part = partOf.get(id);
    if (part >= 0) parts[part] += Math.max(0, timeDeltas[i]) / count;
  });
  return parts;
}

/** The functions that take most, in percent of the time that was not idle. */
export function topOf(file, count = 25) {
  const { total, list } = selfTimes(JSON.parse(readFileSync(file, 'utf8')));
  const busy = list.filter(({ name }) => !name.startsWith('(idle)')).slice(0, count);
  const lines = busy.map(({ name, ms }) => `  ${((ms / total) * 100).toFixed(1).padStart(5)} %  ${name}`);
  return [`  ${relative(process.cwd(), file)}, ${Math.round(total)} ms busy`, ...lines].join('\n');
}
