#!/usr/bin/env node
import process from 'node:process';
import { parseArgs } from 'node:util';
import { examine, type Finding, type Level } from './doctor/index.js';

const USAGE = `Usage: nestjs-xmpp doctor [options] https://example.org

Looks at a deployment from outside, as web clients do. The address is that of the XMPP domain, where clients look for
/.well-known/host-meta. Ends with 0, with 1 when there are problems, and with 2 when it was called wrongly.

  --domain NAME     the XMPP domain, where it is not that of the address
  --idle SECONDS    hold a request and keep a WebSocket idle for so long (at most 3600); 55 shows most faults of proxies
  --timeout SECONDS how long an answer may take (10)
  --json            one JSON object for each finding
`;

/** What stands on the command line, and is not right. */
class UsageError extends Error {}

async function main(): Promise<number> {
  const { values, positionals } = parse();
  const [command, address, ...more] = positionals;
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (command !== 'doctor' || address === undefined || more.length > 0) throw new UsageError('expected: doctor and one address');
  const counts: Record<Level, number> = { ok: 0, note: 0, warning: 0, problem: 0 };
  await examine(addressOf(address), {
    domain: values.domain,
    idle: seconds('idle', values.idle, 0),
    patience: seconds('timeout', values.timeout, 10),
    onFinding: (finding) => {
      counts[finding.level]++;
      process.stdout.write(values.json ? `${JSON.stringify(finding)}\n` : lineOf(finding));
    },
  });
  if (!values.json) process.stdout.write(`\n${counts.ok} ok, ${counts.warning} warnings, ${counts.problem} problems\n`);
  return counts.problem > 0 ? 1 : 0;
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        domain: { type: 'string' },
        idle: { type: 'string' },
        timeout: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function addressOf(text: string): URL {
  const address = /^https?:\/\//i.test(text) ? text : `https://${text}`;
  if (!URL.canParse(address)) throw new UsageError(`${text} is no address`);
  return new URL(address);
}

function seconds(name: string, text: string | undefined, standard: number): number {
  if (text === undefined) return standard;
  const value = Number(text);
  if (!(value > 0 && value <= 3600)) throw new UsageError(`--${name} is ${text}; allowed: seconds, up to 3600`);
  return value;
}

function lineOf({ level, area, text, advice }: Finding): string {
  const line = `${level.padEnd(8)} ${area.padEnd(10)} ${text}\n`;
  return advice === undefined ? line : `${line}${' '.repeat(20)}-> ${advice}\n`;
}

// Whoever reads the output has seen enough: `doctor … | head`.
process.stdout.on('error', () => process.exit(1));

main().then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    process.stderr.write(error instanceof UsageError ? `${error.message}\n\n${USAGE}` : `${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 2;
  },
);
