import { existsSync, readdirSync } from 'node:fs';
import { rootFile } from '../architecture/source-files.js';

/** What people read, by its path from the root. */
export const PAGES: readonly string[] = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md'].filter((page) => existsSync(rootFile(page))),
  ...readdirSync(rootFile('docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.startsWith('api/'))
    .map((name) => `docs/${name}`),
];
