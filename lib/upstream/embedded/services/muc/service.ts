import { element, NS, Stanza, type Element } from '../../../../xml/index.js';
import { StanzaError, type StanzaCondition } from '../../../../stanza-error.js';
import { Jid } from '../../jid.js';
import type { EmbeddedResource, EmbeddedService, EmbeddedServices } from '../../service.js';
import { discoInfo, discoItems } from '../disco.js';
import { XMLNS } from '../namespaces.js';
import { administer, adminList } from './admin.js';
import { roomInfo, roomItems, SERVICE_FEATURES } from './info.js';
import { groupchat, mediate, privateMessage } from './messages.js';
import type { Occupant } from './occupant.js';
import { configuration, manage } from './owner.js';
import { IqRelay } from './relay.js';
import { Room, type RoomEvents } from './room.js';

const MAX_ROOMS = 1000;
const MAX_ROOMS_PER_CREATOR = 100;

/** Errors by which an address says that nothing reaches it any more. */
const UNREACHABLE: readonly StanzaCondition[] = [
  'gone',
  'item-not-found',
  'recipient-unavailable',
  'redirect',
  'remote-server-not-found',
  'remote-server-timeout',
];

/** Multi-user chat (XEP-0045) at `conference.<domain>`. */
export class MucService implements EmbeddedService, RoomEvents {
  private server!: EmbeddedServices;
  private relay!: IqRelay;
  /** By bare address. */
  private readonly rooms = new Map<string, Room>();
  /** The rooms that a resource is in, by its full address. */
  private readonly entered = new Map<string, Set<Room>>();

  readonly host: string;
  readonly hostName = 'Chat rooms';

  /** @param host the label before the domain */
  constructor(host = 'conference') {
    this.host = host;
  }

  attach(server: EmbeddedServices): void {
    this.server = server;
    this.relay = new IqRelay(server);
  }

  onStanza(stanza: Stanza, from: Jid, to: Jid): void {
    switch (stanza.kind) {
      case 'presence':
        return this.presence(stanza, from, to);
      case 'message':
        return this.message(stanza, from, to);
      case 'iq':
        return this.iq(stanza, from, to);
    }
  }

  onUnavailable({ jid }: EmbeddedResource): void {
    this.left(jid.toString());
  }

  onUnbound({ jid }: EmbeddedResource): void {
    const full = jid.toString();
    this.left(full);
    this.relay.onGone(full);
    if (this.server.exists(jid.bare)) return;
    // An anonymous account never comes back: what it owned alone has no owner any more.
    for (const room of this.rooms.values()) {
      if (!room.affiliations.delete(jid.bare) || room.occupants.size > 0) continue;
      if (![...room.affiliations.values()].includes('owner')) this.onGone(room);
    }
  }

  onEnter(room: Room, session: string): void {
    const rooms = this.entered.get(session);
    if (rooms) rooms.add(room);
    else this.entered.set(session, new Set([room]));
  }

  onLeave(room: Room, session: string): void {
    const rooms = this.entered.get(session);
    rooms?.delete(room);
    if (rooms?.size === 0) this.entered.delete(session);
  }

  onGone(room: Room): void {
    if (this.rooms.get(room.jid.bare) === room) this.rooms.delete(room.jid.bare);
  }

  private left(full: string): void {
    for (const room of [...(this.entered.get(full) ?? [])]) room.leave(full);
  }

  private presence(stanza: Stanza, from: Jid, to: Jid): void {
    const full = from.toString();
    const room = this.rooms.get(to.bare);
    switch (stanza.attribute('type')) {
      case undefined:
        return this.enter(room, stanza, from, to);
      case 'unavailable':
        if (room?.occupantOf(full)) room.leave(full, stanza);
        return;
      case 'error':
        return this.bounced(room, stanza, full);
      case 'subscribe':
        throw new StanzaError('service-unavailable');
      default: // Answers to subscriptions, and probes: nobody waits for anything here.
    }
  }

  private enter(room: Room | undefined, presence: Stanza, from: Jid, to: Jid): void {
    const nick = to.resource;
    if (to.local === '') throw new StanzaError('service-unavailable');
    if (nick === '') throw new StanzaError('jid-malformed');
    const full = from.toString();
    const occupant = room?.occupantOf(full);
    if (occupant && occupant.nick !== nick) {
      if (nick.trim() === '') throw new StanzaError('not-acceptable');
      return room!.rename(occupant, nick, full, presence);
    }
    const joining = presence.child('x', XMLNS.muc) !== undefined;
    if (occupant && !joining) return room!.update(occupant, full, presence);
    // Somebody who believes to be inside and is not must learn it, and not enter by an update.
    if (!joining) throw new StanzaError('item-not-found', { text: 'not in the room' });
    if (nick.trim() === '') throw new StanzaError('not-acceptable');
    if (room) return room.join(from, nick, presence, false);
    const made = this.create(to, from.bare);
    made.join(from, nick, presence, true);
  }

  private create(address: Jid, creator: string): Room {
    let made = 0;
    for (const room of this.rooms.values()) if (room.creator === creator) made++;
    if (this.rooms.size >= MAX_ROOMS || made >= MAX_ROOMS_PER_CREATOR) {
      throw new StanzaError('resource-constraint', { text: 'too many rooms' });
    }
    const room = new Room(address.withResource(''), creator, this.server, this);
    this.rooms.set(room.jid.bare, room);
    return room;
  }

