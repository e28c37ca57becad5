import type { IncomingMessage } from 'node:http';
import type { Channel, ChannelEnd, ChannelHandler } from '../cluster/index.js';
import { forwarded, type Peer } from '../http/index.js';
import { Exchange, type Fate } from './exchange.js';
import { ForwardingKind, writeAnswer, type ForwardedRequest } from './forwarding.js';
import type { HttpAnswers } from './http-answers.js';

/** One that came to another node, for a session of this one. */
export class ForwardedExchange extends Exchange implements ChannelHandler {
  readonly connection: string | undefined;
  private message: IncomingMessage | undefined;

  constructor(
    private readonly about: ForwardedRequest,
    private readonly channel: Channel,
    private readonly answers: HttpAnswers,
    /** The node that it came to. */
    node: string,
    at: number,
  ) {
    super(at, false);
    this.connection = about.connection === undefined ? undefined : `${node} ${about.connection}`;
    answers.begin();
  }

  get peer(): Peer {
    return this.about.peer;
  }

  get certificate(): string | undefined {
    return this.about.certificate;
  }

  /** What the app sees of it: method, URL and headers. */
  get request(): IncomingMessage {
    return (this.message ??= forwarded(this.about, 'POST'));
  }

  protected write(body: Buffer, type: string, status: number, extra: Readonly<Record<string, string>> | undefined): void {
    this.channel.send(ForwardingKind.Answer, writeAnswer({ status, type, extra }, body));
  }

  onMessage(kind: number, data: Buffer): void {
    if (kind === ForwardingKind.Done) this.finish(data.length > 0 ? 'left' : 'lost');
    else if (kind === ForwardingKind.Release && this.live) this.owner?.release?.(this);
  }

  onEnd(end: ChannelEnd): void {
    // A node that died may have given the answer to the client before.
    this.finish(end !== 'ended' && this.answered ? 'unknown' : 'lost');
  }

  private finish(fate: Fate): void {
    if (this.gone) return;
    this.answers.done();
    this.over(fate);
  }
}
