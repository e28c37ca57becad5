/** What came in, in order, for a test to wait for. */
export class Mailbox<T> {
  private readonly items: T[] = [];
  private wake: (() => void) | undefined;

  /** How many wait to be taken. */
  get size(): number {
    return this.items.length;
  }

  /** Adds an item behind those that wait, and wakes who waits for one. */
  put(item: T): void {
    this.items.push(item);
    this.wake?.();
  }

  /**
   * The next item that fits; those before it are left for other takers.
   *
   * @param seconds of real time, whatever clock the test owns
   * @throws Error that shows what did come, when nothing fits in time
   */
  async take(fits: (item: T) => boolean = () => true, seconds = 20): Promise<T> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.wake?.();
    }, seconds * 1000);
    try {
      for (;;) {
        const index = this.items.findIndex(fits);
        if (index >= 0) return this.items.splice(index, 1)[0] as T;
        if (late) throw new Error(`nothing that fits came within ${seconds} s; waiting are ${this.show()}`);
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
      this.wake = undefined;
    }
  }

  /** Texts as they are; of anything else there are too many parts. */
  private show(): string {
    return this.items.every((item) => typeof item === 'string') ? JSON.stringify(this.items) : String(this.size);
  }
}
