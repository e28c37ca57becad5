import { randomUUID } from 'node:crypto';
import { sameSecret } from '../../../../sasl/index.js';
import { element, NS, Stanza, type Element } from '../../../../xml/index.js';
import { StanzaError } from '../../../../stanza-error.js';
import type { Jid } from '../../jid.js';
import type { EmbeddedServices } from '../../service.js';
import { withChild } from '../../append.js';
import { XMLNS } from '../namespaces.js';
import { timestamp } from '../time.js';
import { DEFAULT_ROOM, type RoomConfig } from './config.js';
import { History } from './history.js';
import { atLeast, Occupant, occupantPresence, type Affiliation, type Change, type Role } from './occupant.js';

/** What a room tells the service. */
export interface RoomEvents {
  onEnter(room: Room, session: string): void;
  onLeave(room: Room, session: string): void;
  /** The room is over: destroyed, or left by all and not persistent. */
  onGone(room: Room): void;
}

interface Subject {
  readonly message: Stanza;
  readonly at: number;
}

/** A room (XEP-0045): who is in it, who may do what, and what everybody in it gets. */
export class Room {
  config: RoomConfig = DEFAULT_ROOM;
  /** By nick. */
  readonly occupants = new Map<string, Occupant>();
  /** By bare address; whoever is not here has the affiliation `none`. */
  readonly affiliations = new Map<string, Affiliation>();
  private readonly sessions = new Map<string, Occupant>();
  private readonly history: History;
  private subject: Subject | undefined;
  private over = false;

  constructor(
    readonly jid: Jid,
    /** Bare address of who made it. */
    readonly creator: string,
    private readonly server: EmbeddedServices,
    private readonly events: RoomEvents,
  ) {
    this.history = new History(jid.bare);
    this.affiliations.set(creator, 'owner');
  }

  affiliation(account: string): Affiliation {
    return this.affiliations.get(account) ?? 'none';
  }

  /** Who has this resource in the room. */
  occupantOf(full: string): Occupant | undefined {
    return this.sessions.get(full);
  }

  defaultRole(affiliation: Affiliation): Role {
    if (atLeast(affiliation, 'admin')) return 'moderator';
    return affiliation === 'member' || !this.config.moderated ? 'participant' : 'visitor';
  }

  /**
   * A resource enters, or enters again (XEP-0045, section 7.2): it gets the presence of all, its own,
   * the history and the subject, in this order.
   * @param created whether this makes the room
   * @throws {StanzaError}
   */
  join(from: Jid, nick: string, presence: Stanza, created: boolean): void {
    const request = presence.child('x', XMLNS.muc);
    const full = from.toString();
    let occupant = this.sessions.get(full);
    if (!occupant) {
      this.admit(from, nick, request);
      occupant = this.occupants.get(nick);
    }
    const rejoined = occupant !== undefined;
    if (!occupant) {
      occupant = new Occupant(nick, from.bare);
      occupant.affiliation = this.affiliation(from.bare);
      occupant.role = this.defaultRole(occupant.affiliation);
      this.occupants.set(nick, occupant);
    }
    const entered = !occupant.sessions.has(full);
    occupant.show(full, presence);
    this.sessions.set(full, occupant);
    if (entered) this.events.onEnter(this, full);

    for (const other of this.occupants.values()) {
      if (other !== occupant) this.send(this.presenceOf(other, occupant, false, {}), full);
    }
    // The others first: what they do on it may end the session, and then nothing more is due.
    this.announce(occupant, {}, { except: full });
    if (this.sessions.get(full) !== occupant) return;
    const statuses = [...(this.config.whois === 'anyone' ? [100] : []), ...(created && !rejoined ? [201] : [])];
    const self = this.presenceOf(occupant, occupant, false, { statuses });
    this.send(self.with({ id: presence.attribute('id') }), full);
    for (const past of this.history.select(request?.child('history', XMLNS.muc), this.server.wallClock())) {
      this.send(past, full);
    }
    this.sendSubject(full);
  }

