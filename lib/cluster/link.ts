import { Timeout, type Clock } from '../clock.js';
import { Channel, type ChannelEnd, type ChannelHandler, type ChannelLink } from './channel.js';
import { END_KIND, OPEN_KIND, Packer, Unpacker } from './messages.js';
import { FrameType, type FrameHeader, type Seal } from './sealing.js';

/** What links need of their node. */
export interface LinkContext {
  readonly clock: Clock;
  /** Identifier of this node. */
  readonly self: string;
  /** Milliseconds of silence after which the other node is not believed to answer. */
  readonly patience: number;
  /** Bytes of one message. */
  readonly maxMessage: number;
  /** @returns how many took it, undefined where that is not known; rejects while the bus cannot be used */
  publish(id: string, frame: Buffer): Promise<number | undefined>;
  /** Whether a node counts as living, by what is known. */
  isMember(id: string): boolean;
  /** Whether what is known can be trusted: the bus was not gone a moment ago. */
  isSettled(): boolean;
  /** The other side begins a conversation. */
  accept(service: string, data: Buffer, channel: Channel, node: string): ChannelHandler;
  onOver(link: Link, end: ChannelEnd): void;
  /** A fault of ours. */
  onError(error: unknown): void;
}

/** Bytes on their way to the other node that it has not confirmed. */
const WINDOW = 4_194_304;
/** Bytes that may wait beside those: who gives more has a fault, or the other node stands still. */
const MAX_WAITING = 67_108_864;
/** Beyond so many bytes nothing new is begun. */
const CROWDED = 8_388_608;
/** Milliseconds after which what was not confirmed is sent again. */
const RESEND = 500;
/** Frames that are sent again at a time. */
const RESEND_FRAMES = 16;
/** Milliseconds after which a node is asked whether it lives, where a conversation with it is silent. */
const PING = 500;
/** Milliseconds that a confirmation waits for something to go with. */
const ACK_DELAY = 40;
/** Bytes that are confirmed at once. */
const ACK_BYTES = 262_144;
/** Milliseconds that a node may be missing from the bus, since its connection to it was lost. */
const ABSENT = 300;
const NOTHING = Buffer.alloc(0);

interface SentFrame {
  readonly sequence: number;
  readonly payload: Buffer;
}

/**
 * What two nodes say to each other, over a bus that may lose what it carries: data frames have numbers, are confirmed
 * and, where that fails, sent again. One node opened it, and begins all conversations on it.
 */
export class Link implements ChannelLink {
  private readonly channels = new Map<number, Channel>();
  private readonly packer = new Packer();
  private readonly unpacker: Unpacker;
  private readonly unconfirmed: SentFrame[] = [];
  private unconfirmedBytes = 0;
  private seals: { readonly send: Seal; readonly receive: Seal } | undefined;
  private over = false;
  private channelCount = 0;
  private scheduled = false;
  /** Of what is sent. */
  private counter = 0;
  private sequence = 0;
  /** Of what was received. */
  private lastCounter = 0;
  private received = 0;
  /** The last data frame that the other node has confirmed. */
  private confirmed = 0;
  private unackedBytes = 0;
  private heardAt: number;
  /** How often was sent again what still is not confirmed. */
  private attempts = 0;
  /** The other node is to be heard of. */
  private expects = false;
  /** Since when nobody takes what is published. */
  private absentSince: number | undefined;
  private readonly look: Timeout;
  private readonly ackTimeout: Timeout;

  constructor(
    /** Identifier of the other node. */
    readonly node: string,
    readonly id: string,
    /** Whether this side opened it. */
    readonly isOpener: boolean,
    private readonly context: LinkContext,
    private readonly hello?: Buffer,
  ) {
    this.unpacker = new Unpacker(context.maxMessage);
    this.heardAt = context.clock.now();
    this.look = new Timeout(context.clock, () => this.onLook());
    this.ackTimeout = new Timeout(context.clock, () => this.transmit(FrameType.Ack));
    if (hello) {
      this.publish(hello);
      this.look.start(ABSENT);
    }
  }

