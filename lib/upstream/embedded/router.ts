import { element, NS, Stanza, type Element } from '../../xml/index.js';
import type { Account } from './account.js';
import { isCarbonCopy, withoutPrivate } from './carbons.js';
import { redirected } from './delay.js';
import { errorAnswer, StanzaError } from '../../stanza-error.js';
import { Jid } from './jid.js';
import { XMLNS } from './namespaces.js';
import type { Resource } from './resource.js';
import type { EmbeddedServer } from './server.js';
import type { Query, QueryHandler } from './service.js';

const BLOCKED: Element = element('blocked', { xmlns: XMLNS.blockingErrors });

/** Where a stanza goes: the rules of RFC 6120, section 10, and RFC 6121, section 8. */
export class Router {
  private readonly queries = new Map<string, QueryHandler>();

  constructor(private readonly server: EmbeddedServer) {}

  /** @throws {Error} when the same query has a handler already */
  handle(handler: QueryHandler): void {
    const key = queryKey(handler.target, handler.type, handler.namespace, handler.name);
    if (this.queries.has(key)) throw new Error(`two services answer ${handler.type} ${handler.namespace}`);
    this.queries.set(key, handler);
  }

  /** A stanza that a client sent. Whatever `from` it bears, it comes from that client (RFC 6120, section 8.1.2.1). */
  receive(sender: Resource, received: Stanza): void {
    const address = received.attribute('to');
    const stanza = received.attribute('from') === sender.full ? received : received.with({ from: sender.full });
    try {
      // A full address of somebody online needs no parsing: it is normalised if it is found.
      let target = address === undefined ? undefined : this.server.resource(address);
      const to = target?.jid ?? (address === undefined ? undefined : Jid.parse(address));
      if (!target && to && !to.isBare) target = this.server.resource(to.toString());
      if (address !== undefined && !to) {
        const answer = errorAnswer(stanza, new StanzaError('jid-malformed'), sender.jid.domain);
        if (answer) sender.deliver(answer);
        return;
      }
      if (to && this.server.blocks(sender.account.bare, to) && stanza.attribute('type') !== 'unavailable') {
        throw new StanzaError('not-acceptable', { type: 'cancel', detail: BLOCKED });
      }
      switch (stanza.kind) {
        case 'message':
          this.sendMessage(sender, stanza, to ?? sender.account.jid, target);
          break;
        case 'presence':
          if (to) this.server.presence.directed(sender, stanza.attribute('type'), stanza, to);
          else this.server.presence.broadcast(sender, stanza.attribute('type'), stanza);
          break;
        default:
          this.query(sender, stanza, to, target);
      }
    } catch (error) {
      const answer = errorAnswer(stanza, this.server.stanzaError(error));
      if (answer) sender.deliver(answer);
    }
  }

  /** A stanza of a service, or one that travels again; its `from` is trusted. */
  route(stanza: Stanza): void {
    const to = Jid.parse(stanza.attribute('to') ?? '');
    const from = Jid.parse(stanza.attribute('from') ?? '');
    if (!to || !from) return;
    try {
      this.dispatch(stanza, from, to);
    } catch (error) {
      const answer = errorAnswer(stanza, this.server.stanzaError(error));
      if (answer) this.route(answer);
    }
  }

  private dispatch(stanza: Stanza, from: Jid, to: Jid): void {
    const target = to.isBare ? undefined : this.server.resource(to.toString());
    switch (stanza.kind) {
      case 'message':
        this.message(stanza, from, to, target);
        break;
      case 'presence':
        this.toEntity(stanza, from, to);
        break;
      default:
        if (this.server.toHost(stanza, from, to)) return;
        this.forwardQuery(stanza, from, to, target);
    }
  }

  private sendMessage(sender: Resource, stanza: Stanza, to: Jid, target: Resource | undefined): void {
    const delivered = this.message(stanza, sender.jid, to, target, sender);
    this.server.carbons.sent(sender, stanza, delivered.account, delivered.resources);
  }

  /** @throws {StanzaError} */
  private message(
    stanza: Stanza,
    from: Jid,
    to: Jid,
    target: Resource | undefined,
    sender?: Resource,
  ): { account?: Account; resources: readonly Resource[] } {
    if (!target && this.server.toHost(stanza, from, to)) return { resources: [] };
    const account = target?.account ?? this.localAccount(to);
    if (this.server.blocks(account.bare, from)) throw new StanzaError('service-unavailable');
    const resources = target ? [target] : this.recipients(stanza, account, to);
    if (resources.length === 0) {
      this.keep(stanza, account);
      return { account, resources };
    }
    const message = withoutPrivate(stanza);
    for (const resource of resources) resource.deliver(message);
    this.server.carbons.received(account, stanza, sender, resources);
    return { account, resources };
  }

  /** RFC 6121, sections 8.5.2 and 8.5.3.2: without a resource that the address names. @throws {StanzaError} */
  private recipients(stanza: Stanza, account: Account, to: Jid): readonly Resource[] {
    switch (stanza.attribute('type')) {
      case 'groupchat':
        throw new StanzaError('service-unavailable');
      case 'error':
        return [];
      case 'headline':
        if (!to.isBare) throw new StanzaError('service-unavailable');
        return [...account.available()].filter((resource) => resource.priority >= 0);
      case 'chat':
        return account.mostAvailable();
      default:
        // For a resource that is gone the standard leaves silence or an error; the sender is told.
        if (!to.isBare) throw new StanzaError('service-unavailable');
        return account.mostAvailable();
    }
  }

