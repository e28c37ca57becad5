import type { Duplex } from 'node:stream';
import { defer, type Deferred } from '../turn.js';
import type { Stanza } from '../xml/index.js';

/** Up to so many bytes a message is copied, with its neighbours, into one buffer; of a larger one only the header is. */
const COPIED_BYTES = 16_384;
/** Bytes of such a buffer at most. */
const BLOCK_BYTES = 65_536;

type Batch = (Stanza | Buffer)[];

/** FIN, opcode 9, no payload. */
const PING = Buffer.from([0x89, 0]);

/**
 * Writes WebSocket text messages (RFC 6455, section 5.2) straight to the socket of a connection.
 * What is written within one turn of the event loop goes out as one write: with many stanzas the
 * system calls cost most. One message is one frame; nothing is masked, compressed or fragmented.
 */
export class FrameWriter implements Deferred {
  private batch: Batch | undefined;
  private batchBytes = 0;
  private scheduled = false;
  private ended = false;
  /** More waits than may, and whoever writes was told so. */
  private full = false;
  /** Batches that the socket has and that have not left. */
  private underWay: Batch[] | undefined;

  constructor(
    private readonly socket: Duplex,
    /** Bytes that may wait for the peer. */
    private readonly limit: number,
    /** What waited when {@link write} returned false has left. */
    private readonly onDrained: () => void,
  ) {}

  /** What waits for the peer. */
  get bytes(): number {
    return this.socket.writableLength + this.batchBytes;
  }

  /** Whether the peer does not read, and whoever writes was told so. */
  get isFull(): boolean {
    return this.full;
  }

  /** The stanzas that are not known to have left, in order: of a batch all or none. */
  get unsent(): Stanza[] {
    return [...(this.underWay ?? []).flat(), ...(this.batch ?? [])].filter((message): message is Stanza => !Buffer.isBuffer(message));
  }

  /**
   * Takes a message in any case.
   * @returns false when more than the limit waits
   */
  write(message: Stanza | Buffer): boolean {
    if (this.ended) return true;
    if (this.batch) this.batch.push(message);
    else this.batch = [message];
    this.batchBytes += headerLength(message.byteLength) + message.byteLength;
    if (!this.scheduled) {
      this.scheduled = true;
      defer(this);
    }
    if (this.socket.writableLength + this.batchBytes <= this.limit) return true;
    this.full = true;
    return false;
  }

  /** Hands over what waits; nothing follows. */
  end(): void {
    this.flush();
    this.ended = true;
  }

  /** Asks the peer for a sign of life, in one write, where ws has one for the header and one for the payload that there is not. */
  ping(): void {
    this.flush();
    if (this.socket.writable) this.socket.write(PING);
  }

  /** @internal */
  endOfTurn(): void {
    this.scheduled = false;
    this.flush();
  }

  /** Hands over what waits. To be called before anything else is written to the socket. */
  flush(): void {
    const { batch, socket } = this;
    if (!batch) return;
    this.batch = undefined;
    this.batchBytes = 0;
    if (this.underWay) this.underWay.push(batch);
    else this.underWay = [batch];
    if (!socket.writable) return;
    // Not the socket's own 'drain': that one knows another limit.
    const written = this.full ? (error?: Error | null) => this.drained(error) : this.written;
    const chunks = assemble(batch);
    const last = chunks.pop()!;
    if (chunks.length > 0) socket.cork();
    for (const chunk of chunks) socket.write(chunk);
    socket.write(last, written);
    if (chunks.length > 0) socket.uncork();
  }

  private readonly written = (error?: Error | null): void => {
    if (!error) this.left();
  };

  private drained(error?: Error | null): void {
    if (error) return; // nobody is there to go on for
    this.left();
    if (!this.full) return;
    this.full = false;
    this.onDrained();
  }

  private left(): void {
    if (this.underWay!.length === 1) this.underWay = undefined;
    else this.underWay!.shift();
  }
}

/** The frames of all messages: small ones in blocks, large ones as they lie. */
function assemble(batch: Batch): Buffer[] {
  const chunks: Buffer[] = [];
  for (let from = 0; from < batch.length; ) {
    let to = from;
    let size = 0;
    for (; to < batch.length; to++) {
      const { byteLength } = batch[to]!;
      const frame = headerLength(byteLength) + byteLength;
      if (byteLength > COPIED_BYTES || (size > 0 && size + frame > BLOCK_BYTES)) break;
      size += frame;
    }
    const large = to < batch.length && batch[to]!.byteLength > COPIED_BYTES ? batch[to]! : undefined;
    const block = Buffer.allocUnsafe(size + (large ? headerLength(large.byteLength) : 0));
    let at = 0;
    for (; from < to; from++) {
      const message = batch[from]!;
      at = writeHeader(block, at, message.byteLength);
      if (Buffer.isBuffer(message)) at += message.copy(block, at);
      else at = message.writeTo(block, at);
    }
    chunks.push(block);
    if (!large) continue;
    writeHeader(block, at, large.byteLength);
    if (Buffer.isBuffer(large)) chunks.push(large);
    else large.pushTo(chunks);
    from++;
  }
  return chunks;
}

function headerLength(payload: number): number {
  return payload < 126 ? 2 : payload < 65_536 ? 4 : 10;
}

/** FIN, opcode 1 (text), no mask. */
function writeHeader(target: Buffer, at: number, payload: number): number {
  target[at] = 0x81;
  if (payload < 126) {
    target[at + 1] = payload;
    return at + 2;
  }
  if (payload < 65_536) {
    target[at + 1] = 126;
    return target.writeUInt16BE(payload, at + 2);
  }
  target[at + 1] = 127;
  target.writeUInt32BE(Math.floor(payload / 0x1_0000_0000), at + 2);
  return target.writeUInt32BE(payload % 0x1_0000_0000, at + 6);
}
