import { END_KIND } from './messages.js';

const NOTHING = Buffer.alloc(0);

/**
 * Why a channel is over: the other side ended it, its node is dead, or it cannot be said to be (no answer, or the bus
 * is gone): then it makes sense to ask again later.
 */
export type ChannelEnd = 'ended' | 'dead' | 'unreachable';

/** Who speaks on a channel. */
export interface ChannelHandler {
  onMessage(kind: number, data: Buffer): void;
  /** Not by {@link Channel.end} of this side. Nothing follows. */
  onEnd(end: ChannelEnd): void;
}

/** What a channel needs of the link that it runs on. */
export interface ChannelLink {
  put(channel: Channel, kind: number, data: Buffer): void;
  forget(channel: Channel): void;
}

/** One conversation with another node, in order, nothing lost or doubled as long as it lasts. */
export class Channel {
  handler: ChannelHandler | undefined;
  private over = false;

  constructor(
    /** @internal */ readonly id: number,
    private readonly link: ChannelLink,
  ) {}

  /** @param kind a number that the service gives a meaning, from 2 to 127 */
  send(kind: number, data: Buffer): void {
    if (this.over) return;
    this.link.put(this, kind, data);
  }

  /** The last word of this side. */
  end(): void {
    if (this.over) return;
    this.over = true;
    this.link.put(this, END_KIND, NOTHING);
    this.link.forget(this);
  }

  /** @internal */
  lost(end: ChannelEnd): void {
    if (this.over) return;
    this.over = true;
    this.handler?.onEnd(end);
  }
}
