import { randomBytes } from 'node:crypto';
import { element, NS, Stanza, type Element } from '../../xml/index.js';
import type { Account } from './account.js';
import { StanzaError } from '../../stanza-error.js';
import { Jid } from './jid.js';
import { XMLNS } from './namespaces.js';
import type { EmbeddedServer } from './server.js';
import type { EmbeddedService, Query, QueryHandler, Subscription } from './service.js';

/** Bytes of a contact's name, or of a group's. */
const MAX_NAME_BYTES = 1023;
/** Versions of a roster mean nothing to another process. */
const EPOCH = randomBytes(8).toString('hex');

/** A contact (RFC 6121, section 2.1.2). */
export interface RosterItem {
  readonly jid: Jid;
  name: string | undefined;
  groups: readonly string[];
  subscription: Subscription;
  /** A request for a subscription is on its way (`ask='subscribe'`). */
  ask: boolean;
}

/** The contacts of one account, and who asks to become one. */
export class Roster {
  /** By bare address. */
  readonly items = new Map<string, RosterItem>();
  /** Requests for a subscription that the owner did not answer yet, by bare address. */
  readonly pendingIn = new Map<string, Stanza>();
  private changes = 0;

  get version(): string {
    return `${EPOCH}-${this.changes}`;
  }

  changed(): void {
    this.changes++;
  }

  subscription(contact: string): Subscription {
    return this.items.get(contact)?.subscription ?? 'none';
  }

  /** Whether the contact receives the owner's presence. */
  sharesWith(contact: string): boolean {
    const subscription = this.subscription(contact);
    return subscription === 'from' || subscription === 'both';
  }

  /** Whether the owner receives the contact's presence. */
  receivesFrom(contact: string): boolean {
    const subscription = this.subscription(contact);
    return subscription === 'to' || subscription === 'both';
  }

  /** Bare addresses of those who receive the owner's presence. */
  *subscribers(): Generator<RosterItem> {
    for (const item of this.items.values()) {
      if (item.subscription === 'from' || item.subscription === 'both') yield item;
    }
  }
}

/** Roster management (RFC 6121, section 2): get, set, remove, pushes, versions. */
export class RosterService implements EmbeddedService {
  readonly queries: readonly QueryHandler[];
  private pushes = 0;

  constructor(
    private readonly server: EmbeddedServer,
    private readonly maxItems: number,
  ) {
    const target = { name: 'query', namespace: XMLNS.roster, target: 'account' } as const;
    this.queries = [
      { ...target, type: 'get', answer: (query) => this.get(query) },
      { ...target, type: 'set', answer: (query) => this.set(query) },
    ];
  }

  private get({ own, payload, sender }: Query): Element | undefined {
    if (!own) throw new StanzaError('forbidden');
    const resource = this.server.resource(sender.jid.toString())!;
    const { roster } = resource.account;
    resource.interested = true;
    const known = payload.attribute('ver');
    if (known === roster.version) return undefined;
    return element(
      'query',
      { xmlns: XMLNS.roster, ver: known === undefined ? undefined : roster.version },
      ...[...roster.items.values()].map(writeItem),
    );
  }

  private set({ own, payload, sender }: Query): undefined {
    if (!own) throw new StanzaError('forbidden');
    const { account } = this.server.resource(sender.jid.toString())!;
    const { roster } = account;
    const items = payload.children().filter((child) => child.is('item', XMLNS.roster));
    const [given] = items;
    if (!given || items.length > 1) throw new StanzaError('bad-request');
    const contact = Jid.parse(given.attribute('jid') ?? '')?.withResource('');
    if (!contact) throw new StanzaError(given.attribute('jid') ? 'jid-malformed' : 'bad-request');
    if (given.attribute('subscription') === 'remove') {
      this.remove(account, contact);
      return;
    }
    if (contact.bare === account.bare) throw new StanzaError('not-allowed');
    const name = given.attribute('name');
    const groups = readGroups(given);
    if (tooLong(name ?? '')) throw new StanzaError('not-acceptable');
    const item = roster.items.get(contact.bare) ?? this.add(account, contact);
    item.name = name === '' ? undefined : name;
    item.groups = groups;
    this.push(account, item);
  }

  /** A new item without a subscription. @throws {StanzaError} when the roster is full */
  add(account: Account, contact: Jid): RosterItem {
    const { items } = account.roster;
    if (items.size >= this.maxItems) throw new StanzaError('resource-constraint');
    const item: RosterItem = { jid: contact, name: undefined, groups: [], subscription: 'none', ask: false };
    items.set(contact.bare, item);
    return item;
  }

  private remove(account: Account, contact: Jid): void {
    const { roster } = account;
    const item = roster.items.get(contact.bare);
    if (!item) throw new StanzaError('item-not-found');
    this.server.subscriptions.cancel(account, contact);
    roster.items.delete(contact.bare);
    this.pushElement(account, element('item', { jid: contact.bare, subscription: 'remove' }));
  }

  /** Tells the account's interested resources of a changed item (RFC 6121, section 2.1.6). */
  push(account: Account, item: RosterItem): void {
    this.pushElement(account, writeItem(item));
  }

  private pushElement(account: Account, item: Element): void {
    const { roster } = account;
    roster.changed();
    for (const resource of account.resources.values()) {
      if (!resource.interested) continue;
      const query = element('query', { xmlns: XMLNS.roster, ver: roster.version }, item);
      const id = `push-${++this.pushes}`;
      resource.deliver(Stanza.of(element('iq', { xmlns: NS.client, type: 'set', id, to: resource.full }, query)));
    }
  }
}

function readGroups(item: Stanza): string[] {
  const groups: string[] = [];
  for (const child of item.children()) {
    if (!child.is('group', XMLNS.roster)) continue;
    const group = child.text();
    if (group === '' || tooLong(group)) throw new StanzaError('not-acceptable');
    if (groups.includes(group)) throw new StanzaError('bad-request');
    groups.push(group);
  }
  return groups;
}

function tooLong(text: string): boolean {
  return Buffer.byteLength(text) > MAX_NAME_BYTES;
}

function writeItem({ jid, name, groups, subscription, ask }: RosterItem): Element {
  return element(
    'item',
    { jid: jid.bare, name, subscription, ask: ask ? 'subscribe' : undefined },
    ...groups.map((group) => element('group', {}, group)),
  );
}
