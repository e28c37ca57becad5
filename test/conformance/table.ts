/** A test that a row names. */
export interface Proof {
  readonly file: string;
  /** How its title begins. */
  readonly title: string;
}

/** A row of docs/CONFORMANCE.md. */
export interface Row {
  readonly requirement: string;
  readonly sentence: string;
  /** Files that do it. */
  readonly where: readonly string[];
  readonly proofs: readonly Proof[];
}

/** Rows `| W1 | sentence | `file`, `file` | `file`: title<br>`file`: title |`, in their order. */
export function readTable(markdown: string): Row[] {
  const rows: Row[] = [];
  for (const line of markdown.split('\n')) {
    if (!/^\| [A-Z]\d+ \|/.test(line)) continue;
    const [, requirement = '', sentence = '', where = '', proofs = ''] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    rows.push({
      requirement,
      sentence,
      where: [...where.matchAll(/`([^`]+)`/g)].map(([, file]) => file!),
      proofs: proofs.split('<br>').map((proof) => {
        const [, file = '', title = ''] = /^`([^`]+)`: (.+)$/.exec(proof.trim()) ?? [];
        return { file, title: unescape(title) };
      }),
    });
  }
  return rows;
}

/** As it stands in a cell: what Markdown would take for markup is escaped there. */
function unescape(text: string): string {
  return text.replace(/\\([\\`*_<>|%[\]])/g, '$1');
}
