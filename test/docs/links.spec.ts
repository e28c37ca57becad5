import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootFile } from '../architecture/source-files.js';
import { PAGES } from './pages.js';

it('the documentation links to files and headings that there are', () => {
  const broken = PAGES.flatMap((page) => {
    const text = readFileSync(rootFile(page), 'utf8').replace(/^```[^]*?^```$/gm, '');
    const targets = [...text.matchAll(/\]\((?!https?:|mailto:)([^)\s]*)\)/g)].map(([, target]) => target!);
    return targets.filter((target) => !leads(page, target)).map((target) => `${page}: ${target}`);
  });
  expect(broken).toEqual([]);
});

function leads(page: string, target: string): boolean {
  const [path, heading] = target.split('#') as [string, string?];
  const file = path === '' ? page : join(page, '..', path);
  if (!existsSync(rootFile(file))) return false;
  if (heading === undefined || !file.endsWith('.md')) return true;
  const titles = [...readFileSync(rootFile(file), 'utf8').matchAll(/^#+ (.+)$/gm)];
  return titles.some(([, title]) => slug(title!) === heading);
}

/** The anchor that a heading gets where pages are shown. */
function slug(title: string): string {
  return title.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replace(/ /g, '-');
}
