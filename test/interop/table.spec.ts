import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IN_CHROMIUM, IN_NODE } from './cast.js';
import { headingOf, STEPS } from './chronicle.js';

const PAGE = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs', 'INTEROP.md');
const SERVERS = ['Prosody', 'ejabberd', 'embedded'];

/** The rows of the table of stories: who, and what came of the steps. */
function rows(): { readonly who: string; readonly outcomes: readonly string[] }[] {
  const lines = readFileSync(PAGE, 'utf8').split('\n');
  const head = lines.findIndex((line) => line.startsWith('| client |'));
  const end = lines.indexOf('', head);
  return lines.slice(head + 2, end).map((line) => {
    const cells = line.split('|').slice(1, -1).map((cell) => cell.trim());
    const [client = '', host, transport, server = '', platform] = cells;
    return { who: [client.replace(/ \d+\)$/, ''), host, transport, server.split(' ')[0], platform].join(', '), outcomes: cells.slice(5) };
  });
}

describe('docs/INTEROP.md', () => {
  it('has a row for each client, transport, server and platform of the tests, in the versions that are installed', () => {
    const expected = [...IN_NODE, ...IN_CHROMIUM].flatMap((appearance) => {
      const { client, host, transport, platform } = headingOf(appearance);
      return SERVERS.map((server) => [client, host, transport, server, platform].join(', '));
    });
    expect(rows().map(({ who }) => who).toSorted()).toEqual(expected.toSorted());
  });

  it('says of every step of every story that it passed', () => {
    const failed = rows().filter(({ outcomes }) => outcomes.length !== STEPS.length || !outcomes.every((outcome) => outcome.startsWith('✓')));
    expect(failed).toEqual([]);
  });
});
