import { StanzaError } from '../../../../stanza-error.js';
import { readBoolean, type FilledForm, type FormField } from '../form.js';

export const MAX_OCCUPANTS = 500;
const MAX_TEXT = 1024;

/** What a room's owner can set (XEP-0045, section 10.2). */
export interface RoomConfig {
  readonly name: string;
  readonly description: string;
  /** Outlives its last occupant. */
  readonly persistent: boolean;
  /** Listed by the service. */
  readonly listed: boolean;
  readonly membersOnly: boolean;
  /** Who has no affiliation enters without voice. */
  readonly moderated: boolean;
  /** '' for none. */
  readonly password: string;
  /** Who sees real addresses. */
  readonly whois: 'anyone' | 'moderators';
  /** Whether participants may change the subject. */
  readonly changeSubject: boolean;
  /** Whether every occupant may invite to a members-only room. */
  readonly allowInvites: boolean;
  readonly maxUsers: number;
}

export const DEFAULT_ROOM: RoomConfig = {
  name: '',
  description: '',
  persistent: false,
  listed: true,
  membersOnly: false,
  moderated: false,
  password: '',
  whois: 'moderators',
  changeSubject: false,
  allowInvites: false,
  maxUsers: MAX_OCCUPANTS,
};

export const ROOM_CONFIG_FORM = 'http://jabber.org/protocol/muc#roomconfig';

const PREFIX = 'muc#roomconfig_';

/** The fields of the configuration form. */
export function roomFields(config: RoomConfig): FormField[] {
  const flag = (name: string, label: string, value: boolean): FormField => ({
    name: PREFIX + name,
    type: 'boolean',
    label,
    values: [value ? '1' : '0'],
  });
  return [
    { name: `${PREFIX}roomname`, type: 'text-single', label: 'Name', values: [config.name] },
    { name: `${PREFIX}roomdesc`, type: 'text-single', label: 'Description', values: [config.description] },
    flag('persistentroom', 'Keep the room when its last occupant leaves', config.persistent),
    flag('publicroom', 'List the room', config.listed),
    flag('membersonly', 'Members only', config.membersOnly),
    flag('allowinvites', 'Occupants may invite', config.allowInvites),
    flag('moderatedroom', 'Moderated', config.moderated),
    flag('changesubject', 'Occupants may change the subject', config.changeSubject),
    flag('passwordprotectedroom', 'Password needed', config.password !== ''),
    { name: `${PREFIX}roomsecret`, type: 'text-private', label: 'Password', values: [config.password] },
    {
      name: `${PREFIX}whois`,
      type: 'list-single',
      label: 'Who sees real addresses',
      values: [config.whois],
      options: ['moderators', 'anyone'],
    },
    {
      name: `${PREFIX}maxusers`,
      type: 'text-single',
      label: 'Most occupants',
      values: [String(config.maxUsers)],
    },
  ];
}

/**
 * What a form asks for, over a configuration; fields that are not in it stay as they are, fields
 * that we do not have are passed over (XEP-0004, section 3.2).
 * @throws {StanzaError} not-acceptable
 */
export function applyRoomForm(config: RoomConfig, form: FilledForm): RoomConfig {
  const value = (name: string): string | undefined => form.values.get(PREFIX + name)?.[0];
  const flag = (name: string, current: boolean): boolean => {
    const text = value(name);
    if (text === undefined) return current;
    return readBoolean(text) ?? refuse(`${name} is no boolean`);
  };
  const text = (name: string, current: string): string => {
    const given = value(name) ?? current;
    return given.length <= MAX_TEXT ? given : refuse(`${name} is too long`);
  };
  const whois = value('whois') ?? config.whois;
  if (whois !== 'anyone' && whois !== 'moderators') refuse('whois is anyone or moderators');
  let password = text('roomsecret', config.password);
  if (!flag('passwordprotectedroom', password !== '')) password = '';
  else if (password === '') refuse('a password is needed');
  return {
    name: text('roomname', config.name),
    description: text('roomdesc', config.description),
    persistent: flag('persistentroom', config.persistent),
    listed: flag('publicroom', config.listed),
    membersOnly: flag('membersonly', config.membersOnly),
    allowInvites: flag('allowinvites', config.allowInvites),
    moderated: flag('moderatedroom', config.moderated),
    changeSubject: flag('changesubject', config.changeSubject),
    password,
    whois: whois as RoomConfig['whois'],
    maxUsers: users(value('maxusers'), config.maxUsers),
  };
}

function users(text: string | undefined, current: number): number {
  if (text === undefined) return current;
  if (text === '' || text === 'none') return MAX_OCCUPANTS;
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return count >= 1 && count <= MAX_OCCUPANTS ? count : refuse(`maxusers is 1 to ${MAX_OCCUPANTS}`);
}

function refuse(text: string): never {
  throw new StanzaError('not-acceptable', { text });
}
