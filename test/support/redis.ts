import { Child } from './child.js';
import { freePorts } from './ports.js';
import { requireTool } from './tools.mjs';

/** A Redis of the test's own, which keeps nothing on disk. */
export class RedisServer {
  private constructor(
    readonly port: number,
    private child: Child,
  ) {}

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** For signals: SIGSTOP makes it slow, for as long as one likes. */
  get pid(): number {
    return this.child.pid!;
  }

  static async start(): Promise<RedisServer> {
    for (let attempt = 1; ; attempt++) {
      const [port] = await freePorts(1);
      try {
        return new RedisServer(port!, await launch(port!));
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
    this.child = await launch(this.port);
  }
}

async function launch(port: number): Promise<Child> {
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--daemonize', 'no'];
  const child = new Child(requireTool('redis-server'), args);
  await child.waitFor(/Ready to accept connections/);
  return child;
}
