/** A message begins with its length, its kind and the number of its channel. */
const HEADER = 9;
/** In the kind: the message goes on in the next piece. */
const MORE = 0x80;

/** Kinds that every channel has; its own are 2 to 127. */
export const END_KIND = 0;
export const OPEN_KIND = 1;

/** Bytes of messages in one frame. */
export const FRAME_BYTES = 131_072;

export interface Message {
  readonly kind: number;
  readonly channel: number;
  readonly data: Buffer;
}

/** Puts messages into frames: many small ones into one, a large one into several. */
export class Packer {
  private readonly queue: Message[] = [];
  /** Bytes that wait. */
  bytes = 0;
  /** Of the first message: bytes that have left. */
  private sent = 0;

  put(message: Message): void {
    this.queue.push(message);
    this.bytes += message.data.length + HEADER;
  }

  get isEmpty(): boolean {
    return this.queue.length === 0;
  }

  /** As much as goes into one frame. */
  take(): Buffer {
    const frame = Buffer.allocUnsafeSlow(Math.min(FRAME_BYTES, this.bytes + HEADER));
    let at = 0;
    while (this.queue.length > 0 && frame.length - at > HEADER) {
      const { kind, channel, data } = this.queue[0]!;
      const rest = data.length - this.sent;
      const length = Math.min(rest, frame.length - at - HEADER);
      frame.writeUInt32BE(length, at);
      frame[at + 4] = length < rest ? kind | MORE : kind;
      frame.writeUInt32BE(channel, at + 5);
      data.copy(frame, at + HEADER, this.sent, this.sent + length);
      at += HEADER + length;
      this.bytes -= length;
      if (length < rest) {
        this.sent += length;
        break;
      }
      this.sent = 0;
      this.bytes -= HEADER;
      this.queue.shift();
    }
    return frame.subarray(0, at);
  }
}

/** Takes messages out of frames. */
export class Unpacker {
  private pieces: Buffer[] = [];
  private size = 0;

  /** @param limit bytes of one message */
  constructor(private readonly limit: number) {}

  /** @throws {RangeError} for what no {@link Packer} of ours wrote */
  *read(frame: Buffer): Generator<Message> {
    let at = 0;
    while (at < frame.length) {
      if (frame.length - at < HEADER) throw new RangeError('half a message');
      const length = frame.readUInt32BE(at);
      const kind = frame[at + 4]!;
      const channel = frame.readUInt32BE(at + 5);
      at += HEADER;
      this.size += length;
      if (length > frame.length - at || this.size > this.limit) throw new RangeError('message too large');
      const piece = frame.subarray(at, at + length);
      at += length;
      if ((kind & MORE) !== 0) {
        this.pieces.push(piece);
        continue;
      }
      this.size = 0;
      if (this.pieces.length === 0) {
        yield { kind, channel, data: piece };
      } else {
        const data = Buffer.concat([...this.pieces, piece]);
        this.pieces = [];
        yield { kind, channel, data };
      }
    }
  }
}
