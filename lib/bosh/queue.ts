import type { Stanza } from '../xml/index.js';

/** Bytes after which an answer takes no further stanza; one stanza goes in any case. */
export const MAX_RESPONSE_BYTES = 262_144;

/** Takes as many stanzas from the front as go into one answer. */
export function takeBatch(queue: Stanza[]): Stanza[] {
  let count = 0;
  let bytes = 0;
  while (count < queue.length && (bytes += queue[count]!.byteLength) <= MAX_RESPONSE_BYTES) count++;
  if (count === 0 && queue.length > 0) count = 1;
  return queue.splice(0, count);
}
