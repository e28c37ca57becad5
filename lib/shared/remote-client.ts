import type { Channel, ChannelHandler } from '../cluster/index.js';
import type { Client, ClientSession, SessionEnd, SharedOpening, Transport } from '../session/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import { Stanza } from '../xml/index.js';
import {
  AttachmentKind,
  Outstanding,
  readElements,
  readNote,
  Receipts,
  writeCount,
  writeEnd,
  writeNote,
  type AttachmentRequest,
  type LeaveNote,
  type OpenNote,
} from './attachment.js';
import { endOf } from './refusal.js';

/** A client of another node, on a session of this one. */
export class RemoteClient implements Client {
  readonly transport: Transport;
  readonly address: string;
  readonly port: number;
  readonly secure: boolean;
  /** Set before anything of the client is heard. */
  session!: ClientSession;
  /** For the other node. */
  readonly handler: ChannelHandler = {
    onMessage: (kind, data) => this.onMessage(kind, data),
    onEnd: () => this.leave({ reason: 'lost' }, this.delivered.takeAll()),
  };

  private readonly delivered: Outstanding;
  private readonly receipts: Receipts;
  private over = false;

  constructor(
    { transport, address, port, secure }: AttachmentRequest,
    private readonly channel: Channel,
    /** Bytes on their way. */
    maxOutstanding: number,
  ) {
    this.transport = transport;
    this.address = address;
    this.port = port;
    this.secure = secure;
    this.delivered = new Outstanding(maxOutstanding, () => this.session.drained());
    this.receipts = new Receipts((count) => channel.send(AttachmentKind.Accepted, writeCount(count)));
  }

  // From the session.

  onOpen(header: StreamHeader, opening?: SharedOpening): void {
    const { jid, upstreamSecure } = this.session;
    const note: OpenNote = { header, opening, jid: opening?.jid ?? jid, upstreamSecure };
    this.channel.send(AttachmentKind.Open, writeNote(note));
  }

  onStanza(stanza: Stanza): boolean {
    this.channel.send(AttachmentKind.Deliver, stanza.bytes);
    return this.delivered.add(stanza);
  }

  onDrain(): void {
    this.receipts.release();
  }

  onEnd(end: SessionEnd): void {
    this.over = true;
    this.channel.send(AttachmentKind.End, writeEnd(end));
  }

  // From the other node.

  private onMessage(kind: number, data: Buffer): void {
    if (this.over) return;
    switch (kind) {
      case AttachmentKind.Send:
        return this.receipts.took(this.session.send(Stanza.parse(data)));
      case AttachmentKind.Taken:
        return this.delivered.taken(data.readUInt32BE(0));
      case AttachmentKind.Restart:
        return this.session.restart(readNote<StreamHeader>(data));
      case AttachmentKind.Rekey:
        return this.rekey(data.toString());
      case AttachmentKind.Leave: {
        const [{ end, scope }, undelivered] = readElements<LeaveNote>(data);
        return this.leave(end, undelivered, scope);
      }
      default:
    }
  }

  private rekey(key: string): void {
    try {
      this.session.rekey?.(key);
    } catch (error) {
      const end = endOf(error);
      this.session.leave(end);
      this.onEnd(end);
    }
  }

  private leave(end: SessionEnd, undelivered: readonly Stanza[], scope?: 'all'): void {
    if (this.over) return;
    this.over = true;
    this.session.leave(end, undelivered, scope);
  }
}
