import type { Agent } from 'stanza';
import { packageVersion } from '../../support/packages.js';
import './in-order.js';
import type { ChatClient, Driver, Listener, Login, Recovery } from './driver.js';

// Not by a static import: those of CommonJS modules come before all others.
const { createClient } = await import('stanza');

/** stanza (the library that was stanza.io), in Node. */
export const stanza: Driver = {
  name: 'stanza',
  version: packageVersion('stanza'),
  host: 'Node',
  transports: ['websocket', 'bosh'],
  faults: {
    bosh:
      'processes answers in the order in which their reading ends (`transports/bosh.js` hands on each one when its `fetch` ' +
      'is done), not in that of its requests, as XEP-0124, section 14.2 demands; the gateway keeps such answers 20 ms apart, ' +
      'which on a busy machine is not always enough: the tests put them in order before it',
  },
  connect,
};

async function connect(login: Login, listener: Listener): Promise<ChatClient> {
  const client = createClient({
    jid: `${login.user}@${login.domain}`,
    password: login.password,
    resource: login.resource,
    transports: { [login.transport]: login.url },
    autoReconnect: false,
  });
  let mechanism = '';
  client.on('raw', (direction, data) => {
    if (direction === 'outgoing') mechanism ||= /<auth\b[^>]*\bmechanism="([^"]*)"/.exec(data)?.[1] ?? '';
  });
  client.on('message', (message) => {
    if (message.body !== undefined) listener.message({ from: message.from, body: message.body });
  });
  client.on('presence', (presence) => {
    listener.presence({ from: presence.from, type: presence.type ?? '', status: presence.status ?? '' });
  });
  const disconnected = new Promise<void>((resolve) => client.once('disconnected', () => resolve()));
  await loggedIn(client).catch(async (error: unknown) => {
    // It leaves by itself; to tell it so would only make it say so twice.
    await disconnected;
    throw error;
  });
  return {
    jid: client.jid,
    mechanism,
    addContact: async (jid, name) => {
      await client.updateRosterItem({ jid, name, subscription: 'none' });
    },
    roster: async () => (await client.getRoster()).items.map((item) => ({ jid: item.jid, name: item.name ?? '' })),
    presence: async (to, status) => {
      client.sendPresence({ ...(to !== undefined && { to }), ...(status !== undefined && { status }) });
    },
    sendMessages: async (to, bodies) => {
      for (const body of bodies) client.sendMessage({ to, body, type: 'chat' });
    },
    recover: async () => {
      if (login.transport === 'bosh') return 'kept';
      await disconnected;
      return await reconnected(client);
    },
    disconnect: async () => {
      // Over BOSH it says `disconnected` only when its queue is empty, and what it queued while it left (an answer
      // of stream management, say) stays there for ever. The end of the stream is what the server said.
      const gone = new Promise((resolve) => {
        client.once('disconnected', resolve);
        client.once('stream:end' as 'disconnected', resolve);
      });
      void client.disconnect();
      await gone;
    },
  };
}

async function loggedIn(client: Agent): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    client.once('session:started', () => resolve());
    client.once('auth:failed', () => reject(new Error('auth:failed')));
    client.once('stream:error', (error) => reject(new Error(`stream:error ${error.condition}`)));
    client.once('disconnected', () => reject(new Error('disconnected')));
    client.connect();
  });
}

async function reconnected(client: Agent): Promise<Recovery> {
  const resumed = new Promise<Recovery>((resolve) => client.once('stream:management:resumed', () => resolve('resumed')));
  const anew = loggedIn(client).then((): Recovery => 'lost');
  return await Promise.race([resumed, anew]);
}