  /** @throws {StanzaError} why somebody may not enter under this nick (XEP-0045, sections 7.2.6 to 7.2.9) */
  private admit(from: Jid, nick: string, request: Stanza | undefined): void {
    const affiliation = this.affiliation(from.bare);
    if (affiliation === 'outcast') throw new StanzaError('forbidden');
    if (this.config.membersOnly && !atLeast(affiliation, 'member')) throw new StanzaError('registration-required');
    const { password } = this.config;
    if (password !== '' && !atLeast(affiliation, 'owner')) {
      if (!sameSecret(request?.child('password', XMLNS.muc)?.text() ?? '', password)) throw new StanzaError('not-authorized');
    }
    const holder = this.occupants.get(nick);
    if (holder) {
      if (holder.account !== from.bare) throw new StanzaError('conflict');
    } else if (this.occupants.size >= this.config.maxUsers && !atLeast(affiliation, 'admin')) {
      throw new StanzaError('service-unavailable', { type: 'wait', text: 'the room is full' });
    }
  }

  /** A new presence of somebody inside. */
  update(occupant: Occupant, full: string, presence: Stanza): void {
    occupant.show(full, presence);
    this.announce(occupant, {});
  }

  /**
   * Another nick (XEP-0045, section 7.6), for all resources that share the old one.
   * @throws {StanzaError} conflict
   */
  rename(occupant: Occupant, nick: string, full: string, presence: Stanza): void {
    if (this.occupants.has(nick)) throw new StanzaError('conflict');
    this.announce(occupant, { statuses: [303], nick }, { gone: true });
    this.occupants.delete(occupant.nick);
    if (occupant.sessions.size === 0) return; // left over the news
    occupant.nick = nick;
    if (occupant.sessions.has(full)) occupant.show(full, presence);
    this.occupants.set(nick, occupant);
    this.announce(occupant, {});
  }

  /** A resource leaves. @param presence the unavailable presence, if it sent one */
  leave(full: string, presence?: Stanza): void {
    const occupant = this.sessions.get(full);
    if (!occupant) return;
    if (occupant.sessions.size > 1) {
      // Another resource of the account keeps the nick, and what it shows is what the others see now.
      const gone = this.presenceOf(occupant, occupant, presence ?? true, {});
      const shown = occupant.presence;
      this.forget(occupant, full);
      this.send(gone, full);
      if (occupant.presence !== shown) this.announce(occupant, {});
      return;
    }
    this.remove(occupant, {}, presence);
  }

  /** Somebody is out, with all resources: left, kicked, banned. */
  remove(occupant: Occupant, change: Change, presence?: Stanza): void {
    if (this.occupants.get(occupant.nick) !== occupant) return;
    // Out before anybody hears of it: what is answered to the news finds the room as it is now.
    const sessions = [...occupant.sessions.keys()];
    this.occupants.delete(occupant.nick);
    for (const full of sessions) this.forget(occupant, full);
    const gone = presence ?? true;
    for (const full of sessions) this.send(this.presenceOf(occupant, occupant, gone, change), full);
    this.announce(occupant, change, { gone });
    this.endIfEmpty();
  }

  private forget(occupant: Occupant, full: string): void {
    occupant.hide(full);
    this.sessions.delete(full);
    this.events.onLeave(this, full);
  }

  /** Ends the room (XEP-0045, section 10.9). */
  destroy(content: Element): void {
    const occupants = [...this.occupants.values()];
    this.over = true;
    for (const occupant of occupants) {
      occupant.affiliation = 'none';
      const gone = this.presenceOf(occupant, occupant, true, { content });
      for (const full of [...occupant.sessions.keys()]) {
        this.forget(occupant, full);
        this.send(gone, full);
      }
    }
    this.occupants.clear();
    this.events.onGone(this);
  }

  /** A room that is not persistent ends with its last occupant. */
  endIfEmpty(): void {
    if (this.over || this.occupants.size > 0 || this.config.persistent) return;
    this.over = true;
    this.events.onGone(this);
  }

  /** Changes an affiliation, and the role that comes with it (XEP-0045, section 5.2). */
  affiliate(account: string, affiliation: Affiliation, change: Change): void {
    if (affiliation === 'none') this.affiliations.delete(account);
    else this.affiliations.set(account, affiliation);
    for (const occupant of [...this.occupants.values()]) {
      if (occupant.account !== account) continue;
      occupant.affiliation = affiliation;
      if (affiliation === 'outcast') this.remove(occupant, { ...change, statuses: [301] });
      else if (affiliation === 'none' && this.config.membersOnly) this.remove(occupant, { ...change, statuses: [321] });
      else {
        occupant.role = this.defaultRole(affiliation);
        this.announce(occupant, change);
      }
    }
  }

