import type { Element } from '../../../../xml/index.js';
import { StanzaError } from '../../../../stanza-error.js';
import type { DiscoItem } from '../../service.js';
import type { Jid } from '../../jid.js';
import { discoInfo } from '../disco.js';
import { writeForm } from '../form.js';
import { XMLNS } from '../namespaces.js';
import type { Room } from './room.js';

/** What the service as such can do. */
export const SERVICE_FEATURES = [XMLNS.discoInfo, XMLNS.discoItems, XMLNS.ping, XMLNS.muc];

/** disco#info of a room (XEP-0045, section 6.4). */
export function roomInfo(room: Room, node: string | undefined): Element {
  // Nicks are not reserved here, which an empty answer says (section 7.12).
  if (node === 'x-roomuser-item') return discoInfo(node, [], []);
  if (node !== undefined) throw new StanzaError('item-not-found');
  const { config } = room;
  const name = config.name === '' ? room.jid.local : config.name;
  return discoInfo(
    undefined,
    [{ category: 'conference', type: 'text', name }],
    [
      ...SERVICE_FEATURES,
      `${XMLNS.muc}#stable_id`,
      `${XMLNS.muc}#self-ping-optimization`,
      XMLNS.stanzaId,
      config.listed ? 'muc_public' : 'muc_hidden',
      config.persistent ? 'muc_persistent' : 'muc_temporary',
      config.membersOnly ? 'muc_membersonly' : 'muc_open',
      config.moderated ? 'muc_moderated' : 'muc_unmoderated',
      config.whois === 'anyone' ? 'muc_nonanonymous' : 'muc_semianonymous',
      config.password === '' ? 'muc_unsecured' : 'muc_passwordprotected',
    ],
    writeForm('result', `${XMLNS.muc}#roominfo`, [
      { name: 'muc#roomconfig_roomname', type: 'text-single', values: [name] },
      { name: 'muc#roominfo_description', type: 'text-single', values: [config.description] },
      { name: 'muc#roominfo_occupants', type: 'text-single', values: [String(room.occupants.size)] },
      { name: 'muc#roomconfig_changesubject', type: 'boolean', values: [config.changeSubject ? '1' : '0'] },
    ]),
  );
}

/** disco#items of a room: its occupants, for whoever may know them (XEP-0045, section 6.5). */
export function roomItems(room: Room, from: Jid): DiscoItem[] {
  const { config } = room;
  const visible = (config.listed && !config.membersOnly && config.password === '') || room.occupantOf(from.toString());
  if (!visible) return [];
  return [...room.occupants.keys()].map((nick) => ({ jid: room.jid.withResource(nick).toString() }));
}
