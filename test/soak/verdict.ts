import type { SoakResult } from './soak.js';

/** What a heap may have grown by and still be the same: caches, compiled code, fragmentation. */
const NOISE_BYTES = 3 * 1024 * 1024;
const NOISE_SHARE = 0.1;

/** What is wrong with it, a sentence each. */
export function verdict({ account, comparison, before, after, output, exit }: SoakResult): string[] {
  const faults = [...account.faults, ...(comparison?.faults ?? [])];
  if (after.heapUsed - before.heapUsed > Math.max(NOISE_BYTES, before.heapUsed * NOISE_SHARE)) {
    faults.push(`the heap grew from ${before.heapUsed} to ${after.heapUsed} bytes`);
  }
  if (after.external - before.external > NOISE_BYTES) faults.push(`memory beside the heap grew from ${before.external} to ${after.external} bytes`);
  if (after.sockets > before.sockets) faults.push(`there are ${after.sockets} open descriptors, and there were ${before.sockets}`);
  for (const [kind, number] of Object.entries(after.handles)) {
    const then = before.handles[kind] ?? 0;
    if (number > then) faults.push(`there are ${number} of ${kind}, and there were ${then}`);
  }
  // It warns of servers that are lost and of limits that are hit, as it should.
  const said = output.split('\n').filter((line) => line.trim() !== '' && !line.includes('WARN'));
  if (said.length > 0) faults.push(`the sample said: ${said.join('\n').slice(0, 2000)}`);
  if (exit !== 0) faults.push(`the sample ended with ${exit}`);
  return faults;
}
