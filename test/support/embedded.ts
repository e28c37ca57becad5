import { ManualClock } from '../../lib/clock.js';
import { EmbeddedUpstream, type EmbeddedUpstreamOptions } from '../../lib/upstream/embedded/index.js';
import type { StreamHeader, UpstreamEnd, UpstreamStream } from '../../lib/upstream/upstream.js';
import { Stanza } from '../../lib/xml/index.js';

export const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';
export const SM = 'urn:xmpp:sm:3';
/** What {@link embedded} servers take for the time of day. */
export const NOW = Date.UTC(2024, 0, 1);

/** Lets the server do everything that it was asked for so far, and what follows from it. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A server with a clock that the test owns. An error inside it fails the test that looks at `errors`. */
export function embedded(options: EmbeddedUpstreamOptions = {}): {
  upstream: EmbeddedUpstream;
  clock: ManualClock;
  errors: unknown[];
} {
  const clock = new ManualClock();
  const errors: unknown[] = [];
  const upstream = new EmbeddedUpstream({
    domains: ['example.org', 'example.net'],
    users: { alice: 'wonderland', bob: 'builder', carol: 'singer' },
    clock,
    wallClock: () => NOW + clock.now(),
    onError: (error) => errors.push(error),
    ...options,
  });
  return { upstream, clock, errors };
}

/** One stream, played by a test. */
export class TestStream {
  readonly stream: UpstreamStream;
  readonly headers: StreamHeader[] = [];
  end: UpstreamEnd | undefined;
  /** The full address, once bound. */
  jid = '';
  /** Came and was not taken yet. */
  private readonly waiting: Stanza[] = [];
  private wake: (() => void) | undefined;
  private ids = 0;

  constructor(upstream: EmbeddedUpstream, domain = 'example.org', header: StreamHeader = { version: '1.0' }) {
    let returned = false;
    const check = () => {
      if (!returned) throw new Error('the handler was called before open() had returned');
      if (this.end) throw new Error('the handler was called after the end');
    };
    this.stream = upstream.open(
      { domain, header, client: { address: '192.0.2.1', port: 1, secure: true } },
      {
        onOpen: (answer) => {
          check();
          this.headers.push(answer);
        },
        onStanza: (stanza) => {
          check();
          this.waiting.push(stanza);
          this.wake?.();
        },
        onDrain: check,
        onEnd: (end) => {
          check();
          this.end = end;
          this.wake?.();
        },
      },
    );
    returned = true;
  }

  send(xml: string): void {
    this.stream.send(Stanza.parse(xml));
  }

  /** The next element; waits for it. */
  async next(): Promise<Stanza> {
    return this.take(() => true);
  }

  /** The next element that fits; those before it stay. */
  async take(fits: (stanza: Stanza) => boolean): Promise<Stanza> {
    for (;;) {
      const index = this.waiting.findIndex(fits);
      if (index >= 0) return this.waiting.splice(index, 1)[0]!;
      if (this.end) throw new Error(`the stream has ended: ${JSON.stringify(this.end)}`);
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** Everything that came until the server had nothing more to do, as text. */
  async rest(): Promise<string[]> {
    await settle();
    return this.waiting.splice(0).map(String);
  }

  /** Sends an iq. @returns the answer */
  async query(type: 'get' | 'set', payload: string, to?: string): Promise<Stanza> {
    const id = `q${++this.ids}`;
    this.send(`<iq xmlns='jabber:client' type='${type}' id='${id}'${to ? ` to='${to}'` : ''}>${payload}</iq>`);
    return this.take((stanza) => stanza.kind === 'iq' && stanza.attribute('id') === id);
  }

  async plain(user: string, password: string, authzid = ''): Promise<Stanza> {
    const data = Buffer.from(`${authzid}\0${user}\0${password}`).toString('base64');
    this.send(`<auth xmlns='${SASL}' mechanism='PLAIN'>${data}</auth>`);
    return this.next();
  }

  /** SASL and the second header; leaves the stream where a resource is bound. */
  async authenticate(user: string, password: string): Promise<void> {
    await this.next();
    const outcome = await this.plain(user, password);
    if (outcome.name !== 'success') throw new Error(`not authenticated: ${outcome}`);
    this.stream.restart({ version: '1.0' });
    await this.next();
  }

  async bind(resource?: string): Promise<string> {
    const wish = resource === undefined ? '' : `<resource>${resource}</resource>`;
    const answer = await this.query('set', `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>${wish}</bind>`);
    const jid = answer.child('bind', 'urn:ietf:params:xml:ns:xmpp-bind')?.child('jid')?.text();
    if (!jid) throw new Error(`not bound: ${answer}`);
    return (this.jid = jid);
  }

  presence(content = '', attributes = ''): void {
    this.send(`<presence xmlns='jabber:client' ${attributes}>${content}</presence>`);
  }

  message(to: string, body: string, attributes = `type='chat'`, content = ''): void {
    this.send(`<message xmlns='jabber:client' to='${to}' ${attributes}><body>${body}</body>${content}</message>`);
  }
}

const PASSWORDS: Record<string, string> = { alice: 'wonderland', bob: 'builder', carol: 'singer' };

/** A bound stream of one of the accounts of {@link embedded}: `alice/phone`. */
export async function login(upstream: EmbeddedUpstream, who: string, domain = 'example.org'): Promise<TestStream> {
  const [user = '', resource] = who.split('/');
  const stream = new TestStream(upstream, domain);
  await stream.authenticate(user, PASSWORDS[user]!);
  await stream.bind(resource);
  return stream;
}

/** Like {@link login}, and available; what that brings is taken away. */
export async function online(upstream: EmbeddedUpstream, who: string, priority?: number): Promise<TestStream> {
  const stream = await login(upstream, who);
  stream.presence(priority === undefined ? '' : `<priority>${priority}</priority>`);
  await stream.rest();
  return stream;
}

/** `from` and `to` subscribe to each other. Their rosters' pushes are taken away. */
export async function befriend(one: TestStream, other: TestStream): Promise<void> {
  const bare = (stream: TestStream) => stream.jid.split('/')[0]!;
  for (const [asks, grants] of [
    [one, other],
    [other, one],
  ] as const) {
    asks.presence('', `type='subscribe' to='${bare(grants)}'`);
    await settle();
    grants.presence('', `type='subscribed' to='${bare(asks)}'`);
    await settle();
  }
  await one.rest();
  await other.rest();
}
