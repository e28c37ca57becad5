import { element, readElement, type Element } from '../../../../xml/index.js';
import type { NodeConfig } from './config.js';

/** An item as it is kept: the payload as written, for a tree of it takes several times the memory. */
export interface Item {
  readonly id: string;
  readonly payload: string;
  /** Milliseconds since the epoch. */
  readonly published: number;
}

/** A node of an account. Items are in the order of their publication, the last one last. */
export class Node {
  private readonly items = new Map<string, Item>();

  constructor(
    readonly owner: string,
    readonly name: string,
    private current: NodeConfig,
  ) {}

  get config(): NodeConfig {
    return this.current;
  }

  configure(config: NodeConfig): void {
    this.current = config;
    if (!config.persistItems) this.items.clear();
    this.trim();
  }

  get last(): Item | undefined {
    return this.recent(1)[0];
  }

  item(id: string): Item | undefined {
    return this.items.get(id);
  }

  /** The `count` latest, the last one last. */
  recent(count = Infinity): Item[] {
    const all = [...this.items.values()];
    return count < all.length ? all.slice(all.length - count) : all;
  }

  /** Keeps an item, in the place of the one with its id and of the oldest that there is no room for. */
  put(item: Item): void {
    if (!this.current.persistItems) return;
    this.items.delete(item.id);
    this.items.set(item.id, item);
    this.trim();
  }

  retract(id: string): boolean {
    return this.items.delete(id);
  }

  purge(): void {
    this.items.clear();
  }

  private trim(): void {
    for (const id of this.items.keys()) {
      if (this.items.size <= this.current.maxItems) return;
      this.items.delete(id);
    }
  }
}

export function itemElement(item: Item, withPayload = true): Element {
  const { id, payload } = item;
  return element('item', { id }, withPayload && payload !== '' ? readElement(payload) : undefined);
}
