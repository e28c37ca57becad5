import type { Jid } from './jid.js';
import { OfflineMessages, type OfflineLimits } from './offline.js';
import type { Resource } from './resource.js';
import { Roster } from './roster.js';

/** One account: what outlives its streams. */
export class Account {
  readonly roster = new Roster();
  readonly offline: OfflineMessages;
  /** Bound streams by resourcepart, hibernating ones included. */
  readonly resources = new Map<string, Resource>();
  /** How many of them take carbon copies. */
  carbons = 0;

  constructor(
    /** Bare. */
    readonly jid: Jid,
    /** Lives only as long as its streams (XEP-0175). */
    readonly anonymous: boolean,
    limits: OfflineLimits,
  ) {
    this.offline = new OfflineMessages(jid.domain, limits);
  }

  get bare(): string {
    return this.jid.bare;
  }

  /** The available resources of the highest priority that is not negative: they get what is sent to the account. */
  mostAvailable(): Resource[] {
    let found: Resource[] = [];
    let highest = 0;
    for (const resource of this.resources.values()) {
      if (!resource.available || resource.priority < highest) continue;
      if (resource.priority > highest) found = [];
      highest = resource.priority;
      found.push(resource);
    }
    return found;
  }

  *available(): Generator<Resource> {
    for (const resource of this.resources.values()) if (resource.available) yield resource;
  }
}
