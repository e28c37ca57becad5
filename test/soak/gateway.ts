import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** What a process holds, after its garbage was collected. */
export interface Holdings {
  /** Bytes. */
  readonly heapUsed: number;
  readonly external: number;
  readonly rss: number;
  /** Open file descriptors. */
  readonly sockets: number;
  /** By kind, as Node names them: timers among them. */
  readonly handles: Readonly<Record<string, number>>;
}

/** The sample as a child process. */
export class SoakGateway {
  /** All that it printed. */
  output = '';
  url = '';

  private constructor(private readonly child: ChildProcess) {}

  static async start(root: string, environment: Record<string, string>): Promise<SoakGateway> {
    const child = spawn(process.execPath, ['--expose-gc', '--enable-source-maps', join(root, 'test', 'soak', 'sample-child.mjs')], {
      cwd: root,
      env: { PATH: process.env['PATH'] ?? '', PORT: '0', ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const gateway = new SoakGateway(child);
    await new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout!, child.stderr!]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          gateway.output += text;
          const [, url] = /^listening on (http:\S+)$/m.exec(gateway.output) ?? [];
          if (url === undefined) return;
          gateway.url = url;
          resolve();
        });
      }
      child.once('exit', () => reject(new Error(`the sample did not start:\n${gateway.output}`)));
    });
    return gateway;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async report(): Promise<Holdings> {
    this.child.send('report');
    const [holdings] = (await once(this.child, 'message')) as [Holdings];
    return holdings;
  }

  /** @returns its exit code, null where it had to be killed */
  async stop(): Promise<number | null> {
    if (!this.running) return this.child.exitCode;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 6000);
    const [code] = (await once(this.child, 'exit')) as [number | null];
    clearTimeout(timer);
    return code;
  }
}

/** The root of the project, from wherever this was compiled to. */
export function rootOf(url: string): string {
  const [root] = /^.*?(?=\/(?:\.cache\/soak\/)?test\/soak\/)/.exec(dirname(fileURLToPath(url)) + '/')!;
  return root;
}
