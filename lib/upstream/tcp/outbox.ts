import type { Writable } from 'node:stream';
import { defer, type Deferred } from '../../turn.js';
import { Stanza } from '../../xml/index.js';

/** Up to so many bytes a stanza is copied into one buffer with its neighbours; a larger one is written where it lies. */
const COPIED_BYTES = 4096;

/**
 * What waits to be written: before there is a connection, and then until the end of the turn of
 * the event loop, so that all stanzas of one turn make one write.
 */
export class Outbox implements Deferred {
  private queue: Stanza[] | undefined;
  private queuedBytes = 0;
  private scheduled = false;
  private socket: Writable | undefined;

  /** @param owner told when a batch was taken at once, so that no `drain` of the socket will follow it */
  constructor(private readonly owner: { drained(): void }) {}

  /** Bytes that were not handed to the operating system yet. */
  get bytes(): number {
    return this.queuedBytes + (this.socket?.writableLength ?? 0);
  }

  get empty(): boolean {
    return !this.queue;
  }

  push(stanza: Stanza): void {
    if (this.queue) this.queue.push(stanza);
    else this.queue = [stanza];
    this.queuedBytes += stanza.byteLength;
    if (this.socket !== undefined) this.schedule();
  }

  /** Stanzas go to `socket` from now on, those that wait at the end of this turn. */
  attach(socket: Writable): void {
    this.socket = socket;
    if (this.queue) this.schedule();
  }

  /** Writes what waits, and `last` behind it. */
  finish(last?: string, written?: () => void): void {
    const { socket } = this;
    if (!socket) return;
    socket.cork();
    this.flush();
    if (last !== undefined) socket.write(last, written);
    socket.uncork();
  }

  /** Writes nothing more, and forgets what waits. */
  detach(): void {
    this.socket = undefined;
    this.queue = undefined;
    this.queuedBytes = 0;
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    defer(this);
  }

  /** @internal */
  endOfTurn(): void {
    this.scheduled = false;
    this.flush();
    if (this.socket?.writableNeedDrain === false) this.owner.drained();
  }

  private flush(): void {
    const { queue, socket } = this;
    if (!queue || !socket) return;
    this.queue = undefined;
    this.queuedBytes = 0;
    if (queue.length === 1 && queue[0]!.byteLength <= COPIED_BYTES) {
      socket.write(queue[0]!.bytes);
      return;
    }
    // The stanzas of a BOSH request mostly are.
    const adjacent = Stanza.adjacent(queue);
    if (adjacent) {
      socket.write(adjacent);
      return;
    }
    const pieces = assemble(queue);
    if (pieces.length === 1) {
      socket.write(pieces[0]);
      return;
    }
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
  }
}

/** Small neighbours as one buffer, large stanzas as they are. */
function assemble(queue: readonly Stanza[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < queue.length; ) {
    if (queue[at]!.byteLength > COPIED_BYTES) {
      queue[at++]!.pushTo(pieces);
      continue;
    }
    let end = at;
    let size = 0;
    for (; end < queue.length && queue[end]!.byteLength <= COPIED_BYTES; end++) size += queue[end]!.byteLength;
    const block = Buffer.allocUnsafe(size);
    for (let offset = 0; at < end; at++) offset = queue[at]!.writeTo(block, offset);
    pieces.push(block);
  }
  return pieces;
}