  /** It can be used from now on. */
  open(send: Seal, receive: Seal): void {
    if (this.seals || this.over) return;
    this.seals = { send, receive };
    this.heardAt = this.context.clock.now();
    this.schedule();
    this.arm();
  }

  get isOpen(): boolean {
    return this.seals !== undefined;
  }

  get isOver(): boolean {
    return this.over;
  }

  /** Whether so much waits that nothing new should be begun. */
  get isCrowded(): boolean {
    return this.packer.bytes + this.unconfirmedBytes > CROWDED;
  }

  /** Whether the other node has everything. */
  get isIdle(): boolean {
    return this.packer.isEmpty && this.unconfirmed.length === 0;
  }

  /** Begins a conversation. */
  begin(service: string, data: Buffer, handler: ChannelHandler): Channel {
    this.channelCount = this.channelCount === 0xffff_ffff ? 1 : this.channelCount + 1;
    const channel = new Channel(this.channelCount, this);
    channel.handler = handler;
    this.channels.set(channel.id, channel);
    const head = Buffer.from(`${service}\n`);
    channel.send(OPEN_KIND, Buffer.concat([head, data]));
    return channel;
  }

  // What channels need.

  put(channel: Channel, kind: number, data: Buffer): void {
    if (this.over) return;
    this.packer.put({ kind, channel: channel.id, data });
    if (this.packer.bytes > MAX_WAITING) return this.lost('unreachable');
    this.schedule();
  }

  forget(channel: Channel): void {
    this.channels.delete(channel.id);
  }

  // Sending.

  private schedule(): void {
    if (this.scheduled || !this.seals) return;
    this.scheduled = true;
    setImmediate(this.flush);
  }

  /** All that is said in one turn of the event loop goes together. */
  private readonly flush = () => {
    this.scheduled = false;
    if (this.over) return;
    while (!this.packer.isEmpty && this.unconfirmedBytes < WINDOW) {
      const sequence = ++this.sequence;
      const payload = this.packer.take();
      this.unconfirmed.push({ sequence, payload });
      this.unconfirmedBytes += payload.length;
      this.transmit(FrameType.Data, sequence, payload);
    }
    this.arm();
  };

  private transmit(type: FrameType, sequence = 0, payload: Buffer = NOTHING): void {
    if (!this.seals || this.over) return;
    this.ackTimeout.stop();
    this.unackedBytes = 0;
    const { context, node: to, id: link, received: ack } = this;
    this.publish(this.seals.send.close({ type, from: context.self, to, link, counter: ++this.counter, sequence, ack }, payload));
  }

  private publish(frame: Buffer): void {
    this.context.publish(this.node, frame).then(
      (takers) => this.onPublished(takers),
      () => {}, // what was lost is sent again
    );
  }

  private onPublished(takers: number | undefined): void {
    if (this.over) return;
    if (takers !== 0) {
      this.absentSince = undefined;
      return;
    }
    const now = this.context.clock.now();
    this.absentSince ??= now;
    // One that lives may have lost its connection to the bus, and be back at once.
    const gone = now - this.absentSince >= ABSENT || !this.context.isMember(this.node);
    if (gone && this.context.isSettled()) return this.lost('dead');
    this.look.start(ABSENT / 3);
  }

  private arm(): void {
    if (this.over || this.look.running) return;
    const expects = this.unconfirmed.length > 0 || this.channels.size > 0;
    // Nobody was asked anything before.
    if (expects && !this.expects) this.heardAt = this.context.clock.now();
    this.expects = expects;
    if (!expects) return;
    const interval = this.unconfirmed.length > 0 ? RESEND * 2 ** Math.min(this.attempts, 3) : PING;
    const patience = this.heardAt + this.context.patience - this.context.clock.now();
    this.look.start(Math.min(interval, Math.max(patience, 0) + 1));
  }

