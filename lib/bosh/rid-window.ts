/** Where a `rid` lies: after the last one that was served, at or before it, or further on than is allowed. */
export type RidPlace = 'ahead' | 'past' | 'beyond';

/**
 * Puts requests, which overtake each other on their way, back into the order of their `rid`
 * (XEP-0124, section 14.2). A request that leaves a gap is parked until the gap is filled.
 */
export class RidWindow<T> {
  private readonly parked = new Map<number, T>();

  /**
   * @param last the highest `rid` that was served, with none missing before it
   * @param size how far ahead a request may be: `requests`
   */
  constructor(
    public last: number,
    readonly size: number,
  ) {}

  place(rid: number): RidPlace {
    if (rid <= this.last) return 'past';
    return rid <= this.last + this.size ? 'ahead' : 'beyond';
  }

  park(rid: number, item: T): void {
    this.parked.set(rid, item);
  }

  get(rid: number): T | undefined {
    return this.parked.get(rid);
  }

  /** What is to be served next, if it is there. */
  get next(): T | undefined {
    return this.parked.size === 0 ? undefined : this.parked.get(this.last + 1);
  }

  /** {@link next} is being served. */
  advance(): void {
    this.parked.delete(++this.last);
  }

  get parkedCount(): number {
    return this.parked.size;
  }

  /** What is parked, in order. */
  waiting(): T[] {
    return [...this.parked].sort(([a], [b]) => a - b).map(([, item]) => item);
  }
}
