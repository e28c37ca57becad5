import type { Duplex } from 'node:stream';
import { defer, type Deferred } from '../turn.js';
import type { Stanza } from '../xml/index.js';

/** Up to here a batch is copied into one buffer; beyond, its pieces are handed over as they are. */
const COPY_LIMIT = 65_536;

/**
 * Writes WebSocket text messages (RFC 6455, section 5.2) straight to the socket of a connection.
 * What is written within one turn of the event loop goes out as one write: with many stanzas the
 * system calls cost most. One message is one frame; nothing is masked, compressed or fragmented.
 */
export class FrameWriter implements Deferred {
  private batch: (Stanza | Buffer)[] = [];
  private batchBytes = 0;
  private scheduled = false;
  private ended = false;
  /** More waits than may, and whoever writes was told so. */
  private full = false;
  /** Batches that the socket has and that have not left. */
  private readonly underWay: (Stanza | Buffer)[][] = [];

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
    return [...this.underWay.flat(), ...this.batch].filter((message): message is Stanza => !Buffer.isBuffer(message));
  }

  /**
   * Takes a message in any case.
   * @returns false when more than the limit waits
   */
  write(message: Stanza | Buffer): boolean {
    if (this.ended) return true;
    this.batch.push(message);
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

  /** @internal */
  endOfTurn(): void {
    this.scheduled = false;
    this.flush();
  }

  /** Hands over what waits. To be called before anything else is written to the socket. */
  flush(): void {
    const { batch, batchBytes, socket } = this;
    if (batch.length === 0) return;
    this.batch = [];
    this.batchBytes = 0;
    this.underWay.push(batch);
    if (!socket.writable) return;
    // Not the socket's own 'drain': that one knows another limit.
    const written = this.full ? this.drained : this.written;
    if (batchBytes <= COPY_LIMIT) {
      const bytes = Buffer.allocUnsafe(batchBytes);
      let at = 0;
      for (const message of batch) {
        at = writeHeader(bytes, at, message.byteLength);
        if (Buffer.isBuffer(message)) at += message.copy(bytes, at);
        else at = message.writeTo(bytes, at);
      }
      socket.write(bytes, written);
      return;
    }
    const chunks: Buffer[] = [];
    for (const message of batch) {
      const header = Buffer.allocUnsafe(headerLength(message.byteLength));
      writeHeader(header, 0, message.byteLength);
      chunks.push(header);
      if (Buffer.isBuffer(message)) chunks.push(message);
      else message.pushTo(chunks);
    }
    socket.cork();
    const last = chunks.pop()!;
    for (const chunk of chunks) socket.write(chunk);
    socket.write(last, written);
    socket.uncork();
  }

  private readonly written = (error?: Error | null): void => {
    if (!error) this.underWay.shift();
  };

  private readonly drained = (error?: Error | null): void => {
    if (error) return; // nobody is there to go on for
    this.underWay.shift();
    if (!this.full) return;
    this.full = false;
    this.onDrained();
  };
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
