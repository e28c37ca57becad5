/** Where a `rid` lies: after the last one that was served, at or before it, or further on than is allowed. */
export type RidPlace = 'ahead' | 'past' | 'beyond';

/**
 * Puts requests, which overtake each other on their way, back into the order of their `rid`
 * (XEP-0124, section 14.2). A request that leaves a gap is parked until the gap is filled.
 */
export class RidWindow<T> {
  /** What is to be served next. Requests mostly come in order: the others cost a session nothing. */
  private following: T | undefined;
  private gapped: Map<number, T> | undefined;

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
    if (rid === this.last + 1) this.following = item;
    else (this.gapped ??= new Map()).set(rid, item);
  }

  get(rid: number): T | undefined {
    return rid === this.last + 1 ? this.following : this.gapped?.get(rid);
  }

  /** What is to be served next, if it is there. */
  get next(): T | undefined {
    return this.following;
  }

  /** {@link next} is being served. */
  advance(): void {
    this.following = undefined;
    const next = ++this.last + 1;
    if (!this.gapped) return;
    this.following = this.gapped.get(next);
    this.gapped.delete(next);
  }

  get parkedCount(): number {
    return (this.following === undefined ? 0 : 1) + (this.gapped?.size ?? 0);
  }

  /** What is parked, in order. */
  waiting(): T[] {
    const later = this.gapped ? [...this.gapped].sort(([a], [b]) => a - b).map(([, item]) => item) : [];
    return this.following === undefined ? later : [this.following, ...later];
  }
}
