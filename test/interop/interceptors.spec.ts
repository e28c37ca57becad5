import { Module } from '@nestjs/common';
import { StanzaError, XmppInterceptor, type Interception, type Stanza, type XmppStanzaInterceptor } from 'nestjs-xmpp';
import { startApp, type TestApp } from '../support/app.js';
import { openStream, TRANSPORTS, type WebClient, type WebTransport } from '../support/web-client.js';
import { startUpstream, UPSTREAMS, type RunningUpstream } from './upstreams.js';

const SM = 'urn:xmpp:sm:3';

/** Does what the text of a message says. */
@XmppInterceptor({ kinds: ['message'] })
class Obedient implements XmppStanzaInterceptor {
  async intercept(stanza: Stanza, { direction }: { direction: string }): Promise<Interception> {
    const [what, where] = (stanza.child('body')?.text() ?? '').split(' ');
    if (stanza.attribute('type') === 'error' || where !== direction) return stanza;
    if (what === 'refuse') throw new StanzaError('not-allowed', { text: 'not today' });
    return what === 'drop' ? undefined : stanza;
  }
}

@Module({ providers: [Obedient] })
class HooksModule {}

/** Counts as XEP-0198 has it, and answers what it is asked. */
class Counting {
  sent = 0;
  received = 0;
  /** By the server's word: how many of ours it has. */
  handled = 0;
  private id = '';
  private client!: WebClient;

  constructor(readonly user: string) {}

  async login(transport: WebTransport, app: TestApp): Promise<void> {
    await this.authenticate(transport, app);
    this.client.send(`<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>`);
    await this.client.next((xml) => xml.includes('<jid>'));
    this.client.send(`<enable xmlns='${SM}' resume='true'/>`);
    this.id = / id=["']([^"']+)/.exec(await this.client.next((xml) => xml.startsWith('<enabled')))![1]!;
    this.stanza(`<presence xmlns='jabber:client'/>`);
  }

  async resume(transport: WebTransport, app: TestApp): Promise<void> {
    await this.authenticate(transport, app);
    this.client.send(`<resume xmlns='${SM}' previd='${this.id}' h='${this.received}'/>`);
    this.handled = hOf(await this.client.next((xml) => /^<(resumed|failed)/.test(xml)));
  }

  say(to: string, body: string): void {
    this.stanza(`<message xmlns='jabber:client' type='chat' to='${to}@localhost/r' id='${body.replace(' ', '-')}'><body>${body}</body></message>`);
  }

  /** Reads up to a message, or an error, and returns it. */
  async until(part: string): Promise<string> {
    for (;;) {
      const xml = await this.client.next();
      if (xml.startsWith('<r ')) this.client.send(`<a xmlns='${SM}' h='${this.received}'/>`);
      else if (xml.startsWith('<a ')) this.handled = hOf(xml);
      else {
        this.received++;
        if (/^<iq [^>]*type=["']get/.test(xml)) {
          const [id, from] = ['id', 'from'].map((name) => new RegExp(` ${name}=["']([^"']*)`).exec(xml)?.[1]);
          this.stanza(`<iq xmlns='jabber:client' type='result' id='${id}'${from ? ` to='${from}'` : ''}/>`);
        }
      }
      if (xml.includes(part)) return xml;
    }
  }

  /** Asks the server how much it has. */
  async count(): Promise<void> {
    this.client.send(`<r xmlns='${SM}'/>`);
    await this.until('<a ');
  }

  cut(): void {
    this.client.cut();
  }

  private stanza(xml: string): void {
    this.sent++;
    this.client.send(xml);
  }

  private async authenticate(transport: WebTransport, app: TestApp): Promise<void> {
    this.client = await openStream(transport, app, { to: 'localhost' });
    await this.client.next();
    const data = Buffer.from(`\0${this.user}\0${this.user}`).toString('base64');
    this.client.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${data}</auth>`);
    await this.client.next((xml) => xml.startsWith('<success'));
    this.client.restart({ to: 'localhost' });
    await this.client.next((xml) => xml.startsWith('<stream:features'));
  }
}

const hOf = (xml: string) => Number(/ h=["'](\d+)/.exec(xml)![1]);

describe.each(UPSTREAMS)('interceptors where stream management runs, in front of %s', (server) => {
  let running: RunningUpstream | undefined;
  let app: TestApp;

  beforeAll(async () => {
    running = await startUpstream(server);
    app = await startApp({ options: { upstream: running.upstream }, imports: [HooksModule] });
  }, 60_000);
  afterAll(async () => {
    await app?.close();
    await running?.stop();
  });

  it.each(TRANSPORTS)('U8: drop and refuse what is said over %s, and both ends count the same, also after a resumption', async (transport) => {
    const [alice, bob] = [new Counting('alice'), new Counting('bob')];
    await alice.login(transport, app);
    await bob.login(transport, app);
    alice.say('bob', 'drop in');
    alice.say('bob', 'refuse in');
    const told = await alice.until('refuse-in');
    expect(told).toMatch(/^<message [^>]*type="error"[^>]* from="bob@localhost\/r"/);
    expect(told).toContain('<not-allowed ');
    alice.say('bob', 'refuse out');
    const [error] = await Promise.all([alice.until('refuse-out'), bob.until('urn:xmpp:ping')]); // its answer carries the error
    expect(error).toMatch(/type=["']error["']/);
    alice.say('bob', 'drop out');
    alice.say('bob', 'hello');
    const hello = await bob.until('hello');
    expect(hello).toMatch(/from=["']alice@localhost\/r["']/);
    await alice.count();
    expect(alice.handled).toBe(alice.sent);
    await alice.count();
    alice.cut();
    await alice.resume(transport, app);
    expect(alice.handled).toBe(alice.sent);
    bob.say('alice', 'welcome back');
    await alice.until('welcome back');
    alice.cut();
    bob.cut();
  });
});
