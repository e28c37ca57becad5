import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a frame is. */
export enum FrameType {
  /** A node wants a link; `link` is its random number. */
  Hello = 1,
  /** The answer, with a random number of the other's. */
  Welcome = 2,
  /** Messages. */
  Data = 3,
  /** Nothing but what was received. */
  Ack = 4,
  /** The same, and the other is to answer. */
  Ping = 5,
  /** The link is over, in order. */
  Bye = 6,
  /** There is no such link. */
  Reset = 7,
}

/** A frame without its payload. */
export interface FrameHeader {
  readonly type: FrameType;
  /** Identifier of nodes. */
  readonly from: string;
  readonly to: string;
  /** 16 random bytes, in hexadecimal digits. */
  readonly link: string;
  /** Rises with every frame of a link and direction, whatever it is: one that does not is a copy. */
  readonly counter: number;
  /** Number of a data frame. */
  readonly sequence: number;
  /** The last data frame of the other side that was taken. */
  readonly ack: number;
}

/**
 * version | type | from | to | link | counter | sequence | ack | payload, encrypted | HMAC-SHA256 over all of it
 */
const VERSION = 1;
export const NODE_ID_LENGTH = 8;
const LINK_AT = 2 + 2 * NODE_ID_LENGTH;
const COUNTER_AT = LINK_AT + 16;
const PAYLOAD_AT = COUNTER_AT + 18;
const MAC_LENGTH = 32;
export const FRAME_OVERHEAD: number = PAYLOAD_AT + MAC_LENGTH;

/** A new node's address: 48 random bits. */
export function newNodeId(): string {
  return randomBytes(6).toString('base64url');
}

export function newLinkId(): string {
  return randomBytes(16).toString('hex');
}

/**
 * What a frame says of itself. Nothing of it is true before {@link Seal.open} has said so.
 * @returns undefined for what cannot be a frame
 */
export function readHeader(frame: Buffer): FrameHeader | undefined {
  if (frame.length < FRAME_OVERHEAD || frame[0] !== VERSION) return undefined;
  return {
    type: frame[1] as FrameType,
    from: frame.toString('latin1', 2, 2 + NODE_ID_LENGTH),
    to: frame.toString('latin1', 2 + NODE_ID_LENGTH, LINK_AT),
    link: frame.toString('hex', LINK_AT, COUNTER_AT),
    counter: frame.readUIntBE(COUNTER_AT, 6),
    sequence: frame.readUIntBE(COUNTER_AT + 6, 6),
    ack: frame.readUIntBE(COUNTER_AT + 12, 6),
  };
}

/** Encrypts and authenticates the frames of one direction. */
export class Seal {
  constructor(
    private readonly macKey: Buffer,
    /** None for frames that carry nothing secret. */
    private readonly cipherKey?: Buffer,
  ) {}

  close({ type, from, to, link, counter, sequence, ack }: FrameHeader, payload: Buffer): Buffer {
    const frame = Buffer.allocUnsafeSlow(FRAME_OVERHEAD + payload.length);
    frame[0] = VERSION;
    frame[1] = type;
    frame.write(from, 2, NODE_ID_LENGTH, 'latin1');
    frame.write(to, 2 + NODE_ID_LENGTH, NODE_ID_LENGTH, 'latin1');
    frame.write(link, LINK_AT, 16, 'hex');
    frame.writeUIntBE(counter, COUNTER_AT, 6);
    frame.writeUIntBE(sequence, COUNTER_AT + 6, 6);
    frame.writeUIntBE(ack, COUNTER_AT + 12, 6);
    if (payload.length > 0) this.encrypt(counter, payload).copy(frame, PAYLOAD_AT);
    const end = frame.length - MAC_LENGTH;
    createHmac('sha256', this.macKey).update(frame.subarray(0, end)).digest().copy(frame, end);
    return frame;
  }

  /** @returns the payload; undefined when somebody else wrote the frame, or changed it */
  open(frame: Buffer, { counter }: FrameHeader): Buffer | undefined {
    const end = frame.length - MAC_LENGTH;
    const mac = createHmac('sha256', this.macKey).update(frame.subarray(0, end)).digest();
    if (!timingSafeEqual(mac, frame.subarray(end))) return undefined;
    const payload = frame.subarray(PAYLOAD_AT, end);
    return payload.length > 0 ? this.decrypt(counter, payload) : payload;
  }

  private encrypt(counter: number, payload: Buffer): Buffer {
    return this.cipherKey ? createCipheriv('aes-256-ctr', this.cipherKey, blockOf(counter)).update(payload) : payload;
  }

  private decrypt(counter: number, payload: Buffer): Buffer {
    return this.cipherKey ? createDecipheriv('aes-256-ctr', this.cipherKey, blockOf(counter)).update(payload) : payload;
  }
}

/** The first block of a frame: no frame has as many as stand between two counters. */
function blockOf(counter: number): Buffer {
  const block = Buffer.alloc(16);
  block.writeUIntBE(counter, 0, 6);
  return block;
}

/** The keys that the configured secret gives. */
export class Keys {
  /** For what is said before there is a link. */
  readonly greeting: Seal;

  constructor(private readonly secret: Buffer) {
    this.greeting = new Seal(this.derive('greeting', '', 32));
  }

  /**
   * The seals of a link: of what its opener sends, and of what comes back. Both sides put a random number in, so
   * that no frame of another link, or time, is good in this one.
   */
  link(opener: string, other: string, linkId: string, answer: Buffer): readonly [forth: Seal, back: Seal] {
    const salt = linkId + answer.toString('hex');
    const keys = this.derive(`link ${opener} ${other}`, salt, 128);
    const part = (index: number): Buffer => keys.subarray(index * 32, index * 32 + 32);
    return [new Seal(part(0), part(1)), new Seal(part(2), part(3))];
  }

  /** For others who need a secret that all nodes agree on. */
  derive(purpose: string, salt: string, length: number): Buffer {
    return Buffer.from(hkdfSync('sha256', this.secret, salt, `nestjs-xmpp cluster ${purpose}`, length));
  }
}
