import type { Socket } from 'node:net';
import { UnfinishedMessage, type Unfinished } from '../http/index.js';

/**
 * Counts what comes of messages that are not whole, until a resource is bound: whoever has not logged in has little
 * kept here, above all no messages that do not get finished.
 */
export class EarlyMessages {
  private readonly message: UnfinishedMessage;
  /** A message came whole by what is being read now: most do, and are not counted at all. */
  private whole = false;
  private stopped = false;

  /**
   * To be made when whoever reads the socket listens to it.
   * @param giveUp called when a message has been waited for too long
   */
  constructor(
    private readonly raw: Socket,
    all: Unfinished,
    giveUp: () => void,
  ) {
    this.message = new UnfinishedMessage(all, giveUp);
    raw.on('data', this.count);
  }

  /** A message is whole, or nothing more comes. */
  done(): void {
    this.whole = true;
    this.message.done();
  }

  stop(): void {
    this.raw.off('data', this.count);
    this.stopped = true;
    this.message.done();
  }

  private readonly count = (chunk: Buffer): void => {
    if (!this.whole && !this.stopped) this.message.add(chunk.length);
    this.whole = false;
  };
}
