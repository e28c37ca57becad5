import type { Channel, ChannelEnd, ChannelHandler } from '../cluster/index.js';
import type { ForwardableRequest, Peer } from '../http/index.js';
import type { BodyFault } from './body-reader.js';
import type { Exchange, ExchangeOwner, Fate } from './exchange.js';

/** What is said about a request that another node serves. */
export enum ForwardingKind {
  /** From the node that has the session: the answer. */
  Answer = 2,
  /** From the one that has the connection: the answer has left, or nobody sees it. */
  Done = 3,
  /** From the one that has the connection: it has to be answered now, with whatever there is. */
  Release = 4,
}

/** A request as it is told to another node. Where it came from is said by the node that it came to. */
export interface ForwardedRequest extends ForwardableRequest {
  readonly peer: Peer;
  /** Fingerprint of the client's certificate. */
  readonly certificate?: string | undefined;
  /** Number of its connection at the node that it came to; none for one that carries several answers at once. */
  readonly connection?: number | undefined;
  /** The body did not come whole. */
  readonly fault?: BodyFault | undefined;
}

export interface ForwardedAnswer {
  readonly status: number;
  readonly type: string;
  readonly extra: Readonly<Record<string, string>> | undefined;
}

export function writeRequest(request: ForwardedRequest, body: Buffer): Buffer {
  return join(request, body);
}

export function readRequest(data: Buffer): [request: ForwardedRequest, body: Buffer] {
  return split<ForwardedRequest>(data);
}

export function writeAnswer(answer: ForwardedAnswer, body: Buffer): Buffer {
  return join(answer, body);
}

export function readAnswer(data: Buffer): [answer: ForwardedAnswer, body: Buffer] {
  return split<ForwardedAnswer>(data);
}

/** What is small as JSON, with its length before it, and the body as it is. */
function join(about: object, body: Buffer): Buffer {
  const head = Buffer.from(JSON.stringify(about));
  const data = Buffer.allocUnsafe(4 + head.length + body.length);
  data.writeUInt32BE(head.length, 0);
  head.copy(data, 4);
  body.copy(data, 4 + head.length);
  return data;
}

function split<T>(data: Buffer): [T, Buffer] {
  const end = 4 + data.readUInt32BE(0);
  return [JSON.parse(data.toString('utf8', 4, end)) as T, data.subarray(end)];
}

/** A request that came here, and is another node's: its answer comes from there and leaves here. */
export class Forwarding implements ExchangeOwner, ChannelHandler {
  private channel: Channel | undefined;
  /** The answer is the other node's, and none of ours. */
  private relayed = false;

  constructor(
    private readonly exchange: Exchange,
    /** There will be no answer. */
    private readonly onFailed: (end: ChannelEnd) => void,
    private readonly onOver: (forwarding: Forwarding) => void,
  ) {}

  start(channel: Channel): void {
    this.channel = channel;
    this.exchange.owner = this;
    if (this.exchange.gone) this.closed(this.exchange, 'lost');
  }

  /** This node goes down: the client has to be answered, so that it asks another one. */
  release(): void {
    this.channel?.send(ForwardingKind.Release, NOTHING);
  }

  /** The same, and it was not. */
  abandon(): void {
    if (!this.exchange.answered) this.onFailed('unreachable');
  }

  onMessage(kind: number, data: Buffer): void {
    if (kind !== ForwardingKind.Answer) return;
    const [{ status, type, extra }, body] = readAnswer(data);
    this.relayed ||= this.exchange.live;
    this.exchange.send(body, type, status, extra);
  }

  onEnd(end: ChannelEnd): void {
    this.channel = undefined;
    this.onOver(this);
    if (!this.exchange.answered) this.onFailed(end);
  }

  closed(_exchange: Exchange, fate: Fate): void {
    this.channel?.send(ForwardingKind.Done, fate === 'left' && this.relayed ? FLUSHED : NOTHING);
    this.channel?.end();
    this.channel = undefined;
    this.onOver(this);
  }
}

const NOTHING = Buffer.alloc(0);
const FLUSHED = Buffer.from([1]);
