import { createHash } from 'node:crypto';
import { type Line, startLine } from '../support/line.js';
import { Mailbox } from '../support/mailbox.js';
import { Chronicle } from './chronicle.js';
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

/** Each way: more than one packet or one held request takes. */
const FLOOD = 500;
/** What has to arrive as it was sent. None of it is whitespace at the ends, which clients may trim. */
const TEXTS: readonly string[] = [
  '<not/> a &tag; "quoted" \'twice\' ]]> end',
  'one\ntwo\tthree',
  'Grüße, Ελλάδα, שלום, नमस्ते, 你好',
  '𝄞 𠜎 😀 👩‍👩‍👧 🇦🇶',
  'e\u0301 a\u0308\u0323',
];
/** 200 000 bytes of UTF-8, with an astral character at the end of them. */
const LONG = `${'lorem ip'.repeat(24_999)}𝄞end.`;
/** While the line is cut. */
const MEANWHILE = 20;

let serial = 0;

export async function logIn(endpoint: Endpoint, seat: Seat, user: string, password = user): Promise<Person> {
  const messages = new Mailbox<ReceivedMessage>();
  const presences = new Mailbox<ReceivedPresence>();
  const url = seat.transport === 'websocket' ? endpoint.wsUrl : endpoint.boshUrl;
  const client = await seat.driver.connect(
    { url, transport: seat.transport, domain: endpoint.domain, user, password, resource: `${seat.transport}-${++serial}` },
    { message: (message) => messages.put(message), presence: (presence) => presences.put(presence) },
  );
  return { client, messages, presences };
}

/**
 * Two people meet, talk, lose each other and leave: what every client must be able to do through every server.
 * The first one's connection is cut in the middle.
 */
export async function tellStory(endpoint: Endpoint, first: Seat, second: Seat, chronicle = new Chronicle()): Promise<void> {
  const line = await startLine(Number(new URL(endpoint.boshUrl).port));
  try {
    await tell(endpoint, line, first, second, chronicle);
  } finally {
    chronicle.close();
    await line.close();
  }
}

async function tell(endpoint: Endpoint, line: Line, first: Seat, second: Seat, chronicle: Chronicle): Promise<void> {
  let alice!: Person;
  let bob!: Person;
  const lined = { ...endpoint, wsUrl: line.through(endpoint.wsUrl), boshUrl: line.through(endpoint.boshUrl) };

  await chronicle.step('log in with SCRAM', async () => {
    alice = await logIn(lined, first, 'alice');
    bob = await logIn(endpoint, second, 'bob');
    for (const { client } of [alice, bob]) expect(client.mechanism).toMatch(/^SCRAM-SHA-/);
    return alice.client.mechanism.replace(/^SCRAM-/, '');
  });
  await chronicle.step('bind', async () => {
    expect(alice.client.jid).toBe(`alice@${endpoint.domain}/${first.transport}-${serial - 1}`);
    expect(bob.client.jid).toBe(`bob@${endpoint.domain}/${second.transport}-${serial}`);
  });
  await chronicle.step('roster', async () => {
    const contact = { jid: `contact-${serial}@${endpoint.domain}`, name: `Contact ${serial} 🙂 <&>` };
    await alice.client.addContact(contact.jid, contact.name);
    expect(await alice.client.roster()).toContainEqual(contact);
  });
  await chronicle.step('presence', async () => await meet(alice, bob));
  await chronicle.step('500 messages each way, in order', async () => {
    const numbers = Array.from({ length: FLOOD }, (_, index) => `number ${index + 1}`);
    const burst = Math.min(first.driver.burst ?? FLOOD, second.driver.burst ?? FLOOD);
    for (let sent = 0; sent < FLOOD; sent += burst) await exchange(alice, bob, numbers.slice(sent, sent + burst));
  });
  await chronicle.step('Unicode', async () => await exchange(alice, bob, TEXTS));
  await chronicle.step('200 kB message', async () => {
    expect(Buffer.byteLength(LONG)).toBe(200_000);
    await exchange(alice, bob, [LONG]);
  });
  await chronicle.step('drop and resume', async () => await loseAndFind(alice, bob, line));
  await chronicle.step('log out', async () => {
    await alice.client.disconnect();
    const left = await bob.presences.take(({ from }) => from === alice.client.jid);
    expect(left.type).toBe('unavailable');
    await bob.client.disconnect();
  });
}

async function meet(alice: Person, bob: Person): Promise<void> {
  // The server shows a client its own presence (RFC 6121, section 4.2.2): from here on it is available.
  for (const person of [alice, bob]) {
    await person.client.presence();
    await person.presences.take(({ from, type }) => from === person.client.jid && type === '');
  }
  await alice.client.presence(bob.client.jid, 'over here');
  const seen = await bob.presences.take(({ from }) => from === alice.client.jid);
  expect(seen).toEqual({ from: alice.client.jid, type: '', status: 'over here' });
}

/** Both say the same things to each other at the same time. */
async function exchange(alice: Person, bob: Person, texts: readonly string[]): Promise<void> {
  await Promise.all([
    say(alice, bob, texts.map((text) => `alice: ${text}`)),
    say(bob, alice, texts.map((text) => `bob: ${text}`)),
  ]);
}

async function say(from: Person, to: Person, texts: readonly string[]): Promise<void> {
  await from.client.sendMessages(to.client.jid, texts);
  await hear(to, from, texts);
}

/** What tells a text from others without filling the screen when they differ. */
function brief(text: string): string {
  if (text.length <= 100) return text;
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return `${text.slice(0, 40)}… (${text.length} characters, SHA-256 ${digest})`;
}

/** These texts and no others come from that person, in this order. */
async function hear(person: Person, from: Person, texts: readonly string[]): Promise<void> {
  // Only what these two sent counts: a server may keep what an earlier client left without acknowledging it.
  const heard: string[] = [];
  while (heard.length < texts.length) heard.push((await person.messages.take((message) => message.from === from.client.jid)).body);
  expect(heard.map(brief)).toEqual(texts.map(brief));
}

/** Alice's connection goes away without a word; what Bob says meanwhile reaches her once, in order. */
async function loseAndFind(alice: Person, bob: Person, line: Line): Promise<string> {
  const meanwhile = Array.from({ length: MEANWHILE }, (_, index) => `bob: meanwhile ${index + 1}`);
  line.cut();
  await bob.client.sendMessages(alice.client.jid, meanwhile);
  // The server takes what he sends in order: once it has answered this, it has the messages.
  await bob.client.roster();
  line.mend();
  const recovery = await alice.client.recover();
  expect(recovery).toMatch(/^(kept|resumed)$/);
  // The last stanzas before the cut, which are Bob's texts, as far as her client forgot to count stanzas.
  const forgotten = alice.client.forgotten?.() ?? 0;
  const again = forgotten === 0 ? [] : [...TEXTS, LONG].slice(-forgotten).map((text) => `bob: ${text}`);
  await hear(alice, bob, [...again, ...meanwhile]);
  await exchange(alice, bob, ['found you']);
  return forgotten === 0 ? recovery : `${recovery}, ${forgotten} stanzas twice`;
}
