import type { Stanza } from '../xml/index.js';
import { bareOf, marked } from './copies.js';
import { MUC_USER } from './namespaces.js';

/**
 * What a client that attaches late has missed: the last presence of everybody, with the occupants of rooms, and
 * the requests for subscription that nobody has answered.
 */
export class Snapshot {
  /** By full JID, or by `subscribe` and bare JID; as they are replayed. */
  private readonly presences = new Map<string, Stanza>();
  private bytes = 0;

  constructor(
    /** Bytes; beyond, the oldest are forgotten. */
    private readonly maxBytes: number,
  ) {}

  /** A presence from the server. */
  received(presence: Stanza): void {
    const from = presence.attribute('from');
    if (from === undefined) return;
    switch (presence.attribute('type')) {
      case undefined:
        return this.put(from, presence);
      case 'unavailable':
        this.drop(from);
        if (isOwnExit(presence)) this.dropRoom(bareOf(from));
        return;
      case 'subscribe':
        return this.put(requestOf(from), presence);
      case 'unsubscribe':
        return this.drop(requestOf(from));
      default:
        return;
    }
  }

  /** A directed presence of a client: it may answer a request. */
  sent(to: string, type: string | undefined): void {
    if (type === 'subscribed' || type === 'unsubscribed') this.drop(requestOf(to));
  }

  /** The resource is not available: the server tells it of nobody. */
  clear(): void {
    for (const key of this.presences.keys()) if (!key.startsWith(REQUEST)) this.drop(key);
  }

  /** All of it, each marked with `shared:snapshot='true'`. */
  replay(): Iterable<Stanza> {
    return this.presences.values();
  }

  private put(key: string, presence: Stanza): void {
    this.drop(key);
    const kept = marked(presence, 'snapshot', 'true');
    this.presences.set(key, kept);
    this.bytes += kept.byteLength;
    while (this.bytes > this.maxBytes) this.drop(this.presences.keys().next().value!);
  }

  private drop(key: string): void {
    const dropped = this.presences.get(key);
    if (!dropped) return;
    this.bytes -= dropped.byteLength;
    this.presences.delete(key);
  }

  private dropRoom(room: string): void {
    for (const key of this.presences.keys()) if (key.startsWith(`${room}/`)) this.drop(key);
  }
}

/** No JID has a space in front. */
const REQUEST = ' subscribe ';

function requestOf(jid: string): string {
  return REQUEST + bareOf(jid);
}

/** We left the room: nothing more is told of its occupants (XEP-0045, section 7.14). */
function isOwnExit(presence: Stanza): boolean {
  const user = presence.child('x', MUC_USER);
  return user !== undefined && user.children().some((child) => child.name === 'status' && child.attribute('code') === '110');
}
