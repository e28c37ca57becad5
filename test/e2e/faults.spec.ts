import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { openLink, type Link } from '../soak/link.js';
import { FakeServer, SASL_FEATURES, type Peer } from '../support/fake-server.js';
import { startGateway, type Gateway } from '../support/gateway.js';
import { LossyProxy } from '../support/lossy-proxy.js';
import { Mailbox } from '../support/mailbox.js';
import { startSample } from '../support/sample.js';
import { TRANSPORTS, type WebTransport } from '../support/web-client.js';
import { RawWebSocket } from '../support/websocket-client.js';

const DOMAIN = 'example.org';
const message = (id: number, padding = '') => `<message xmlns='jabber:client' from='bob@example.org/x' id='n${id}'><body>${padding}</body></message>`;
const numbers = (count: number, first = 0) => Array.from({ length: count }, (_, i) => first + i);
/** Of the messages in what was sent, in order; not of errors. */
const idsIn = (text: string) => [...text.matchAll(/<message [^>]*\bid=['"]n(\d+)['"][^>]*>/g)].filter(([tag]) => !tag.includes('error')).map(([, id]) => Number(id));
const bouncedIn = (text: string) => [...text.matchAll(/<message [^>]*type=['"]error['"][^>]*\bid=['"]n(\d+)['"]/g)].map(([, id]) => Number(id));

/** A client through a proxy that loses things, and what it got. */
class Client {
  readonly got: number[] = [];
  readonly arrivals = new Mailbox<number>();
  readonly ends = new Mailbox<string>();
  private link!: Link;

  static async open(transport: WebTransport, proxy: LossyProxy): Promise<Client> {
    const client = new Client();
    client.link = await openLink(transport, { proxy, domain: DOMAIN }, {
      onElement: (element) => {
        const id = /^n(\d+)$/.exec(element.attribute('id') ?? '')?.[1];
        if (id === undefined) return;
        client.got.push(Number(id));
        client.arrivals.put(Number(id));
      },
      onGone: (reason) => client.ends.put(reason),
      note: () => {},
    });
    return client;
  }

  send(id: number, padding = ''): void {
    this.link.send(message(id, padding));
  }
  until(id: number): Promise<number> {
    return this.arrivals.take((arrived) => arrived === id);
  }
  /** The connection by which the next answer leaves. */
  get line() {
    return this.link.connections()[0];
  }
  drop(): void {
    this.link.drop();
  }
}

let proxy: LossyProxy;
afterEach(() => proxy.close());

describe('a network that loses things', () => {
  let gateway: Gateway;
  const start = async (options: Parameters<typeof startGateway>[1] = {}) => {
    gateway = await startGateway('express', { ingress: 'server', ...options });
    proxy = await LossyProxy.to(gateway.port);
  };
  afterEach(() => gateway.close());

  it('B18, B30, C17, P15, P17: over BOSH, whatever is lost on the way, every stanza arrives once and in order, both ways', async () => {
    await start({ bosh: { polling: 0 } });
    const [client, stream] = await Promise.all([Client.open('bosh', proxy), gateway.upstream.streams.take()]);
    const faults = [
      () => client.line?.swallow(),
      () => client.line?.truncate(30),
      () => client.line?.truncate(250),
      () => client.line?.cutBehindRequest(),
      () => client.line?.cut(),
      () => client.line?.stall(20),
    ];
    const seen: number[] = [];
    for (const id of numbers(120)) {
      if (id % 4 === 0) faults[(id / 4) % faults.length]!();
      stream.push(message(id));
      client.send(id);
      await client.until(id);
      seen.push(...idsIn(await stream.seen.take((text) => text.includes(`'n${id}'`))));
    }
    expect(client.got).toEqual(numbers(120));
    expect(seen).toEqual(numbers(120));
    expect([stream.seen.size, client.ends.size]).toEqual([0, 0]);
    client.drop();
  });

  it.each(TRANSPORTS)('R28: over %s, a network that stalls delays what it brings, and nothing else', async (transport) => {
    await start();
    const [client, stream] = await Promise.all([Client.open(transport, proxy), gateway.upstream.streams.take()]);
    while (!client.line) await new Promise(setImmediate); // its request is on the way
    client.line.stall(300);
    for (const id of numbers(100)) {
      stream.push(message(id));
      client.send(id);
    }
    await client.until(99);
    const seen: number[] = [];
    while (seen.at(-1) !== 99) seen.push(...idsIn(await stream.seen.take()));
    expect([client.got, seen]).toEqual([numbers(100), numbers(100)]);
    client.drop();
  });

  /** A WebSocket that reads nothing, and an upstream that was paused for it. */
  const frozen = async () => {
    await start({ limits: { maxBufferedBytes: 65_536 } });
    const client = await RawWebSocket.open(gateway.wsUrl);
    const stream = await gateway.upstream.streams.take();
    client.socket.pause();
    let count = 0;
    while (!stream.paused) {
      stream.push(message(count++, 'x'.repeat(60_000)));
      await new Promise(setImmediate);
    }
    return { client, stream, count };
  };

  it('P29, X8: the senders of what a WebSocket that is cut off never got learn of it, before the stream is closed', async () => {
    const { client, stream, count } = await frozen();
    client.socket.terminate();
    const bounced: number[] = [];
    for (let text = await stream.seen.take(); text !== 'close'; text = await stream.seen.take()) {
      if (text.includes('recipient-unavailable')) bounced.push(...bouncedIn(text));
    }
    // The last ones never left this process; of those before them, nobody but the network knows.
    expect(bounced.length).toBeGreaterThan(0);
    expect(bounced).toEqual(numbers(bounced.length, count - bounced.length));
  });

  it('P29, W17: not where stream management tells the server what arrived', async () => {
    const { client, stream } = await frozen();
    stream.bound('alice@example.org/a');
    stream.push(`<enabled xmlns='urn:xmpp:sm:3' id='sm1' resume='true'/>`);
    client.socket.terminate();
    const seen: string[] = [];
    while (seen.at(-1) !== 'abort') seen.push(await stream.seen.take());
    expect(seen.join('')).not.toContain('recipient-unavailable');
  });

  it('N5, P29: at shutdown, the senders to one that does not read are told as well', async () => {
    const { client, stream, count } = await frozen();
    const down = gateway.close();
    const bounced: number[] = [];
    for (let text = await stream.seen.take(); text !== 'close'; text = await stream.seen.take()) bounced.push(...bouncedIn(text));
    expect(bounced).toEqual(numbers(bounced.length, count - bounced.length));
    expect(bounced.length).toBeGreaterThan(0);
    client.socket.terminate();
    await down;
  });
});

describe.each(TRANSPORTS)('an XMPP server that fails, over %s', (transport) => {
  let gateway: Gateway;
  let server: FakeServer;

  const pair = async (): Promise<{ client: Client; peer: Peer }> => {
    server = await FakeServer.listen();
    gateway = await startGateway('express', { ingress: 'server', upstream: `xmpp://127.0.0.1:${server.port}?starttls=never`, bosh: { polling: 0 } });
    proxy = await LossyProxy.to(gateway.port);
    const [client, peer] = await Promise.all([
      Client.open(transport, proxy),
      server.accept().then(async (peer) => {
        await peer.openStream(SASL_FEATURES);
        return peer;
      }),
    ]);
    return { client, peer };
  };
  afterEach(async () => {
    await gateway.close();
    await server.close();
  });

  const ENDS: [string, (peer: Peer) => void][] = [
    ['a reset', (peer) => peer.reset()],
    ['half a close', (peer) => peer.finish()],
  ];
  it.each(ENDS)('U11, C32, B29: dies in the middle of a stanza with %s: what was whole arrives, half a stanza is none, and the client is told', async (_how, die) => {
    const { client, peer } = await pair();
    for (const id of numbers(20)) peer.send(message(id));
    peer.send(message(20).slice(0, 40));
    await client.until(19);
    for (const id of numbers(20)) client.send(id);
    await peer.expect(`id='n19'><body></body></message>`);
    die(peer);
    expect(await client.ends.take()).toBe('remote-connection-failed');
    expect(client.got).toEqual(numbers(20));
    expect(idsIn(peer.raw.toString())).toEqual(numbers(20));
  });

  it('R28: stops reading for a while: its client has to wait, and everything arrives in order', async () => {
    const { client, peer } = await pair();
    peer.pause();
    const count = 150;
    for (const id of numbers(count)) client.send(id, 'x'.repeat(20_000));
    // It may say what it likes meanwhile.
    for (const id of numbers(10)) peer.send(message(id));
    await client.until(9);
    peer.resume();
    await peer.expect(`id='n${count - 1}'>`);
    expect(idsIn(peer.raw.toString())).toEqual(numbers(count));
    expect(client.got).toEqual(numbers(10));
    client.drop();
  });

  it('B29, C32: refuses connections: the client is told, and what it said was not taken', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const { port } = gone.address() as AddressInfo;
    gone.close();
    await once(gone, 'close');
    server = await FakeServer.listen();
    gateway = await startGateway('express', { ingress: 'server', upstream: `xmpp://127.0.0.1:${port}?starttls=never` });
    proxy = await LossyProxy.to(gateway.port);
    const refused = await Client.open(transport, proxy).then(
      (client) => client.ends.take(),
      (error: Error) => error.message,
    );
    expect(refused).toContain('remote-connection-failed');
  });
});

describe.each(TRANSPORTS)('a process that gets SIGTERM in a flood over %s', (transport) => {
  it('P29, P35, N5: what it took it forwarded, in order, or its sender learns of it; the client is told', async () => {
    const server = await FakeServer.listen();
    const sample = await startSample({
      XMPP_DOMAINS: DOMAIN,
      XMPP_UPSTREAM: `xmpp://127.0.0.1:${server.port}?starttls=never`,
      XMPP_OPTIONS: JSON.stringify({ bosh: { polling: 0 } }),
    });
    proxy = await LossyProxy.to(Number(new URL(sample.url).port));
    const [client, peer] = await Promise.all([
      Client.open(transport, proxy),
      server.accept().then(async (peer) => {
        await peer.openStream(SASL_FEATURES);
        return peer;
      }),
    ]);
    let over = false;
    const flood = async (send: (id: number) => void) => {
      for (let id = 0; !over; id++) {
        send(id);
        if (id % 20 === 19) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };
    const floods = [flood((id) => peer.send(message(id))), flood((id) => client.send(id))];
    await client.until(500);
    const exit = sample.stop('SIGTERM');
    expect(await client.ends.take()).toBe('system-shutdown');
    over = true;
    await Promise.all(floods);
    await peer.expect('</stream:stream>');
    peer.send('</stream:stream>');
    peer.finish();
    expect(await exit).toEqual({ code: 0, signal: null });

    const text = peer.raw.toString();
    expect(text).toMatch(/<\/stream:stream>$/);
    const forwarded = idsIn(text);
    expect(forwarded).toEqual(numbers(forwarded.length));
    expect(forwarded.length).toBeGreaterThan(0);
    const bounced = bouncedIn(text);
    expect(client.got).toEqual(numbers(client.got.length));
    expect(bounced).toEqual(numbers(bounced.length, client.got.length));
    await server.close();
  });
});
