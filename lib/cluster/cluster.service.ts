import { randomBytes } from 'node:crypto';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import type { BusHandler, ClusterBus, ClusterNode } from '../bus.js';
import { Clock, Timeout } from '../clock.js';
import { XMPP_OPTIONS, type ResolvedOptions } from '../xmpp.options.js';
import { Channel, type ChannelEnd, type ChannelHandler, type ChannelLink } from './channel.js';
import { Link, type LinkContext } from './link.js';
import { RedisBus } from './redis.js';
import { FrameType, Keys, newLinkId, newNodeId, readHeader, NODE_ID_LENGTH, type FrameHeader } from './sealing.js';

/** Somebody who answers other nodes. */
export type Service = (data: Buffer, channel: Channel, node: string) => ChannelHandler;

/** Milliseconds that the start waits for the bus; without it, it goes on alone. */
const START_PATIENCE = 3000;
/** Milliseconds that nodes need to come back after the bus was gone, and a little more. */
const SETTLE = 2500;
/** Milliseconds for the last frames to be confirmed. */
const LAST_FRAMES = 500;
/** Links that were asked for, and not used yet. */
const MAX_OFFERS = 256;
/** Milliseconds for which what is known of the other nodes is good enough. */
const FRESH = 100;
/** Milliseconds that a node has to answer a question. */
const ANSWER_PATIENCE = 3000;

/** Bytes of a stanza from a server. */
const MAX_STANZA = 16_777_216;
const MINTED = new RegExp(`^[\\w-]{${NODE_ID_LENGTH}}\\.[\\w-]{1,64}$`);
const NOTHING = Buffer.alloc(0);
/** Of conversations that never began. */
const NOWHERE: ChannelLink = { put: () => {}, forget: () => {} };

/** A link that another node asked for, and that it has still to use. */
interface Offer {
  readonly link: Link;
  readonly welcome: Buffer;
}

/**
 * This process among others: who they are, and conversations with them. A process without `cluster` among its options
 * has no others, and nothing of this costs it anything.
 */
@Injectable()
export class Cluster implements OnModuleInit {
  /** Whether there can be other nodes. */
  readonly enabled: boolean;
  /** Address of this process. */
  readonly id = newNodeId();

  private readonly logger = new Logger('XmppCluster');
  private readonly bus: ClusterBus | undefined;
  private readonly keys: Keys | undefined;
  private readonly services = new Map<string, Service>();
  /** The link that this node opened to another, by the other's id. */
  private readonly opened = new Map<string, Link>();
  /** The links that others opened, by their identifiers. */
  private readonly accepted = new Map<string, Link>();
  private readonly offers = new Map<string, Offer>();
  private readonly listeners: (() => void)[] = [];
  private readonly context: LinkContext;
  private readonly heartbeat: Timeout;
  /** Milliseconds after which a silent node counts as dead. */
  private readonly lifetime: number;
  private nodes: readonly ClusterNode[] = [];
  /** Nodes that are gone, though their time is not over: until when they are not believed to live, on the clock's scale. */
  private readonly dead = new Map<string, number>();
  private name: string;
  /** Whether the bus can be used. */
  private up = false;
  /** Since when, on the clock's scale; a node that was never without it is settled from the start. */
  private settledAt = 0;
  private heardAt = -Infinity;
  /** It was up before. */
  private wasGone = false;
  private beating: Promise<readonly ClusterNode[]> | undefined;
  private foreign = false;
  private leaving = false;
  private stopped = false;
  private started: (() => void) | undefined;

  constructor(
    @Inject(XMPP_OPTIONS) private readonly options: ResolvedOptions,
    private readonly clock: Clock,
  ) {
    const { cluster, bosh, websocket } = options;
    this.lifetime = cluster.deadAfter * 1000;
    this.name = cluster.nodeId ?? this.id;
    this.bus = cluster.bus ?? (cluster.redis === undefined ? undefined : new RedisBus(cluster.redis, cluster.prefix));
    this.enabled = this.bus !== undefined;
    this.keys = cluster.secret === undefined ? undefined : new Keys(Buffer.from(cluster.secret));
    this.heartbeat = new Timeout(clock, () => void this.beat().catch(() => {}));
    this.context = {
      clock,
      self: this.id,
      patience: this.lifetime,
      // Of what clients send, and of what the server sends, with room for what is said beside it.
      maxMessage: Math.max(bosh.maxBodyBytes, websocket.maxFrameBytes, MAX_STANZA) + 1_048_576,
      publish: (id, frame) => (this.up ? this.bus!.publish(id, frame) : Promise.reject(new Error('no bus'))),
      isMember: (id) => this.isMember(id),
      isSettled: () => this.isSettled,
      accept: (service, data, channel, node) => {
        const serve = this.services.get(service);
        if (!serve) throw new Error(`no service ${service}`);
        return serve(data, channel, node);
      },
      onOver: (link, end) => this.onOver(link, end),
      onError: (error) => this.onError(error),
    };
  }

