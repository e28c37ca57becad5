import type { Stanza } from '../xml/index.js';
import { EMPTY_BODY } from './body.js';
import { Chain } from './chain.js';
import type { Exchange, Fate, StoredResponse } from './exchange.js';

/** How often one answer is given again before that is abuse. */
export const MAX_REPEATS = 10;
/** A response that the client has not got after so many milliseconds is reported to it (XEP-0124, section 9.2). */
const REPORT_AFTER = 500;
/** Answers kept for a client that acknowledges but does not say so. */
const MAX_UNACKNOWLEDGED = 16;
const NO_STANZAS: readonly Stanza[] = [];
const NONE: readonly StoredResponse[] = [];

/** An answer of which nobody knows whether it left, and what it carried. */
interface Doubt {
  readonly entry: StoredResponse;
  readonly stanzas: readonly Stanza[];
}
const NO_DOUBT: readonly Doubt[] = [];

/**
 * The answers of the last requests (XEP-0124, section 14.3), and what became of the stanzas in them:
 * those of an answer that never left come back, and go out with the next one.
 */
export class StoredResponses {
  private readonly entries = new Chain<StoredResponse>();
  /** Answers that never left, in the order of their requests. */
  private lost = NONE;
  /**
   * As long as its client may ask for the answer: whether it does shows what became of it. In another answer the
   * stanzas could be there twice.
   */
  private doubts = NO_DOUBT;
  /** The last request whose answer carried stanzas and left. */
  private delivered = -1;

  /**
   * @param count answers that are kept: `requests`
   * @param acknowledged whether the client acknowledges; then all are kept until it does
   */
  constructor(
    private readonly count: number,
    private readonly acknowledged: boolean,
    /** Bytes beyond which no more than `count` are kept, acknowledged or not. */
    private readonly maxBytes = Infinity,
  ) {}

  add(entry: StoredResponse): void {
    const { entries } = this;
    entries.push(entry);
    if (!this.acknowledged) {
      if (entries.length > this.count) this.drop();
      return;
    }
    const most = Math.max(this.count, MAX_UNACKNOWLEDGED);
    let bytes = 0;
    for (let kept = entries.first; kept; kept = kept.next) bytes += kept.body.length;
    while (entries.length > most || (entries.length > this.count && bytes > this.maxBytes)) bytes -= this.drop().body.length;
  }

  get(rid: number): StoredResponse | undefined {
    return this.entries.find((entry) => entry.rid === rid);
  }

  /** Milliseconds since an answer has left that the client should have by now. */
  overdue(rid: number, now: number): number | undefined {
    const entry = this.get(rid);
    if (!entry || entry.exchange) return undefined;
    const time = Math.round(now - entry.at);
    return time < REPORT_AFTER ? undefined : time;
  }

  /**
   * The client has the answers up to `rid`.
   * @returns bytes of stanzas that were not known to have left
   */
  trim(rid: number): number {
    let bytes = 0;
    while (this.entries.first && this.entries.first.rid <= rid) {
      const entry = this.drop();
      bytes += bytesOf(entry.stanzas);
      entry.stanzas = NO_STANZAS;
      this.reclaim(entry);
    }
    return bytes;
  }

  /** The oldest answer cannot be asked for any more. */
  private drop(): StoredResponse {
    const entry = this.entries.shift()!;
    this.resolve(entry.rid);
    return entry;
  }

  /** The client has the answer. */
  private resolve(rid: number): void {
    if (this.doubts.length > 0) this.doubts = this.doubts.filter(({ entry }) => entry.rid !== rid);
  }

  /** The answer did not leave: what it carries is to be delivered anew. */
  private giveBack(entry: StoredResponse): void {
    if (entry.stanzas.length === 0) return;
    const at = this.lost.findIndex(({ rid }) => rid > entry.rid);
    this.lost = this.lost.toSpliced(at < 0 ? this.lost.length : at, 0, entry);
  }

  /** The client asks for the answer again, before what it carried went out with another one. */
  reclaim(entry: StoredResponse): void {
    if (this.lost.length > 0) this.lost = this.lost.filter((other) => other !== entry);
  }

  /**
   * An exchange is done: what its answer carried has left, or waits again.
   * @returns bytes of what does not wait any more
   */
  settle(exchange: Exchange, fate: Fate): number {
    const { response } = exchange;
    // The answer may be given by another exchange by now.
    if (!response || response.exchange !== exchange) return 0;
    response.exchange = undefined;
    const { rid, stanzas } = response;
    if (fate === 'lost') {
      this.giveBack(response);
      return 0;
    }
    if (fate === 'left') this.resolve(rid);
    if (stanzas.length === 0) return 0;
    if (fate === 'unknown') this.doubts = [...this.doubts, { entry: response, stanzas }];
    this.delivered = Math.max(this.delivered, rid);
    const bytes = bytesOf(stanzas);
    response.stanzas = NO_STANZAS;
    return bytes;
  }

  /** Whether there are answers that never left and whose stanzas can go out with another one. */
  get hasLost(): boolean {
    return this.lost.some((entry) => !this.isOvertaken(entry));
  }

  /** Stanzas of answers that never left, in order; for another one. */
  takeLost(): Stanza[] {
    const stanzas: Stanza[] = [];
    this.lost = this.lost.filter((entry) => {
      if (this.isOvertaken(entry)) return true;
      stanzas.push(...entry.stanzas);
      empty(entry);
      return false;
    });
    return stanzas;
  }

  /** The same of all that may not have arrived, for which there will be no answer: its senders had better be told twice than never. */
  takeAll(): Stanza[] {
    const all = [...this.doubts, ...this.lost.map((entry) => ({ entry, stanzas: entry.stanzas }))];
    this.doubts = NO_DOUBT;
    this.lost = NONE;
    for (const { entry } of all) empty(entry);
    return all.sort((a, b) => a.entry.rid - b.entry.rid).flatMap(({ stanzas }) => stanzas);
  }

  /**
   * What came later has left, or is leaving, by the answer to a later request. A client reads answers in
   * order and asks for the one that it misses; only when it can do so no more is late better than never.
   */
  private isOvertaken({ rid }: StoredResponse): boolean {
    const { entries } = this;
    if (!entries.first || rid < entries.first.rid) return false;
    return rid < this.delivered || entries.find((later) => isLeaving(later) && later.rid > rid) !== undefined;
  }
}

/** Whoever asks for the answer from now on gets nothing twice. */
function empty(entry: StoredResponse): void {
  entry.stanzas = NO_STANZAS;
  entry.body = EMPTY_BODY;
}

function isLeaving({ exchange, stanzas }: StoredResponse): boolean {
  return exchange !== undefined && stanzas.length > 0;
}

export function bytesOf(stanzas: readonly Stanza[]): number {
  let bytes = 0;
  for (const { byteLength } of stanzas) bytes += byteLength;
  return bytes;
}
