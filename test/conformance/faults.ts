import type { Row } from './table.js';
import type { Title } from './titles.js';

/** What is asked for: so many requirements by each letter, counted from 1. */
export type Requirements = Readonly<Record<string, number>>;

export interface Evidence {
  readonly rows: readonly Row[];
  readonly titles: readonly Title[];
  /** Whether a file of the repository is there. */
  readonly exists: (file: string) => boolean;
}

/** The numbers that are asked for: `W1`, `W2`, … */
function numbersOf(requirements: Requirements): string[] {
  return Object.entries(requirements).flatMap(([letter, count]) => Array.from({ length: count }, (_, index) => `${letter}${index + 1}`));
}

/** The requirements that no test cites, a sentence each. */
export function uncited(requirements: Requirements, titles: readonly Title[]): string[] {
  const cited = new Set(titles.flatMap(({ cites }) => cites));
  return numbersOf(requirements)
    .filter((requirement) => !cited.has(requirement))
    .map((requirement) => `${requirement}: no test cites it`);
}

/** Everything that is wrong with the table, a sentence each; nothing when every requirement is shown. */
export function faultsOf(requirements: Requirements, { rows, titles, exists }: Evidence): string[] {
  const wanted = numbersOf(requirements);
  const faults = uncited(requirements, titles);
  for (const requirement of wanted) {
    const count = rows.filter((row) => row.requirement === requirement).length;
    if (count !== 1) faults.push(`${requirement} has ${count} rows`);
  }
  for (const { requirement, sentence, where, proofs } of rows) {
    if (!wanted.includes(requirement)) faults.push(`${requirement} is no requirement`);
    if (sentence === '') faults.push(`${requirement}: says nothing`);
    if (where.length === 0) faults.push(`${requirement}: names no file`);
    for (const file of where) if (!exists(file)) faults.push(`${requirement}: there is no ${file}`);
    for (const { file, title } of proofs) {
      const found = titles.filter((test) => test.file === file && title !== '' && test.text.startsWith(title));
      if (found.length === 0) faults.push(`${requirement}: ${file || 'a cell'} has no test ${JSON.stringify(title)}`);
      else if (!found.some(({ cites }) => cites.includes(requirement))) {
        faults.push(`${requirement}: ${JSON.stringify(title)} does not cite it`);
      }
    }
  }
  for (const { file, text, cites } of titles) {
    for (const cited of cites) {
      const count = requirements[cited[0]!];
      if (count !== undefined && !wanted.includes(cited)) faults.push(`${file}: ${JSON.stringify(text)} cites ${cited}, which is no requirement`);
    }
  }
  return faults;
}
