import { readFileSync } from 'node:fs';
import { readManifest, rootFile } from './source-files.js';

/** The packages that each section of docs/DEPENDENCIES.md names, by the key of package.json in its heading. */
function documented(): Record<string, string[]> {
  const page = readFileSync(rootFile('docs/DEPENDENCIES.md'), 'utf8');
  const sections: Record<string, string[]> = {};
  for (const section of page.split(/^## /m).slice(1)) {
    const key = /^.*\(`(\w+)`\)/.exec(section)?.[1] ?? /^(Overrides)$/m.exec(section)?.[1]?.toLowerCase();
    if (key === undefined) continue;
    const cells = section.split('\n').flatMap((line) => /^\| (`[^|]*) \|/.exec(line)?.[1] ?? []);
    sections[key] = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string)).toSorted();
  }
  return sections;
}

it.each(['dependencies', 'peerDependencies', 'devDependencies', 'overrides'] as const)(
  'docs/DEPENDENCIES.md gives a reason for each of %s and for nothing else',
  (key) => {
    expect(documented()[key]).toEqual(Object.keys(readManifest()[key] ?? {}).toSorted());
  },
);
