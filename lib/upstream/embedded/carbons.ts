import { escapeAttribute, NS, Stanza, type Element } from '../../xml/index.js';
import type { Account } from './account.js';
import { StanzaError } from '../../stanza-error.js';
import { XMLNS } from './namespaces.js';
import type { Resource } from './resource.js';
import type { EmbeddedServer } from './server.js';
import type { EmbeddedService, Query, QueryHandler } from './service.js';

/** Message carbons (XEP-0280): an account's other resources see what one of them sends and gets. */
export class Carbons implements EmbeddedService {
  readonly features = [XMLNS.carbons, 'urn:xmpp:carbons:rules:0'];
  readonly queries: readonly QueryHandler[] = ['enable', 'disable'].map((name) => ({
    name,
    namespace: XMLNS.carbons,
    type: 'set',
    target: 'account',
    answer: (query) => this.switch(query, name === 'enable'),
  }));

  constructor(private readonly server: EmbeddedServer) {}

  private switch({ own, sender }: Query, on: boolean): Element | undefined {
    if (!own) throw new StanzaError('not-allowed');
    const resource = this.server.resource(sender.jid.toString())!;
    if (resource.carbons !== on) {
      resource.carbons = on;
      resource.account.carbons += on ? 1 : -1;
    }
    return undefined;
  }

  /**
   * Copies what a client sent to its account's other resources.
   * @param account where it went, if to an account
   */
  sent(sender: Resource, stanza: Stanza, account: Account | undefined, delivered: readonly Resource[]): void {
    const own = sender.account;
    if (own.carbons === 0 || (own.carbons === 1 && sender.carbons)) return;
    this.copy(own, 'sent', stanza, (resource) => {
      return resource === sender || (account === own && delivered.includes(resource));
    });
  }

  /** Copies what was delivered to some resources of an account to its others. */
  received(account: Account, stanza: Stanza, sender: Resource | undefined, delivered: readonly Resource[]): void {
    if (account.carbons === 0 || (account.carbons === 1 && delivered[0]?.carbons)) return;
    // Between resources of one account a single copy, of what was sent, is enough.
    if (sender?.account === account) return;
    this.copy(account, 'received', stanza, (resource) => delivered.includes(resource));
  }

  private copy(
    account: Account,
    direction: 'sent' | 'received',
    stanza: Stanza,
    without: (resource: Resource) => boolean,
  ): void {
    let envelope: string | undefined;
    for (const resource of account.resources.values()) {
      if (!resource.carbons || without(resource)) continue;
      if (envelope === undefined) {
        if (!isEligible(stanza)) return;
        const type = stanza.attribute('type');
        envelope =
          `<message xmlns='${NS.client}' from='${escapeAttribute(account.bare)}'` +
          (type === undefined ? '' : ` type='${escapeAttribute(type)}'`) +
          `><${direction} xmlns='${XMLNS.carbons}'><forwarded xmlns='${XMLNS.forward}'>${stanza.toString()}` +
          `</forwarded></${direction}></message>`;
      }
      resource.deliver(Stanza.parse(envelope).with({ to: resource.full }));
    }
  }
}

/** XEP-0280, section 6.1, and the exceptions of section 9. */
function isEligible(stanza: Stanza): boolean {
  const type = stanza.attribute('type');
  if (type === 'groupchat' || type === 'headline') return false;
  const children = stanza.children();
  for (const child of children) {
    if (child.is('private', XMLNS.carbons) || child.is('no-copy', XMLNS.hints) || child.is('x', XMLNS.mucUser)) {
      return false;
    }
    // A copy is never copied again.
    if (child.namespace === XMLNS.carbons) return false;
  }
  if (type === 'chat' || type === 'error') return true;
  return children.some((child) => child.is('body', NS.client) || IM_PAYLOADS.has(child.namespace));
}

/** What belongs to a conversation even without a body. */
const IM_PAYLOADS: ReadonlySet<string> = new Set([
  'urn:xmpp:receipts',
  'urn:xmpp:chat-markers:0',
  'http://jabber.org/protocol/chatstates',
]);

/** Whether the message is a copy that this server made. */
export function isCarbonCopy(stanza: Stanza): boolean {
  if (!stanza.bytes.includes(XMLNS.carbons)) return false;
  return stanza.child('received', XMLNS.carbons) !== undefined || stanza.child('sent', XMLNS.carbons) !== undefined;
}

/** A copy without the wish that only the servers have to know (XEP-0280, section 9). */
export function withoutPrivate(stanza: Stanza): Stanza {
  if (!stanza.bytes.includes(XMLNS.carbons)) return stanza;
  return stanza.mapChildren((child) => (child.is('private', XMLNS.carbons) ? undefined : child));
}
