import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { xorWords } from '../simd.js';

/** Takes the messages that a {@link FrameReader} finds. */
export interface TextReceiver {
  /** A text message, not checked for UTF-8: the bytes of `data` from `start` to `end`, which are the receiver's from now on. */
  onText(data: Buffer, start: number, end: number): void;
  /** Whether messages are wanted; if not, ws gets everything. */
  readonly isReceiving: boolean;
}

/** FIN and opcode 1 (text), no extension. */
const WHOLE_TEXT = 0x81;
const FIN = 0x80;
const OPCODE = 0x0f;
const MASKED = 0x80;
const CONTINUATION = 0;
const BINARY = 2;
const CLOSE = 8;
/** First bytes of memory for a frame that comes in pieces; more are taken as they come, not as they are announced. */
const FIRST_PIECE = 4096;
/** Bytes from which on it pays to undo a mask in larger pieces than words. */
const LONG = 2048;

const maskBytes = new Uint8Array(4);
const maskWord = new Int32Array(maskBytes.buffer);

const READER = Symbol('reader');
interface Read {
  [READER]?: FrameReader;
}

// The same for all sockets: closures of its own would cost each connection some hundred bytes.

function onData(this: Socket & Read, chunk: Buffer): void {
  this[READER]!.push(chunk);
}

/** What a paused socket still holds when it closes, ws would read past us. */
function onClose(this: Socket & Read): void {
  for (let rest = this.read() as Buffer | null; rest; rest = this.read() as Buffer | null) this[READER]!.push(rest);
}

function onError(this: WebSocket & Read): void {
  this[READER]!.stop();
}

/**
 * Stands between the socket of a WebSocket and ws, and reads what nearly all messages are: one
 * whole text frame (RFC 6455, section 5.2). They are unmasked where they lie and handed on without
 * a stream, an event or a slice for each. Every other frame goes to ws, byte for byte: control
 * frames, fragments, binary ones, and all that break a rule.
 */
export class FrameReader {
  /** Bytes still to come of a frame that is read by ws. */
  private foreign = 0;
  /** That frame is a close frame. */
  private closing = false;
  /** Fragments of a message are under way, which ws puts together. */
  private fragmented = false;
  /** Nothing is read any more: a close frame came, or ws found a fault. */
  private done = false;
  /** A header that has not come whole. */
  private header: Buffer | undefined;
  /** A text frame that has not come whole: its mask and payload, as far as they are there. */
  private frame: Buffer | undefined;
  private filled = 0;
  /** Bytes of mask and payload. */
  private needed = 0;

  /**
   * @param socket of `ws`, whose own listener is replaced
   * @param limit bytes of a message; larger ones are refused by ws
   */
  static install(ws: WebSocket & Read, socket: Socket & Read, limit: number, receiver: TextReceiver): void {
    const listeners = socket.listeners('data');
    const own = listeners[0] as (this: Socket, chunk: Buffer) => void;
    if (listeners.length !== 1) return; // not as we know it: ws reads everything
    ws[READER] = socket[READER] = new FrameReader(receiver, limit, own.bind(socket));
    socket.removeListener('data', own);
    socket.on('data', onData).prependListener('close', onClose);
    ws.on('error', onError);
  }

  constructor(
    private readonly receiver: TextReceiver,
    private readonly limit: number,
    /** Hands bytes to ws. */
    private readonly pass: (bytes: Buffer) => void,
  ) {}

  /** Drops everything that still comes. */
  stop(): void {
    this.done = true;
    this.header = this.frame = undefined;
  }

  push(chunk: Buffer): void {
    if (this.header) {
      chunk = Buffer.concat([this.header, chunk]);
      this.header = undefined;
    }
    const { length } = chunk;
    let at = 0;
    while (at < length && !this.done) {
      if (this.foreign > 0) at = this.passOn(chunk, at);
      else if (this.frame) at = this.fill(this.frame, chunk, at);
      else at = this.next(chunk, at);
    }
  }

  /** A frame starts at `at`. */
  private next(chunk: Buffer, at: number): number {
    const rest = chunk.length - at;
    const code = rest < 2 ? 0 : chunk[at + 1]! & 0x7f;
    const masked = rest < 2 ? 0 : chunk[at + 1]! & MASKED;
    const lengthBytes = code < 126 ? 0 : code === 126 ? 2 : 8;
    const headerBytes = 2 + lengthBytes + (masked ? 4 : 0);
    if (rest < 2 || rest < headerBytes) {
      this.header = Buffer.from(chunk.subarray(at)); // at most 13 bytes
      return chunk.length;
    }
    let payload = code;
    if (lengthBytes === 2) payload = (chunk[at + 2]! << 8) | chunk[at + 3]!;
    else if (lengthBytes === 8) payload = chunk.readUInt32BE(at + 2) * 0x1_0000_0000 + chunk.readUInt32BE(at + 6);
    const first = chunk[at]!;
    if (first !== WHOLE_TEXT || !masked || this.fragmented || payload > this.limit || !this.receiver.isReceiving) {
      this.track(first);
      this.foreign = headerBytes + payload;
      return at;
    }
    const start = at + headerBytes;
    const end = start + payload;
    if (end <= chunk.length) {
      unmask(chunk, start - 4, start, end);
      this.receiver.onText(chunk, start, end);
      return end;
    }
    this.needed = 4 + payload;
    this.filled = 0;
    this.frame = Buffer.allocUnsafeSlow(Math.min(this.needed, Math.max(FIRST_PIECE, 2 * (chunk.length - start))));
    return start - 4;
  }

  /** What kind of frame ws gets. */
  private track(first: number): void {
    const opcode = first & OPCODE;
    if (opcode <= BINARY) this.fragmented = (first & FIN) === 0 || (this.fragmented && opcode !== CONTINUATION);
    this.closing = opcode === CLOSE;
  }

  private passOn(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.foreign);
    this.foreign -= end - at;
    this.pass(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
    if (this.foreign === 0 && this.closing) this.stop();
    return end;
  }

  /** More of a frame that comes in pieces. */
  private fill(frame: Buffer, chunk: Buffer, at: number): number {
    const { needed, filled } = this;
    const end = Math.min(chunk.length, at + needed - filled);
    const total = filled + end - at;
    if (total > frame.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(needed, 2 * total));
      frame.copy(larger, 0, 0, filled);
      this.frame = frame = larger;
    }
    chunk.copy(frame, filled, at, end);
    this.filled = total;
    if (total === needed) {
      this.frame = undefined;
      unmask(frame, 0, 4, needed);
      this.receiver.onText(frame, 4, needed);
    }
    return end;
  }
}

/** Undoes the mask at `mask` (RFC 6455, section 5.3), four bytes at a time. */
function unmask(data: Buffer, mask: number, start: number, end: number): void {
  const { byteOffset } = data;
  let at = start;
  for (; at < end && (byteOffset + at) & 3; at++) data[at]! ^= data[mask + ((at - start) & 3)]!;
  if (end - at >= 16) {
    for (let i = 0; i < 4; i++) maskBytes[i] = data[mask + ((at - start + i) & 3)]!;
    const word = maskWord[0]!;
    if (end - at >= LONG) at = xorWords(data, at, end, word);
    const words = new Int32Array(data.buffer, byteOffset + at, (end - at) >> 2);
    for (let i = 0; i < words.length; i++) words[i]! ^= word;
    at += words.length << 2;
  }
  for (; at < end; at++) data[at]! ^= data[mask + ((at - start) & 3)]!;
}
