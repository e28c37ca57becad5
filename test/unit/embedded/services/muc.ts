import type { Stanza } from '../../../../lib/xml/index.js';
import { Chat, type ChatClient } from './chat.js';

export const MUC = 'http://jabber.org/protocol/muc';
export const ROOM = 'tea@conference.localhost';

/** One line for a presence or a message from a room: what it says and to whom it shows what. */
export function line(stanza: Stanza): string {
  const nick = stanza.attribute('from')!.split('/')[1] ?? '(room)';
  const type = stanza.attribute('type') ?? (stanza.kind === 'presence' ? 'available' : 'normal');
  const user = stanza.child('x', `${MUC}#user`);
  const parts = [nick, type];
  const item = user?.child('item');
  if (item) {
    parts.push(`${item.attribute('affiliation')}/${item.attribute('role')}`);
    for (const name of ['jid', 'nick']) {
      const value = item.attribute(name);
      if (value !== undefined) parts.push(`${name}=${value}`);
    }
    for (const name of ['actor', 'reason']) {
      const child = item.child(name);
      if (child) parts.push(`${name}=${child.attribute('nick') ?? child.text()}`);
    }
  }
  const statuses = user
    ?.children()
    .filter(({ name }) => name === 'status')
    .map((status) => status.attribute('code'));
  if (statuses?.length) parts.push(statuses.join());
  for (const name of ['subject', 'body']) {
    const child = stanza.child(name, 'jabber:client');
    if (child) parts.push(`${name}=${child.text()}`);
  }
  if (stanza.child('delay', 'urn:xmpp:delay')) parts.push('delayed');
  return parts.join(' ');
}

export const lines = (stanzas: readonly Stanza[]): string[] => stanzas.map(line);

/** A chat with rooms: what clients do there. */
export class Rooms extends Chat {
  join(client: ChatClient, nick: string, content = '', room = ROOM): void {
    client.presence(`<x xmlns='${MUC}'>${content}</x>`, `to='${room}/${nick}'`);
  }

  /** Everybody enters, in order, and what comes of it is taken away. */
  async gather(...members: (readonly [ChatClient, string])[]): Promise<void> {
    for (const [client, nick] of members) {
      this.join(client, nick);
      await this.settle();
    }
    for (const [client] of members) await client.received();
  }

  say(client: ChatClient, text: string, content = ''): void {
    client.message(ROOM, text, "type='groupchat' id='m1'", content);
  }

  async lines(client: ChatClient): Promise<string[]> {
    return lines(await client.received());
  }

  /** Submits the owner's form. */
  configure(owner: ChatClient, fields: Readonly<Record<string, string>>): Promise<Stanza> {
    const xml = Object.entries(fields).map(
      ([name, value]) => `<field var='muc#roomconfig_${name}'><value>${value}</value></field>`,
    );
    const type = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>";
    return owner.query(
      'set',
      `<query xmlns='${MUC}#owner'><x xmlns='jabber:x:data' type='submit'>${type}${xml.join('')}</x></query>`,
      ROOM,
    );
  }

  admin(client: ChatClient, type: 'get' | 'set', ...items: string[]): Promise<Stanza> {
    return client.query(type, `<query xmlns='${MUC}#admin'>${items.join('')}</query>`, ROOM);
  }
}
