import { once } from 'node:events';
import type { Socket } from 'node:net';
import { XmppSessionService } from 'nestjs-xmpp';
import { PLATFORMS, startGateway, type Gateway } from '../support/gateway.js';
import { ScriptedUpstream } from '../support/scripted-upstream.js';
import { CLOSE, open, RawWebSocket, refusal } from '../support/websocket-client.js';

const STREAMS = 'http://etherx.jabber.org/streams';
const error = (condition: string) => expect.stringContaining(`<${condition} xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>`);
const message = (id: string) => `<message xmlns='jabber:client' id='${id}'><body>x</body></message>`;

describe.each(PLATFORMS)('the WebSocket gateway on %s', (platform) => {
  let gateway: Gateway;
  const start = async (...args: Parameters<typeof startGateway> extends [unknown?, ...infer Rest] ? Rest : never) =>
    (gateway = await startGateway(platform, ...args));
  afterEach(() => gateway.close());

  /** A client with an open stream, and that stream. */
  const pair = async () => {
    const client = await RawWebSocket.open(gateway.wsUrl);
    const stream = await gateway.upstream.streams.take();
    return { client, stream };
  };

  describe('handshake', () => {
    it('W1: selects the xmpp subprotocol, also among others', async () => {
      await start();
      const client = await RawWebSocket.connect(gateway.wsUrl, ['chat', 'xmpp']);
      expect(client.socket.protocol).toBe('xmpp');
      client.socket.close();
    });

    it('W1: refuses a client that does not offer xmpp with 400', async () => {
      await start();
      expect((await refusal(gateway.wsUrl, [])).status).toBe(400);
      const answer = await refusal(gateway.wsUrl, ['XMPP', 'chat']);
      expect(answer.status).toBe(400);
      expect(answer.headers['sec-websocket-protocol']).toBe('xmpp');
    });

    it('W18, R15: refuses an origin that is not listed with 403, and admits a listed one and none', async () => {
      await start({ origins: ['https://app.example.org'] });
      expect((await refusal(gateway.wsUrl, ['xmpp'], { origin: 'https://evil.example' })).status).toBe(403);
      const listed = await RawWebSocket.connect(gateway.wsUrl, ['xmpp'], { origin: 'https://app.example.org' });
      const none = await RawWebSocket.connect(gateway.wsUrl);
      listed.socket.close();
      none.socket.close();
    });

    it('limits.maxSessionsPerAddress: refuses one more with 429, and admits it when one has gone', async () => {
      await start({ limits: { maxSessionsPerAddress: 1 } });
      const first = await RawWebSocket.connect(gateway.wsUrl);
      const answer = await refusal(gateway.wsUrl, ['xmpp']);
      expect(answer.status).toBe(429);
      expect(answer.headers['retry-after']).toBeDefined();
      first.socket.close();
      await first.closed;
      for (;;) {
        // The server may see the end a moment later than the client.
        const again = await RawWebSocket.connect(gateway.wsUrl).catch(() => undefined);
        if (again) return again.socket.close();
      }
    });

    it('limits.maxSessions: refuses one more with 503', async () => {
      await start({ limits: { maxSessions: 1 } });
      const first = await RawWebSocket.connect(gateway.wsUrl);
      expect((await refusal(gateway.wsUrl, ['xmpp'])).status).toBe(503);
      first.socket.close();
    });

    it('C26: answers a plain GET on its path with 200, and shows pages the headers that are exposed', async () => {
      await start({ exposeHeaders: ['X-Shard'] });
      for (const url of [gateway.wsUrl.replace('ws', 'http'), gateway.boshUrl]) {
        const response = await fetch(url);
        expect(response.status).toBe(200);
        expect(response.headers.get('access-control-allow-origin')).toBe('*');
        expect(response.headers.get('access-control-expose-headers')).toBe('X-Shard');
      }
    });

    it('answers an unknown path with 404', async () => {
      await start();
      expect((await refusal(`ws://127.0.0.1:${gateway.port}/elsewhere`, ['xmpp'])).status).toBe(404);
    });
  });

  describe('opening', () => {
    it('W3, W7, W8: answers <open/> with the served domain, the id of the stream, version and language', async () => {
      await start();
      const client = await RawWebSocket.connect(gateway.wsUrl);
      client.send(open({ 'to': 'EXAMPLE.org', 'from': 'alice@example.org', 'xml:lang': 'de' }));
      expect(await client.next()).toBe(
        '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" from="example.org" to="alice@example.org"' +
          ' id="upstream-id" version="1.0" xml:lang="en" />',
      );
      const stream = await gateway.upstream.streams.take();
      expect(stream.request).toMatchObject({
        domain: 'example.org',
        header: { from: 'alice@example.org', to: 'example.org', lang: 'de', version: '1.0' },
        client: { address: '127.0.0.1', secure: false },
      });
      client.socket.close();
    });

    it('W6, W16, X6, U7: features declare xmlns:stream and offer nothing that cannot work', async () => {
      await start({}, new ScriptedUpstream(false));
      const client = await RawWebSocket.connect(gateway.wsUrl);
      client.send(open({ to: 'example.org' }));
      const stream = await gateway.upstream.streams.take();
      stream.open();
      stream.features(
        `<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>` +
          `<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>` +
          `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1-PLUS</mechanism>` +
          `<mechanism>EXTERNAL</mechanism><mechanism>SCRAM-SHA-1</mechanism></mechanisms>` +
          `<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/></sasl-channel-binding>` +
          `<ver xmlns='urn:xmpp:features:rosterver'/>`,
      );
      await client.next();
      expect(await client.next()).toBe(
        `<stream:features xmlns:stream='${STREAMS}'><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>` +
          `<mechanism>SCRAM-SHA-1</mechanism></mechanisms><ver xmlns='urn:xmpp:features:rosterver'/></stream:features>`,
      );
      client.socket.close();
    });

    it('C7: answers <open/> with an id of its own when the server takes its time', async () => {
      await start({}, new ScriptedUpstream(false));
      const client = await RawWebSocket.connect(gateway.wsUrl);
      client.send(open({ to: 'example.org' }));
      const stream = await gateway.upstream.streams.take();
      gateway.clock.tick(1000);
      const answer = await client.next();
      expect(answer).toMatch(/^<open .* id="[\w-]{20,}"/);
      stream.open();
      stream.features();
      expect(await client.next()).toContain('<stream:features');
      client.socket.close();
    });

    it.each([
      ['C1, W4: a stanza', message('1'), 'invalid-namespace'],
      ['W4: a header in a wrong namespace', `<open xmlns='jabber:client' to='example.org' version='1.0'/>`, 'invalid-namespace'],
      ['C2: an unknown domain', open({ to: 'elsewhere.example' }), 'host-unknown'],
      ['C2: no domain', open(), 'improper-addressing'],
      ['B5, C2: a domain that is no longer served', open({ to: 'Old.example.org' }), 'host-gone'],
      ['C3: no version', open({ to: 'example.org', version: undefined }), 'unsupported-version'],
      ['C3: version 0.9', open({ to: 'example.org', version: '0.9' }), 'unsupported-version'],
      ['W5: malformed XML', '<open', 'not-well-formed'],
      ['C5: white space before the element', ` ${open({ to: 'example.org' })}`, 'bad-format'],
    ])('%s as the first frame: <open/>, the error, <close/>, 1000', async (_name, frame, condition) => {
      await start({ formerDomains: ['old.example.org'] });
      const client = await RawWebSocket.connect(gateway.wsUrl);
      client.send(frame);
      expect(await client.next()).toMatch(/^<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" from="example.org"/);
      const told = await client.next();
      expect(told).toEqual(error(condition));
      expect(told).toContain(`<stream:error xmlns:stream="${STREAMS}">`);
      expect(await client.next()).toBe(CLOSE);
      client.send(CLOSE);
      expect(await client.closed).toBe(1000);
    });

    it('C1: <close/> as the first frame is answered with <close/>', async () => {
      await start();
      const client = await RawWebSocket.connect(gateway.wsUrl);
      client.send(CLOSE);
      expect(await client.next()).toBe(CLOSE);
      client.socket.close();
    });

    it('C3: any version 1.x is served as 1.0', async () => {
      await start();
      const client = await RawWebSocket.connect(gateway.wsUrl);
      client.send(open({ to: 'example.org', version: '1.23' }));
      expect(await client.next()).toContain('version="1.0"');
      client.socket.close();
    });

    it('W5: an XML declaration before the header is accepted', async () => {
      await start();
      const client = await RawWebSocket.connect(gateway.wsUrl);
      client.send(`<?xml version='1.0' encoding='UTF-8'?>${open({ to: 'example.org' })}`);
      expect(await client.next()).toContain('<open ');
      client.socket.close();
    });

    it('websocket.openTimeout: no <open/> in time is a connection-timeout', async () => {
      await start();
      const client = await RawWebSocket.connect(gateway.wsUrl);
      gateway.clock.tick(11_000);
      expect(await client.next()).toContain('<open ');
      expect(await client.next()).toEqual(error('connection-timeout'));
      expect(await client.next()).toBe(CLOSE);
      client.socket.close();
    });

    it('W7: a second <open/> before the first is answered is refused', async () => {
      await start({}, new ScriptedUpstream(false));
      const client = await RawWebSocket.connect(gateway.wsUrl);
      client.send(open({ to: 'example.org' }));
      client.send(open({ to: 'example.org' }));
      expect(await client.next()).toContain('<open ');
      expect(await client.next()).toEqual(error('policy-violation'));
      client.socket.close();
    });
  });

  describe('stanzas', () => {
    it('W5, U3: passes every element of any namespace, in order, both ways, byte for byte', async () => {
      await start();
      const { client, stream } = await pair();
      const elements = [
        `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGE=</auth>`,
        `<authenticate xmlns='urn:xmpp:sasl:2' mechanism="PLAIN"/>`,
        `<r xmlns='urn:xmpp:sm:3'/>`,
        `<active xmlns='urn:xmpp:csi:0'/>`,
        `<message xmlns='jabber:client' to='ü@example.org'  ><body>\u{1F600} &amp; "'</body></message>`,
        `<iq xmlns='jabber:client' type='get' id='1'><x:query xmlns:x='urn:x'/></iq>`,
      ];
      for (const element of elements) client.send(element);
      for (const element of elements) expect(await stream.seen.take()).toBe(element);
      for (const element of elements) stream.push(element);
      for (const element of elements) expect(await client.next()).toBe(element);
      client.socket.close();
    });

    it('a stanza without a namespace is taken as jabber:client', async () => {
      await start();
      const { client, stream } = await pair();
      client.send('<presence><show>away</show></presence>');
      expect(await stream.seen.take()).toBe('<presence xmlns="jabber:client"><show>away</show></presence>');
      client.socket.close();
    });

    it('W2: puts fragmented messages together, as Chromium sends large ones', async () => {
      await start();
      const { client, stream } = await pair();
      const text = `<message xmlns='jabber:client'><body>${'ü'.repeat(50_000)}</body></message>`;
      const bytes = Buffer.from(text);
      client.socket.send(bytes.subarray(0, 777), { fin: false, binary: false });
      client.socket.send(bytes.subarray(777, 60_000), { fin: false });
      client.socket.send(bytes.subarray(60_000), { fin: true });
      expect(await stream.seen.take()).toBe(text);
      client.socket.close();
    });

    it('frames of every size of length field come out right', async () => {
      await start();
      const { client, stream } = await pair();
      for (const size of [1, 70, 200, 65_535, 65_600, 300_000]) {
        const text = `<message xmlns='jabber:client'><body>${'x'.repeat(size)}</body></message>`;
        stream.push(text);
        stream.push(message('between'));
        expect(await client.next()).toBe(text);
        expect(await client.next()).toBe(message('between'));
      }
      client.socket.close();
    });

    it('W14: a restart opens a new stream on the same connection, and no <close/> is sent', async () => {
      await start();
      const { client, stream } = await pair();
      stream.push(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`);
      expect(await client.next()).toContain('<success');
      client.send(open({ to: 'example.org', from: 'alice@example.org' }));
      expect(await stream.seen.take()).toBe('restart');
      expect(stream.restarts).toEqual([{ from: 'alice@example.org', to: 'example.org', lang: undefined, version: '1.0' }]);
      stream.open('second');
      stream.features('');
      expect(await client.next()).toContain('id="second"');
      expect(await client.next()).toContain('<stream:features');
      client.socket.close();
    });

    it('C8, R6: a restart to another domain is refused, though it is served', async () => {
      await start();
      const { client, stream } = await pair();
      stream.push(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`);
      await client.next();
      client.send(open({ to: 'example.net' }));
      expect(await client.next()).toEqual(error('improper-addressing'));
      expect(await client.next()).toBe(CLOSE);
      expect(await stream.seen.take()).toBe('close');
      client.socket.close();
    });

    it.each([
      ['C4, R3: two elements in a frame', message('1') + message('2'), 'not-well-formed'],
      ['R3: a closing stream tag', '</stream:stream>', 'not-well-formed'],
      ['C6: a document type', '<!DOCTYPE x [<!ENTITY y "z">]><x>&y;</x>', 'restricted-xml'],
      ['C6: a comment', `<message xmlns='jabber:client'><!-- x --></message>`, 'restricted-xml'],
      ['C6: a processing instruction', `<message xmlns='jabber:client'><?x y?></message>`, 'restricted-xml'],
      ['C6: an entity', `<message xmlns='jabber:client'>&nbsp;</message>`, 'restricted-xml'],
      ['W5: text', 'hello', 'not-well-formed'],
      ['a stream header', `<stream:stream xmlns:stream='${STREAMS}' to='example.org'/>`, 'unsupported-stanza-type'],
      ['limits.maxDepth', `${'<a>'.repeat(65)}${'</a>'.repeat(65)}`, 'policy-violation'],
    ])('%s is a stream error, and nothing of it is forwarded', async (_name, frame, condition) => {
      await start();
      const { client, stream } = await pair();
      client.send(frame);
      expect(await client.next()).toEqual(error(condition));
      expect(await client.next()).toBe(CLOSE);
      expect(await stream.seen.take()).toBe('close');
      client.send(CLOSE);
      expect(await client.closed).toBe(1000);
    });

    it('C5: a frame of white space is ignored', async () => {
      await start();
      const { client, stream } = await pair();
      client.send(' \n ');
      client.send(message('1'));
      expect(await stream.seen.take()).toBe(message('1'));
      client.socket.close();
    });

    it('W2: a binary message closes with 1003', async () => {
      await start();
      const { client, stream } = await pair();
      client.send(Buffer.from(message('1')));
      expect(await client.closed).toBe(1003);
      expect(await stream.seen.take()).toBe('close');
    });

    it('W2: invalid UTF-8 is told and closes with 1007', async () => {
      await start();
      const { client, stream } = await pair();
      client.socket.send(Buffer.from([0x3c, 0x61, 0xc3, 0x28]), { binary: false });
      expect(await client.next()).toEqual(error('bad-format'));
      expect(await client.next()).toBe(CLOSE);
      expect(await client.closed).toBe(1007);
      expect(await stream.seen.take()).toBe('close');
    });

    it('U13, P21, R8: a frame over websocket.maxFrameBytes is told as policy-violation, also in fragments', async () => {
      await start({ websocket: { maxFrameBytes: 2000 } });
      for (const parts of [1, 3]) {
        const { client, stream } = await pair();
        for (let i = 1; i <= parts; i++) {
          client.socket.send('x'.repeat(3000 / parts), { fin: i === parts, binary: false });
        }
        expect(await client.next()).toEqual(error('policy-violation'));
        expect(await client.next()).toBe(CLOSE);
        expect(await client.closed).toBe(1009);
        expect(await stream.seen.take()).toBe('close');
      }
    });
  });

  describe('the end', () => {
    it("W10, U12: the client's <close/> is answered, and the upstream stream closed in order", async () => {
      await start();
      const { client, stream } = await pair();
      client.send(CLOSE);
      expect(await client.next()).toBe(CLOSE);
      expect(await stream.seen.take()).toBe('close');
      client.socket.close(1000);
      expect(await client.closed).toBe(1000);
    });

    it('W10: answers <close/> before the close frame, where both came at once, and sends nothing behind it', async () => {
      await start();
      const { client, stream } = await pair();
      let bytes = Buffer.alloc(0);
      const raw = (client.socket as unknown as { _socket: Socket })._socket;
      raw.on('data', (chunk) => (bytes = Buffer.concat([bytes, chunk])));
      raw.cork();
      client.send(CLOSE);
      client.socket.close(1000);
      raw.uncork();
      expect(await client.closed).toBe(1000);
      expect(await stream.seen.take()).toBe('close');
      const frame = Buffer.concat([Buffer.from([0x81, CLOSE.length]), Buffer.from(CLOSE)]);
      expect(bytes.indexOf(frame)).toBe(bytes.length - frame.length - 4);
      expect(bytes.subarray(-4)).toEqual(Buffer.from([0x88, 2, 0x03, 0xe8]));
    });

    it('W10: closes the WebSocket itself when the client does not', async () => {
      await start();
      const { client } = await pair();
      client.send(CLOSE);
      expect(await client.next()).toBe(CLOSE);
      gateway.clock.tick(6000);
      expect(await client.closed).toBe(1000);
    });

    it("U11, W10: the server's end is <close/>, and 1000 when the client has answered", async () => {
      await start();
      const { client, stream } = await pair();
      stream.finish({ reason: 'closed' });
      expect(await client.next()).toBe(CLOSE);
      client.send(CLOSE);
      expect(await client.closed).toBe(1000);
    });

    it("U11, W9: the server's stream error is passed on whole, and closed behind it", async () => {
      await start();
      const { client, stream } = await pair();
      const conflict =
        `<stream:error xmlns:stream='${STREAMS}'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>` +
        `<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>Replaced</text></stream:error>`;
      stream.push(conflict);
      expect(await client.next()).toBe(conflict);
      expect(await client.next()).toBe(CLOSE);
      gateway.clock.tick(1100); // W11: not much patience after an error
      expect(await client.closed).toBe(1000);
    });

    it('C32: a lost upstream is told as remote-connection-failed', async () => {
      await start();
      const { client, stream } = await pair();
      stream.finish({ reason: 'failed', message: 'reset' });
      expect(await client.next()).toEqual(error('remote-connection-failed'));
      expect(await client.next()).toBe(CLOSE);
      client.socket.close();
    });

    it('C32, P28: a client that can resume is cut when its upstream is lost, so that it resumes by itself', async () => {
      await start();
      const { client, stream } = await pair();
      stream.bound('alice@example.org/a');
      stream.push(`<enabled xmlns='urn:xmpp:sm:3' id='sm1' resume='true'/>`);
      for (let i = 0; i < 3; i++) await client.next();
      stream.finish({ reason: 'failed', message: 'reset' });
      expect(await client.closed).toBe(1012);
      expect(client.frames.size).toBe(0);
    });

    it('W9, C32: an upstream that cannot be reached is told behind an <open/>', async () => {
      await start({}, new ScriptedUpstream(false));
      const client = await RawWebSocket.connect(gateway.wsUrl);
      client.send(open({ to: 'example.org' }));
      (await gateway.upstream.streams.take()).finish({ reason: 'failed', message: 'refused' });
      expect(await client.next()).toContain('<open ');
      expect(await client.next()).toEqual(error('remote-connection-failed'));
      expect(await client.next()).toBe(CLOSE);
      client.socket.close();
    });

    it('W12: without <close/> the session is over and the upstream stream closed', async () => {
      await start();
      const { client, stream } = await pair();
      client.socket.terminate();
      expect(await stream.seen.take()).toBe('close');
    });

    it.each(['drop', 'close frame 1001, as a page reload sends'])('W12, U12: %s, resumption negotiated: the upstream is cut without </stream:stream>', async (how) => {
      await start();
      const { client, stream } = await pair();
      stream.bound('alice@example.org/a');
      stream.push(`<enabled xmlns='urn:xmpp:sm:3' id='sm1' resume='true'/>`);
      for (let i = 0; i < 3; i++) await client.next();
      if (how === 'drop') client.socket.terminate();
      else client.socket.close(1001);
      expect(await stream.seen.take()).toBe('abort');
    });

    it('U12: a clean <close/> closes the upstream stream whatever was negotiated', async () => {
      await start();
      const { client, stream } = await pair();
      stream.bound('alice@example.org/a');
      stream.push(`<enabled xmlns='urn:xmpp:sm:3' id='sm1' resume='true'/>`);
      client.send(CLOSE);
      expect(await stream.seen.take()).toBe('close');
      client.socket.close();
    });

    it('limits.authTimeout: an unauthenticated stream ends, whatever its client sends', async () => {
      await start();
      const { client, stream } = await pair();
      for (let i = 0; i < 4; i++) {
        client.send(`<iq xmlns='jabber:client' type='get' id='${i}'/>`);
        await stream.seen.take();
        gateway.clock.tick(15_100);
      }
      expect(await client.next()).toEqual(error('policy-violation'));
      expect(await stream.seen.take()).toBe('close');
      client.socket.close();
    });
  });

  describe('time', () => {
    it('W15, P22: pings an idle connection before its interval is over, and drops one that never answers', async () => {
      await start({ limits: { authTimeout: 3600 } });
      const client = await RawWebSocket.connect(gateway.wsUrl, ['xmpp'], { autoPong: false });
      client.send(open({ to: 'example.org' }));
      await client.next();
      await client.next();
      gateway.clock.tick(15_100);
      gateway.clock.tick(15_000);
      await once(client.socket, 'ping');
      gateway.clock.tick(60_000);
      expect(await client.closed).toBe(1006);
    });

    it('C11: a connection without PONGs lives as long as data comes', async () => {
      await start({ limits: { authTimeout: 3600 } });
      const client = await RawWebSocket.connect(gateway.wsUrl, ['xmpp'], { autoPong: false });
      client.send(open({ to: 'example.org' }));
      await client.next();
      await client.next();
      const stream = await gateway.upstream.streams.take();
      for (let i = 0; i < 12; i++) {
        gateway.clock.tick(25_000);
        client.send(message(String(i)));
        expect(await stream.seen.take()).toBe(message(String(i)));
      }
      client.socket.close();
    });
  });

  describe('backpressure', () => {
    it.each([1024, 65_536])('limits.maxBufferedBytes %i: a client that does not read pauses its upstream, and gets everything in the end', async (maxBufferedBytes) => {
      await start({ limits: { maxBufferedBytes } });
      const { client, stream } = await pair();
      client.socket.pause();
      const big = (i: number) => `<message xmlns='jabber:client' id='${i}'><body>${'x'.repeat(100_000)}</body></message>`;
      let sent = 0;
      while (!stream.paused) {
        stream.push(big(sent++));
        await new Promise(setImmediate);
      }
      client.socket.resume();
      for (let i = 0; i < sent; i++) expect(await client.next()).toBe(big(i));
      for (;;) if ((await stream.seen.take()) === 'resume') break;
      client.socket.close();
    });

    it('limits.maxBufferedBytes: a burst beyond it that the network takes at once does not pause the upstream for ever', async () => {
      await start({ limits: { maxBufferedBytes: 1024 } });
      const { client, stream } = await pair();
      const burst = Array.from({ length: 40 }, (_, i) => message(String(i)));
      for (const each of burst) stream.push(each);
      for (const each of burst) expect(await client.next()).toBe(each);
      expect(await stream.seen.take((seen) => seen === 'resume')).toBe('resume');
      client.socket.close();
    });

    it.each([{ stanzasPerSecond: 10 }, { bytesPerSecond: 10 * message('0').length }])(
      'U14: a client that sends too much is read no faster than %p, and nothing is lost',
      async (limits) => {
        await start({ limits: { authTimeout: 3600, ...limits } });
        const { client, stream } = await pair();
        for (let i = 0; i < 200; i++) {
          client.send(message(String(i % 10)));
          await new Promise(setImmediate);
        }
        expect(stream.seen.size).toBeLessThan(200);
        for (let i = 0; i < 200; i++) {
          for (let waited = 0; stream.seen.size === 0; waited++) {
            if (waited > 20) gateway.clock.tick(1000); // what is on its way has had time to come
            await new Promise(setImmediate);
          }
          expect(await stream.seen.take()).toBe(message(String(i % 10)));
        }
        client.socket.close();
      },
    );

    it('a slow upstream pauses the client, and nothing is lost', async () => {
      await start();
      const { client, stream } = await pair();
      stream.takes = false;
      client.send(message('0'));
      expect(await stream.seen.take()).toBe(message('0'));
      for (let i = 1; i < 50; i++) client.send(message(String(i)));
      stream.drain();
      for (let i = 1; i < 50; i++) expect(await stream.seen.take()).toBe(message(String(i)));
      client.socket.close();
    });
  });

  describe('shutdown', () => {
    it('tells every client, resumable ones by being cut with 1012, and takes no new one', async () => {
      await start();
      const { client, stream } = await pair();
      const { client: resumable, stream: kept } = await pair();
      kept.bound('alice@example.org/a');
      kept.push(`<enabled xmlns='urn:xmpp:sm:3' id='sm1' resume='true'/>`);
      const opening = await RawWebSocket.connect(gateway.wsUrl);
      const ended = gateway.close();
      expect(await client.next()).toEqual(error('system-shutdown'));
      expect(await client.next()).toBe(CLOSE);
      client.send(CLOSE);
      expect(await client.closed).toBe(1000);
      expect(await stream.seen.take()).toBe('close');
      for (let i = 0; i < 3; i++) await resumable.next();
      expect(await resumable.closed).toBe(1012);
      expect(await kept.seen.take()).toBe('abort');
      expect(await opening.next()).toContain('<open ');
      expect(await opening.next()).toEqual(error('system-shutdown'));
      expect(await opening.next()).toBe(CLOSE);
      await ended;
    });
  });

  it('W13, C10: drain() sends new clients elsewhere instead of <open/>, and running ones with <close/>', async () => {
    await start();
    const service = gateway.app.get(XmppSessionService);
    const { client, stream } = await pair();
    const moved = '<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" see-other-uri="wss://b.example.org/ws?a=1&amp;b=2" />';
    expect(service.drain({ websocket: 'wss://b.example.org/ws?a=1&b=2' })).toBe(1);
    expect(await client.next()).toBe(moved);
    expect(await stream.seen.take()).toBe('close');
    client.send(CLOSE);
    expect(await client.closed).toBe(1000);
    const late = await RawWebSocket.connect(gateway.wsUrl);
    late.send(open({ to: 'example.org' }));
    expect(await late.next()).toBe(moved);
    late.send(CLOSE);
    expect(await late.closed).toBe(1000);
    expect(() => service.drain({ websocket: 'javascript:alert(1)' })).toThrow(TypeError);
    service.undrain();
    (await RawWebSocket.open(gateway.wsUrl)).socket.close();
  });

  it('the session service lists, finds, sends to and ends sessions', async () => {
    await start();
    const service = gateway.app.get(XmppSessionService);
    const { client, stream } = await pair();
    stream.bound('alice@example.org/a');
    await client.next();
    await client.next();
    expect(await service.list()).toMatchObject([{ jid: 'alice@example.org/a', transport: 'websocket', address: '127.0.0.1' }]);
    expect(await service.find('alice@example.org')).toHaveLength(1);
    expect(await service.find('alice@example.org/b')).toHaveLength(0);
    expect(await service.terminate('alice@example.org', { condition: 'policy-violation', text: 'bye' })).toBe(1);
    expect(await client.next()).toEqual(error('policy-violation'));
    expect(await stream.seen.take()).toBe('close');
    expect(await service.list()).toEqual([]);
    client.socket.close();
  });
});
