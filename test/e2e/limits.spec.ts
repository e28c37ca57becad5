import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { XmppEvents, XmppMetrics, type XmppModuleOptions } from 'nestjs-xmpp';
import { WebSocket } from 'ws';
import { BoshHttp, BoshSession, creation } from '../support/bosh-client.js';
import { FakeServer } from '../support/fake-server.js';
import { PLATFORMS, startGateway, type Gateway } from '../support/gateway.js';
import { Mailbox } from '../support/mailbox.js';
import { open, RawWebSocket } from '../support/websocket-client.js';

const CLIENT = `xmlns='jabber:client'`;
const message = (content: string) => `<message ${CLIENT}><body>${content}</body></message>`;

/** What one option refuses, whichever way it comes. */
const XML: readonly [option: string, limits: XmppModuleOptions['limits'], accepted: string, refused: string][] = [
  ['limits.maxDepth', { maxDepth: 4 }, `<message ${CLIENT}><a><b><c/></b></a></message>`, `<message ${CLIENT}><a><b><c><d/></c></b></a></message>`],
  [
    'limits.maxAttributes',
    { maxAttributes: 16 },
    `<message ${CLIENT}><a${attributes(16)}/></message>`,
    `<message ${CLIENT}><a${attributes(17)}/></message>`,
  ],
  [
    'limits.maxNameBytes',
    { maxNameBytes: 64 },
    `<message ${CLIENT}><${'n'.repeat(64)}/></message>`,
    `<message ${CLIENT}><${'n'.repeat(65)}/></message>`,
  ],
  [
    'limits.maxValueBytes',
    { maxValueBytes: 1024 },
    `<message ${CLIENT}><a b='${'v'.repeat(1024)}'/></message>`,
    `<message ${CLIENT}><a b='${'v'.repeat(1025)}'/></message>`,
  ],
];

function attributes(count: number): string {
  return Array.from({ length: count }, (_, i) => ` a${i}=''`).join('');
}

