/** What can stand in a {@link Chain}, in one at a time. */
export interface Link<T> {
  /** @internal The one behind it. */
  next: T | undefined;
}

/** A queue for a few items: an array that once was used keeps room for seventeen, in every session. */
export class Chain<T extends Link<T>> {
  first: T | undefined;
  private last: T | undefined;
  length = 0;

  push(item: T): void {
    if (this.last) this.last.next = item;
    else this.first = item;
    this.last = item;
    this.length++;
  }

  shift(): T | undefined {
    const { first } = this;
    if (!first) return undefined;
    this.first = first.next;
    first.next = undefined;
    if (!this.first) this.last = undefined;
    this.length--;
    return first;
  }

  find(accepts: (item: T) => boolean): T | undefined {
    for (let item = this.first; item; item = item.next) if (accepts(item)) return item;
    return undefined;
  }
}
