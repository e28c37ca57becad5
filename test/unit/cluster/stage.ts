import { ManualClock, type XmppModuleOptions } from 'nestjs-xmpp';
import { Cluster, type Channel, type ChannelEnd, type ChannelHandler } from '../../../lib/cluster/index.js';
import { resolveOptions } from '../../../lib/xmpp.options.js';
import { Mailbox } from '../../support/mailbox.js';
import { MemoryHub } from '../../support/memory-bus.js';

export const SECRET = 'a secret of this test';

/** Somebody on a channel; what comes is kept. */
export class Speaker implements ChannelHandler {
  readonly heard = new Mailbox<string>();
  readonly ends = new Mailbox<ChannelEnd>();
  channel!: Channel;

  onMessage(kind: number, data: Buffer): void {
    this.heard.put(`${kind}:${data}`);
  }
  onEnd(end: ChannelEnd): void {
    this.ends.put(end);
  }
}

/** Nodes on one bus, with one clock. */
export class ClusterStage {
  readonly clock = new ManualClock();
  readonly hub = new MemoryHub();
  readonly nodes: Cluster[] = [];
  /** Those that a node was spoken to by. */
  readonly accepted = new Mailbox<Speaker>();

  async node(options: Partial<XmppModuleOptions['cluster']> = {}): Promise<Cluster> {
    const cluster = { bus: this.hub.bus(), secret: SECRET, ...options };
    const node = new Cluster(resolveOptions({ domains: ['example.org'], cluster }), this.clock);
    node.serve('echo', (data, channel) => {
      const speaker = new Speaker();
      speaker.channel = channel;
      speaker.heard.put(`open:${data}`);
      this.accepted.put(speaker);
      return speaker;
    });
    this.nodes.push(node);
    await node.onModuleInit();
    return node;
  }

  /** A conversation between two nodes. */
  async conversation(from: Cluster, to: Cluster, data = 'hello'): Promise<[Speaker, Speaker]> {
    const mine = new Speaker();
    mine.channel = from.begin(to.id, 'echo', Buffer.from(data), mine);
    const theirs = await this.accepted.take();
    return [mine, theirs];
  }

  /** Lets what is under way arrive, and time pass. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) {
      this.clock.tick(Math.min(50, left));
      await turn();
    }
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await node.stop();
  }
}

/** A few turns of the event loop: all that is on its way in memory arrives. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 6; i++) await new Promise((resolve) => setImmediate(resolve));
}
