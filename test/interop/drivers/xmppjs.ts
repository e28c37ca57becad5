import { client, type Element, xml } from '@xmpp/client';
import { WebSocket } from 'ws';
import type { ChatClient, Driver, Listener, Login } from './driver.js';

// It takes the WebSocket of its surroundings, which Node has from version 22 on.
(globalThis as { WebSocket?: unknown }).WebSocket ??= WebSocket;

const ROSTER = 'jabber:iq:roster';

/** xmpp.js (@xmpp/client), in Node. */
export const xmppjs: Driver = {
  name: 'xmpp.js',
  transports: ['websocket'],
  connect,
};

async function connect(login: Login, listener: Listener): Promise<ChatClient> {
  const entity = client({
    service: login.url,
    domain: login.domain,
    resource: login.resource,
    username: login.user,
    password: login.password,
  });
  entity.reconnect.stop();
  let mechanism = '';
  entity.on('send', (element: Element) => {
    if (element.is('auth') || element.is('authenticate')) mechanism ||= element.attrs['mechanism'] ?? '';
  });
  entity.on('stanza', (stanza: Element) => {
    const from = stanza.attrs['from'] ?? '';
    const body = stanza.getChildText('body');
    if (stanza.is('message') && body !== null) listener.message({ from, body });
    if (stanza.is('presence')) {
      listener.presence({ from, type: stanza.attrs['type'] ?? '', status: stanza.getChildText('status') ?? '' });
    }
  });
  // An emitter without a listener for 'error' throws; start() rejects with the same error.
  entity.on('error', () => {});
  const jid = await entity.start().catch(async (error: unknown) => {
    await entity.stop();
    throw error;
  });
  return {
    jid: jid.toString(),
    mechanism,
    addContact: async (contact, name) => {
      await entity.iqCaller.set(xml('query', { xmlns: ROSTER }, xml('item', { jid: contact, name })));
    },
    roster: async () => {
      const query = await entity.iqCaller.get(xml('query', { xmlns: ROSTER }));
      return query.getChildren('item').map((item) => ({ jid: item.attrs['jid'] ?? '', name: item.attrs['name'] ?? '' }));
    },
    presence: async (to, status) => {
      await entity.send(xml('presence', { to }, ...(status === undefined ? [] : [xml('status', {}, status)])));
    },
    sendMessage: async (to, body) => {
      await entity.send(xml('message', { to, type: 'chat' }, xml('body', {}, body)));
    },
    disconnect: async () => {
      await entity.stop();
    },
  };
}
