import { element, type Element } from '../../../xml/index.js';
import { StanzaError } from '../../../stanza-error.js';
import type { EmbeddedResource, EmbeddedService, EmbeddedServices, Query, QueryHandler } from '../service.js';
import { requirePresence } from './access.js';
import { XMLNS } from './namespaces.js';

/** Last activity (XEP-0012): uptime of the server, and when an account was last available. */
export class LastActivityService implements EmbeddedService {
  private server!: EmbeddedServices;
  private started = 0;
  /** By bare address: milliseconds of the clock. */
  private readonly lastSeen = new Map<string, number>();

  readonly features = [XMLNS.last];
  readonly accountFeatures = [XMLNS.last];
  readonly queries: readonly QueryHandler[] = [
    {
      name: 'query',
      namespace: XMLNS.last,
      type: 'get',
      target: 'domain',
      answer: () => this.since(this.started),
    },
    { name: 'query', namespace: XMLNS.last, type: 'get', target: 'account', answer: (query) => this.ofAccount(query) },
  ];

  attach(server: EmbeddedServices): void {
    this.server = server;
    this.started = server.clock.now();
  }

  onUnavailable({ jid }: EmbeddedResource): void {
    this.lastSeen.set(jid.bare, this.server.clock.now());
  }

  onUnbound({ jid }: EmbeddedResource): void {
    if (!this.server.exists(jid.bare)) this.lastSeen.delete(jid.bare);
  }

  private ofAccount({ from, to }: Query): Element {
    requirePresence(this.server, to.bare, from);
    for (const resource of this.server.resources(to.bare)) {
      if (resource.available) return this.since(this.server.clock.now());
    }
    const seen = this.lastSeen.get(to.bare);
    if (seen === undefined) throw new StanzaError('item-not-found');
    return this.since(seen);
  }

  private since(then: number): Element {
    const seconds = Math.floor((this.server.clock.now() - then) / 1000);
    return element('query', { xmlns: XMLNS.last, seconds });
  }
}
