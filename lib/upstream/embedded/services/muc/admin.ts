import { element, type Element, type Stanza } from '../../../../xml/index.js';
import { StanzaError } from '../../../../stanza-error.js';
import { Jid, normalResource } from '../../jid.js';
import { XMLNS } from '../namespaces.js';
import { atLeast, type Affiliation, type Change, type Occupant, type Role } from './occupant.js';
import type { Room } from './room.js';

const AFFILIATIONS: readonly Affiliation[] = ['owner', 'admin', 'member', 'none', 'outcast'];
const ROLES: readonly Role[] = ['moderator', 'participant', 'visitor', 'none'];
/** Affiliations that a room remembers. */
const MAX_AFFILIATIONS = 2000;

/**
 * The list that `muc#admin` asks for (XEP-0045, sections 8 and 9).
 * @throws {StanzaError}
 */
export function adminList(room: Room, from: Jid, query: Stanza): Element {
  const item = query.child('item', XMLNS.mucAdmin);
  const affiliation = item && oneOf(AFFILIATIONS, item.attribute('affiliation'));
  const role = item && oneOf(ROLES, item.attribute('role'));
  if (affiliation === undefined && role === undefined) throw new StanzaError('bad-request');
  const found: Element[] = [];
  if (affiliation !== undefined) {
    const own = room.affiliation(from.bare);
    // Members may see who belongs to the room where they could see it from the presence anyway.
    const visible = atLeast(own, 'member') && (room.config.whois === 'anyone' || room.config.membersOnly);
    if (!atLeast(own, 'admin') && (!visible || affiliation === 'outcast')) throw new StanzaError('forbidden');
    for (const [jid, given] of room.affiliations) {
      if (given === affiliation) found.push(element('item', { affiliation, jid }));
    }
  } else {
    if (room.occupantOf(from.toString())?.role !== 'moderator') throw new StanzaError('forbidden');
    for (const occupant of room.occupants.values()) {
      if (occupant.role !== role) continue;
      found.push(
        element('item', { affiliation: occupant.affiliation, role, nick: occupant.nick, jid: occupant.jid }),
      );
    }
  }
  return element('query', { xmlns: XMLNS.mucAdmin }, ...found);
}

type Step =
  | { readonly kind: 'role'; readonly occupant: Occupant; readonly role: Role; readonly change: Change }
  | {
      readonly kind: 'affiliation';
      readonly account: string;
      readonly affiliation: Affiliation;
      readonly change: Change;
    };

/**
 * Changes roles and affiliations: all that is asked for, or nothing (XEP-0045, sections 8 and 9).
 * @throws {StanzaError}
 */
export function administer(room: Room, from: Jid, query: Stanza): void {
  const items = query.children().filter((child) => child.is('item', XMLNS.mucAdmin));
  if (items.length === 0) throw new StanzaError('bad-request');
  const actor = room.occupantOf(from.toString())?.nick;
  const steps = items.map((item): Step => {
    const reason = item.child('reason', XMLNS.mucAdmin)?.text();
    const change: Change = { ...(actor !== undefined && { actor }), ...(reason !== undefined && { reason }) };
    if (item.attribute('affiliation') !== undefined) return affiliationStep(room, from, item, change);
    return roleStep(room, from, item, change);
  });
  keepOwner(room, steps);
  for (const step of steps) {
    if (step.kind === 'role') room.changeRole(step.occupant, step.role, step.change);
    else room.affiliate(step.account, step.affiliation, step.change);
  }
  room.endIfEmpty();
}

function roleStep(room: Room, from: Jid, item: Stanza, change: Change): Step {
  const role = oneOf(ROLES, item.attribute('role'));
  if (role === undefined) throw new StanzaError('bad-request');
  const own = room.affiliation(from.bare);
  const moderator = room.occupantOf(from.toString())?.role === 'moderator';
  if (!moderator && !atLeast(own, 'admin')) throw new StanzaError('forbidden');
  const occupant = occupantNamed(room, item);
  if (!occupant) throw new StanzaError('item-not-found');
  const { affiliation } = occupant;
  // Nobody is kicked or silenced by somebody of lower standing (section 8.2), and admins are moderators always.
  const lower = !atLeast(own, affiliation) && affiliation !== 'none';
  const kickByOwner = role === 'none' && atLeast(own, 'owner');
  const demotesAdmin = role !== 'moderator' && atLeast(affiliation, 'admin') && !kickByOwner;
  if (lower || (demotesAdmin && occupant.account !== from.bare)) throw new StanzaError('not-allowed');
  // Only admins make moderators, and take it from them again (sections 9.6 and 9.7).
  if ((role === 'moderator' || (occupant.role === 'moderator' && role !== 'none')) && !atLeast(own, 'admin')) {
    throw new StanzaError('forbidden');
  }
  return { kind: 'role', occupant, role, change };
}

function affiliationStep(room: Room, from: Jid, item: Stanza, change: Change): Step {
  const affiliation = oneOf(AFFILIATIONS, item.attribute('affiliation'));
  if (affiliation === undefined) throw new StanzaError('bad-request');
  const own = room.affiliation(from.bare);
  if (!atLeast(own, 'admin')) throw new StanzaError('forbidden');
  const jid = item.attribute('jid');
  const account = jid === undefined ? occupantNamed(room, item)?.account : Jid.parse(jid)?.bare;
  if (account === undefined) throw new StanzaError(jid === undefined ? 'item-not-found' : 'jid-malformed');
  // Admins rule over those below them only (section 9.1, 9.5, 10.3 and 10.6).
  const before = room.affiliation(account);
  if (!atLeast(own, 'owner') && (atLeast(before, 'admin') || atLeast(affiliation, 'admin'))) {
    throw new StanzaError('not-allowed');
  }
  if (affiliation === 'outcast' && account === from.bare) throw new StanzaError('conflict');
  if (before === 'none' && affiliation !== 'none' && room.affiliations.size >= MAX_AFFILIATIONS) {
    throw new StanzaError('resource-constraint');
  }
  return { kind: 'affiliation', account, affiliation, change };
}

/** A room that has an owner keeps one (section 10.4). @throws {StanzaError} conflict */
function keepOwner(room: Room, steps: readonly Step[]): void {
  const after = new Map(room.affiliations);
  for (const step of steps) if (step.kind === 'affiliation') after.set(step.account, step.affiliation);
  const owned = (all: ReadonlyMap<string, Affiliation>): boolean => [...all.values()].includes('owner');
  if (owned(room.affiliations) && !owned(after)) throw new StanzaError('conflict');
}

function occupantNamed(room: Room, item: Stanza): Occupant | undefined {
  const nick = item.attribute('nick');
  if (nick === undefined) throw new StanzaError('bad-request');
  return room.occupants.get(normalResource(nick) ?? '');
}

function oneOf<T extends string>(known: readonly T[], text: string | undefined): T | undefined {
  return known.find((value) => value === text);
}
