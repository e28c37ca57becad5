import { Mailbox } from '../support/mailbox.js';
import type { ChatClient, Driver, ReceivedMessage, ReceivedPresence, Transport } from './drivers/driver.js';

/** The server under test, as its clients address it. */
export interface Endpoint {
  readonly wsUrl: string;
  readonly boshUrl: string;
  readonly domain: string;
}

/** How a person of the story takes part. */
export interface Seat {
  readonly driver: Driver;
  readonly transport: Transport;
}

/** A person of the story, logged in. */
interface Person {
  readonly client: ChatClient;
  readonly messages: Mailbox<ReceivedMessage>;
  readonly presences: Mailbox<ReceivedPresence>;
}

/** What has to arrive as it was sent. None of it is whitespace at the ends, which clients may trim. */
const TEXTS: readonly string[] = [
  'plain',
  '<not/> a &tag; "quoted" \'twice\' ]]> end',
  'one\ntwo\tthree',
  'Grüße, Ελλάδα, שלום, नमस्ते, 你好',
  '𝄞 𠜎 😀 👩‍👩‍👧 🇦🇶',
  'e\u0301 a\u0308\u0323',
  'long '.repeat(12_000) + '🏁',
];
/** More than one packet or one held request takes. */
const BURST = 25;

let serial = 0;

export async function logIn(endpoint: Endpoint, seat: Seat, user: string, password = user): Promise<Person> {
  const messages = new Mailbox<ReceivedMessage>();
  const presences = new Mailbox<ReceivedPresence>();
  const url = seat.transport === 'websocket' ? endpoint.wsUrl : endpoint.boshUrl;
  const resource = `${seat.transport}-${++serial}`;
  const client = await seat.driver.connect(
    { url, transport: seat.transport, domain: endpoint.domain, user, password, resource },
    { message: (message) => messages.put(message), presence: (presence) => presences.put(presence) },
  );
  expect(client.jid).toBe(`${user}@${endpoint.domain}/${resource}`);
  expect(client.mechanism).toMatch(/^SCRAM-SHA-/);
  return { client, messages, presences };
}

/** Two people meet, talk and leave: what every client must be able to do through every server. */
export async function tellStory(endpoint: Endpoint, first: Seat, second: Seat): Promise<void> {
  const alice = await logIn(endpoint, first, 'alice');
  const bob = await logIn(endpoint, second, 'bob');

  const contact = { jid: `contact-${serial}@${endpoint.domain}`, name: `Contact ${serial} 🙂 <&>` };
  await alice.client.addContact(contact.jid, contact.name);
  expect(await alice.client.roster()).toContainEqual(contact);

  // The server shows a client its own presence (RFC 6121, section 4.2.2): from here on it is available.
  for (const person of [alice, bob]) {
    await person.client.presence();
    await person.presences.take(({ from, type }) => from === person.client.jid && type === '');
  }
  await alice.client.presence(bob.client.jid, 'over here');
  const seen = await bob.presences.take(({ from }) => from === alice.client.jid);
  expect(seen).toEqual({ from: alice.client.jid, type: '', status: 'over here' });

  const numbers = Array.from({ length: BURST }, (_, index) => `number ${index + 1}`);
  for (const text of [...numbers, ...TEXTS]) {
    await alice.client.sendMessage(bob.client.jid, `alice: ${text}`);
    await bob.client.sendMessage(alice.client.jid, `bob: ${text}`);
  }
  // Only what these two sent counts: a server may keep what an earlier client left without acknowledging it.
  const fromAlice = ({ from }: ReceivedMessage): boolean => from === alice.client.jid;
  const fromBob = ({ from }: ReceivedMessage): boolean => from === bob.client.jid;
  for (const text of [...numbers, ...TEXTS]) {
    expect((await bob.messages.take(fromAlice)).body).toBe(`alice: ${text}`);
    expect((await alice.messages.take(fromBob)).body).toBe(`bob: ${text}`);
  }

  await alice.client.disconnect();
  const left = await bob.presences.take(({ from }) => from === alice.client.jid);
  expect(left.type).toBe('unavailable');
  await bob.client.disconnect();
}
