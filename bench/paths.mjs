import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
/** What is built or downloaded for the benchmark; git ignores it. */
export const CACHE = join(ROOT, '.cache', 'bench');
/** Results that are committed. */
export const RESULTS = join(ROOT, 'bench', 'results');
