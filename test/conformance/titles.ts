import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import ts from 'typescript';

/** A test as its file says it, without running it. */
export interface Title {
  /** Relative to the repository, with `/`. */
  readonly file: string;
  /** Whole; of a table of cases with its first `%s` filled in where the case is written there as text. */
  readonly text: string;
  /** Requirements that it begins with: `W4, C1: …`. */
  readonly cites: readonly string[];
}

/** The titles of all tests under `root`/test that are run. */
export function readTitles(root: string): Title[] {
  return readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.spec.ts'))
    .map((file) => `test/${file.split(sep).join('/')}`)
    .toSorted()
    .flatMap((file) => titlesOf(file, readFileSync(join(root, file), 'utf8')));
}

/** The titles in the text of one file. What is skipped shows nothing, and is left out. */
export function titlesOf(file: string, text: string): Title[] {
  const titles: Title[] = [];
  const visit = (node: ts.Node): void => {
    const call = ts.isCallExpression(node) ? testCall(node) : undefined;
    if (call?.skipped) return;
    if (call?.kind === 'it') for (const title of spell(call)) titles.push({ file, text: title, cites: citesOf(title) });
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true));
  return titles;
}

/** `W4, C1: a title` cites W4 and C1. */
export function citesOf(title: string): string[] {
  return /^([A-Z]\d+(?:, [A-Z]\d+)*): /.exec(title)?.[1]!.split(', ') ?? [];
}

interface TestCall {
  readonly kind: 'it' | 'describe';
  readonly skipped: boolean;
  readonly title: string;
  /** The cases of `.each`. */
  readonly table: ts.Expression | undefined;
}

const KINDS: Readonly<Record<string, TestCall['kind']>> = { it: 'it', test: 'it', fit: 'it', xit: 'it', xtest: 'it', describe: 'describe', xdescribe: 'describe', fdescribe: 'describe' };

/** `it('…', …)`, `it.each(table)('…', …)`, `describe.skip('…', …)` and the like; undefined for any other call. */
function testCall(node: ts.CallExpression): TestCall | undefined {
  const [first] = node.arguments;
  if (!first || !ts.isStringLiteralLike(first)) return undefined;
  let table: ts.Expression | undefined;
  let skipped = false;
  let callee: ts.Expression = node.expression;
  for (;;) {
    if (ts.isCallExpression(callee)) {
      table = callee.arguments[0];
      callee = callee.expression;
    } else if (ts.isPropertyAccessExpression(callee)) {
      skipped ||= ['skip', 'todo', 'failing'].includes(callee.name.text);
      callee = callee.expression;
    } else {
      break;
    }
  }
  const kind = ts.isIdentifier(callee) ? KINDS[callee.text] : undefined;
  if (!kind) return undefined;
  return { kind, skipped: skipped || (callee as ts.Identifier).text.startsWith('x'), title: first.text, table };
}

function spell({ title, table }: TestCall): string[] {
  if (!table || !ts.isArrayLiteralExpression(table) || !/%[sj]/.test(title)) return [title];
  return table.elements.map((row) => {
    const value = ts.isArrayLiteralExpression(row) ? row.elements[0] : row;
    return value && ts.isStringLiteralLike(value) ? title.replace(/%[sj]/, () => value.text) : title;
  });
}
