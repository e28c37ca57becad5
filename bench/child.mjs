/** A process of a run: started on the cores that it may use, watched, and ended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';

const running = new Set();

/** Ends whatever still runs: nothing outlives the run, however that ends. */
export function killAll() {
  for (const child of running) child.process.kill('SIGKILL');
}
process.on('exit', killAll);

/** Ends what still runs in order. */
export async function stopAll() {
  await Promise.all([...running].map((child) => child.stop()));
}

export class Child {
  /**
   * @param cores as `taskset -c` takes them; undefined: any
   * @param ipc whether it has a channel for {@link ask}
   */
  constructor(name, command, args, { cores, ipc = false, ...options } = {}) {
    this.name = name;
    this.lines = [];
    this.waiting = [];
    this.errors = '';
    const [program, ...rest] = cores === undefined ? [command, ...args] : ['taskset', '-c', cores, command, ...args];
    const stdio = ipc ? ['pipe', 'pipe', 'pipe', 'ipc'] : ['pipe', 'pipe', 'pipe'];
    this.process = spawn(program, rest, { ...options, stdio });
    this.ended = once(this.process, 'close').then(
      ([code, signal]) => `${name} ended with ${signal ?? code}: ${this.said()}`,
      (error) => `${name} cannot be started: ${error.message}`,
    );
    running.add(this);
    this.ended.then(() => running.delete(this));
    this.process.stdin.on('error', () => {}); // gone before it was told: `ended` says so
    this.process.stderr.on('data', (chunk) => {
      this.errors = (this.errors + chunk).slice(-4000);
    });
    createInterface({ input: this.process.stdout }).on('line', (line) => {
      const at = this.waiting.findIndex(({ accepts }) => accepts(line));
      if (at >= 0) this.waiting.splice(at, 1)[0].resolve(line);
      else if (this.lines.push(line) > 1000) this.lines.shift();
    });
  }

  get pid() {
    return this.process.pid;
  }

  /** The first line of its output that the test accepts, also one that was already written. */
  async line(accepts, seconds = 60) {
    const at = this.lines.findIndex(accepts);
    if (at >= 0) return this.lines.splice(at, 1)[0];
    const waiter = { accepts };
    const line = new Promise((resolve, reject) => {
      waiter.resolve = resolve;
      waiter.timer = setTimeout(() => reject(new Error(`${this.name} says nothing (${seconds} s): ${this.said()}`)), seconds * 1000);
      this.ended.then((how) => reject(new Error(how)));
    });
    this.waiting.push(waiter);
    try {
      return await line;
    } finally {
      clearTimeout(waiter.timer);
    }
  }

  /** Its last words. */
  said() {
    return (this.errors || this.lines.slice(-3).join(' ')).slice(-600).trim();
  }

  write(text) {
    this.process.stdin.write(text);
  }

  /** Asks `inside.mjs` in the process. V8's profiler, for one, does not always come to an answer. */
  async ask(question, seconds = 30) {
    const answer = once(this.process, 'message', { signal: AbortSignal.timeout(seconds * 1000) }).catch(() => {
      throw new Error(`${this.name} does not answer to "${question.what}" (${seconds} s)`);
    });
    this.process.send(question);
    const [value] = await Promise.race([answer, this.ended.then((how) => Promise.reject(new Error(how)))]);
    if (value?.error) throw new Error(`${this.name}: ${value.error}`);
    return value;
  }

  async stop() {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 6000);
    await this.ended;
    clearTimeout(timer);
  }
}
