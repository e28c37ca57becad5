import { element, NS, Stanza, type Element } from '../../../xml/index.js';
import { StanzaError } from '../../../stanza-error.js';
import { Jid } from '../jid.js';
import type { EmbeddedResource, EmbeddedService, EmbeddedServices, Query, QueryHandler } from '../service.js';
import { XMLNS } from './namespaces.js';

const MAX_BLOCKED = 1000;

/** Blocking command (XEP-0191). What a block does to stanzas is the server's part: it asks {@link blocks}. */
export class BlockingService implements EmbeddedService {
  private server!: EmbeddedServices;
  /** By bare address: what is blocked, normalised. */
  private readonly lists = new Map<string, Set<string>>();
  /** Resources that asked for the list and so get the pushes (XEP-0191, section 3.3). */
  private readonly interested = new WeakSet<EmbeddedResource>();
  private pushes = 0;

  readonly features = [XMLNS.blocking];
  readonly accountFeatures = [XMLNS.blocking];
  readonly queries: readonly QueryHandler[] = [
    this.query('blocklist', 'get', (query) => this.list(query)),
    this.query('block', 'set', (query) => this.block(query)),
    this.query('unblock', 'set', (query) => this.unblock(query)),
  ];

  attach(server: EmbeddedServices): void {
    this.server = server;
  }

  onUnbound({ jid }: EmbeddedResource): void {
    if (!this.server.exists(jid.bare)) this.lists.delete(jid.bare);
  }

  /** An entry covers what is below it: a domain its accounts, an account its resources (XEP-0191, section 3). */
  blocks(owner: string, peer: Jid): boolean {
    const list = this.lists.get(owner);
    if (!list || peer.bare === owner) return false;
    return (
      list.has(peer.bare) ||
      list.has(peer.domain) ||
      (!peer.isBare && (list.has(peer.toString()) || list.has(`${peer.domain}/${peer.resource}`)))
    );
  }

  private query(name: string, type: 'get' | 'set', answer: (query: Query) => Element | undefined): QueryHandler {
    return {
      name,
      namespace: XMLNS.blocking,
      type,
      target: 'account',
      answer: (query) => {
        if (!query.own) throw new StanzaError('forbidden');
        return answer(query);
      },
    };
  }

  private list({ from, sender }: Query): Element {
    this.interested.add(sender);
    return element('blocklist', { xmlns: XMLNS.blocking }, ...items(this.lists.get(from.bare) ?? []));
  }

  private block({ payload, from }: Query): undefined {
    const { bare: owner } = from;
    const asked = addresses(payload);
    if (asked.length === 0) throw new StanzaError('bad-request');
    const list = this.lists.get(owner) ?? new Set<string>();
    const added = asked.filter((address) => !list.has(address));
    if (list.size + added.length > MAX_BLOCKED) throw new StanzaError('resource-constraint');
    // The contact sees us leave before nothing reaches it any more (XEP-0191, section 3.3).
    this.tellPresence(owner, added, false);
    for (const address of added) list.add(address);
    this.lists.set(owner, list);
    this.push(owner, 'block', asked);
  }

  private unblock({ payload, from }: Query): undefined {
    const { bare: owner } = from;
    const asked = addresses(payload);
    const list = this.lists.get(owner);
    const removed = asked.length === 0 ? [...(list ?? [])] : asked.filter((address) => list?.has(address));
    for (const address of removed) list!.delete(address);
    if (list?.size === 0) this.lists.delete(owner);
    this.tellPresence(owner, removed, true);
    this.push(owner, 'unblock', asked);
  }

  /** Sends our presence, or that we are gone, to the subscribers that what was (un)blocked covers. */
  private tellPresence(owner: string, entries: readonly string[], available: boolean): void {
    const changed = new Set(entries);
    const domains = new Set(entries.filter((entry) => !entry.includes('@') && !entry.includes('/')));
    const contacts: Jid[] = [];
    for (const subscriber of this.server.subscribers(owner)) {
      const contact = Jid.parse(subscriber);
      if (!contact || (!changed.has(subscriber) && !domains.has(contact.domain))) continue;
      if (!this.blocks(owner, contact)) contacts.push(contact);
    }
    if (contacts.length === 0) return;
    for (const resource of this.server.resources(owner)) {
      if (!resource.available) continue;
      const presence = available
        ? resource.presence
        : Stanza.of(element('presence', { xmlns: NS.client, type: 'unavailable' }));
      if (!presence) continue;
      for (const { bare } of contacts) {
        this.server.route(presence.with({ from: resource.jid.toString(), to: bare }));
      }
    }
  }

  private push(owner: string, name: 'block' | 'unblock', entries: readonly string[]): void {
    for (const resource of this.server.resources(owner)) {
      if (!this.interested.has(resource)) continue;
      resource.deliver(
        Stanza.of(
          element(
            'iq',
            {
              xmlns: NS.client,
              type: 'set',
              id: `blocking-${++this.pushes}`,
              from: owner,
              to: resource.jid.toString(),
            },
            element(name, { xmlns: XMLNS.blocking }, ...items(entries)),
          ),
        ),
      );
    }
  }
}

function items(entries: Iterable<string>): Element[] {
  return [...entries].map((jid) => element('item', { jid }));
}

/** @throws {StanzaError} jid-malformed, bad-request */
function addresses(payload: Stanza): string[] {
  const found = new Set<string>();
  for (const item of payload.children()) {
    if (!item.is('item', XMLNS.blocking)) continue;
    const jid = item.attribute('jid');
    if (jid === undefined) throw new StanzaError('bad-request');
    const address = Jid.parse(jid);
    if (!address) throw new StanzaError('jid-malformed');
    found.add(address.toString());
  }
  return [...found];
}
