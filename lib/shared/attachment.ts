import type { ForwardableRequest } from '../http/index.js';
import type { SessionEnd, SharedOpening, Transport } from '../session/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import { Stanza } from '../xml/index.js';

/** What the node of a client and the node of the session that it shares tell each other. */
export enum AttachmentKind {
  // From the client.
  /** One element. */
  Send = 2,
  /** So many elements were taken. */
  Taken = 3,
  Restart = 4,
  Rekey = 5,
  /** The client is gone. */
  Leave = 6,
  // From the session.
  /** The stream is open. */
  Open = 7,
  /** One element. */
  Deliver = 8,
  /** So many elements were taken. */
  Accepted = 9,
  /** The session is over. */
  End = 10,
}

/** A client of another node, as that node knows it. */
export interface AttachmentRequest extends ForwardableRequest {
  readonly domain: string;
  readonly header: StreamHeader;
  readonly key: string;
  readonly attachOnly: boolean;
  readonly patience?: number | undefined;
  readonly transport: Transport;
  readonly address: string;
  readonly port: number;
  readonly secure: boolean;
}

export interface OpenNote {
  readonly header: StreamHeader;
  readonly opening?: SharedOpening | undefined;
  readonly jid?: string | undefined;
  readonly upstreamSecure: boolean;
}

export interface LeaveNote {
  readonly end: SessionEnd;
  readonly scope?: 'all' | undefined;
}

export function writeNote(note: object): Buffer {
  return Buffer.from(JSON.stringify(note));
}

export function readNote<T>(data: Buffer): T {
  return JSON.parse(data.toString()) as T;
}

/** A note, and elements behind it: each with its length before it. */
export function writeElements(note: object, elements: readonly Stanza[]): Buffer {
  const parts = [writeNote(note), ...elements.map(({ bytes }) => bytes)];
  return Buffer.concat(parts.flatMap((part) => [lengthOf(part), part]));
}

export function readElements<T>(data: Buffer): [note: T, elements: Stanza[]] {
  const parts: Buffer[] = [];
  for (let at = 0; at < data.length; ) {
    const end = at + 4 + data.readUInt32BE(at);
    parts.push(data.subarray(at + 4, end));
    at = end;
  }
  return [readNote<T>(parts[0]!), parts.slice(1).map((part) => Stanza.parse(part))];
}

export function writeCount(count: number): Buffer {
  const data = Buffer.allocUnsafe(4);
  data.writeUInt32BE(count, 0);
  return data;
}

function lengthOf({ length }: Buffer): Buffer {
  return writeCount(length);
}

/** The end of a session, whose error is an element. */
export function writeEnd({ error, ...end }: SessionEnd): Buffer {
  return writeElements(end, error ? [error] : []);
}

export function readEnd(data: Buffer): SessionEnd {
  const [end, [error]] = readElements<SessionEnd>(data);
  return error ? { ...end, error } : end;
}

/** Elements that the other node has still to take, in order; it is to get no more while they are too many. */
export class Outstanding {
  private elements: Stanza[] = [];
  private bytes = 0;
  private full = false;

  constructor(
    /** Bytes. */
    private readonly limit: number,
    /** There is room again after {@link add} returned false. */
    private readonly onRoom: () => void,
  ) {}

  /** @returns whether there is room for more */
  add(element: Stanza): boolean {
    this.elements.push(element);
    this.bytes += element.byteLength;
    this.full ||= this.bytes > this.limit;
    return !this.full;
  }

  taken(count: number): void {
    for (const { byteLength } of this.elements.splice(0, count)) this.bytes -= byteLength;
    if (!this.full || this.bytes > this.limit / 2) return;
    this.full = false;
    this.onRoom();
  }

  /** Those that nobody took. */
  takeAll(): Stanza[] {
    const { elements } = this;
    this.elements = [];
    this.bytes = 0;
    return elements;
  }
}

/** Says how many elements were taken, for all of one frame at once. */
export class Receipts {
  private count = 0;
  private scheduled = false;
  private held = false;

  constructor(private readonly say: (count: number) => void) {}

  /** @param mayGoOn false: there is no room for more until {@link release} */
  took(mayGoOn: boolean): void {
    this.count++;
    this.held ||= !mayGoOn;
    this.schedule();
  }

  release(): void {
    this.held = false;
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || this.held || this.count === 0) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      if (this.held || this.count === 0) return;
      const { count } = this;
      this.count = 0;
      this.say(count);
    });
  }
}
