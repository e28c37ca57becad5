import type { Element, Stanza } from '../xml/index.js';

/**
 * The presence that the shared resource has broadcast. A tab that opens says "available" of a resource
 * that is available already: saying it again would have the server flood everybody with it.
 */
export class SharedPresence<M extends object> {
  private broadcast: string | undefined;
  private readonly announced = new WeakSet<M>();

  /** Whether it is the first presence of a client and only says what the server was told before. */
  repeats(member: M, available: Stanza): boolean {
    const first = !this.announced.has(member);
    this.announced.add(member);
    return first && this.broadcast !== undefined && contentOf(available) === this.broadcast;
  }

  /** An undirected presence goes to the server. */
  sent(presence: Stanza): void {
    const type = presence.attribute('type');
    if (type === undefined) this.broadcast = contentOf(presence);
    else if (type === 'unavailable') this.broadcast = undefined;
  }
}

/** What a presence says, whoever says it: its id and the way in which it is written left out. */
function contentOf(presence: Stanza): string {
  const { element } = presence;
  const { id: _id, from: _from, ...attributes } = (element.attributes ?? {}) as Record<string, unknown>;
  return write({ ...element, attributes: attributes as Element['attributes'] });
}

function write(element: Element): string {
  if (element.type !== 'element') return JSON.stringify(element.text ?? element.cdata ?? '');
  const attributes = Object.entries(element.attributes ?? {}).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([element.name, attributes, (element.elements ?? []).map(write)]);
}
