import type { Witness } from './ledger.js';

/** The soak's own eyes, not the gateway's parser: start tags are enough, and no value has a `>` in it here. */
const TAGS = /<(stream:stream|message|iq|presence|a|r|resume|resumed|enabled)(?=[\s/>])[^>]*>/g;
const COUNTERS = new Set(['a', 'r', 'resume', 'resumed', 'enabled']);

type Attributes = (name: string) => string | undefined;

/** What a client of the soak saw of one stream. */
export interface StreamRecord {
  readonly user: string;
  readonly life: number;
  /** What its server called it; undefined until it is known. */
  id: string | undefined;
  /** Others are on the stream too: only what is numbered is compared. */
  readonly shared: boolean;
  /** It came to the stream later. */
  readonly attached: boolean;
  readonly sent: string[];
  readonly came: string[];
}

export interface Comparison {
  readonly streams: number;
  /** That came to clients. */
  readonly elements: number;
  /** What did not go through the gateway as it came, a sentence each. */
  readonly faults: readonly string[];
}

/** How a stanza, or an element of stream management, is written down; undefined: not at all. */
export function mark(name: string, attribute: Attributes): string | undefined {
  if (name === 'message' || name === 'iq') return `${name} ${attribute('id')}${attribute('type') === 'error' ? ' error' : ''}`;
  if (name === 'presence') return name;
  return COUNTERS.has(name) ? `${name} ${attribute('h') ?? ''}` : undefined;
}

const isMessage = (marked: string): boolean => marked.startsWith('message ');
/** Clients send none but to refuse a request; a gateway does for messages that did not arrive. */
const isError = (marked: string): boolean => marked.endsWith(' error');

/** What was written in one direction of a connection, in order. */
export class Track {
  readonly marks: string[] = [];
  private text = '';

  constructor(private readonly onTag: (name: string, attribute: Attributes) => void) {}

  feed(chunk: Buffer): void {
    // Whatever is compared is ASCII.
    const text = this.text + chunk.toString('latin1');
    const end = text.lastIndexOf('>') + 1;
    this.text = text.slice(end);
    for (const [tag, name] of text.slice(0, end).matchAll(TAGS)) {
      const attribute: Attributes = (wanted) => new RegExp(` ${wanted}=['"]([^'"]*)`).exec(tag)?.[1];
      this.onTag(name!, attribute);
      const marked = mark(name!, attribute);
      if (marked !== undefined) this.marks.push(marked);
    }
  }
}

interface Stream {
  readonly up: readonly string[];
  readonly down: readonly string[];
}

/** What went between a gateway and a server, as the server saw it. */
export class Tape implements Witness {
  /** By each of the ids that the server gave to the streams of a connection. */
  private readonly streams = new Map<string, Stream>();
  private readonly arrived = new Map<string, number>();
  private readonly sent = new Map<string, number>();

  /** Another connection. */
  record(): { readonly up: Track; readonly down: Track } {
    const up = new Track((name, attribute) => {
      if (name === 'message' && attribute('type') !== 'error') this.arrived.set(attribute('id') ?? '', Date.now());
    });
    const down = new Track((name, attribute) => {
      if (name === 'stream:stream') this.streams.set(attribute('id') ?? '', stream);
      else if (name === 'message' && attribute('type') !== 'error') this.sent.set(attribute('id') ?? '', Date.now());
    });
    const stream = { up: up.marks, down: down.marks };
    return { up, down };
  }

  reachedAt(id: string): number | undefined {
    return this.arrived.get(id);
  }

  deliveredAt(id: string): number | undefined {
    return this.sent.get(id);
  }

  /**
   * Each client got what the server sent on its stream, from its start (or from where the client came to it) without
   * a gap, and the server got what the client sent, from its start; where either broke off is the ledger's business.
   */
  compare(records: readonly StreamRecord[]): Comparison {
    const faults: string[] = [];
    const known = new Map(this.streams);
    const claimed = new Set(records.map(({ id }) => known.get(id ?? '')));
    const others = new Set([...known.values()].filter((stream) => !claimed.has(stream)));
    let streams = 0;
    let elements = 0;
    for (const record of records) {
      const { user, life, id, came } = record;
      if (came.length === 0) continue;
      // To a WebSocket client that would wait too long the gateway gives an id of its own.
      const stream = (id === undefined ? undefined : known.get(id)) ?? [...others].find((other) => compareOne(record, other).length === 0);
      if (!stream) {
        faults.push(`${user}: no stream of the server's is like that of life ${life}`);
        continue;
      }
      if (id !== undefined) known.set(id, stream);
      others.delete(stream);
      faults.push(...compareOne(record, stream));
      streams++;
      elements += came.length;
    }
    return { streams, elements, faults };
  }
}

function compareOne({ user, life, shared, attached, ...record }: StreamRecord, stream: Stream): string[] {
  const faults: string[] = [];
  const own = new RegExp(`^(?:message|iq) [mp]${life}-\\d+$`);
  const numbered = (marks: readonly string[]): readonly string[] => marks.filter((marked) => (shared ? own.test(marked) : !isError(marked)));
  const [down, came] = shared ? [stream.down.filter(isMessage), record.came.filter(isMessage)] : [stream.down, record.came];
  const [up, sent] = [numbered(stream.up), numbered(record.sent)];
  const starts = attached ? [...down.keys()].filter((at) => down[at] === came[0]) : [0];
  if (came.length > 0 && !starts.some((start) => differs(came, down, start) < 0)) {
    faults.push(`${user} in life ${life} did not get what the server sent: ${show(came, down, starts[0] ?? 0)}`);
  }
  if (differs(up, sent, 0) >= 0) faults.push(`the server did not get what ${user} sent in life ${life}: ${show(up, sent, 0)}`);
  return faults;
}

/** @returns where `part` differs from what stands in `whole` from `start` on; -1 where it does not */
function differs(part: readonly string[], whole: readonly string[], start: number): number {
  return part.findIndex((marked, i) => whole[start + i] !== marked);
}

function show(part: readonly string[], whole: readonly string[], start: number): string {
  const at = differs(part, whole, start);
  const around = (list: readonly string[], middle: number): string => list.slice(Math.max(0, middle - 2), middle + 4).join(', ');
  return `[${around(part, at)}] instead of [${around(whole, start + at)}]`;
}
