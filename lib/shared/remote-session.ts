import type { Channel, ChannelEnd, ChannelHandler, Cluster } from '../cluster/index.js';
import type { Client, ClientSession, SessionEnd } from '../session/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import { Stanza } from '../xml/index.js';
import {
  AttachmentKind,
  Outstanding,
  readEnd,
  readNote,
  Receipts,
  writeCount,
  writeElements,
  writeNote,
  type AttachmentRequest,
  type LeaveNote,
  type OpenNote,
} from './attachment.js';
import { NOT_FOUND } from './refusal.js';

/** The service that takes clients of other nodes. */
export const ATTACH_SERVICE = 'attach';

/** A client of this node gets the session of another, and goes on elsewhere where that node is dead. */
const NODE_DEAD: SessionEnd = { reason: 'upstream-failed', condition: 'system-shutdown', text: 'the node of the session is gone' };

/** The session of another node that a client of this one shares. */
export class RemoteSession implements ClientSession, ChannelHandler {
  readonly resumable = false;
  jid: string | undefined;
  upstreamSecure = false;

  private readonly channel: Channel;
  private readonly sent: Outstanding;
  private readonly receipts: Receipts;
  private readonly attachOnly: boolean;
  private opened = false;
  private over = false;

  constructor(
    readonly domain: string,
    private readonly client: Client,
    cluster: Cluster,
    node: string,
    request: AttachmentRequest,
    /** Bytes on their way. */
    maxOutstanding: number,
  ) {
    this.attachOnly = request.attachOnly;
    this.sent = new Outstanding(maxOutstanding, () => this.client.onDrain());
    this.channel = cluster.begin(node, ATTACH_SERVICE, writeNote(request), this);
    this.receipts = new Receipts((count) => this.channel.send(AttachmentKind.Taken, writeCount(count)));
  }

  // From the client.

  send(stanza: Stanza): boolean {
    if (this.over) return true;
    this.channel.send(AttachmentKind.Send, stanza.bytes);
    return this.sent.add(stanza);
  }

  restart(header: StreamHeader): void {
    this.channel.send(AttachmentKind.Restart, writeNote(header));
  }

  drained(): void {
    this.receipts.release();
  }

  leave(end: SessionEnd, undelivered: readonly Stanza[] = [], scope?: 'all'): void {
    if (this.over) return;
    this.over = true;
    const { error: _error, ...plain } = end;
    const note: LeaveNote = { end: plain, scope };
    this.channel.send(AttachmentKind.Leave, writeElements(note, undelivered));
    this.channel.end();
  }

  /** Of clients over BOSH, which live where their session is. */
  bounceAll(): void {}

  rekey(key: string): void {
    this.channel.send(AttachmentKind.Rekey, Buffer.from(key));
  }

  // From the session.

  onMessage(kind: number, data: Buffer): void {
    if (this.over) return;
    switch (kind) {
      case AttachmentKind.Open:
        return this.onOpen(readNote<OpenNote>(data));
      case AttachmentKind.Deliver:
        return this.receipts.took(this.client.onStanza(Stanza.parse(data)));
      case AttachmentKind.Accepted:
        return this.sent.taken(data.readUInt32BE(0));
      case AttachmentKind.End:
        return this.finish(readEnd(data));
      default:
    }
  }

  onEnd(end: ChannelEnd): void {
    if (this.over) return;
    // Who comes again is told what has become of the key.
    this.finish(end === 'dead' && !this.opened && this.attachOnly ? NOT_FOUND : NODE_DEAD);
  }

  private onOpen({ header, opening, jid, upstreamSecure }: OpenNote): void {
    this.opened = true;
    this.jid = jid;
    this.upstreamSecure = upstreamSecure;
    this.client.onOpen(header, opening);
  }

  private finish(end: SessionEnd): void {
    this.over = true;
    this.channel.end();
    this.client.onEnd(end);
  }
}