  /** Nobody is there: messages that can wait do (XEP-0160). @throws {StanzaError} */
  private keep(stanza: Stanza, account: Account): void {
    const type = stanza.attribute('type');
    if (type === 'error' || type === 'headline') return;
    if (account.anonymous || !account.offline.store(withoutPrivate(stanza), this.server.wallClock())) {
      throw new StanzaError('service-unavailable');
    }
  }

  /**
   * Presence that is no subscription's, to whomever the address names (RFC 6121, sections 8.5.2.1.2
   * and 8.5.3). Where nobody is there it vanishes, as the standard has it.
   */
  toEntity(stanza: Stanza, from: Jid, to: Jid): void {
    if (this.server.toHost(stanza, from, to)) return;
    if (this.server.isForeign(to)) throw new StanzaError('remote-server-not-found');
    const account = this.server.account(to);
    if (!account || this.server.blocks(account.bare, from)) return;
    if (to.isBare) {
      if (stanza.attribute('type') === 'error') return;
      for (const resource of account.available()) resource.deliver(stanza);
    } else {
      account.resources.get(to.resource)?.deliver(stanza);
    }
  }

  /** An iq of a client. @throws {StanzaError} */
  private query(sender: Resource, stanza: Stanza, to: Jid | undefined, target: Resource | undefined): void {
    const type = stanza.attribute('type');
    if (type !== 'get' && type !== 'set' && type !== 'result' && type !== 'error') throw new StanzaError('bad-request');
    if (!stanza.attribute('id')) throw new StanzaError('bad-request', { text: 'an iq has an id' });
    if (to && !target && this.server.toHost(stanza, sender.jid, to)) return;
    if (to && (target || !to.isBare || this.server.isForeign(to))) {
      this.forwardQuery(stanza, sender.jid, to, target);
      return;
    }
    if (type === 'result' || type === 'error') {
      // An answer to the server itself: to a push, which waits for none, or to what a service asked.
      if (!to || to.local === '' || to.bare === sender.account.bare) this.server.notifyAnswer(stanza, sender);
      return;
    }
    this.answer(sender, type, stanza, to);
  }

  private answer(sender: Resource, type: 'get' | 'set', stanza: Stanza, to: Jid | undefined): void {
    const children = stanza.children();
    const [payload] = children;
    if (!payload || children.length > 1) throw new StanzaError('bad-request', { text: 'one child, no more' });
    const addressee = to ?? sender.account.jid;
    const target = addressee.local === '' ? 'domain' : 'account';
    if (target === 'account') {
      const account = this.server.account(addressee);
      if (!account || this.server.blocks(account.bare, sender.jid)) throw new StanzaError('service-unavailable');
    }
    const handler = this.queries.get(queryKey(target, type, payload.namespace, payload.name));
    if (!handler) throw new StanzaError('service-unavailable');
    const query: Query = {
      stanza,
      payload,
      from: sender.jid,
      to: addressee,
      own: addressee.bare === sender.account.bare,
      sender,
    };
    const result = handler.answer(query);
    sender.deliver(
      Stanza.of(
        element(
          'iq',
          {
            xmlns: NS.client,
            type: 'result',
            id: stanza.attribute('id'),
            from: stanza.attribute('to'),
            to: sender.full,
          },
          result,
        ),
      ),
    );
  }

  /** To the client that the address names (RFC 6121, section 8.5.3). @throws {StanzaError} */
  private forwardQuery(stanza: Stanza, from: Jid, to: Jid, target: Resource | undefined): void {
    if (this.server.isForeign(to)) throw new StanzaError('remote-server-not-found');
    if (!target || this.server.blocks(target.account.bare, from)) throw new StanzaError('service-unavailable');
    target.deliver(stanza);
  }

  /** @throws {StanzaError} when the address is no account's */
  private localAccount(to: Jid): Account {
    if (this.server.isForeign(to)) throw new StanzaError('remote-server-not-found');
    const account = this.server.account(to);
    if (!account) throw new StanzaError('service-unavailable');
    return account;
  }

  /**
   * What a resource did not get before it went for good. Messages go to the account's other
   * resources or wait; of what can do neither, the sender learns (XEP-0198, section 4, XEP-0206, section 7).
   */
  undelivered(resource: Resource, stanza: Stanza): void {
    const type = stanza.attribute('type');
    if (stanza.kind === 'message' && type !== 'error') {
      if (isCarbonCopy(stanza) || stanza.attribute('from') === undefined) return;
      if (type === 'groupchat' || type === 'headline') this.bounce(stanza, resource, 'recipient-unavailable');
      else this.route(redirected(stanza, resource.account.bare));
    } else if (stanza.kind === 'iq' && (type === 'get' || type === 'set') && stanza.attribute('from') !== undefined) {
      this.bounce(stanza, resource, 'service-unavailable');
    }
  }

  private bounce(stanza: Stanza, resource: Resource, condition: 'recipient-unavailable' | 'service-unavailable'): void {
    const answer = errorAnswer(stanza, new StanzaError(condition), resource.full);
    if (answer) this.route(answer);
  }
}

function queryKey(target: string, type: string, namespace: string, name: string): string {
  return `${target} ${type} ${namespace} ${name}`;
}