  private message(stanza: Stanza, from: Jid, to: Jid): void {
    const type = stanza.attribute('type');
    const room = this.rooms.get(to.bare);
    if (type === 'error') {
      this.bounced(room, stanza, from.toString());
      // What came back from a private message goes back to who sent it.
      if (room?.occupantOf(from.toString()) && room.occupants.has(to.resource)) {
        privateMessage(room, from, to.resource, stanza);
      }
      return;
    }
    if (to.local === '') throw new StanzaError('service-unavailable');
    if (!room) throw new StanzaError('item-not-found');
    if (type === 'groupchat') {
      if (to.resource !== '') throw new StanzaError('bad-request');
      groupchat(room, from, stanza);
    } else if (to.resource !== '') privateMessage(room, from, to.resource, stanza);
    else mediate(room, this.server, from, stanza);
  }

  /** Whom nothing reaches any more is out; other errors say something about one stanza only. */
  private bounced(room: Room | undefined, stanza: Stanza, full: string): void {
    if (!room?.occupantOf(full)) return;
    const conditions = stanza.child('error', NS.client)?.children() ?? [];
    if (conditions.some((child) => UNREACHABLE.some((condition) => child.is(condition, NS.stanzaErrors)))) {
      room.leave(full);
    }
  }

  private iq(stanza: Stanza, from: Jid, to: Jid): void {
    const type = stanza.attribute('type');
    if (type === 'result' || type === 'error') return this.relay.answer(from, stanza);
    const payload = stanza.children()[0];
    if ((type !== 'get' && type !== 'set') || !payload) throw new StanzaError('bad-request');
    if (to.local === '') return this.reply(stanza, this.askService(type, payload, from, to));
    const room = this.rooms.get(to.bare);
    if (to.resource !== '') return this.askOccupant(room, stanza, type, payload, from, to);
    if (!room) throw new StanzaError('item-not-found');
    this.reply(stanza, askRoom(room, type, payload, from));
  }

  private askService(type: 'get' | 'set', payload: Stanza, from: Jid, to: Jid): Element | undefined {
    const node = payload.attribute('node');
    if (to.resource === '' && type === 'get') {
      if (payload.is('ping', XMLNS.ping)) return undefined;
      if (payload.is('query', XMLNS.discoInfo)) {
        if (node !== undefined) throw new StanzaError('item-not-found');
        return discoInfo(undefined, [{ category: 'conference', type: 'text', name: this.hostName }], SERVICE_FEATURES);
      }
      if (payload.is('query', XMLNS.discoItems)) {
        if (node !== undefined) throw new StanzaError('item-not-found');
        return discoItems(undefined, [...this.listed(from, to.domain)]);
      }
    }
    throw new StanzaError('service-unavailable');
  }

  /** Rooms that this reader may find (XEP-0045, section 6.3). */
  private *listed(reader: Jid, domain: string): Generator<{ jid: string; name: string }> {
    for (const { jid, config, affiliations } of this.rooms.values()) {
      if (jid.domain !== domain) continue;
      if (config.listed || affiliations.has(reader.bare)) {
        yield { jid: jid.bare, name: config.name === '' ? jid.local : config.name };
      }
    }
  }

  private askOccupant(
    room: Room | undefined,
    stanza: Stanza,
    type: 'get' | 'set',
    payload: Stanza,
    from: Jid,
    to: Jid,
  ): void {
    const asker = room?.occupantOf(from.toString());
    // This answer is what tells a client that it is not in the room any more (XEP-0410, section 3).
    if (!room || !asker) throw new StanzaError('not-acceptable', { type: 'cancel', text: 'not in the room' });
    const target = room.occupants.get(to.resource);
    if (!target) throw new StanzaError('item-not-found');
    if (target === asker && payload.is('ping', XMLNS.ping)) return this.reply(stanza, undefined);
    if (type === 'get' && payload.is('vCard', XMLNS.vcard)) {
      return this.reply(stanza, this.vCard(stanza, payload, from, target));
    }
    this.relay.ask(room, from, asker, target, stanza);
  }

  /** A vCard belongs to the account, not to the resource that is in the room. */
  private vCard(stanza: Stanza, payload: Stanza, from: Jid, { account }: Occupant): Element | undefined {
    const to = Jid.parse(account);
    const sender = this.server.resource(from.toString());
    for (const { queries = [] } of this.server.services) {
      for (const query of queries) {
        if (query.namespace !== XMLNS.vcard || query.type !== 'get' || query.target !== 'account') continue;
        if (to && sender) return query.answer({ stanza, payload, from, to, own: from.bare === account, sender });
      }
    }
    throw new StanzaError('service-unavailable');
  }

  private reply(iq: Stanza, content: Element | undefined): void {
    this.server.route(
      Stanza.of(
        element(
          'iq',
          {
            xmlns: NS.client,
            type: 'result',
            id: iq.attribute('id'),
            from: iq.attribute('to'),
            to: iq.attribute('from'),
          },
          content,
        ),
      ),
    );
  }
}

/** @throws {StanzaError} */
function askRoom(room: Room, type: 'get' | 'set', payload: Stanza, from: Jid): Element | undefined {
  if (payload.is('query', XMLNS.mucAdmin)) {
    if (type === 'get') return adminList(room, from, payload);
    administer(room, from, payload);
    return undefined;
  }
  if (payload.is('query', XMLNS.mucOwner)) {
    if (type === 'get') return configuration(room, from);
    manage(room, from, payload);
    return undefined;
  }
  if (type === 'get') {
    const node = payload.attribute('node');
    if (payload.is('ping', XMLNS.ping)) return undefined;
    if (payload.is('query', XMLNS.discoInfo)) return roomInfo(room, node);
    if (payload.is('query', XMLNS.discoItems)) {
      if (node !== undefined) throw new StanzaError('item-not-found');
      return discoItems(undefined, roomItems(room, from));
    }
  }
  throw new StanzaError('service-unavailable'); // also registration (XEP-0045, section 7.10)
}
