import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { XmppSessionService } from 'nestjs-xmpp';
import { FakeServer, SASL_FEATURES } from '../support/fake-server.js';
import { startGateway, type Gateway } from '../support/gateway.js';
import { ScriptedUpstream } from '../support/scripted-upstream.js';
import { CLOSE, open, RawWebSocket } from '../support/websocket-client.js';

const STREAMS = 'http://etherx.jabber.org/streams';
const error = (condition: string) => expect.stringContaining(`<${condition} xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>`);

describe('RFC 7395 in front of a server on TCP', () => {
  let server: FakeServer;
  let gateway: Gateway;
  beforeEach(async () => {
    server = await FakeServer.listen();
    gateway = await startGateway('express', { upstream: `xmpp://127.0.0.1:${server.port}?starttls=never` });
  });
  afterEach(async () => {
    await server.close();
    await gateway.close();
  });

  it('W6, W5, C28, P25, P26: each element stands alone: what it inherited from the stream is declared on it, one to a message', async () => {
    const client = await RawWebSocket.connect(gateway.wsUrl);
    client.send(open({ to: 'example.org' }));
    const peer = await server.accept();
    await peer.openStream(SASL_FEATURES, ` xmlns:db='jabber:server:dialback'`);
    expect(await client.next()).toContain('xml:lang="en"');
    expect(await client.next()).toMatch(
      new RegExp(`^<stream:features xmlns:stream=["']${STREAMS}["']><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>`),
    );
    // As servers write: in one packet, without namespaces, with a prefix of the stream, with white space between.
    peer.send(`<message id='1'><body>a</body></message> \n<iq type='result' id='2'/><presence db:x='y'/>`);
    const declared = (attribute: string) => expect.stringMatching(new RegExp(` xmlns${attribute}`));
    const frames = [await client.next(), await client.next(), await client.next()];
    expect(frames.map((frame) => /^<(\w+)/.exec(frame)![1])).toEqual(['message', 'iq', 'presence']);
    for (const frame of frames) expect(frame).toEqual(declared(`=["']jabber:client["']`));
    expect(frames[2]).toEqual(declared(`:db=["']jabber:server:dialback["']`));
    peer.send(`<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`);
    expect(await client.next()).toMatch(new RegExp(`^<stream:error xmlns:stream=["']${STREAMS}["']>`));
    expect(await client.next()).toBe(CLOSE);
    client.socket.close();
  });

  it('P24: what comes before the stream is ready waits for it, in order', async () => {
    const client = await RawWebSocket.connect(gateway.wsUrl);
    client.send(open({ to: 'example.org' }));
    for (let i = 0; i < 200; i++) client.send(`<iq type='get' id='${i}' xmlns='jabber:client'/>`);
    const peer = await server.accept();
    await peer.openStream(SASL_FEATURES);
    for (let i = 0; i < 200; i++) expect((await peer.expect(/<iq [^>]*id='(\d+)'[^>]*>/))[1]).toBe(String(i));
    client.socket.close();
  });

  it('P24: what comes when the client has just gone harms nobody', async () => {
    const gone = await RawWebSocket.connect(gateway.wsUrl);
    gone.send(open({ to: 'example.org' }));
    const peer = await server.accept();
    await peer.openStream(SASL_FEATURES);
    await gone.next();
    await gone.next();
    gone.socket.terminate();
    for (let i = 0; i < 50; i++) peer.send(`<message id='${i}'><body>${'x'.repeat(10_000)}</body></message>`);
    await peer.expect('</stream:stream>');
    const next = await RawWebSocket.connect(gateway.wsUrl);
    next.send(open({ to: 'example.org' }));
    await (await server.accept()).openStream(SASL_FEATURES);
    expect(await next.next()).toContain('<open ');
    next.socket.close();
  });
});

