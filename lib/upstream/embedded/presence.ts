import { element, NS, Stanza } from '../../xml/index.js';
import type { Account } from './account.js';
import { StanzaError } from '../../stanza-error.js';
import type { Jid } from './jid.js';
import type { Resource } from './resource.js';
import type { EmbeddedServer } from './server.js';
import { isSubscriptionType } from './subscriptions.js';

/** Addresses to which one resource may send directed presence at a time. */
const MAX_DIRECTED = 1000;

/** Exchanging presence (RFC 6121, section 4). All parties are on this server. */
export class Presence {
  constructor(private readonly server: EmbeddedServer) {}

  /** A client's presence without `to`; `stanza` is stamped with its full address. */
  broadcast(sender: Resource, type: string | undefined, stanza: Stanza): void {
    if (type === 'unavailable') {
      this.leave(sender, stanza);
      return;
    }
    if (type === 'error') return;
    if (type !== undefined) throw new StanzaError('bad-request');
    this.announce(sender, stanza);
  }

  private announce(sender: Resource, stanza: Stanza): void {
    const { account } = sender;
    const priority = readPriority(stanza);
    const initial = !sender.available;
    const takesMessages = priority >= 0 && (initial || sender.priority < 0);
    sender.presence = stanza;
    sender.priority = priority;
    this.toSubscribers(account, stanza);
    for (const own of account.available()) own.deliver(stanza.with({ to: own.full }));
    this.server.notifyAvailable(sender, stanza, initial);
    if (initial) {
      this.gather(sender);
      this.server.subscriptions.remind(sender);
    }
    if (takesMessages) for (const message of account.offline.take()) sender.deliver(message);
  }

  /** The presence of everybody whom the resource may see, instead of probes (RFC 6121, section 4.2.2). */
  private gather(sender: Resource): void {
    const { account } = sender;
    for (const own of account.available()) {
      if (own !== sender) sender.deliver(own.presence!.with({ to: sender.full }));
    }
    for (const item of account.roster.items.values()) {
      const other = this.server.account(item.jid);
      if (!other?.roster.sharesWith(account.bare) || !account.roster.receivesFrom(item.jid.bare)) continue;
      this.showTo(other, account.jid, (presence) => sender.deliver(presence.with({ to: sender.full })));
    }
  }

  private toSubscribers(account: Account, stanza: Stanza): void {
    for (const { jid } of account.roster.subscribers()) {
      const other = this.server.account(jid);
      if (!other || !hasAvailable(other) || this.server.separates(account, other)) continue;
      const addressed = stanza.with({ to: jid.bare });
      for (const resource of other.available()) resource.deliver(addressed);
    }
  }

  /** The resource goes offline: everybody who saw it learns of it (RFC 6121, section 4.5). */
  leave(sender: Resource, stanza: Stanza): void {
    const { account } = sender;
    const wasAvailable = sender.available;
    sender.presence = undefined;
    sender.priority = 0;
    if (wasAvailable) {
      this.toSubscribers(account, stanza);
      for (const own of account.available()) own.deliver(stanza.with({ to: own.full }));
    }
    const directed = [...sender.directed];
    sender.directed.clear();
    for (const [to, jid] of directed) {
      if (wasAvailable && account.roster.sharesWith(jid.bare) && this.server.account(jid)) continue;
      this.server.router.route(stanza.with({ to }));
    }
    if (wasAvailable) this.server.notifyUnavailable(sender);
  }

  /** The stream ended without a word. */
  lost(sender: Resource): void {
    if (!sender.available && sender.directed.size === 0) return;
    this.leave(sender, Stanza.of(element('presence', { xmlns: NS.client, type: 'unavailable', from: sender.full })));
  }

  /** A client's presence to somebody, stamped with its full address (RFC 6121, section 4.6). */
  directed(sender: Resource, type: string | undefined, stanza: Stanza, to: Jid): void {
    if (isSubscriptionType(type)) {
      const bare = to.withResource('');
      const stamped = stanza.with({ from: sender.account.bare, to: bare.bare });
      this.server.subscriptions.outbound(sender, type, stamped, bare);
      return;
    }
    if (type === 'probe') {
      this.probe(sender, to);
      return;
    }
    if (type !== undefined && type !== 'unavailable' && type !== 'error') throw new StanzaError('bad-request');
    const key = to.toString();
    const { directed } = sender;
    if (type === undefined && directed.size >= MAX_DIRECTED && !directed.has(key)) {
      throw new StanzaError('resource-constraint');
    }
    this.server.router.toEntity(stanza, sender.jid, to);
    if (type === undefined) directed.set(key, to);
    else if (type === 'unavailable') directed.delete(key);
  }

  /** Servers probe for their users (RFC 6121, section 4.3), but clients may, too. */
  private probe(sender: Resource, to: Jid): void {
    const other = this.server.account(to);
    const allowed = other?.roster.sharesWith(sender.account.bare) || other === sender.account;
    if (!other || !allowed) {
      sender.deliver(
        Stanza.of(element('presence', { xmlns: NS.client, type: 'unsubscribed', from: to.bare, to: sender.full })),
      );
      return;
    }
    this.showTo(other, sender.account.jid, (presence) => sender.deliver(presence.with({ to: sender.full })));
  }

  /** The contact was granted a subscription: it sees who is there. */
  share(account: Account, contact: Jid): void {
    const other = this.server.account(contact);
    if (!other) return;
    this.showTo(account, contact, (presence) => {
      const addressed = presence.with({ to: contact.bare });
      for (const resource of other.available()) resource.deliver(addressed);
    });
  }

  /** The contact loses its subscription: the account's resources go offline for it. */
  withdraw(account: Account, contact: Jid): void {
    const other = this.server.account(contact);
    if (!other || this.server.separates(account, other)) return;
    for (const resource of account.available()) {
      const stanza = Stanza.of(
        element('presence', { xmlns: NS.client, type: 'unavailable', from: resource.full, to: contact.bare }),
      );
      for (const receiver of other.available()) receiver.deliver(stanza);
    }
  }

  private showTo(account: Account, viewer: Jid, show: (presence: Stanza) => void): void {
    if (this.server.blocks(account.bare, viewer) || this.server.blocks(viewer.bare, account.jid)) return;
    for (const resource of account.available()) show(resource.presence!);
  }
}

function hasAvailable(account: Account): boolean {
  for (const resource of account.resources.values()) if (resource.available) return true;
  return false;
}

/** RFC 6121, section 4.7.2.3. @throws {StanzaError} for a number out of range */
function readPriority(stanza: Stanza): number {
  const text = stanza.child('priority', NS.client)?.text().trim();
  if (text === undefined || text === '') return 0;
  const priority = /^[+-]?\d{1,3}$/.test(text) ? Number(text) : NaN;
  if (!(priority >= -128 && priority <= 127)) throw new StanzaError('bad-request', { text: 'no such priority' });
  return priority;
}
