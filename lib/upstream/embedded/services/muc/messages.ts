import { element, NS, Stanza, type Element } from '../../../../xml/index.js';
import { StanzaError } from '../../../../stanza-error.js';
import { Jid } from '../../jid.js';
import type { EmbeddedServices } from '../../service.js';
import { withChild } from '../../append.js';
import { XMLNS } from '../namespaces.js';
import { atLeast, type Occupant } from './occupant.js';
import type { Room } from './room.js';

/**
 * A message to everybody, or a new subject (XEP-0045, sections 7.4 and 8.1).
 * @throws {StanzaError}
 */
export function groupchat(room: Room, from: Jid, message: Stanza): void {
  const occupant = requireOccupant(room, from);
  if (!occupant.voiced) throw new StanzaError('forbidden');
  const subject =
    message.child('subject', NS.client) && !message.child('body', NS.client) && !message.child('thread', NS.client);
  if (subject && occupant.role !== 'moderator' && !room.config.changeSubject) throw new StanzaError('forbidden');
  room.say(occupant, message);
}

/**
 * A message to one occupant (XEP-0045, section 7.5), or the error that one came back with.
 * @throws {StanzaError}
 */
export function privateMessage(room: Room, from: Jid, nick: string, message: Stanza): void {
  const sender = requireOccupant(room, from);
  const receiver = room.occupants.get(nick);
  if (!receiver) throw new StanzaError('item-not-found');
  const bare = message
    .mapChildren((child) => (child.is('x', XMLNS.mucUser) ? undefined : child))
    .with({ from: room.jid.withResource(sender.nick).toString() });
  // It tells clients that this is no message from an account (and servers that it gets no carbons).
  const marked = withChild(bare, element('x', { xmlns: XMLNS.mucUser }));
  for (const full of [...receiver.sessions.keys()]) room.send(marked, full);
}

/**
 * A message to the room itself that is not for all: invitations, and answers that decline one
 * (XEP-0045, sections 7.8.2 and 7.8.3).
 * @throws {StanzaError}
 */
export function mediate(room: Room, server: EmbeddedServices, from: Jid, message: Stanza): void {
  const requests = message.child('x', XMLNS.mucUser)?.children() ?? [];
  const invitations = requests.filter((child) => child.is('invite', XMLNS.mucUser));
  const decline = requests.find((child) => child.is('decline', XMLNS.mucUser));
  if (invitations.length > 0) invite(room, server, from, invitations);
  else if (decline) pass(room, from, decline);
  else throw new StanzaError('feature-not-implemented');
}

function invite(room: Room, server: EmbeddedServices, from: Jid, invitations: readonly Stanza[]): void {
  const inviter = requireOccupant(room, from);
  const { membersOnly, allowInvites, password } = room.config;
  const admin = atLeast(inviter.affiliation, 'admin');
  if (membersOnly && !admin && !allowInvites) throw new StanzaError('forbidden');
  const invitees = invitations.map((invitation) => {
    const to = Jid.parse(invitation.attribute('to') ?? '');
    if (!to) throw new StanzaError('jid-malformed');
    if (!server.exists(to.bare)) throw new StanzaError('item-not-found');
    return { to, invitation };
  });
  for (const { to, invitation } of invitees) {
    if (membersOnly && room.affiliation(to.bare) === 'none') room.affiliate(to.bare, 'member', {});
    const reason = invitation.child('reason', XMLNS.mucUser)?.text();
    const asked = element(
      'x',
      { xmlns: XMLNS.mucUser },
      element(
        'invite',
        { from: room.jid.withResource(inviter.nick).toString() },
        ...said(reason),
        ...goesOn(invitation),
      ),
      password === '' ? undefined : element('password', {}, password),
    );
    // Clients of before XEP-0045 1.3 know this one only.
    const legacy = element(
      'x',
      { xmlns: XMLNS.conference, jid: room.jid.bare, reason, password: password === '' ? undefined : password },
    );
    room.send(note(room, asked, legacy), to.toString());
  }
}

function pass(room: Room, from: Jid, decline: Stanza): void {
  const to = Jid.parse(decline.attribute('to') ?? '');
  if (!to) throw new StanzaError('jid-malformed');
  const occupants = [...room.occupants.values()];
  const inviter =
    to.bare === room.jid.bare
      ? room.occupants.get(to.resource)
      : occupants.find(({ account, sessions }) => (to.isBare ? account === to.bare : sessions.has(to.toString())));
  if (!inviter) throw new StanzaError('item-not-found');
  const reason = decline.child('reason', XMLNS.mucUser)?.text();
  const declined = element('x', { xmlns: XMLNS.mucUser }, element('decline', { from: from.bare }, ...said(reason)));
  for (const full of [...inviter.sessions.keys()]) room.send(note(room, declined), full);
}

function said(reason: string | undefined): Element[] {
  return reason === undefined ? [] : [element('reason', {}, reason)];
}

function goesOn(invitation: Stanza): Element[] {
  const conversation = invitation.child('continue', XMLNS.mucUser);
  return conversation ? [element('continue', { thread: conversation.attribute('thread') })] : [];
}

function note(room: Room, ...content: Element[]): Stanza {
  return Stanza.of(element('message', { xmlns: NS.client, from: room.jid.bare }, ...content));
}

/** @throws {StanzaError} not-acceptable: only who is inside speaks (XEP-0045, section 7.4) */
function requireOccupant(room: Room, from: Jid): Occupant {
  const occupant = room.occupantOf(from.toString());
  if (!occupant) throw new StanzaError('not-acceptable', { type: 'cancel' });
  return occupant;
}
