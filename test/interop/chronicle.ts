import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { Appearance } from './cast.js';
import type { Transport } from './drivers/driver.js';

/** The steps of the story, in order. */
export const STEPS = [
  'log in with SCRAM',
  'bind',
  'roster',
  'presence',
  '500 messages each way, in order',
  'Unicode',
  '200 kB message',
  'drop and resume',
  'log out',
] as const;
export type Step = (typeof STEPS)[number];

/** Who told the story to whom. */
export interface Heading {
  readonly client: string;
  /** Where it runs. */
  readonly host: string;
  readonly transport: string;
  /** What goes wrong by a fault of the client; empty for nothing. */
  readonly fault: string;
  readonly server: string;
  readonly platform: string;
}

export const describeTransport = (transport: Transport): string => (transport === 'bosh' ? 'BOSH' : 'WebSocket');

/** All but the server, which says its version when it runs. */
export function headingOf({ driver, transport, platform }: Appearance): Omit<Heading, 'server'> {
  return {
    client: `${driver.name} ${driver.version}`,
    host: driver.host,
    transport: describeTransport(transport),
    platform,
    fault: driver.faults?.[transport] ?? '',
  };
}

/** One telling of the story: a line of the table in docs/INTEROP.md. */
export interface Entry extends Heading {
  /** What each step came to; a step that was not reached is missing. */
  readonly steps: Partial<Record<Step, { readonly passed: boolean; readonly note: string }>>;
}

/**
 * Writes down what every step of a story came to, where the environment variable `INTEROP_CHRONICLE` names a directory
 * for it (`npm run interop:table` does); elsewhere it only runs the steps.
 */
export class Chronicle {
  private readonly steps: Entry['steps'] = {};

  /** @param heading Without one nothing is written. */
  constructor(private readonly heading?: Heading) {}

  /** Runs a step; what it returns, if anything, is its note. */
  async step(name: Step, act: () => Promise<string | void>): Promise<void> {
    try {
      this.steps[name] = { passed: true, note: (await act()) ?? '' };
    } catch (error) {
      this.steps[name] = { passed: false, note: String(error instanceof Error ? error.message : error) };
      throw error;
    }
  }

  close(): void {
    const { INTEROP_CHRONICLE } = process.env;
    if (INTEROP_CHRONICLE === undefined || this.heading === undefined) return;
    const entry: Entry = { ...this.heading, steps: this.steps };
    appendFileSync(join(INTEROP_CHRONICLE, `${process.pid}.jsonl`), `${JSON.stringify(entry)}\n`);
  }
}
