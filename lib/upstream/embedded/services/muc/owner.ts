import { element, type Element, type Stanza } from '../../../../xml/index.js';
import { StanzaError } from '../../../../stanza-error.js';
import type { Jid } from '../../jid.js';
import { readForm, writeForm } from '../form.js';
import { XMLNS } from '../namespaces.js';
import { applyRoomForm, ROOM_CONFIG_FORM, roomFields } from './config.js';
import { atLeast } from './occupant.js';
import type { Room } from './room.js';

/**
 * The configuration form (XEP-0045, section 10.2).
 * @throws {StanzaError} forbidden
 */
export function configuration(room: Room, from: Jid): Element {
  requireOwner(room, from);
  return element(
    'query',
    { xmlns: XMLNS.mucOwner },
    writeForm('form', ROOM_CONFIG_FORM, roomFields(room.config), `Configuration of ${room.jid.bare}`),
  );
}

/**
 * Takes a configuration, or destroys the room (XEP-0045, sections 10.1 and 10.9). A new room is open at
 * once, so that accepting its defaults (an instant room) changes nothing.
 * @throws {StanzaError}
 */
export function manage(room: Room, from: Jid, query: Stanza): void {
  requireOwner(room, from);
  const destroy = query.child('destroy', XMLNS.mucOwner);
  if (destroy) {
    const reason = destroy.child('reason', XMLNS.mucOwner)?.text();
    room.destroy(
      element(
        'destroy',
        { jid: destroy.attribute('jid') },
        reason === undefined ? undefined : element('reason', {}, reason),
      ),
    );
    return;
  }
  const form = readForm(query);
  if (!form) throw new StanzaError('bad-request');
  if (form.type === 'cancel' || form.values.size === 0) return;
  room.configure(applyRoomForm(room.config, form));
}

function requireOwner(room: Room, from: Jid): void {
  if (!atLeast(room.affiliation(from.bare), 'owner')) throw new StanzaError('forbidden');
}
