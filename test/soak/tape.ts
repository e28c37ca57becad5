import type { Witness } from './ledger.js';

/** The soak's own eyes, not the gateway's parser: start tags are enough, and no value has a `>` in it here. */
const TAGS = /<(stream:stream|message|iq|presence|delay|a|r|resume|resumed|enabled)(?=[\s/>])[^>]*>/g;
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

  constructor(private readonly onTag: (name: string, attribute: Attributes, before: string | undefined) => void) {}

  feed(chunk: Buffer): void {
    // Whatever is compared is ASCII.
    const text = this.text + chunk.toString('latin1');
    const end = text.lastIndexOf('>') + 1;
    this.text = text.slice(end);
    for (const [tag, name] of text.slice(0, end).matchAll(TAGS)) {
      const attribute: Attributes = (wanted) => new RegExp(` ${wanted}=['"]([^'"]*)`).exec(tag)?.[1];
      this.onTag(name!, attribute, this.marks.at(-1));
      const marked = mark(name!, attribute);
      if (marked !== undefined) this.marks.push(marked);
    }
  }
}

/** What went between a gateway and a server, as the server saw it. */
export class Tape implements Witness {
  /** By each of the ids that the server gave to the streams of a connection. */
  private readonly streams = new Map<string, { readonly up: readonly string[]; readonly down: readonly string[] }>();
  private readonly arrived = new Set<string>();
  private readonly sent = new Set<string>();
  private readonly stored = new Set<string>();

  constructor(private readonly domain: string) {}

  /** Another connection. */
  record(): { readonly up: Track; readonly down: Track } {
    const up = new Track((name, attribute) => {
      if (name === 'message' && attribute('type') !== 'error') this.arrived.add(attribute('id') ?? '');
    });
    const down = new Track((name, attribute, before) => {
      if (name === 'stream:stream') this.streams.set(attribute('id') ?? '', { up: up.marks, down: down.marks });
      else if (name === 'message' && attribute('type') !== 'error') this.sent.add(attribute('id') ?? '');
      // Prosody's offline store signs with the domain; what it sends again at a resumption has the user's address.
      else if (name === 'delay' && attribute('from') === this.domain && before && isMessage(before)) this.stored.add(before.slice('message '.length));
    });
    return { up, down };
  }

  reached(id: string): boolean {
    return this.arrived.has(id);
  }

  delivered(id: string): boolean {
    return this.sent.has(id);
  }

  kept(id: string): boolean {
    return this.stored.has(id);
  }

  /**
   * Each client got what the server sent on its stream, from its start (or from where the client came to it) without
   * a gap, and the server got what the client sent, from its start; where either broke off is the ledger's business.
   */
  compare(records: readonly StreamRecord[]): Comparison {
    const faults: string[] = [];
    let streams = 0;
    let elements = 0;
    for (const { user, life, id, shared, attached, ...record } of records) {
      if (record.came.length === 0) continue;
      const stream = id === undefined ? undefined : this.streams.get(id);
      if (!stream) {
        faults.push(`${user}: the server knows nothing of the stream of life ${life}`);
        continue;
      }
      const own = new RegExp(`^(?:message|iq) [mp]${life}-\\d+$`);
      const numbered = (marks: readonly string[]): readonly string[] => marks.filter((marked) => (shared ? own.test(marked) : !isError(marked)));
      const [down, came] = shared ? [stream.down.filter(isMessage), record.came.filter(isMessage)] : [stream.down, record.came];
      const [up, sent] = [numbered(stream.up), numbered(record.sent)];
      const starts = attached ? [...down.keys()].filter((at) => down[at] === came[0]) : [0];
      if (came.length > 0 && !starts.some((start) => differs(came, down, start) < 0)) {
        faults.push(`${user} in life ${life} did not get what the server sent: ${show(came, down, starts[0] ?? 0)}`);
      }
      if (differs(up, sent, 0) >= 0) faults.push(`the server did not get what ${user} sent in life ${life}: ${show(up, sent, 0)}`);
      streams++;
      elements += came.length + up.length;
    }
    return { streams, elements, faults };
  }
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
