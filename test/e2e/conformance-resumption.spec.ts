import { EmbeddedUpstream, XmppEvents, type Clock } from 'nestjs-xmpp';
import { startApp, type TestApp } from '../support/app.js';
import { startGateway, type Gateway } from '../support/gateway.js';
import { startSample } from '../support/sample.js';
import { openStream, TRANSPORTS, type WebClient, type WebTransport } from '../support/web-client.js';

const USERS = { alice: 'wonderland', bob: 'builder' };
const SM = 'urn:xmpp:sm:3';
const COUNT = 300;

type Endpoints = Parameters<typeof openStream>[1];

/** A client with stream management: counts what it handled, keeps what nobody acknowledged, and can go on elsewhere. */
class ResumableClient {
  /** Bodies of the messages that came, in the order in which they came. */
  readonly received: string[] = [];
  private handled = 0;
  private unacknowledged: string[] = [];
  private acknowledged = 0;
  private id = '';
  private client!: WebClient;

  constructor(private readonly user: keyof typeof USERS) {}

  /** Logs in, binds, is available, and asks for a stream that can be resumed. */
  async login(transport: WebTransport, endpoints: Endpoints): Promise<void> {
    await this.authenticate(transport, endpoints);
    this.client.send(`<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>`);
    expect(await this.client.next()).toContain(`${this.user}@example.org/r`);
    this.client.send(`<enable xmlns='${SM}' resume='true'/>`);
    const enabled = await this.client.next();
    this.id = / id=["']([^"']+)/.exec(enabled)![1]!;
    this.stanza(`<presence xmlns='jabber:client'/>`);
  }

  /** Goes on with its stream, over whatever it likes. */
  async resume(transport: WebTransport, endpoints: Endpoints): Promise<void> {
    await this.authenticate(transport, endpoints);
    this.client.send(`<resume xmlns='${SM}' previd='${this.id}' h='${this.handled}'/>`);
    const resumed = await this.client.next();
    expect(resumed).toMatch(/^<resumed /);
    this.onAcknowledgement(resumed);
    for (const stanza of this.unacknowledged) this.client.send(stanza);
  }

  message(to: keyof typeof USERS, text: string): void {
    this.stanza(`<message xmlns='jabber:client' type='chat' to='${to}@example.org/r'><body>${text}</body></message>`);
  }

  /** Reads until so many messages have come. */
  async read(count: number): Promise<void> {
    while (this.received.length < count) {
      const element = await this.client.next();
      if (element.startsWith('<r ')) this.client.send(`<a xmlns='${SM}' h='${this.handled}'/>`);
      else if (element.startsWith('<a ')) this.onAcknowledgement(element);
      else {
        this.handled++;
        const body = /<body>([^<]*)<\/body>/.exec(element)?.[1];
        if (body !== undefined) this.received.push(body);
      }
    }
  }

  /** Its connection is gone, with whatever was on its way. */
  cut(): void {
    this.client.cut();
  }

  private stanza(xml: string): void {
    this.unacknowledged.push(xml);
    this.client.send(xml);
  }

  private onAcknowledgement(element: string): void {
    const h = Number(/ h=["'](\d+)/.exec(element)![1]);
    this.unacknowledged.splice(0, h - this.acknowledged);
    this.acknowledged = h;
  }

  private async authenticate(transport: WebTransport, endpoints: Endpoints): Promise<void> {
    this.client = await openStream(transport, endpoints);
    await this.client.next();
    const data = Buffer.from(`\0${this.user}\0${USERS[this.user]}`).toString('base64');
    this.client.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${data}</auth>`);
    expect(await this.client.next()).toContain('<success');
    this.client.restart();
    expect(await this.client.next()).toContain('urn:ietf:params:xml:ns:xmpp-bind');
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));
const server = (clock?: Clock) => new EmbeddedUpstream({ domains: ['example.org'], users: USERS, ...(clock && { clock }) });

describe.each(TRANSPORTS)('a stream over %s that is cut in a flood', (transport) => {
  let gateway: Gateway;
  let time: NodeJS.Timeout;
  beforeEach(async () => {
    gateway = await startGateway('express', {
      upstream: server(),
      websocket: { pingInterval: 0 },
      limits: { authTimeout: 3600, maxSessionsPerAddress: 1000 },
    });
    time = setInterval(() => gateway.clock.tick(50), 10); // answers of BOSH may have to wait for each other
  });
  afterEach(async () => {
    clearInterval(time);
    await gateway.close();
  });

  /** The gateway has given up the client that was cut. */
  const lost = async (cut: () => void) => {
    let over = false;
    const remove = gateway.app.get(XmppEvents).on('session.closed', () => (over = true));
    cut();
    while (!over) {
      await new Promise((resolve) => setImmediate(resolve));
      gateway.clock.tick(1000); // over BOSH, `inactivity` has to pass
    }
    remove();
  };

  it.each(TRANSPORTS)('W17, U12, P28: and resumed over %s gets every message once and in order', async (next) => {
    const alice = new ResumableClient('alice');
    const bob = new ResumableClient('bob');
    await alice.login(transport, gateway);
    await bob.login('websocket', gateway);
    for (let i = 0; i < COUNT / 2; i++) bob.message('alice', String(i));
    await alice.read(COUNT / 6);
    await lost(() => alice.cut());
    for (let i = COUNT / 2; i < COUNT; i++) bob.message('alice', String(i));
    await alice.resume(next, gateway);
    await alice.read(COUNT);
    expect(alice.received).toEqual(numbers(COUNT));
    alice.cut();
    bob.cut();
  });

  it('W17, U12, P28: what it sent when it was cut arrives once and in order', async () => {
    const alice = new ResumableClient('alice');
    const bob = new ResumableClient('bob');
    await alice.login(transport, gateway);
    await bob.login('websocket', gateway);
    for (let i = 0; i < COUNT / 2; i++) alice.message('bob', String(i));
    await bob.read(COUNT / 6);
    await lost(() => alice.cut());
    await alice.resume(transport, gateway);
    for (let i = COUNT / 2; i < COUNT; i++) alice.message('bob', String(i));
    await bob.read(COUNT);
    expect(bob.received).toEqual(numbers(COUNT));
    alice.cut();
    bob.cut();
  });
});

/** A gateway that somebody ends while others talk through it. */
interface Front extends Endpoints {
  end(): Promise<void>;
}

/** Ends as an app does, and as a process that is told to. */
const KINDS: readonly [name: string, start: (upstream: string) => Promise<Front>][] = [
  [
    'an app that closes',
    async (upstream) => {
      const app = await startApp({ options: { domains: ['example.org'], upstream } });
      return { wsUrl: app.wsUrl, boshUrl: app.boshUrl, end: () => app.close() };
    },
  ],
  [
    'a process that gets SIGTERM',
    async (upstream) => {
      const sample = await startSample({ XMPP_DOMAINS: 'example.org', XMPP_UPSTREAM: upstream });
      const end = async () => expect((await sample.stop('SIGTERM')).code).toBe(0);
      return { wsUrl: sample.wsUrl, boshUrl: sample.boshUrl, end };
    },
  ],
];

describe.each(KINDS)('%s in a flood', (_name, start) => {
  let behind: TestApp;
  const fronts: Front[] = [];
  const front = async () => {
    const started = await start(behind.wsUrl);
    fronts.push(started);
    return started;
  };
  beforeEach(async () => {
    behind = await startApp({ options: { domains: ['example.org'], upstream: server() } });
  });
  afterEach(async () => {
    for (const started of fronts.splice(0)) await started.end();
    await behind.close();
  });

  it('W17, U12, P28, P35: a client that can resume goes on through the next one: every message once, in order, both ways', async () => {
    const alice = new ResumableClient('alice');
    const bob = new ResumableClient('bob');
    const first = await front();
    await alice.login('websocket', first);
    await bob.login('websocket', behind);
    for (let i = 0; i < COUNT / 2; i++) {
      bob.message('alice', String(i));
      alice.message('bob', String(i));
    }
    await alice.read(COUNT / 6);
    await fronts.pop()!.end();
    for (let i = COUNT / 2; i < COUNT; i++) bob.message('alice', String(i));
    await alice.resume('websocket', await front());
    for (let i = COUNT / 2; i < COUNT; i++) alice.message('bob', String(i));
    await Promise.all([alice.read(COUNT), bob.read(COUNT)]);
    expect(alice.received).toEqual(numbers(COUNT));
    expect(bob.received).toEqual(numbers(COUNT));
    alice.cut();
    bob.cut();
  });
});
