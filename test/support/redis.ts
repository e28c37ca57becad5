import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from './child.js';
import { freePorts } from './ports.js';
import { requireTool } from './tools.mjs';

/** A Redis of the test's own, which keeps nothing on disk. */
export class RedisServer {
  private constructor(
    readonly port: number,
    private child: Child,
    private readonly more: readonly string[],
  ) {}

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** For signals: SIGSTOP makes it slow, for as long as one likes. */
  get pid(): number {
    return this.child.pid!;
  }

  /** @param more arguments of `redis-server` */
  static async start(more: readonly string[] = []): Promise<RedisServer> {
    for (let attempt = 1; ; attempt++) {
      const [port] = await freePorts(1);
      try {
        return new RedisServer(port!, await launch(port!, more), more);
      } catch (error) {
        if (attempt === 5) throw error; // somebody else was quicker with the port
      }
    }
  }

  /** SIGKILL unless told otherwise: what it knew is gone. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.child.stop(signal);
  }

  /** On the same port, after {@link stop}. */
  async startAgain(): Promise<void> {
    this.child = await launch(this.port, this.more);
  }
}

async function launch(port: number, more: readonly string[]): Promise<Child> {
  const directory = await mkdtemp(join(tmpdir(), 'redis-'));
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', '--appendonly', 'no', ...more];
  const child = new Child(requireTool('redis-server'), args);
  void child.exit.then(() => rm(directory, { recursive: true, force: true }));
  await child.waitFor(/Ready to accept connections/);
  return child;
}
