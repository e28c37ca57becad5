/**
 * Runs the interoperability tests and writes docs/INTEROP.md from what they write down (chronicle.ts). Nothing
 * of the table comes from anywhere else. Ends with the tests' own exit code.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { requireTool } from '../support/tools.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const PAGE = join(ROOT, 'docs', 'INTEROP.md');
const SPECS = 'test/interop/(embedded|prosody|ejabberd)';
const COLUMNS = ['client', 'host', 'transport', 'server', 'platform'];

/** Runs the tests. @returns the entries, in an order of their own, and the exit code. */
function run() {
  const directory = mkdtempSync(join(tmpdir(), 'nestjs-xmpp-interop-'));
  try {
    const jest = spawnSync('npm', ['run', '--silent', 'jest', '--', SPECS], {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, INTEROP_CHRONICLE: directory },
    });
    const lines = readdirSync(directory).flatMap((file) => readFileSync(join(directory, file), 'utf8').trim().split('\n'));
    const entries = lines.map((line) => JSON.parse(line));
    const key = (entry) => COLUMNS.map((column) => entry[column]).join('\0');
    return { entries: entries.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)), code: jest.status ?? 1 };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function versionOf(name) {
  return JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')).version;
}

/** One line about each part that takes part. */
function parts(entries) {
  const chromium = spawnSync(requireTool('chromium'), ['--version'], { encoding: 'utf8' }).stdout;
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const names = (column) => [...new Set(entries.map((entry) => entry[column]))].join(', ');
  return [
    ['nestjs-xmpp', version],
    ['NestJS', `${versionOf('@nestjs/core')}, with Express ${versionOf('express')} and Fastify ${versionOf('fastify')}`],
    ['Node', process.versions.node],
    ['Chromium', /\d[\d.]*/.exec(chromium)?.[0] ?? 'unknown'],
    ['Clients', names('client')],
    ['Servers', names('server')],
  ];
}

function row(cells) {
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
}

function table(head, rows) {
  return [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
}

function page(entries) {
  const steps = [...new Set(entries.flatMap((entry) => Object.keys(entry.steps)))];
  const faults = [];
  const failures = [];
  const note = (list, text) => {
    if (!list.includes(text)) list.push(text);
    return list.indexOf(text) + 1;
  };
  const rows = entries.map((entry) => {
    const fault = entry.fault === '' ? '' : ` ${note(faults, `${entry.client} over ${entry.transport} ${entry.fault}.`)})`;
    const cells = steps.map((step) => {
      const outcome = entry.steps[step];
      if (!outcome) return 'not reached';
      if (outcome.passed) return `✓ ${outcome.note}`.trim();
      const where = COLUMNS.map((column) => entry[column]).join(', ');
      return `✗ failure ${note(failures, `${where}: ${outcome.note.split('\n')[0]}`)}`;
    });
    return [...COLUMNS.map((column) => (column === 'client' ? `${entry.client}${fault}` : entry[column])), ...cells];
  });
  const list = (lines) => lines.map((line, index) => `${index + 1}. ${line}`);
  return `${[
    '# Clients and servers',
    '',
    '<!-- Written by `npm run interop:table` from a run of the tests. Not to be edited. -->',
    '',
    'What came of the same story, told by every client over every transport that it has, with every server. Two people log',
    'in and bind, one changes the roster, they see each other, send each other 500 messages at the same time, texts that',
    'try the encoding, and 200 000 bytes in one message. Then the first one loses the connection without a word, the other',
    'goes on talking, and when the network is back everything has to arrive once and in order. At the end they log out, and',
    'the other one sees it. `test/interop/story.ts` has the story; `npm test` runs all of it.',
    '',
    '- **log in with SCRAM**: the mechanism that the client chose.',
    '- **drop and resume**: *resumed* by stream management (XEP-0198); *kept*: the BOSH session outlived its connections.',
    '- A number behind a client: a fault of the client itself, [below](#faults-of-clients).',
    '',
    table(['part', 'version'], parts(entries)),
    '',
    table([...COLUMNS.map((column) => (column === 'host' ? 'runs in' : column)), ...steps], rows),
    '',
    '## Faults of clients',
    '',
    ...list(faults),
    ...(failures.length === 0 ? [] : ['', '## Failures', '', ...list(failures)]),
  ].join('\n')}\n`;
}

const { entries, code } = run();
writeFileSync(PAGE, page(entries));
process.stdout.write(`${PAGE}: ${entries.length} stories\n`);
process.exitCode = code;