describe('RFC 7395 to the letter', () => {
  let gateway: Gateway;
  afterEach(() => gateway.close());
  const pair = async () => {
    const client = await RawWebSocket.open(gateway.wsUrl);
    return { client, stream: await gateway.upstream.streams.take() };
  };

  it('W8: each stream has an id that nobody can guess, also where the server gives none', async () => {
    gateway = await startGateway('express', {}, new ScriptedUpstream(false));
    const ids = new Set<string>();
    for (let i = 0; i < 5; i++) {
      const client = await RawWebSocket.connect(gateway.wsUrl);
      client.send(open({ to: 'example.org' }));
      (await gateway.upstream.streams.take()).handler.onOpen({ version: '1.0' });
      ids.add(/ id="([\w-]{22,})"/.exec(await client.next())![1]!);
      client.socket.close();
    }
    expect(ids.size).toBe(5);
  });

  it('W11: after an error of ours the WebSocket is closed soon, though the client says nothing', async () => {
    gateway = await startGateway();
    const { client } = await pair();
    client.send('<a>');
    expect(await client.next()).toEqual(error('not-well-formed'));
    expect(await client.next()).toBe(CLOSE);
    expect(client.socket.readyState).toBe(client.socket.OPEN);
    gateway.clock.tick(1100);
    expect(await client.closed).toBe(1000);
  });

  it('W11: nothing that is sent behind the error is served, and the answer to <close/> closes at once', async () => {
    gateway = await startGateway();
    const { client, stream } = await pair();
    client.send('<a>');
    client.send(`<message xmlns='jabber:client'/>`);
    client.send('<b>');
    client.send(CLOSE);
    expect(await client.next()).toEqual(error('not-well-formed'));
    expect(await client.next()).toBe(CLOSE);
    expect(await client.closed).toBe(1000);
    expect(await stream.seen.take()).toBe('close');
    await expect(stream.seen.take(undefined, 0)).rejects.toThrow('nothing that fits');
  });

  it.each([
    ["the client's", async ({ client }: Awaited<ReturnType<typeof pair>>) => client.send(CLOSE)],
    ["the server's", async ({ stream }: Awaited<ReturnType<typeof pair>>) => stream.finish({ reason: 'closed' })],
    ["the app's", async () => void (await gateway.app.get(XmppSessionService).terminate('alice@example.org'))],
    ['a lost server', async ({ stream }: Awaited<ReturnType<typeof pair>>) => stream.finish({ reason: 'failed' })],
    ['a fault of the client', async ({ client }: Awaited<ReturnType<typeof pair>>) => client.send('<')],
  ])('C9: <close/> is written as Strophe compares it, and the WebSocket closed behind it: %s', async (_whose, end) => {
    gateway = await startGateway();
    const both = await pair();
    both.stream.bound('alice@example.org/a');
    await both.client.next();
    await both.client.next();
    await end(both);
    let last = '';
    while (!last.startsWith('<close')) last = await both.client.next();
    expect(last).toBe('<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />');
    gateway.clock.tick(6000);
    expect(await both.client.closed).toBe(1000);
  });

  it.each([
    ['U14: so many bytes', { websocket: { maxFrameBytes: 2000 } }, `<message xmlns='jabber:client'>${'x'.repeat(2000)}</message>`, 1009],
    ['U14: such a depth', { limits: { maxDepth: 8 } }, `${'<a>'.repeat(9)}${'</a>'.repeat(9)}`, 1000],
    ['U14, R22: so many attributes', {}, `<message ${Array.from({ length: 1000 }, (_, i) => `a${i}='x'`).join(' ')}/>`, 1000],
  ])('%s of one element end the stream with policy-violation', async (_what, options, frame, code) => {
    gateway = await startGateway('express', options);
    const { client, stream } = await pair();
    client.send(frame);
    expect(await client.next()).toEqual(error('policy-violation'));
    expect(await client.next()).toBe(CLOSE);
    if (code === 1000) client.send(CLOSE);
    expect(await client.closed).toBe(code);
    expect(await stream.seen.take()).toBe('close');
  });

  it('U13: a stanza that is too large ends the stream of a client with stream management, which could only send it again', async () => {
    gateway = await startGateway('express', { websocket: { maxFrameBytes: 2000 } });
    const { client, stream } = await pair();
    stream.bound('alice@example.org/a');
    stream.push(`<enabled xmlns='urn:xmpp:sm:3' id='sm1' resume='true'/>`);
    for (let i = 0; i < 3; i++) await client.next();
    client.send(`<message xmlns='jabber:client'>${'x'.repeat(2000)}</message>`);
    expect(await client.next()).toEqual(error('policy-violation'));
    expect(await stream.seen.take()).toBe('close'); // not cut, which would keep the stream for resumption
  });

  describe('frames, byte for byte', () => {
    let socket: Socket;
    afterEach(() => socket.destroy());
    const upgrade = async () => {
      gateway = await startGateway();
      socket = connect(gateway.port, '127.0.0.1');
      socket.write(
        `GET /xmpp-websocket HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
          `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Protocol: chat, xmpp\r\n\r\n`,
      );
      const [answer] = (await once(socket, 'data')) as [Buffer];
      return answer.toString();
    };
    /** As a client sends it: masked, with a mask of zeros. */
    const frame = (first: number, payload: string) =>
      Buffer.concat([Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0]), Buffer.from(payload)]);

    it('W1, P36: names the one subprotocol that it takes', async () => {
      expect(await upgrade()).toMatch(/\r\nSec-WebSocket-Protocol: xmpp\r\n/i);
    });

    it('W15, P39: answers PING with a PONG that is not masked and has its payload', async () => {
      await upgrade();
      socket.write(frame(0x89, 'ping'));
      const [pong] = (await once(socket, 'data')) as [Buffer];
      expect(pong.toString('latin1')).toBe('\x8a\x04ping');
    });

    it('W2, P39: closes with 1002 for a PING in fragments', async () => {
      await upgrade();
      socket.write(frame(0x09, 'ping'));
      const [close] = (await once(socket, 'data')) as [Buffer];
      expect([close[0], close.readUInt16BE(2)]).toEqual([0x88, 1002]);
    });

    it('W2, W3: writes each answer as one whole text message, not masked', async () => {
      await upgrade();
      socket.write(frame(0x81, open({ to: 'example.org' }).replaceAll('"', "'")));
      let bytes = Buffer.alloc(0);
      const messages: string[] = [];
      while (messages.length < 2) {
        bytes = Buffer.concat([bytes, ((await once(socket, 'data')) as [Buffer])[0]]);
        for (;;) {
          if (bytes.length < 4) break;
          expect(bytes[0]).toBe(0x81);
          const [length, at] = bytes[1] === 126 ? [bytes.readUInt16BE(2), 4] : [bytes[1]!, 2];
          if (bytes.length < at + length) break;
          messages.push(bytes.toString('utf8', at, at + length));
          bytes = bytes.subarray(at + length);
        }
      }
      expect(messages[0]).toMatch(/^<open .*\/>$/);
      expect(messages[1]).toMatch(/^<stream:features .*<\/stream:features>$/);
    });
  });
});
