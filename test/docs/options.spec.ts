import { readFileSync } from 'node:fs';
import { resolveOptions, type XmppModuleOptions, type XmppOptionsError } from '../../lib/xmpp.options.js';
import { rootFile } from '../architecture/source-files.js';

const DOMAINS = ['example.org'];

/** By the option's name: what it is when nothing is given. */
const defaults = new Map<string, unknown>(
  Object.entries(resolveOptions({ domains: DOMAINS })).flatMap(([name, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value).map(([key, inner]): [string, unknown] => [`${name}.${key}`, inner])
      : [[name, value]],
  ),
);
/** Where the option means something else than what it is kept as, or has no default. */
const WRITTEN: Readonly<Record<string, string>> = { domains: 'required', origins: "`'*'`", trustProxy: '`false`' };

const rows = [...readFileSync(rootFile('docs/OPTIONS.md'), 'utf8').matchAll(/^\| `([\w.]+)` \| (.+?) \| (.+?) \| (.+?) \|$/gm)].map(
  ([, option, standard, allowed]) => ({ option: option!, standard: standard!, allowed: allowed! }),
);

/** What the refusal of a value that nothing allows says instead. */
function allowedFor(option: string): string {
  const [group, key] = option.split('.') as [string, string?];
  const wrong = Symbol('of no option');
  try {
    resolveOptions({ domains: DOMAINS, [group]: key === undefined ? wrong : { [key]: wrong } } as unknown as XmppModuleOptions);
  } catch (error) {
    return (error as XmppOptionsError).message.replace(/^.*; allowed: /, '');
  }
  throw new Error(`${option} takes anything`);
}

function written(value: unknown): string {
  if (value === undefined) return 'none';
  return `\`${typeof value === 'string' ? `'${value}'` : JSON.stringify(value)}\``;
}

describe('docs/OPTIONS.md', () => {
  it('has every option once, and no other', () => {
    expect(rows.map(({ option }) => option).sort()).toEqual([...defaults.keys()].sort());
  });

  it.each(rows)('tells the default of $option', ({ option, standard }) => {
    expect(standard).toBe(WRITTEN[option] ?? written(defaults.get(option)));
  });

  it.each(rows)('tells what $option may be', ({ option, allowed }) => {
    const rule = allowedFor(option);
    const range = /^a (?:whole )?number from (\S+) to (\S+) \(([a-z]*)/.exec(rule);
    if (range) {
      const [, from, to, unit] = range;
      expect(allowed).toBe(unit === 'as' ? `${from} to ${to}` : `${from} to ${to} ${unit}`);
    }
    const words = /^[a-z]+(?: or [a-z]+)+$/.test(rule) ? rule.split(' or ') : [];
    if (words.length > 0) {
      expect(allowed).toBe(words.map((word) => (word === 'true' || word === 'false' ? `\`${word}\`` : `\`'${word}'\``)).join(', '));
    }
    expect(rule).not.toBe('');
  });
});
