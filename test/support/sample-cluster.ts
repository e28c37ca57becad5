import { join } from 'node:path';
import process from 'node:process';
import { rootFile } from '../architecture/source-files.js';
import { Child } from './child.js';
import { freePorts } from './ports.js';
import type { SampleEnvironment } from './sample.js';

/** A node of the cluster that `npm run cluster` starts. */
interface Node {
  readonly name: string;
  /** Its own address, past the balancer. */
  readonly url: string;
}

/** What `npm run cluster` starts: three nodes behind a balancer without stickiness, on a Redis of their own. */
export class SampleCluster {
  private constructor(
    private readonly child: Child,
    /** Of the balancer. */
    readonly url: string,
    private readonly nodes: readonly Node[],
  ) {}

  get wsUrl(): string {
    return `${this.url.replace(/^http/, 'ws')}/xmpp-websocket`;
  }

  get boshUrl(): string {
    return `${this.url}/http-bind`;
  }

  get output(): string {
    return this.child.output;
  }

  /** @throws Error with its output when it does not start */
  static async start(environment: SampleEnvironment = {}): Promise<SampleCluster> {
    for (let attempt = 1; ; attempt++) {
      const [port] = await freePorts(1);
      const { PATH } = process.env;
      const child = new Child(process.execPath, [join(rootFile('sample'), 'dist', 'cluster', 'main.js')], {
        env: { PATH, PORT: String(port), ...environment },
      });
      try {
        const [, url, nodes] = (await child.waitFor(/^listening on (\S+), nodes on (.+)$/m, 60)) as unknown as [string, string, string];
        return new SampleCluster(child, url, nodes.split(', ').map((node, index) => ({ name: `node-${index + 1}`, url: node })));
      } catch (error) {
        if (attempt === 3 || !/cannot start/.test(child.output)) throw error; // somebody else was quicker with a port
      }
    }
  }

  /** How many sessions each node has, in their order. */
  async sessions(): Promise<number[]> {
    return await Promise.all(
      this.nodes.map(async ({ url }) => {
        const text = await (await fetch(`${url}/metrics`)).text();
        return [...text.matchAll(/^xmpp_sessions\{[^}]*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
      }),
    );
  }

  /** Kills a node without a word; resolves when it is there again, as a new process, and the others know it. */
  async killAndRestart(index: number): Promise<void> {
    await this.restart(index, 'SIGKILL');
  }

  /** The same with SIGTERM, as a roll-out does it, or whatever is told. */
  async restart(index: number, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const { name, url } = this.nodes[index]!;
    const starts = [...this.child.output.matchAll(new RegExp(`^${name} runs, process (\\d+)$`, 'gm'))];
    process.kill(Number(starts.at(-1)![1]), signal);
    await this.child.waitFor(new RegExp(`(?:^${name} runs, process \\d+$[^]*){${starts.length + 1}}`, 'm'), 60);
    for (const each of [url, this.url]) {
      for (;;) {
        const health = (await (await fetch(`${each}/health`)).json()) as { details: { cluster: { nodes: number } } };
        if (health.details.cluster.nodes === this.nodes.length) break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async stop(): Promise<void> {
    await this.child.stop('SIGTERM', 20);
  }
}