  /** Changes a role; `none` is a kick. */
  changeRole(occupant: Occupant, role: Role, change: Change): void {
    if (role === 'none') return this.remove(occupant, { ...change, statuses: [307] });
    occupant.role = role;
    this.announce(occupant, change);
  }

  /** Takes a new configuration into use and tells of it (XEP-0045, section 10.2.1). */
  configure(config: RoomConfig): void {
    const before = this.config;
    this.config = config;
    if (config.membersOnly && !before.membersOnly) {
      for (const occupant of [...this.occupants.values()]) {
        if (!atLeast(occupant.affiliation, 'member')) this.remove(occupant, { statuses: [322] });
      }
    }
    const statuses = [104];
    if (config.whois !== before.whois) statuses.push(config.whois === 'anyone' ? 172 : 173);
    this.broadcast(
      Stanza.of(
        element(
          'message',
          { xmlns: NS.client, type: 'groupchat', from: this.jid.bare, id: randomUUID() },
          element('x', { xmlns: XMLNS.mucUser }, ...statuses.map((code) => element('status', { code }))),
        ),
      ),
    );
    this.endIfEmpty();
  }

  /**
   * A message to all (XEP-0045, section 7.4). It keeps its id and whatever it carries, but for what
   * only the room may say.
   */
  say(occupant: Occupant, message: Stanza): void {
    const room = this.jid.bare;
    const now = this.server.wallClock();
    const said = withChild(
      message
        .mapChildren((child) =>
          child.is('x', XMLNS.mucUser) ||
          (child.is('stanza-id', XMLNS.stanzaId) && child.attribute('by') === room) ||
          (child.is('delay', XMLNS.delay) && child.attribute('from') === room)
            ? undefined
            : child,
        )
        .with({ from: this.jid.withResource(occupant.nick).toString(), to: undefined }),
      element('stanza-id', { xmlns: XMLNS.stanzaId, by: room, id: randomUUID() }),
    );
    const body = said.child('body', NS.client);
    if (!body && said.child('subject', NS.client) && !said.child('thread', NS.client)) {
      this.subject = { message: said, at: now };
    } else if (body) this.history.add(said, now);
    this.broadcast(said);
  }

  /** Sends it to one address, with whatever `to` it needs. */
  send(stanza: Stanza, to: string): void {
    this.server.route(stanza.with({ to }));
  }

  private broadcast(message: Stanza): void {
    for (const full of [...this.sessions.keys()]) this.send(message, full);
  }

  private sendSubject(full: string): void {
    const message =
      this.subject &&
      withChild(
        this.subject.message,
        element('delay', { xmlns: XMLNS.delay, from: this.jid.bare, stamp: timestamp(this.subject.at) }),
      );
    // The empty subject ends the entering just as well (XEP-0045, section 7.2.15).
    this.send(
      message ??
        Stanza.of(
          element('message', { xmlns: NS.client, type: 'groupchat', from: this.jid.bare }, element('subject')),
        ),
      full,
    );
  }

  /** Tells everybody of an occupant, itself included while it is inside. */
  private announce(
    occupant: Occupant,
    change: Change,
    { gone = false, except }: { gone?: Stanza | boolean; except?: string } = {},
  ): void {
    let open: Stanza | undefined;
    let hidden: Stanza | undefined;
    let own: Stanza | undefined;
    for (const [full, reader] of [...this.sessions]) {
      if (full === except) continue;
      let presence: Stanza;
      if (reader === occupant) presence = own ??= this.presenceOf(occupant, occupant, gone, change);
      else if (this.showsJids(reader)) presence = open ??= this.presenceOf(occupant, reader, gone, change);
      else presence = hidden ??= this.presenceOf(occupant, reader, gone, change);
      this.send(presence, full);
    }
  }

  private presenceOf(occupant: Occupant, reader: Occupant, gone: Stanza | boolean, change: Change): Stanza {
    if (reader !== occupant) return occupantPresence(this.jid, occupant, gone, this.showsJids(reader), change);
    const statuses = [...(change.statuses ?? []), 110];
    return occupantPresence(this.jid, occupant, gone, true, { ...change, statuses });
  }

  private showsJids(reader: Occupant): boolean {
    return this.config.whois === 'anyone' || reader.role === 'moderator';
  }
}
