import process from 'node:process';
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { record } from './secrets.mjs';

/** How a child process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child process whose output is kept, and which a test can wait for. */
export class Child {
  /** Settles when the process is over, however it ended. */
  readonly exit: Promise<Exit>;
  private readonly process: ChildProcess;
  private readonly watchers = new Set<() => void>();
  private text = '';
  private ended: Exit | Error | undefined;

  /** @throws nothing: a command that is missing shows in {@link waitFor} and {@link stop}. */
  constructor(
    private readonly command: string,
    args: readonly string[],
    options: SpawnOptions = {},
  ) {
    this.process = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.text += chunk;
        if (command === process.execPath) record(chunk);
        this.changed();
      });
    }
    this.exit = new Promise((resolve) => {
      this.process.once('error', (error) => {
        this.ended ??= error;
        this.changed();
        resolve({ code: null, signal: null });
      });
      // 'close', not 'exit': the output is complete by then.
      this.process.once('close', (code, signal) => {
        this.ended ??= { code, signal };
        this.changed();
        resolve({ code, signal });
      });
    });
  }

  get pid(): number | undefined {
    return this.process.pid;
  }

  /** Standard output and standard error up to now, as they came. */
  get output(): string {
    return this.text;
  }

  /**
   * Waits until the output matches.
   * @throws Error with the output when the process ends first, or after `seconds`.
   */
  async waitFor(pattern: RegExp, seconds = 30): Promise<RegExpExecArray> {
    return await new Promise<RegExpExecArray>((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(this.text);
        if (match) return settle(() => resolve(match));
        if (this.ended) settle(() => reject(this.failure(`ended before it said ${pattern}`)));
      };
      const timer = setTimeout(() => settle(() => reject(this.failure(`did not say ${pattern} in ${seconds} s`))), seconds * 1000);
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.watchers.delete(look);
        act();
      };
      this.watchers.add(look);
      look();
    });
  }

  /** Sends a signal and waits for the end; a process that does not go within `seconds` is killed. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', seconds = 10): Promise<Exit> {
    if (!this.ended) {
      this.process.kill(signal);
      const timer = setTimeout(() => this.process.kill('SIGKILL'), seconds * 1000);
      await this.exit;
      clearTimeout(timer);
    }
    return await this.exit;
  }

  private changed(): void {
    for (const watcher of this.watchers) watcher();
  }

  private failure(what: string): Error {
    if (this.ended instanceof Error) return new Error(`${this.command} could not be started: ${this.ended.message}`);
    return new Error(`${this.command} ${what}; its output:\n${this.text}`);
  }
}
