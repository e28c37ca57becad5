/**
 * Bytes of messages that have begun and not come whole, of all clients. A message comes within a moment; where
 * so many bytes wait that it is too much, whoever began first is the slowest, and is given up. So what is kept
 * for those who never finish is bounded, whoever and however many they are, and others do not notice.
 */
export class Unfinished {
  private readonly messages = new Set<UnfinishedMessage>();
  private total = 0;

  /** @param limit bytes */
  constructor(private readonly limit: number) {}

  /** Bytes that wait now. */
  get bytes(): number {
    return this.total;
  }

  /** @internal */
  add(message: UnfinishedMessage, bytes: number): void {
    this.messages.add(message);
    this.total += bytes;
    while (this.total > this.limit) {
      const slowest = this.messages.values().next().value!;
      slowest.done();
      slowest.giveUp();
    }
  }

  /** @internal */
  remove(message: UnfinishedMessage, bytes: number): void {
    if (this.messages.delete(message)) this.total -= bytes;
  }
}

/** One message, or one after the other of the same client. */
export class UnfinishedMessage {
  private bytes = 0;

  constructor(
    private readonly all: Unfinished,
    /** @internal Called when it has been waited for too long. */
    readonly giveUp: () => void,
  ) {}

  /** More of it has come. */
  add(bytes: number): void {
    this.bytes += bytes;
    this.all.add(this, bytes);
  }

  /** It is whole, or nobody waits for it any more. */
  done(): void {
    this.all.remove(this, this.bytes);
    this.bytes = 0;
  }
}
