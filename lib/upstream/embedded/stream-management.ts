import { element, NS, Stanza } from '../../xml/index.js';

const MODULUS = 0x1_0000_0000;
/** After so many stanzas an acknowledgement is asked for at once. */
const REQUEST_EVERY = 10;
const COMPACT_AT = 64;

export const ACK_REQUEST = Stanza.of(element('r', { xmlns: NS.sm }));

/** What an `h` amounts to (XEP-0198, section 4). */
export type Acknowledgement = 'taken' | 'too-high';

/** The counters of a stream with stream management, and what was sent but not acknowledged (XEP-0198). */
export class StreamManagement {
  /** Stanzas of the client handled so far, modulo 2^32. */
  handled = 0;
  /** Bytes that wait for an acknowledgement. */
  bytes = 0;

  /** Stanzas acknowledged so far, modulo 2^32. */
  private acknowledged = 0;
  private queue: Stanza[] = [];
  private head = 0;
  /** Sent since an acknowledgement was asked for last. */
  private unrequested = 0;
  private requested = false;

  constructor(
    /** For `previd`; undefined: the stream cannot be resumed. A secret. */
    readonly id: string | undefined,
    /** How long it can be resumed, in seconds. */
    readonly max: number,
  ) {}

  get resumable(): boolean {
    return this.id !== undefined;
  }

  /** Stanzas sent so far, modulo 2^32. */
  get sent(): number {
    return (this.acknowledged + this.queue.length - this.head) % MODULUS;
  }

  count(): void {
    this.handled = (this.handled + 1) % MODULUS;
  }

  /** @returns whether an acknowledgement is to be asked for now, with {@link ACK_REQUEST} */
  push(stanza: Stanza): boolean {
    this.queue.push(stanza);
    this.bytes += stanza.byteLength;
    return ++this.unrequested >= REQUEST_EVERY && !this.requested;
  }

  /** Whether something was sent that no acknowledgement was asked for. */
  get wantsRequest(): boolean {
    return this.unrequested > 0 && !this.requested;
  }

  /** An acknowledgement was asked for. */
  request(): void {
    this.requested = true;
    this.unrequested = 0;
  }

  /** Takes an `h`. One that repeats an earlier one, or is lower, says nothing new and does no harm. */
  acknowledge(h: number): Acknowledgement {
    this.requested = false;
    const count = (h - this.acknowledged + MODULUS) % MODULUS;
    if (count > this.queue.length - this.head) return count >= MODULUS / 2 ? 'taken' : 'too-high';
    for (let i = 0; i < count; i++) {
      this.bytes -= this.queue[this.head]!.byteLength;
      this.queue[this.head++] = undefined as never;
    }
    this.acknowledged = h;
    if (this.head === this.queue.length) {
      this.queue = [];
      this.head = 0;
    } else if (this.head >= COMPACT_AT && this.head * 2 >= this.queue.length) {
      this.queue.splice(0, this.head);
      this.head = 0;
    }
    return 'taken';
  }

  /** What was not acknowledged, oldest first. */
  unacknowledged(): Stanza[] {
    return this.queue.slice(this.head);
  }

  /** Changes what waits, stanza by stanza, without changing how many there are. */
  rewrite(change: (stanza: Stanza) => Stanza): void {
    this.bytes = 0;
    for (let i = this.head; i < this.queue.length; i++) {
      const stanza = change(this.queue[i]!);
      this.queue[i] = stanza;
      this.bytes += stanza.byteLength;
    }
  }

  /** The stream was resumed on a new connection: nothing is asked for there yet. */
  resumed(): void {
    this.requested = false;
    this.unrequested = this.queue.length - this.head;
  }
}

/** Reads an `h`. @returns undefined for what is no unsigned number of 32 bits */
export function parseCount(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const count = Number(text);
  return count < MODULUS ? count : undefined;
}
