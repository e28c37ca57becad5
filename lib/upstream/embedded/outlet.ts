import { Stanza } from '../../xml/index.js';
import type { StreamHeader, UpstreamEnd, UpstreamHandler } from '../upstream.js';

export type Outgoing = Stanza | { readonly header: StreamHeader } | { readonly end: UpstreamEnd };

/** What goes from a stream to its client: at once, or, while the client is paused, later and in order. */
export class Outlet {
  paused = false;
  /** The connection is broken: nothing but the end is handed over any more. */
  cut = false;
  /** The end was handed over. */
  over = false;

  private queue: Outgoing[] = [];
  private bytes = 0;

  constructor(
    private readonly handler: UpstreamHandler,
    private readonly maxBytes: number,
    private readonly owner: {
      /** More than `maxBytes` wait. */
      onOverflow(): void;
      /** The client's own code threw. */
      onBroken(error: unknown): void;
    },
  ) {}

  get waiting(): boolean {
    return this.queue.length > 0;
  }

  push(item: Outgoing): void {
    if (this.over) return;
    if (!this.paused && !this.cut && this.queue.length === 0) {
      this.hand(item);
      return;
    }
    this.queue.push(item);
    if (item instanceof Stanza) {
      this.bytes += item.byteLength;
      if (this.bytes > this.maxBytes) this.owner.onOverflow();
    }
  }

  /** Hands over what waits. */
  flush(): void {
    let done = 0;
    while (done < this.queue.length && !this.paused && !this.cut) {
      const item = this.queue[done++]!;
      if (item instanceof Stanza) this.bytes -= item.byteLength;
      this.hand(item);
    }
    this.queue.splice(0, done);
  }

  /** The stanzas that wait; they do no longer. */
  takeStanzas(): Stanza[] {
    const taken: Stanza[] = [];
    const rest: Outgoing[] = [];
    for (const item of this.queue) {
      if (item instanceof Stanza && item.kind !== undefined) {
        taken.push(item);
        this.bytes -= item.byteLength;
      } else {
        rest.push(item);
      }
    }
    this.queue = rest;
    return taken;
  }

  /** Ends at once, whatever waits. */
  end(end: UpstreamEnd): void {
    this.queue = [];
    if (!this.over) this.hand({ end });
  }

  private hand(item: Outgoing): void {
    try {
      if (item instanceof Stanza) {
        this.handler.onStanza(item);
      } else if ('header' in item) {
        this.handler.onOpen(item.header);
      } else {
        this.over = true;
        this.handler.onEnd(item.end);
      }
    } catch (error) {
      this.owner.onBroken(error);
    }
  }
}
