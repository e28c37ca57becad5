import { spawn, type ChildProcess } from 'node:child_process';
import { connect } from 'node:net';

/** A program of the cluster: started, watched, and started again where it ends by itself. */
export class Program {
  private process: ChildProcess | undefined;
  private leaving = false;

  constructor(
    readonly name: string,
    private readonly command: string,
    private readonly args: readonly string[],
    private readonly environment: NodeJS.ProcessEnv,
    /** What it prints when it can be used, or the port of this machine where it listens then. */
    private readonly ready: RegExp | number,
    private readonly say: (line: string) => void,
  ) {}

  /**
   * @returns when it can be used
   * @throws Error with its output when it ends instead
   */
  async start(): Promise<void> {
    let output = '';
    const child = spawn(this.command, this.args, { env: this.environment, stdio: ['ignore', 'pipe', 'pipe'] });
    this.process = child;
    await new Promise<void>((resolve, reject) => {
      const look = (chunk: string) => {
        output += chunk;
        if (typeof this.ready !== 'number' && this.ready.test(output)) resolve();
      };
      if (typeof this.ready === 'number') whenListening(this.ready, child, resolve);
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', look);
      child.once('error', (error) => reject(new Error(`${this.command} cannot be started: ${error.message}`)));
      child.once('close', (code, signal) => reject(new Error(`${this.name} ended (${code ?? signal}): ${output.trim()}`)));
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.removeAllListeners('data');
      stream.on('data', (chunk: string) => chunk.trimEnd().split('\n').forEach((line) => this.say(`${this.name}: ${line}`)));
    }
    child.once('close', (code, signal) => this.onEnd(code ?? signal));
    this.say(`${this.name} runs, process ${child.pid}`);
  }

  /** From now on it may end. */
  release(): void {
    this.leaving = true;
  }

  /** SIGTERM; resolves when it has ended. */
  async stop(): Promise<void> {
    this.release();
    const { process: child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    await ended;
  }

  private onEnd(how: number | string | null): void {
    if (this.leaving) return;
    this.say(`${this.name} ended (${how}) and is started again`);
    this.start().catch((error: Error) => this.say(error.message));
  }
}

/** Looks until somebody listens there, or the process has ended. Milliseconds between two looks: 50. */
function whenListening(port: number, child: ChildProcess, found: () => void): void {
  const socket = connect(port, '127.0.0.1', () => {
    socket.destroy();
    found();
  });
  socket.once('error', () => {
    if (child.exitCode === null && child.signalCode === null) setTimeout(() => whenListening(port, child, found), 50);
  });
}
