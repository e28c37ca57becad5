import type { Stanza } from '../xml/index.js';
import type { Exchange, Fate } from './exchange.js';
import type { StoredResponses } from './responses.js';

/** Bytes after which an answer takes no further stanza; one stanza goes in any case. */
const MAX_RESPONSE_BYTES = 262_144;

/** What waits for the client: stanzas that no answer took yet, and those of answers that never left. */
export class Outbox {
  private queue: Stanza[] | undefined;
  /** Bytes in the queue, and of answers that have not left. */
  private waiting = 0;
  private full = false;

  /**
   * @param limit bytes beyond which the sender is to stop
   * @param owner told when the sender may go on
   */
  constructor(
    readonly stored: StoredResponses,
    private readonly limit: number,
    private owner: { onDrained(): void } | undefined,
  ) {}

  get isEmpty(): boolean {
    return !this.queue && !this.stored.hasLost;
  }

  /** What waits for the client. */
  get bytes(): number {
    return this.waiting;
  }

  /** @returns false when too much waits */
  push(stanza: Stanza): boolean {
    if (this.queue) this.queue.push(stanza);
    else this.queue = [stanza];
    this.waiting += stanza.byteLength;
    if (this.waiting <= this.limit) return true;
    this.full = true;
    return false;
  }

  /** As much from the front as goes into one answer. */
  take(): readonly Stanza[] {
    const { queue = [] } = this;
    if (this.stored.hasLost) queue.unshift(...this.stored.takeLost());
    let count = 0;
    let bytes = 0;
    while (count < queue.length && (bytes += queue[count]!.byteLength) <= MAX_RESPONSE_BYTES) count++;
    if (count === 0 && queue.length > 0) count = 1;
    if (count < queue.length) return queue.splice(0, count);
    this.queue = undefined;
    return queue;
  }

  /** All of it, for which there will be no answer. */
  takeAll(): readonly Stanza[] {
    const all = [...this.stored.takeAll(), ...(this.queue ?? [])];
    this.queue = undefined;
    return all;
  }

  /** Nobody goes on any more: what is left here for a client that comes late does not keep the whole session. */
  end(): void {
    this.owner = undefined;
  }

  /** An exchange is done: what its answer carried has left, or waits again. */
  settle(exchange: Exchange, fate: Fate): void {
    this.left(this.stored.settle(exchange, fate));
  }

  /** The client has all answers up to `rid`. */
  acknowledge(rid: number): void {
    this.left(this.stored.trim(rid));
  }

  private left(bytes: number): void {
    this.waiting -= bytes;
    if (!this.full || this.waiting > this.limit / 2) return;
    this.full = false;
    this.owner?.onDrained();
  }
}
