import type { RequestBody } from './body.js';
import { Chain, type Link } from './chain.js';
import type { Exchange } from './exchange.js';

/** A request that has no answer yet. */
export interface HeldRequest extends Link<HeldRequest> {
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
export class HeldRequests extends Chain<HeldRequest> {
  get oldest(): HeldRequest | undefined {
    return this.first;
  }

  /** The oldest with somebody who waits for the answer. */
  get oldestLive(): HeldRequest | undefined {
    return this.find(isLive);
  }

  /** Those with somebody who waits, in order. */
  live(): HeldRequest[] {
    const live: HeldRequest[] = [];
    for (let entry = this.first; entry; entry = entry.next) if (entry.exchange) live.push(entry);
    return live;
  }

  get liveCount(): number {
    let count = 0;
    for (let entry = this.first; entry; entry = entry.next) if (entry.exchange) count++;
    return count;
  }

  get(rid: number): HeldRequest | undefined {
    return this.find((entry) => entry.rid === rid);
  }

  of(exchange: Exchange): HeldRequest | undefined {
    return this.find((entry) => entry.exchange === exchange);
  }
}

function isLive({ exchange }: HeldRequest): boolean {
  return exchange !== undefined;
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
    next: undefined,
  };
}
