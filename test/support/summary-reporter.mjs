import { writeFileSync } from 'node:fs';
import process from 'node:process';

/**
 * The closing line of a run: `N passed, N failed`. A file that could not be run counts as a failure, and in
 * CI a skipped test does too. With SUMMARY_FILE set the two numbers are written there instead, for a script
 * that has more to add to them.
 */
export default class SummaryReporter {
  constructor() {
    this.skipped = [];
  }

  onRunComplete(_contexts, results) {
    const { SUMMARY_FILE, CI } = process.env;
    if (CI) {
      for (const file of results.testResults) {
        const idle = file.testResults.filter(({ status }) => status !== 'passed' && status !== 'failed');
        this.skipped.push(...idle.map(({ fullName }) => fullName));
      }
    }
    const passed = results.numPassedTests;
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites + this.skipped.length;
    if (SUMMARY_FILE) writeFileSync(SUMMARY_FILE, `${passed} ${failed}\n`);
    // Jest's own summary comes after every other reporter, so this waits for the end.
    else process.once('exit', () => process.stdout.write(`\n${passed} passed, ${failed} failed\n`));
  }

  /** Jest fails the run with what this returns. */
  getLastError() {
    return this.skipped.length > 0 ? new Error(`skipped, which CI does not take:\n${this.skipped.join('\n')}`) : undefined;
  }
}
