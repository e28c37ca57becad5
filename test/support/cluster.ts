import type { XmppModuleOptions, XmppUpstream } from 'nestjs-xmpp';
import { startApp, type TestApp } from './app.js';
import { body, BoshHttp, type BoshAnswer, type Pending } from './bosh-client.js';
import { RedisServer } from './redis.js';
import { ScriptedUpstream } from './scripted-upstream.js';

export const CLUSTER_SECRET = 'known to the nodes of this test';

/** Gateways in this process that share a Redis, in front of one server that the test plays. */
export class TestCluster {
  readonly nodes: TestApp[] = [];
  private readonly https = new Map<TestApp, BoshHttp>();

  private constructor(
    readonly redis: RedisServer,
    private readonly upstream: XmppUpstream,
    private readonly options: Partial<XmppModuleOptions>,
  ) {}

  static async start(count: number, options: Partial<XmppModuleOptions> = {}, upstream: XmppUpstream = new ScriptedUpstream(), redis?: RedisServer): Promise<TestCluster> {
    const cluster = new TestCluster(redis ?? (await RedisServer.start()), upstream, options);
    for (let i = 0; i < count; i++) await cluster.add();
    return cluster;
  }

  /** One more node. */
  async add(own: Partial<XmppModuleOptions['cluster']> = {}): Promise<TestApp> {
    const cluster = { redis: this.redis.url, secret: CLUSTER_SECRET, nodeId: `node-${this.nodes.length + 1}`, ...own };
    const node = await startApp({
      options: { domains: ['example.org'], ingress: 'server', upstream: this.upstream, ...this.options, cluster },
    });
    this.nodes.push(node);
    return node;
  }

  http(index: number): BoshHttp {
    const node = this.nodes[index]!;
    let http = this.https.get(node);
    if (!http) this.https.set(node, (http = new BoshHttp(node.boshUrl)));
    return http;
  }

  /** Ends a node as SIGTERM does. */
  async end(index: number): Promise<void> {
    const [node] = this.nodes.splice(index, 1);
    await node!.close();
  }

  async close(): Promise<void> {
    for (const http of this.https.values()) http.close();
    await Promise.all(this.nodes.map((node) => node.close()));
    await this.redis.stop();
  }
}

/** A BOSH session whose every request goes to the next node. */
export class RoamingSession {
  private turn = 0;

  constructor(
    private readonly cluster: TestCluster,
    readonly created: BoshAnswer,
    readonly sid: string,
    /** Of the last request. */
    public rid: number,
  ) {}

  /** The next request, by the next node, unless one is told. */
  send(payload = '', attributes: Record<string, string | number> = {}, node?: number): Pending {
    return this.again(++this.rid, payload, attributes, node);
  }

  again(rid: number, payload = '', attributes: Record<string, string | number> = {}, node?: number): Pending {
    const index = node ?? ++this.turn % this.cluster.nodes.length;
    return this.cluster.http(index).post(body({ rid, sid: this.sid, ...attributes }, payload));
  }
}
