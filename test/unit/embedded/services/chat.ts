import type { ManualClock } from '../../../../lib/clock.js';
import type { EmbeddedUpstream } from '../../../../lib/upstream/embedded/index.js';
import { Stanza } from '../../../../lib/xml/index.js';
import { befriend, embedded, NOW, SASL, settle, TestStream } from '../../../support/embedded.js';

/** Wall-clock time of the server under test when it starts. */
export const START = NOW;

/** An embedded server on a clock of its own, and clients that are logged in. All accounts are on `localhost`. */
export class Chat {
  readonly clock: ManualClock;
  readonly errors: unknown[];
  private readonly upstream: EmbeddedUpstream;

  constructor(users: readonly string[] = ['alice', 'bob', 'carol']) {
    const { upstream, clock, errors } = embedded({
      domains: ['localhost'],
      users: Object.fromEntries(users.map((user) => [user, `${user}-secret`])),
      mechanisms: ['PLAIN', 'ANONYMOUS'],
    });
    this.upstream = upstream;
    this.clock = clock;
    this.errors = errors;
  }

  /** Logs in and sends initial presence, which has `content`; `user` '' is anonymous. */
  async login(user: string, resource = 'web', content = ''): Promise<ChatClient> {
    const client = new ChatClient(this.upstream, 'localhost');
    if (user === '') await client.authenticateAnonymously();
    else await client.authenticate(user, `${user}-secret`);
    await client.bind(resource);
    client.presence(content);
    await client.received();
    return client;
  }

  /** Both see each other's presence from now on. */
  async befriend(one: ChatClient, other: ChatClient): Promise<void> {
    await befriend(one, other);
  }

  settle(): Promise<void> {
    return settle();
  }

  async close(): Promise<void> {
    await this.upstream.close();
  }
}

export class ChatClient extends TestStream {
  get bare(): string {
    return this.jid.split('/')[0]!;
  }

  /** What came, once the server has nothing more to do. */
  async received(): Promise<Stanza[]> {
    return (await this.rest()).map((xml) => Stanza.parse(xml));
  }

  async authenticateAnonymously(): Promise<void> {
    await this.next();
    this.send(`<auth xmlns='${SASL}' mechanism='ANONYMOUS'/>`);
    await this.next();
    this.stream.restart({ version: '1.0' });
    await this.next();
  }

  close(): void {
    this.stream.close();
  }
}

/** A message or an iq that says that something went wrong with one that came from `to`. */
export function failure(kind: 'iq' | 'message', to: string, condition: string, id = 'failed'): string {
  const error = `<error type='cancel'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`;
  return `<${kind} xmlns='jabber:client' type='error' id='${id}' to='${to}'>${error}</${kind}>`;
}

/** The result of an iq. */
export function result(to: string | undefined, id: string | undefined, content = ''): string {
  return `<iq xmlns='jabber:client' type='result' id='${id}' to='${to}'>${content}</iq>`;
}

/** The condition of a stanza error, with its application-specific one if there is one. */
export function conditionOf(stanza: Stanza | undefined): string {
  const error = stanza?.child('error', 'jabber:client');
  if (!error) return `no error: ${stanza}`;
  return error
    .children()
    .filter((child) => child.name !== 'text')
    .map((child) => child.name)
    .join(' ');
}
