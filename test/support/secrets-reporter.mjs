import process from 'node:process';
import { leaksIn, takeRecords } from './secrets.mjs';

/**
 * Fails a run whose output holds a secret: what the loggers of all apps were given, at every level, what the sample
 * printed as a process of its own, and what tests wrote to the console.
 */
export default class SecretsReporter {
  constructor() {
    this.leaks = [];
  }

  onTestResult(_test, { console: entries, testFilePath }) {
    for (const { message } of entries ?? []) this.leaks.push(...leaksIn(message).map((leak) => `${testFilePath}: ${leak}`));
  }

  /** Counted as a file that could not be run, so that the closing line tells of it, too. */
  onRunComplete(_contexts, results) {
    this.leaks.push(...leaksIn(takeRecords(process.env.TEST_OUTPUT_DIR)));
    const error = this.getLastError();
    if (!error) return;
    results.numRuntimeErrorTestSuites++;
    process.stderr.write(`\n${error.message}\n`);
  }

  /** Jest fails the run with what this returns. */
  getLastError() {
    if (this.leaks.length === 0) return undefined;
    const different = [...new Set(this.leaks)];
    return new Error(`secrets in the output of this run, ${this.leaks.length} times:\n${different.slice(0, 50).join('\n')}`);
  }
}
