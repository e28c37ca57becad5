import { element, NS, Stanza } from '../../xml/index.js';
import type { Account } from './account.js';
import { StanzaError } from '../../stanza-error.js';
import type { Jid } from './jid.js';
import type { Resource } from './resource.js';
import type { EmbeddedServer } from './server.js';
import type { Subscription } from './service.js';

export type SubscriptionType = 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed';

export function isSubscriptionType(type: string | undefined): type is SubscriptionType {
  return type === 'subscribe' || type === 'subscribed' || type === 'unsubscribe' || type === 'unsubscribed';
}

/** Requests for a subscription that one account keeps unanswered. */
const MAX_PENDING = 1000;

/**
 * Presence subscriptions (RFC 6121, section 3 and appendix A). Each stanza changes first the
 * sender's side (`outbound`), then travels, then changes the contact's side (`inbound`).
 */
export class Subscriptions {
  constructor(private readonly server: EmbeddedServer) {}

  /** What a client sent; `stanza` comes from its bare address and goes to a bare one. */
  outbound(sender: Resource, type: SubscriptionType, stanza: Stanza, contact: Jid): void {
    const { account } = sender;
    if (contact.bare === account.bare) return;
    switch (type) {
      case 'subscribe':
        this.subscribe(account, contact);
        break;
      case 'subscribed':
        if (!this.subscribed(account, contact)) return;
        break;
      case 'unsubscribe':
        if (!this.dropTo(account, contact)) return;
        break;
      case 'unsubscribed':
        if (!this.dropFrom(account, contact)) return;
        break;
    }
    this.route(type, stanza, account, contact);
  }

  private subscribe(account: Account, contact: Jid): void {
    const { roster } = account;
    if (roster.receivesFrom(contact.bare)) return;
    const item = roster.items.get(contact.bare) ?? this.server.rosters.add(account, contact);
    item.ask = true;
    this.server.rosters.push(account, item);
  }

  private subscribed(account: Account, contact: Jid): boolean {
    const { roster } = account;
    if (!roster.pendingIn.has(contact.bare)) return false;
    const item = roster.items.get(contact.bare) ?? this.server.rosters.add(account, contact);
    roster.pendingIn.delete(contact.bare);
    item.subscription = withFrom(item.subscription);
    this.server.rosters.push(account, item);
    this.server.notifySubscription(account.bare, contact.bare, true);
    return true;
  }

  /** The owner's subscription to the contact's presence ends. @returns whether there was one, or a request for one */
  private dropTo(account: Account, contact: Jid): boolean {
    const item = account.roster.items.get(contact.bare);
    if (!item || !(item.ask || account.roster.receivesFrom(contact.bare))) return false;
    item.ask = false;
    item.subscription = withoutTo(item.subscription);
    this.server.rosters.push(account, item);
    return true;
  }

  /** The contact's subscription to the owner's presence ends. @returns whether there was one, or a request for one */
  private dropFrom(account: Account, contact: Jid): boolean {
    const { roster } = account;
    const pending = roster.pendingIn.delete(contact.bare);
    if (!roster.sharesWith(contact.bare)) return pending;
    const item = roster.items.get(contact.bare)!;
    // The contact sees the owner leave first (RFC 6121, section 3.2.2).
    this.server.presence.withdraw(account, contact);
    item.subscription = withoutFrom(item.subscription);
    this.server.rosters.push(account, item);
    this.server.notifySubscription(account.bare, contact.bare, false);
    return true;
  }

  private route(type: SubscriptionType, stanza: Stanza, account: Account, contact: Jid): void {
    if (this.server.isForeign(contact)) throw new StanzaError('remote-server-not-found');
    const other = this.server.account(contact);
    if (!other) {
      // Nobody is there to agree (RFC 6121, section 8.5.1).
      if (type === 'subscribe') this.inbound('unsubscribed', write('unsubscribed', contact, account.jid), account, contact);
      return;
    }
    if (this.server.blocks(other.bare, account.jid)) return;
    this.inbound(type, stanza, other, account.jid);
    if (type === 'subscribed') this.server.presence.share(account, contact);
  }

