import { client, type Element, xml } from '@xmpp/client';
import { WebSocket } from 'ws';
import { packageVersion } from '../../support/packages.js';
import type { ChatClient, Driver, Listener, Login, Recovery } from './driver.js';

// It takes the WebSocket of its surroundings, which Node has from version 22 on.
(globalThis as { WebSocket?: unknown }).WebSocket ??= WebSocket;

const ROSTER = 'jabber:iq:roster';

/** xmpp.js (@xmpp/client), in Node. */
export const xmppjs: Driver = {
  name: 'xmpp.js',
  version: packageVersion('@xmpp/client'),
  host: 'Node',
  transports: ['websocket'],
  faults: {
    websocket:
      'does not count the answers to its own requests in stream management (`@xmpp/iq/caller.js`, which takes answers, comes ' +
      'before the part that counts, and does not pass them on), against XEP-0198, section 4: at a resumption the server must ' +
      'send as many of the last stanzas again',
  },
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
  const disconnected = new Promise<void>((resolve) => entity.once('disconnect', () => resolve()));
  let answers = 0;
  const request = async (act: 'get' | 'set', child: Element): Promise<Element> => {
    const answer = await entity.iqCaller[act](child);
    answers += 1;
    return answer;
  };
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
      await request('set', xml('query', { xmlns: ROSTER }, xml('item', { jid: contact, name })));
    },
    roster: async () => {
      const query = await request('get', xml('query', { xmlns: ROSTER }));
      return query.getChildren('item').map((item) => ({ jid: item.attrs['jid'] ?? '', name: item.attrs['name'] ?? '' }));
    },
    presence: async (to, status) => {
      await entity.send(xml('presence', { to }, ...(status === undefined ? [] : [xml('status', {}, status)])));
    },
    sendMessages: async (to, bodies) => {
      for (const body of bodies) await entity.send(xml('message', { to, type: 'chat' }, xml('body', {}, body)));
    },
    recover: async () => {
      await disconnected;
      const recovered = new Promise<Recovery>((resolve) => {
        entity.streamManagement.once('resumed', () => resolve('resumed'));
        entity.once('online', () => resolve('lost'));
      });
      await entity.reconnect.reconnect();
      return await recovered;
    },
    forgotten: () => answers,
    disconnect: async () => {
      await entity.stop();
    },
  };
}
