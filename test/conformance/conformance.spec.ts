import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveOptions } from '../../lib/xmpp.options.js';
import { readSourceFiles } from '../architecture/source-files.js';
import { faultsOf, uncited, type Requirements } from './faults.js';
import { readTable, type Row } from './table.js';
import { readTitles, titlesOf } from './titles.js';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

const REQUIREMENTS: Requirements = {
  /** RFC 7395. */
  W: 18,
  /** XEP-0124. */
  B: 35,
  /** XEP-0206. */
  X: 8,
  /** RFC 6415, XEP-0156, XEP-0487. */
  D: 7,
  /** Towards the XMPP server. */
  U: 14,
  /** What the standards leave open. */
  C: 32,
  /** Shared BOSH. */
  S: 28,
};

const file = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

describe('docs/CONFORMANCE.md', () => {
  it('has a row for each requirement, with files that exist and tests that cite it', () => {
    const faults = faultsOf(REQUIREMENTS, {
      rows: readTable(file('docs/CONFORMANCE.md')),
      titles: readTitles(ROOT),
      exists: (path) => existsSync(join(ROOT, path)),
    });
    expect(faults).toEqual([]);
  });

  it('every rule that the security of others taught, R1 to R28, is cited by a test', () => {
    expect(uncited({ R: 28 }, readTitles(ROOT))).toEqual([]);
  });

  it('docs/SECURITY.md has a row for each limit, with its default, and one for each rule', () => {
    const text = file('docs/SECURITY.md');
    const rows = text.split('\n').filter((line) => line.startsWith('| `'));
    for (const [name, value] of Object.entries(resolveOptions({ domains: ['example.org'] }).limits)) {
      const row = rows.find((line) => line.split('|')[1]!.includes(`\`limits.${name}\``));
      expect([name, row]).toEqual([name, expect.any(String)]);
      const [, , said = ''] = row!.split('|');
      const number = Number(/[\d.]+/.exec(said)?.[0]) * (said.includes('MiB') ? 1_048_576 : 1);
      expect([name, number]).toEqual([name, value]);
    }
    const ranges = [...text.matchAll(/^\| R(\d+)(?:[–,] ?R(\d+))? \|/gm)].map(([, from, to]) => [Number(from), Number(to ?? from)] as const);
    const rules = ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
    expect(rules).toEqual(Array.from({ length: 28 }, (_, i) => i + 1));
  });

  it('D6, R14, P37: no file of lib asks DNS for TXT records, or offers any', () => {
    const files = readSourceFiles();
    expect(files.filter(({ text }) => /resolveSrv/.test(text)).length).toBeGreaterThan(0);
    expect(files.filter(({ text }) => /resolveTxt|resolveAny|_xmppconnect/i.test(text)).map(({ path }) => path)).toEqual([]);
  });
});

describe('the check', () => {
  const row = (change: Partial<Row> = {}): Row => ({
    requirement: 'W1',
    sentence: 'Something.',
    where: ['lib/a.ts'],
    proofs: [{ file: 'test/a.spec.ts', title: 'W1: shows' }],
    ...change,
  });
  const faults = (rows: readonly Row[], source = `it('W1, C2: shows it', () => {});`) =>
    faultsOf({ W: 1 }, { rows, titles: titlesOf('test/a.spec.ts', source), exists: (path) => path === 'lib/a.ts' });

  it('finds nothing where all is well', () => {
    expect(faults([row({ proofs: [{ file: 'test/a.spec.ts', title: 'W1, C2: shows' }] })])).toEqual([]);
  });

  it.each([
    ['no row', [], undefined, 'W1 has 0 rows'],
    ['two rows', [row(), row()], undefined, 'W1 has 2 rows'],
    ['a row of what is no requirement', [row({ requirement: 'W2' })], undefined, 'W2 is no requirement'],
    ['a row that says nothing', [row({ sentence: '' })], undefined, 'W1: says nothing'],
    ['a row without a file', [row({ where: [] })], undefined, 'W1: names no file'],
    ['a file that is not there', [row({ where: ['lib/b.ts'] })], undefined, 'W1: there is no lib/b.ts'],
    ['a title that is not there', [row()], `it('W1: tells', () => {})`, 'W1: test/a.spec.ts has no test "W1: shows"'],
    ['a test of another file', [row({ proofs: [{ file: 'test/b.spec.ts', title: 'W1' }] })], undefined, 'W1: test/b.spec.ts has no test "W1"'],
    ['no test', [row({ proofs: [{ file: '', title: '' }] })], undefined, 'W1: a cell has no test ""'],
    ['a test that does not cite it', [row({ proofs: [{ file: 'test/a.spec.ts', title: 'shows' }] })], `it('shows it', () => {})`, 'W1: "shows" does not cite it'],
    ['a requirement that no test cites', [row()], `it('shows it', () => {})`, 'W1: no test cites it'],
    ['a test that is skipped', [row()], `it.skip('W1: shows it', () => {})`, 'W1: no test cites it'],
    ['a test in what is skipped', [row()], `describe.skip('x', () => { it('W1: shows it', () => {}) })`, 'W1: no test cites it'],
    ['a number that is no requirement', [row()], `it('W7: shows it', () => {})`, 'test/a.spec.ts: "W7: shows it" cites W7, which is no requirement'],
  ])('finds %s', (_what, rows, source, fault) => {
    expect(faults(rows, source)).toContain(fault);
  });

  it('finds a rule that no test cites', () => {
    const titles = titlesOf('test/a.spec.ts', `it('R1: shows', () => {}); it.skip('R2: shows', () => {}); it('tells of R3', () => {});`);
    expect(uncited({ R: 3 }, titles)).toEqual(['R2: no test cites it', 'R3: no test cites it']);
  });

  it('reads the rows of a table', () => {
    const text = '| # | a |\n| --- | --- |\n| W1 | One \\| two. | `lib/a.ts`, `lib/b.ts` | `test/a.spec.ts`: W1: \\<open/\\> it<br>`test/b.spec.ts`: W1: that |\n';
    expect(readTable(text)).toEqual([
      {
        requirement: 'W1',
        sentence: 'One \\| two.',
        where: ['lib/a.ts', 'lib/b.ts'],
        proofs: [
          { file: 'test/a.spec.ts', title: 'W1: <open/> it' },
          { file: 'test/b.spec.ts', title: 'W1: that' },
        ],
      },
    ]);
  });

  it('reads the titles of tests, and of the cases of a table that is written there', () => {
    const source = `
      describe('W9: no test', () => {
        it("W1: one", () => {});
        test(\`W2, R3: two\`, () => {});
        it.each([['W4: a', 1], ['W5: b', 2]])('%s is told', () => {});
        it.each(['c', 'd'])('W6: %s', () => {});
        it.each(TABLE)('W7: %s', () => {});
        xit('W8: not run', () => {});
      });`;
    expect(titlesOf('f', source).map(({ text, cites }) => [text, ...cites])).toEqual([
      ['W1: one', 'W1'],
      ['W2, R3: two', 'W2', 'R3'],
      ['W4: a is told', 'W4'],
      ['W5: b is told', 'W5'],
      ['W6: c', 'W6'],
      ['W6: d', 'W6'],
      ['W7: %s', 'W7'],
    ]);
  });
});