  /** Looks whether the other node still answers. */
  private onLook(): void {
    const { clock, patience } = this.context;
    const gone = !this.context.isMember(this.node) && this.context.isSettled();
    if (clock.now() - this.heardAt > patience) return this.lost(gone ? 'dead' : 'unreachable');
    if (!this.seals) {
      if (gone) return this.lost('dead');
      this.resend();
      return this.look.start(RESEND);
    }
    if (this.unconfirmed.length > 0) {
      this.attempts++;
      this.resend(RESEND_FRAMES);
    } else if (this.absentSince !== undefined || clock.now() - this.heardAt >= PING) {
      this.transmit(FrameType.Ping);
    }
    this.arm();
  }

  /** The bus was gone, and is there again: what was said meanwhile is lost. */
  resend(most = Infinity): void {
    if (!this.seals && this.hello) this.publish(this.hello);
    for (const { sequence, payload } of this.unconfirmed.slice(0, most)) this.transmit(FrameType.Data, sequence, payload);
  }

  /** Ends it, in order; what has not arrived may be lost. */
  bye(): void {
    this.transmit(FrameType.Bye);
    this.lost('dead');
  }

  /** All conversations on it are over. */
  lost(end: ChannelEnd): void {
    if (this.over) return;
    this.over = true;
    this.look.stop();
    this.ackTimeout.stop();
    this.context.onOver(this, end);
    for (const channel of this.channels.values()) this.guarded(() => channel.lost(end));
    this.channels.clear();
  }

  // Receiving.

  /** @returns whether the frame is one of this link, and new */
  onFrame(frame: Buffer, header: FrameHeader): boolean {
    if (this.over || !this.seals || header.counter <= this.lastCounter) return false;
    const payload = this.seals.receive.open(frame, header);
    if (!payload) return false;
    this.lastCounter = header.counter;
    this.heardAt = this.context.clock.now();
    this.absentSince = undefined;
    this.onConfirmed(header.ack);
    switch (header.type) {
      case FrameType.Data:
        this.onData(header.sequence, payload);
        break;
      case FrameType.Ping:
        this.transmit(FrameType.Ack);
        break;
      case FrameType.Bye:
        this.lost('dead');
        break;
      default:
    }
    return true;
  }

  private onConfirmed(ack: number): void {
    if (ack <= this.confirmed || ack > this.sequence) return;
    this.confirmed = ack;
    this.attempts = 0;
    const { unconfirmed } = this;
    while (unconfirmed.length > 0 && unconfirmed[0]!.sequence <= ack) this.unconfirmedBytes -= unconfirmed.shift()!.payload.length;
    this.look.stop();
    if (!this.packer.isEmpty) this.schedule();
    this.arm();
  }

  private onData(sequence: number, payload: Buffer): void {
    // One is missing, or this one came before: the other side learns what is here.
    if (sequence !== this.received + 1) return this.transmit(FrameType.Ack);
    this.received = sequence;
    this.unackedBytes += payload.length;
    try {
      for (const { kind, channel, data } of this.unpacker.read(payload)) {
        this.guarded(() => this.onMessage(kind, channel, data));
        if (this.over) return;
      }
    } catch (error) {
      this.context.onError(error);
      return this.lost('unreachable');
    }
    if (this.unackedBytes >= ACK_BYTES) this.transmit(FrameType.Ack);
    else if (!this.ackTimeout.running) this.ackTimeout.start(ACK_DELAY);
  }

  private onMessage(kind: number, id: number, data: Buffer): void {
    if (kind === OPEN_KIND) return this.onBegin(id, data);
    const channel = this.channels.get(id);
    if (!channel) return; // over on this side
    if (kind !== END_KIND) return channel.handler?.onMessage(kind, data);
    this.channels.delete(id);
    channel.lost('ended');
  }

  private onBegin(id: number, data: Buffer): void {
    if (this.isOpener || this.channels.has(id)) return;
    const end = data.indexOf(0x0a);
    const channel = new Channel(id, this);
    this.channels.set(id, channel);
    try {
      channel.handler = this.context.accept(data.toString('utf8', 0, end), data.subarray(end + 1), channel, this.node);
    } catch (error) {
      channel.end();
      throw error;
    }
    this.arm();
  }

  private guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.context.onError(error);
    }
  }
}
