import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fill, plot, readResults, sections } from '../../../bench/report/index.mjs';
import { SCENARIOS } from '../../../bench/scenarios.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const read = (...path: string[]): string => readFileSync(join(ROOT, ...path), 'utf8');

describe('docs/PERFORMANCE.md', () => {
  const { runs, profiles } = readResults(join(ROOT, 'bench', 'results'));

  it('shows what bench/results/ holds; npm run bench:page writes it', () => {
    const page = read('docs', 'PERFORMANCE.md');
    expect(fill(page, sections(runs, SCENARIOS, profiles))).toBe(page);
    expect(plot(runs, SCENARIOS)).toBe(read('docs', 'images', 'performance.svg'));
  });

  it('shows full runs in which neither the floor nor ours lost anything', () => {
    expect(runs.length).toBeGreaterThan(0);
    for (const run of runs) {
      expect(run).toMatchObject({ quick: false, scale: 1 });
      const foreign = run.targets.filter((target) => target.foreign).map(({ name }) => name);
      const own = run.cells.filter(({ target }) => !foreign.includes(target));
      expect(own.filter(({ lost, error }) => lost > 0 || error !== undefined)).toEqual([]);
    }
  });

  it('names only scripts and files that are there', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const page = read('docs', 'PERFORMANCE.md');
    for (const [, script] of page.matchAll(/npm run (?!build\b)([\w:]+)/g)) expect(scripts).toHaveProperty([script as string]);
    for (const [path] of page.matchAll(/bench\/[\w./-]+\.(?:cc|mjs)/g)) expect({ path, there: existsSync(join(ROOT, path)) }).toEqual({ path, there: true });
  });
});

it('every scenario has a goal, or says nothing of one, for transports that are there', () => {
  for (const { name, transport, metrics } of SCENARIOS) {
    expect(name.endsWith(`-${transport}`)).toBe(true);
    for (const { goal } of Object.values(metrics)) {
      if (goal) expect(Object.keys(goal)).toEqual(['ws', 'bosh']);
    }
  }
});
