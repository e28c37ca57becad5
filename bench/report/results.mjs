/** What was measured, and is kept. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @returns the runs in the order of their names, these names, and the profiles */
export function readResults(folder) {
  const read = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const files = readdirSync(folder)
    .filter((name) => /^run-\d+\.json$/.test(name))
    .toSorted();
  return { files, runs: files.map((name) => read(name)), profiles: read('profiles.json') };
}