describe.each(PLATFORMS)('limits at the wire, on %s', (platform) => {
  let gateway: Gateway;
  let http: BoshHttp;
  /** Names of the limits that were hit. */
  let hits: Mailbox<string>;
  const start = async (options: Partial<XmppModuleOptions>) => {
    gateway = await startGateway(platform, options);
    http = new BoshHttp(gateway.boshUrl);
    hits = new Mailbox();
    gateway.app.get(XmppEvents).on('limit.hit', ({ limit }) => hits.put(limit));
  };
  afterEach(async () => {
    http.close();
    await gateway.close();
  });

  /** A connection of the server's, and the client's end of it. */
  const raw = async (): Promise<{ ours: Socket; theirs: Socket }> => {
    const accepted = once(gateway.app.getHttpServer(), 'connection') as Promise<[Socket]>;
    const theirs = connect(gateway.port, '127.0.0.1');
    theirs.on('error', () => {});
    return { theirs, ours: (await accepted)[0] };
  };

  it.each(XML)('R22, R8, P21: %s, on the WebSocket', async (option, limits, accepted, refused) => {
    await start({ limits });
    const client = await RawWebSocket.open(gateway.wsUrl);
    const stream = await gateway.upstream.streams.take();
    client.send(accepted);
    await stream.seen.take((seen) => seen === accepted);
    client.send(refused);
    expect(await client.next()).toContain('<policy-violation ');
    expect(await hits.take()).toBe(option);
    client.socket.close();
    expect(await gateway.app.get(XmppMetrics).text()).toContain(`xmpp_limit_hits_total{limit="${option}"} 1`);
  });

  it.each(XML)('R22, R8, P21: %s, over BOSH', async (option, limits, accepted, refused) => {
    await start({ limits });
    const session = await BoshSession.open(http);
    const stream = await gateway.upstream.streams.take();
    const held = session.send(accepted);
    await stream.seen.take((seen) => seen === accepted);
    const answer = await session.send(refused);
    expect(answer.condition).toBe('policy-violation');
    expect((await held).condition).toBe('other-request');
    expect(await hits.take()).toBe(option);
  });

  it('R22: a language that is none, and an address that is too long, never get into the header for the server', async () => {
    await start({});
    const lang = `en${'-x'.repeat(5000)}`;
    const client = await RawWebSocket.connect(gateway.wsUrl);
    client.send(open({ 'to': 'example.org', 'xml:lang': lang }));
    expect((await gateway.upstream.streams.take()).request.header.lang).toBeUndefined();
    client.socket.close();
    await BoshSession.open(http, { 'xml:lang': lang });
    expect((await gateway.upstream.streams.take()).request.header.lang).toBeUndefined();
    await BoshSession.open(http, { 'xml:lang': 'de-CH' });
    expect((await gateway.upstream.streams.take()).request.header.lang).toBe('de-CH');
    const from = `${'a'.repeat(3072)}@example.org`;
    const other = await RawWebSocket.connect(gateway.wsUrl);
    other.send(open({ to: 'example.org', from }));
    expect(await other.next()).toMatch(/^<open /);
    expect(await other.next()).toContain('<invalid-from ');
    other.socket.close();
    expect((await http.post(creation({ from }))).condition).toBe('bad-request');
    expect(gateway.upstream.streams.size).toBe(0);
  });

  it('R8, W2: a message in more pieces than bytes justify', async () => {
    await start({ websocket: { maxFrameBytes: 65_536 } });
    const client = new WebSocket(gateway.wsUrl, ['xmpp'], { perMessageDeflate: false });
    await once(client, 'open');
    const frames: string[] = [];
    client.on('message', (data: Buffer) => frames.push(data.toString()));
    client.send('<', { fin: false });
    for (let i = 0; i < 1025; i++) client.send(' ', { fin: false });
    const [code] = (await once(client, 'close')) as [number];
    expect(code).toBe(1008);
    expect(frames.join('')).toContain('<policy-violation ');
    expect(await hits.take()).toBe('websocket.maxFrameBytes');
  });

  it('R7: bosh.maxBodyBytes holds for what a body is unpacked to, and counts', async () => {
    await start({ bosh: { maxBodyBytes: 4096 } });
    const bomb = gzipSync(creation({}, message('a'.repeat(1_000_000))));
    expect(bomb.length).toBeLessThan(4096);
    const answer = await http.post(bomb, { 'Content-Encoding': 'gzip' });
    expect([answer.status, answer.condition]).toEqual([413, 'policy-violation']);
    expect(await hits.take()).toBe('bosh.maxBodyBytes');
  });

  it('R9: websocket.openTimeout runs whatever the client sends but <open/>, and counts', async () => {
    await start({ websocket: { openTimeout: 10 } });
    const client = await RawWebSocket.connect(gateway.wsUrl);
    const pongs = new Mailbox<string>();
    client.socket.on('pong', (data: Buffer) => pongs.put(data.toString()));
    for (let second = 0; second < 9; second++) {
      client.send(' ');
      client.socket.ping(String(second));
      await pongs.take((text) => text === String(second));
      gateway.clock.tick(1000);
    }
    gateway.clock.tick(1100);
    expect(await client.next()).toMatch(/^<open /);
    expect(await client.next()).toContain('<connection-timeout ');
    expect(await hits.take()).toBe('websocket.openTimeout');
    client.socket.close();
  });

  it('R9: limits.authTimeout runs whatever the client sends, and counts', async () => {
    await start({ limits: { authTimeout: 10 } });
    const client = await RawWebSocket.open(gateway.wsUrl);
    const stream = await gateway.upstream.streams.take();
    for (let second = 0; second < 9; second++) {
      client.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${second}</auth>`);
      await stream.seen.take((seen) => seen.includes(`>${second}<`));
      gateway.clock.tick(1000);
    }
    gateway.clock.tick(1100);
    expect(await client.next()).toContain('<policy-violation ');
    expect(await hits.take()).toBe('limits.authTimeout');
    client.socket.close();
  });

  it('R9: whoever pings and never reads is not answered more than once at a time', async () => {
    await start({});
    const { ours, theirs } = await raw();
    theirs.write(
      'GET /xmpp-websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n',
    );
    await once(theirs, 'data');
    theirs.pause();
    // Masked with zeros: 125 bytes of payload each, and 20 MB of them, more than any buffer of the network takes.
    const ping = Buffer.concat([Buffer.from([0x89, 0xfd, 0, 0, 0, 0]), Buffer.alloc(125, 0x61)]);
    const many = Buffer.concat(Array<Buffer>(8000).fill(ping));
    for (let i = 0; i < 20; i++) await new Promise((resolve) => theirs.write(many, resolve));
    while (ours.bytesRead < 20 * many.length) await new Promise((resolve) => setImmediate(resolve));
    expect(ours.writableLength).toBeLessThan(65_536);
    theirs.destroy();
  });

  it('R9, U14: limits.handshakeTimeout cuts connections on which no request comes, and only those', async () => {
    await start({ limits: { handshakeTimeout: 20 } });
    const client = await RawWebSocket.open(gateway.wsUrl);
    const session = await BoshSession.open(http);
    const silent = await raw();
    const slow = await raw();
    slow.theirs.write('POST /http-bind HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    const closed = [once(silent.ours, 'close'), once(slow.ours, 'close')];
    gateway.clock.tick(20_100);
    await Promise.all(closed);
    expect([await hits.take(), await hits.take()]).toEqual(['limits.handshakeTimeout', 'limits.handshakeTimeout']);
    for (const say of [() => client.send(message('still there')), () => session.send(message('still there'))]) {
      const stream = await gateway.upstream.streams.take();
      say();
      await stream.seen.take((seen) => seen.includes('still there'));
    }
    client.socket.close();
  });

  it('R8: bosh.bodyTimeout ends a body that comes too slowly with 408, and counts', async () => {
    await start({ bosh: { bodyTimeout: 5 } });
    const pending = http.start('POST', { 'Content-Length': 100 });
    pending.sent.write('<body');
    let status: number | undefined;
    void pending.then((answer) => (status = answer.status));
    await once(gateway.app.getHttpServer(), 'request');
    while (status === undefined) {
      gateway.clock.tick(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(status).toBe(408);
    expect(await hits.take()).toBe('bosh.bodyTimeout');
  });

  it('R8, R9: limits.maxUnfinishedBytes: bodies that do not get finished are given up, the oldest first', async () => {
    await start({ limits: { maxUnfinishedBytes: 65_536, handshakeTimeout: 0 } });
    const begin = () => {
      const pending = http.start('POST', { 'Content-Length': 100_000 });
      pending.sent.write('<body>' + ' '.repeat(29_994));
      return pending;
    };
    const first = begin();
    const second = begin();
    // A third is more than fits.
    const third = begin();
    const given = await Promise.race([first, second, third]);
    expect([given.status, given.headers['retry-after']]).toEqual([503, '1']);
    expect(await hits.take()).toBe('limits.maxUnfinishedBytes');
    // Others do not notice.
    expect((await BoshSession.open(http)).created.status).toBe(200);
    for (const { sent } of [first, second, third]) sent.destroy();
  });

  it('R8, R9: limits.maxUnfinishedBytes: frames before login that do not get finished', async () => {
    await start({ limits: { maxUnfinishedBytes: 65_536 } });
    const good = await RawWebSocket.open(gateway.wsUrl);
    const stream = await gateway.upstream.streams.take();
    const hostile = await Promise.all([RawWebSocket.connect(gateway.wsUrl), RawWebSocket.connect(gateway.wsUrl), RawWebSocket.connect(gateway.wsUrl)]);
    // The header of a frame of 100,000 bytes, and the first 30,000 of them.
    const part = Buffer.concat([Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 1, 0x86, 0xa0, 0, 0, 0, 0]), Buffer.alloc(30_000, 0x20)]);
    for (const { socket } of hostile) (socket as unknown as { _socket: Socket })._socket.write(part);
    expect(await Promise.race(hostile.map(({ closed }) => closed))).toBe(1006);
    expect(await hits.take()).toBe('limits.maxUnfinishedBytes');
    good.send(message('hello'));
    await stream.seen.take((seen) => seen.includes('hello'));
    for (const { socket } of [...hostile, good]) socket.terminate();
  });

  it('R28, U14: limits.stanzasPerSecond slows a client down, and ends one that sends at once what takes a minute', async () => {
    await start({ limits: { stanzasPerSecond: 1 } });
    const session = await BoshSession.open(http);
    const stream = await gateway.upstream.streams.take();
    session.send(Array.from({ length: 5 }, (_, i) => message(`m${i}`)).join(''));
    for (let i = 0; i < 5; i++) expect(await stream.seen.take()).toContain(`m${i}`);
    expect(await hits.take()).toBe('limits.stanzasPerSecond');
    session.send(message('later'));
    gateway.clock.tick(3100);
    expect(await stream.seen.take()).toContain('later');
    const flood = session.send(Array.from({ length: 100 }, (_, i) => message(`f${i}`)).join(''));
    gateway.clock.tick(3100);
    expect((await flood).type).toBe('terminate');
    expect(await stream.seen.take((seen) => !seen.startsWith('<'))).toBe('close');
  });

  it('R28: limits.maxBufferedBytes counts when a server is paused for a client', async () => {
    await start({ limits: { maxBufferedBytes: 1024 } });
    await BoshSession.open(http);
    const stream = await gateway.upstream.streams.take();
    for (let i = 0; i < 10; i++) stream.push(`<message ${CLIENT}><body>${'x'.repeat(500)}</body></message>`);
    expect(stream.paused).toBe(true);
    expect(await hits.take()).toBe('limits.maxBufferedBytes');
    expect(hits.size).toBe(0);
  });

  it('B35, B23: requests that are pipelined behind one that is held are not heaped up', async () => {
    await start({});
    const session = await BoshSession.open(http);
    const { ours, theirs } = await raw();
    const post = (body: string) => `POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    theirs.write(post(session.text(++session.rid)));
    theirs.pause();
    const unknown = post(session.text(1, '', { sid: 'nobody' })).repeat(1000);
    // The server stops reading at a few hundred answers that wait behind the held one.
    let taken = 0;
    for (let i = 0; i < 40 && taken === i; i++) {
      await Promise.race([
        new Promise<void>((resolve) => theirs.write(unknown, () => resolve(void taken++))),
        (async () => {
          // The socket says when it is paused: nothing more will be taken then.
          while (!ours.isPaused() && taken === i) await new Promise((resolve) => setImmediate(resolve));
        })(),
      ]);
    }
    expect(ours.isPaused()).toBe(true);
    expect(ours.bytesRead).toBeLessThan(40 * unknown.length);
    theirs.destroy();
  });
});

it('U14, R8: limits.maxUpstreamStanzaBytes: a server that sends more is told, and the client, who cannot resume then', async () => {
  const server = await FakeServer.listen();
  const gateway = await startGateway('express', { upstream: `xmpp://127.0.0.1:${server.port}?starttls=never`, limits: { maxUpstreamStanzaBytes: 10_000 } });
  const hits = new Mailbox<string>();
  gateway.app.get(XmppEvents).on('limit.hit', ({ limit }) => hits.put(limit));
  const client = await RawWebSocket.connect(gateway.wsUrl);
  client.send(open({ to: 'example.org' }));
  const peer = await server.accept();
  await peer.expect('<stream:stream ');
  peer.send(
    `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' from='example.org' version='1.0'>` +
      `<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>`,
  );
  expect(await client.next()).toMatch(/^<open /);
  expect(await client.next()).toContain('<stream:features');
  peer.send(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/><enabled xmlns='urn:xmpp:sm:3' id='x' resume='true'/>`);
  expect(await client.next()).toContain('<success');
  expect(await client.next()).toContain('<enabled');
  peer.send(`<message><body>${'x'.repeat(9000)}</body></message>`);
  expect(await client.next()).toContain('xxx');
  peer.send(`<message><body>${'x'.repeat(11_000)}</body></message>`);
  await peer.expect('<policy-violation ');
  await peer.expect('</stream:stream>');
  expect(await client.next()).toContain('<remote-connection-failed ');
  expect(await client.next()).toMatch(/^<close /);
  expect(await hits.take()).toBe('limits.maxUpstreamStanzaBytes');
  client.socket.close();
  await gateway.close();
  await server.close();
});