  /** A stanza reached the account, from the bare address of somebody else. */
  inbound(type: SubscriptionType, stanza: Stanza, account: Account, from: Jid): void {
    const { roster } = account;
    const item = roster.items.get(from.bare);
    switch (type) {
      case 'subscribe':
        if (roster.sharesWith(from.bare)) {
          this.confirm(account, from);
          return;
        }
        if (roster.pendingIn.has(from.bare) || roster.pendingIn.size >= MAX_PENDING) return;
        roster.pendingIn.set(from.bare, stanza);
        break;
      case 'subscribed':
        if (!item?.ask) return;
        break;
      case 'unsubscribe': {
        const pending = roster.pendingIn.delete(from.bare);
        if (!pending && !roster.sharesWith(from.bare)) return;
        break;
      }
      case 'unsubscribed':
        if (!item || !(item.ask || roster.receivesFrom(from.bare))) return;
        break;
    }
    for (const resource of account.available()) resource.deliver(stanza);
    if (!item) return;
    if (type === 'subscribed') {
      item.ask = false;
      item.subscription = withTo(item.subscription);
      this.server.rosters.push(account, item);
    } else if (type === 'unsubscribed') {
      item.ask = false;
      item.subscription = withoutTo(item.subscription);
      this.server.rosters.push(account, item);
    } else if (type === 'unsubscribe' && roster.sharesWith(from.bare)) {
      this.server.presence.withdraw(account, from);
      item.subscription = withoutFrom(item.subscription);
      this.server.rosters.push(account, item);
      this.server.notifySubscription(account.bare, from.bare, false);
    }
  }

  /** The server answers for the account, which agreed before (RFC 6121, section 3.1.3). */
  private confirm(account: Account, to: Jid): void {
    const other = this.server.account(to);
    if (!other) return;
    this.inbound('subscribed', write('subscribed', account.jid, to), other, account.jid);
    this.server.presence.share(account, to);
  }

  /** The contact leaves the roster: every subscription between the two ends (RFC 6121, section 2.5). */
  cancel(account: Account, contact: Jid): void {
    const { roster } = account;
    const item = roster.items.get(contact.bare)!;
    const other = this.server.account(contact);
    const leaves = item.ask || roster.receivesFrom(contact.bare);
    const shares = roster.pendingIn.delete(contact.bare) || roster.sharesWith(contact.bare);
    if (roster.sharesWith(contact.bare)) {
      this.server.presence.withdraw(account, contact);
      this.server.notifySubscription(account.bare, contact.bare, false);
    }
    item.ask = false;
    item.subscription = 'none';
    if (!other) return;
    if (leaves) this.inbound('unsubscribe', write('unsubscribe', account.jid, contact), other, account.jid);
    if (shares) this.inbound('unsubscribed', write('unsubscribed', account.jid, contact), other, account.jid);
  }

  /** The owner came online: requests that nobody answered are handed over again (RFC 6121, section 3.1.3). */
  remind(resource: Resource): void {
    for (const stanza of resource.account.roster.pendingIn.values()) resource.deliver(stanza);
  }
}

function write(type: SubscriptionType, from: Jid, to: Jid): Stanza {
  return Stanza.of(element('presence', { xmlns: NS.client, type, from: from.bare, to: to.bare }));
}

function withTo(subscription: Subscription): Subscription {
  return subscription === 'from' || subscription === 'both' ? 'both' : 'to';
}

function withFrom(subscription: Subscription): Subscription {
  return subscription === 'to' || subscription === 'both' ? 'both' : 'from';
}

function withoutTo(subscription: Subscription): Subscription {
  return subscription === 'from' || subscription === 'both' ? 'from' : 'none';
}

function withoutFrom(subscription: Subscription): Subscription {
  return subscription === 'to' || subscription === 'both' ? 'to' : 'none';
}