  // The life of a node.

  async onModuleInit(): Promise<void> {
    const { bus } = this;
    if (!bus) return;
    await new Promise<void>((resolve, reject) => {
      const patience = new Timeout(this.clock, () => {
        this.logger.warn('the bus of the cluster cannot be reached: this node is alone until it can');
        resolve();
      });
      patience.start(START_PATIENCE);
      this.started = () => {
        patience.stop();
        resolve();
      };
      const handler: BusHandler = {
        onFrame: (frame) => this.onFrame(frame),
        onUp: () => void this.beat().catch(() => {}),
        onDown: () => this.onDown('its connection was lost'),
      };
      bus.start(this.id, handler).catch((error: unknown) => {
        patience.stop();
        reject(error as Error);
      });
    });
  }

  /** New sessions go elsewhere from now on; what other nodes still have to say to this one is heard. */
  async leave(): Promise<void> {
    if (!this.bus || this.leaving) return;
    this.leaving = true;
    this.heartbeat.stop();
    await this.bus.leave().catch(() => {}); // then it is forgotten when its time is over
  }

  /** Every last word has arrived, or half a second has passed; nothing is said or heard any more. */
  async stop(): Promise<void> {
    if (!this.bus) return;
    await this.leave();
    const until = performance.now() + LAST_FRAMES; // the wall clock may be set
    const busy = (): boolean => [...this.opened.values(), ...this.accepted.values()].some((link) => !link.isIdle);
    while (this.up && busy() && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
    for (const link of [...this.opened.values(), ...this.accepted.values()]) link.bye();
    this.stopped = true;
    await this.bus.stop().catch(() => {});
  }

  /** Whether requests for other nodes can be carried. Always where there are none. */
  get isConnected(): boolean {
    return !this.enabled || this.up;
  }

  /** What people call this node; none where there is no cluster. */
  get nodeName(): string | undefined {
    return this.enabled ? this.name : undefined;
  }

  /** Nodes that lived when the bus was last asked, this one too. */
  get nodeCount(): number {
    return this.nodes.length;
  }

  /** Calls back each time that the bus may have forgotten what this node claimed: it was gone, or this node was. */
  onReconnected(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** All nodes that live, this one too. */
  async members(): Promise<readonly ClusterNode[]> {
    if (this.enabled && this.clock.now() - this.heardAt >= FRESH) await this.beat().catch(() => {});
    return this.nodes;
  }

  /** Whether a node lives. One that is not known may have come a moment ago: then the bus is asked again. */
  async lives(node: string): Promise<boolean> {
    await this.members();
    if (!this.isMember(node) && !this.dead.has(node)) {
      await this.beating?.catch(() => {});
      await this.beat().catch(() => {});
    }
    return this.isMember(node);
  }

  /** Resolves when the other nodes have had time to come back, and to claim what is theirs, after the bus was gone. */
  async settled(): Promise<void> {
    const rest = this.up && this.wasGone ? this.settledAt - this.clock.now() : 0;
    if (rest > 0) await new Promise<void>((resolve) => new Timeout(this.clock, resolve).start(rest));
  }

  /** For digests that all nodes agree on. */
  secret(purpose: string): Buffer | undefined {
    return this.keys?.derive(purpose, '', 32);
  }

  /** What claims keys; undefined while it cannot be used. */
  get claims(): Pick<ClusterBus, 'claim' | 'release' | 'find'> | undefined {
    return this.up ? this.bus : undefined;
  }

  // Names.

  /** An identifier that says which node has what it names. */
  mint(id: string): string {
    return this.enabled ? `${this.id}.${id}` : id;
  }

  /** The id of the node that made an identifier; undefined where it says none. */
  nodeOf(id: string | undefined): string | undefined {
    if (!this.enabled || id === undefined || !MINTED.test(id)) return undefined;
    return id.slice(0, NODE_ID_LENGTH);
  }

  // Conversations.

  /** Answers what other nodes ask of a service. */
  serve(service: string, accept: Service): void {
    this.services.set(service, accept);
  }

  /**
   * Begins a conversation with a service of another node. Where that fails, the handler is told, never before this
   * has returned.
   */
  begin(node: string, service: string, data: Buffer, handler: ChannelHandler): Channel {
    const link = this.up && !this.stopped ? (this.opened.get(node) ?? this.openLink(node)) : undefined;
    if (link && !link.isCrowded) return link.begin(service, data, handler);
    const channel = new Channel(0, NOWHERE);
    channel.handler = handler;
    queueMicrotask(() => channel.lost('unreachable'));
    return channel;
  }

  /**
   * Asks a service of another node.
   * @returns its answer: its only message
   * @throws {NodeError} when there is none
   */
  async ask(node: string, service: string, data: Buffer): Promise<Buffer> {
    return await new Promise((resolve, reject) => {
      const over = (end: ChannelEnd): void => {
        patience.stop();
        reject(new NodeError(end));
      };
      const patience = new Timeout(this.clock, () => {
        channel.end();
        over('unreachable');
      });
      const channel = this.begin(node, service, data, {
        onMessage: (_kind, answer) => {
          patience.stop();
          resolve(answer);
        },
        onEnd: over,
      });
      patience.start(ANSWER_PATIENCE);
    });
  }

  // Links.

  private openLink(node: string): Link {
    const id = newLinkId();
    const hello = this.greet(FrameType.Hello, node, id, NOTHING);
    const link = new Link(node, id, true, this.context, hello);
    this.opened.set(node, link);
    // One that is not known may be new.
    if (!this.isMember(node)) void this.beat().catch(() => {});
    return link;
  }

  private greet(type: FrameType, to: string, link: string, payload: Buffer): Buffer {
    return this.keys!.greeting.close({ type, from: this.id, to, link, counter: 0, sequence: 0, ack: 0 }, payload);
  }

  private onFrame(frame: Buffer): void {
    const header = readHeader(frame);
    if (!header || header.to !== this.id || this.stopped) return;
    switch (header.type) {
      case FrameType.Hello:
        return this.onHello(frame, header);
      case FrameType.Welcome:
        return this.onWelcome(frame, header);
      case FrameType.Reset:
        return this.onReset(frame, header);
      default:
        return this.onLinkFrame(frame, header);
    }
  }

  private onHello(frame: Buffer, header: FrameHeader): void {
    const { from, link: id } = header;
    if (!this.keys!.greeting.open(frame, header)) return this.onForeign(from);
    if (this.accepted.get(from)?.id === id) return;
    let offer = this.offers.get(id);
    if (!offer) {
      const answer = randomBytes(16);
      const [forth, back] = this.keys!.link(from, this.id, id, answer);
      const link = new Link(from, id, false, this.context);
      link.open(back, forth);
      offer = { link, welcome: this.greet(FrameType.Welcome, from, id, answer) };
      // Who sends an old one again gets a link that he cannot use, and takes none away.
      this.offers.set(id, offer);
      if (this.offers.size > MAX_OFFERS) this.offers.delete(this.offers.keys().next().value!);
    }
    this.send(from, offer.welcome);
  }

  private onWelcome(frame: Buffer, header: FrameHeader): void {
    const answer = this.keys!.greeting.open(frame, header);
    if (!answer) return this.onForeign(header.from);
    const link = this.opened.get(header.from);
    if (link?.id !== header.link || link.isOpen) return;
    const [forth, back] = this.keys!.link(this.id, header.from, link.id, answer);
    link.open(forth, back);
  }

  private onReset(frame: Buffer, header: FrameHeader): void {
    if (!this.keys!.greeting.open(frame, header)) return this.onForeign(header.from);
    for (const links of [this.opened, this.accepted]) {
      const link = links.get(header.from);
      if (link?.id === header.link && link.isOpen) link.lost('unreachable');
    }
  }

  private onLinkFrame(frame: Buffer, header: FrameHeader): void {
    const { from, link: id } = header;
    for (const link of [this.opened.get(from), this.accepted.get(from)]) {
      if (link?.id === id) return void link.onFrame(frame, header);
    }
    const offer = this.offers.get(id);
    // The other node may still believe in a link that is over.
    if (!offer) return this.send(from, this.greet(FrameType.Reset, from, id, NOTHING));
    if (offer.link.node !== from || !offer.link.onFrame(frame, header)) return;
    this.offers.delete(id);
    this.accepted.get(from)?.lost('unreachable'); // it has opened another
    if (!offer.link.isOver) this.accepted.set(from, offer.link);
  }

  private send(to: string, frame: Buffer): void {
    if (this.up) this.bus!.publish(to, frame).catch(() => {});
  }

  private onOver(link: Link, end: ChannelEnd): void {
    if (end === 'dead' && this.isMember(link.node)) {
      this.dead.set(link.node, this.clock.now() + this.lifetime);
      this.nodes = this.nodes.filter(({ id }) => id !== link.node);
    }
    const links = link.isOpener ? this.opened : this.accepted;
    if (links.get(link.node) === link) links.delete(link.node);
  }

  /** Said once: whoever can write to the bus could fill the log. */
  private onForeign(from: string): void {
    if (this.foreign) return;
    this.foreign = true;
    this.logger.warn(`frames that name ${JSON.stringify(from)} are not authentic: does a node have another cluster.secret?`);
  }

  // Liveness.

  private async beat(): Promise<readonly ClusterNode[]> {
    return await (this.beating ??= this.beatOnce().finally(() => (this.beating = undefined)));
  }

  private async beatOnce(): Promise<readonly ClusterNode[]> {
    if (this.leaving || this.stopped) return this.nodes;
    try {
      this.onAlive(await this.bus!.beat(this.name, this.lifetime));
      return this.nodes;
    } catch (error) {
      if (this.clock.now() - this.heardAt > this.lifetime / 2) this.onDown('it does not answer');
      throw error;
    } finally {
      if (!this.leaving) this.heartbeat.start(this.lifetime / 5);
    }
  }

  private onAlive(nodes: readonly ClusterNode[]): void {
    // A process that stood still was given up by the others, who may have claimed what it had.
    const lapsed = this.clock.now() - this.heardAt > this.lifetime;
    this.heardAt = this.clock.now();
    for (const [id, until] of this.dead) if (until <= this.heardAt) this.dead.delete(id);
    this.nodes = nodes.filter(({ id }) => !this.dead.has(id));
    this.checkName();
    if (this.up) {
      if (lapsed) for (const listener of this.listeners) listener();
      return;
    }
    const first = this.started !== undefined;
    this.up = true;
    this.wasGone = !first;
    this.started?.();
    this.started = undefined;
    // After it was gone the other nodes may take a while to come back, and their claims with them.
    this.settledAt = !first || nodes.length < 2 ? this.clock.now() + SETTLE : 0;
    if (!first) this.logger.log(`the bus of the cluster is there again: ${nodes.length} nodes`);
    for (const link of [...this.opened.values(), ...this.accepted.values()]) link.resend();
    for (const listener of this.listeners) listener();
  }

  private onDown(why: string): void {
    if (!this.up) return;
    this.up = false;
    if (!this.stopped) this.logger.warn(`the bus of the cluster cannot be used (${why}): this node serves its own sessions`);
  }

  private isMember(node: string): boolean {
    return this.nodes.some(({ id }) => id === node);
  }

  private get isSettled(): boolean {
    return this.up && this.clock.now() >= this.settledAt;
  }

  /** Two nodes of one name do no harm: sessions name their node by its id. But people would take one for the other. */
  private checkName(): void {
    const { nodeId } = this.options.cluster;
    if (nodeId === undefined) return;
    const isTaken = this.nodes.some(({ name, id }) => name === nodeId && id < this.id);
    const name = isTaken ? `${nodeId}-${this.id}` : nodeId;
    if (name === this.name) return;
    this.name = name;
    if (isTaken) this.logger.warn(`another node is called ${nodeId}: this one calls itself ${name}`);
  }

  private onError(error: unknown): void {
    this.logger.error('cluster', error instanceof Error ? error.stack : String(error));
  }
}

/** A node gave no answer. */
export class NodeError extends Error {
  override readonly name = 'NodeError';

  constructor(readonly end: ChannelEnd) {
    super(`the node is ${end}`);
  }
}

