import type { RequestBody } from './body.js';
import type { Exchange } from './exchange.js';

/** A request that has no answer yet. */
export interface HeldRequest {
  readonly rid: number;
  readonly hash: string;
  /** Until it is served. */
  body: RequestBody | undefined;
  /** By which the answer leaves; undefined while the connection is lost and the client has not come again. */
  exchange: Exchange | undefined;
  repeats: number;
  /** Its answer must carry no stanza (XEP-0124, section 10.2). */
  silent: boolean;
  /** Attributes that its answer gets beside the usual ones. */
  attributes: string;
}

/**
 * Requests that were served and wait for their answers, in the order of their `rid`, which is the
 * order of the answers (XEP-0124, section 8).
 */
export class HeldRequests {
  private readonly entries: HeldRequest[] = [];

  get length(): number {
    return this.entries.length;
  }

  get oldest(): HeldRequest | undefined {
    return this.entries[0];
  }

  /** The oldest with somebody who waits for the answer. */
  get oldestLive(): HeldRequest | undefined {
    for (const entry of this.entries) if (entry.exchange) return entry;
    return undefined;
  }

  /** Those with somebody who waits, in order. */
  live(): HeldRequest[] {
    return this.entries.filter(({ exchange }) => exchange);
  }

  get liveCount(): number {
    let count = 0;
    for (const entry of this.entries) if (entry.exchange) count++;
    return count;
  }

  push(entry: HeldRequest): void {
    this.entries.push(entry);
  }

  shift(): HeldRequest | undefined {
    return this.entries.shift();
  }

  get(rid: number): HeldRequest | undefined {
    return this.entries.find((entry) => entry.rid === rid);
  }

  of(exchange: Exchange): HeldRequest | undefined {
    return this.entries.find((entry) => entry.exchange === exchange);
  }
}

export function holdRequest(exchange: Exchange, body: RequestBody, hash: string): HeldRequest {
  return {
    rid: body.rid,
    hash,
    body,
    exchange: exchange.gone ? undefined : exchange,
    repeats: 0,
    silent: false,
    attributes: '',
  };
}
