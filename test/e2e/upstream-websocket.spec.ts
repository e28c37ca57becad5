import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ManualClock } from '../../lib/clock.js';
import type { UpstreamRequest } from '../../lib/upstream/upstream.js';
import { WebSocketUpstream, type WebSocketUpstreamOptions } from '../../lib/upstream/websocket/index.js';
import { Stanza } from '../../lib/xml/index.js';
import { FakeWebSocketServer, FEATURES } from '../support/fake-websocket-server.js';
import { FakeServer } from '../support/fake-server.js';
import { testAuthority, type Identity, type TestAuthority } from '../support/tls.js';
import { UpstreamRecorder } from '../support/upstream-recorder.js';

const CLOSE = '<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />';
const message = (body: string) => Stanza.parse(`<message xmlns='jabber:client' to='a@b'><body>${body}</body></message>`);

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('a stream over WebSocket', () => {
  let server: FakeWebSocketServer;
  let clock: ManualClock;

  beforeEach(async () => {
    server = await FakeWebSocketServer.listen();
    clock = new ManualClock();
  });
  afterEach(() => server.close());

  function open(options: Partial<WebSocketUpstreamOptions> = {}, request: Partial<UpstreamRequest> = {}): UpstreamRecorder {
    return new UpstreamRecorder(new WebSocketUpstream({ clock, url: server.url, ...options }), request);
  }

  async function openStream(options: Partial<WebSocketUpstreamOptions> = {}) {
    const session = open(options);
    const peer = await server.accept();
    await peer.openStream();
    await session.opened();
    await session.element();
    return { session, peer };
  }

  it('W1 W3: offers xmpp alone, and opens with the header of the client, escaped', async () => {
    const session = open({}, { header: { from: "o'n@example.org", lang: 'de&', to: 'evil.example' } });
    const peer = await server.accept();
    expect(peer.request.headers['sec-websocket-protocol']).toBe('xmpp');
    expect(await peer.openStream()).toBe(
      "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' from='o&apos;n@example.org' version='1.0' xml:lang='de&amp;'/>",
    );
    expect(await session.opened()).toEqual({ from: 'example.org', id: 's1', lang: 'en', version: '1.0', to: undefined });
    expect(String(await session.element())).toBe(FEATURES);
    expect(session.stream.secure).toBe(false);
  });

  it('sends each stanza in a frame of its own, those of one tick in one chunk', async () => {
    const { session, peer } = await openStream();
    const before = peer.chunks;
    for (let i = 0; i < 20; i++) session.stream.send(message(String(i)));
    for (let i = 0; i < 20; i++) expect(await peer.frame()).toBe(String(message(String(i))));
    expect(peer.chunks).toBe(before + 1);
  });

  it('sends what was given before the stream was open, in order, and not earlier', async () => {
    const session = open();
    session.stream.send(message('one'));
    const peer = await server.accept();
    expect(await peer.frame()).toMatch(/^<open /);
    session.stream.send(message('two'));
    await settle();
    peer.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0'/>");
    expect(await peer.frame()).toBe(String(message('one')));
    expect(await peer.frame()).toBe(String(message('two')));
  });

  it('bounds what waits for the stream to open', async () => {
    const session = open();
    const large = message('x'.repeat(300_000));
    for (let i = 0; i < 14; i++) expect(session.stream.send(large)).toBe(false);
    session.stream.send(large);
    expect(await session.ended()).toEqual({ reason: 'failed', message: 'too much was sent before the stream was open' });
  });

  it('W14: restarts with a new <open/>, without <close/>', async () => {
    const { session, peer } = await openStream();
    session.stream.restart({ from: 'alice@example.org', to: 'other.example' });
    expect(await peer.openStream()).toContain("to='example.org' from='alice@example.org'");
    await session.opened();
    await session.element();
    expect(session.log).toEqual(['open', 'features', 'open', 'features']);
  });

  it('ends the stream when a restart is not answered', async () => {
    const { session } = await openStream({ openTimeout: 3 });
    session.stream.restart({});
    clock.tick(3100);
    expect((await session.ended()).message).toBe('waited too long for the new stream header');
  });

  it('tells when the server does not read, and when it does again, and loses nothing', async () => {
    const { session, peer } = await openStream();
    peer.socket.pause();
    let sent = 1;
    while (session.stream.send(message('x'.repeat(100_000)))) {
      sent++;
      await settle();
    }
    await settle();
    expect(session.log).not.toContain('drain');
    peer.socket.resume();
    await session.drained();
    session.stream.send(message('last'));
    for (let i = 0; i < sent; i++) expect(await peer.frame()).toHaveLength(message('').byteLength + 100_000);
    expect(await peer.frame()).toBe(String(message('last')));
  });

  it.each([1, 40])('tells of room again when the server took all at once that was too much for one tick (%i stanzas)', async (count) => {
    const { session, peer } = await openStream();
    const large = message('x'.repeat(300_000 / count));
    let room = true;
    for (let i = 0; i < count; i++) room = session.stream.send(large) && room;
    expect(room).toBe(false);
    await session.drained();
    for (let i = 0; i < count; i++) await peer.frame();
    expect(session.log).toEqual(['open', 'features', 'drain']);
  });

  it('stops reading while paused, and reads on', async () => {
    const { session, peer } = await openStream();
    session.stream.pause();
    peer.send("<presence xmlns='jabber:client'/>");
    await settle();
    expect(session.log).toEqual(['open', 'features']);
    session.stream.resume();
    await session.element();
  });

  it('a pause before the stream is open holds what comes behind <open/>', async () => {
    const session = open();
    session.stream.pause();
    const peer = await server.accept();
    await peer.openStream('');
    await session.opened();
    peer.send(FEATURES);
    await settle();
    expect(session.log).toEqual(['open']);
    session.stream.resume();
    await session.element();
  });

  describe('the end', () => {
    it('W10: close() sends <close/>, takes what still comes, and closes the WebSocket when it is answered', async () => {
      const { session, peer } = await openStream();
      session.stream.send(message('last'));
      session.stream.close();
      expect(await peer.frame()).toBe(String(message('last')));
      expect(await peer.frame()).toBe(CLOSE);
      peer.send("<message xmlns='jabber:client'/>");
      expect((await session.element()).name).toBe('message');
      peer.send(CLOSE);
      expect(await session.ended()).toEqual({ reason: 'closed' });
      expect(await peer.closed()).toBe(1000);
    });

    it('W10: answers <close/>, and leaves the WebSocket to the server for a while', async () => {
      const { session, peer } = await openStream();
      peer.send(CLOSE);
      expect(await session.ended()).toEqual({ reason: 'closed' });
      expect(await peer.frame()).toBe(CLOSE);
      await settle();
      expect(peer.socket.readyState).toBe(peer.socket.OPEN);
      clock.tick(2100);
      expect(await peer.closed()).toBe(1000);
    });

    it('close() waits no longer than two seconds', async () => {
      const { session, peer } = await openStream();
      session.stream.close();
      await peer.frame();
      clock.tick(1900);
      expect(session.log).not.toContain('end');
      clock.tick(200);
      expect((await session.ended()).reason).toBe('closed');
      clock.tick(5000);
      await peer.closed();
    });

    it('close() before the stream is open gives it up, or waits when something was sent', async () => {
      const idle = open();
      idle.stream.close();
      expect(await idle.ended()).toEqual({ reason: 'closed' });
      const session = open();
      session.stream.send(message('only'));
      session.stream.close();
      const peer = await server.accept();
      await peer.openStream();
      expect(await peer.frame()).toBe(String(message('only')));
      expect(await peer.frame()).toBe(CLOSE);
    });

    it('U12: abort() sends what waits and cuts the connection without <close/> and close frame', async () => {
      const { session, peer } = await openStream();
      peer.socket.pause();
      session.stream.send(message('x'.repeat(20_000_000)));
      session.stream.abort();
      await settle();
      expect(session.log).not.toContain('end');
      peer.socket.resume();
      expect(await peer.frame()).toHaveLength(message('').byteLength + 20_000_000);
      expect(await peer.closed()).toBe(1006);
      expect((await session.ended()).reason).toBe('aborted');
      expect(session.log).toEqual(['open', 'features', 'end']);
    });

    it('abort() while connecting ends at once', async () => {
      const session = open();
      session.stream.abort();
      expect(await session.ended()).toEqual({ reason: 'aborted' });
      await settle();
      expect(session.log).toEqual(['end']);
    });

    it.each([
      ['a connection that breaks', (peer: { socket: { terminate(): void } }) => peer.socket.terminate(), '(1006)'],
      ['a close frame without <close/>', (peer: { socket: { close(code: number): void } }) => peer.socket.close(1001), '(1001)'],
    ])('W12: takes %s as lost', async (_name, fault, code) => {
      const { session, peer } = await openStream();
      fault(peer);
      const end = await session.ended();
      expect(end).toEqual({ reason: 'failed', message: `the server closed the WebSocket ${code}` });
    });
  });

  describe('bad input', () => {
    it.each([
      ['two elements in one frame', '<a/><b/>', 'not-well-formed'],
      ['a comment', "<message xmlns='jabber:client'><!-- --></message>", 'restricted-xml'],
      ['an empty frame', ' ', 'bad-format'],
      ['an unknown element of the framing', "<x xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>", 'unsupported-stanza-type'],
    ])('R2: answers %s with a stream error, <close/> and the close of the WebSocket', async (_name, frame, condition) => {
      const { session, peer } = await openStream();
      peer.send(frame);
      peer.send("<presence xmlns='jabber:client'/>");
      const end = await session.ended();
      expect(end.reason).toBe('failed');
      expect(end.message).toMatch(new RegExp(`^${condition}: `));
      expect(await peer.frame()).toBe(
        `<stream:error xmlns:stream='http://etherx.jabber.org/streams'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`,
      );
      expect(await peer.frame()).toBe(CLOSE);
      expect(await peer.closed()).toBe(1000);
      expect(session.log).toEqual(['open', 'features', 'end']);
    });

    it('W2: refuses a binary message', async () => {
      const { session, peer } = await openStream();
      peer.socket.send(Buffer.from("<presence xmlns='jabber:client'/>"), { binary: true });
      expect((await session.ended()).message).toBe('the server sent a binary message');
      expect(await peer.closed()).toBe(1003);
    });

    it('refuses a message that is too large', async () => {
      const { session, peer } = await openStream({ maxStanzaBytes: 2000 });
      peer.send(String(message('x'.repeat(2000))));
      expect((await session.ended()).message).toContain('Max payload size exceeded');
      expect(await peer.closed()).toBe(1009);
    });

    it('W7: refuses a server that does not begin with <open/>', async () => {
      const session = open();
      const peer = await server.accept();
      await peer.frame();
      peer.send(FEATURES);
      expect((await session.ended()).message).toContain('the first element is not <open/>');
      expect(session.log).toEqual(['end']);
    });

    it('U9: an open stream that is redirected has failed, and the client does not hear where to', async () => {
      const { session, peer } = await openStream();
      peer.send(
        "<stream:error xmlns:stream='http://etherx.jabber.org/streams'><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>h</see-other-host></stream:error>",
      );
      expect((await session.ended()).reason).toBe('failed');
      expect(session.log).toEqual(['open', 'features', 'end']);
    });

    it('a handler that throws ends its own stream, and nothing else', async () => {
      const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
      const { session, peer } = await openStream();
      session.onElement = () => {
        throw new Error('a fault in the test');
      };
      peer.send("<presence xmlns='jabber:client'/>");
      expect((await session.ended()).message).toBe('undefined-condition: internal error');
      expect(logged).toHaveBeenCalledWith(new Error('a fault in the test'));
      logged.mockRestore();
    });
  });

  describe('a server that cannot be used', () => {
    it('reports one that answers with <close/> instead of <open/>', async () => {
      const session = open();
      const peer = await server.accept();
      await peer.frame();
      peer.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing' see-other-uri='wss://elsewhere.example/'/>");
      expect(await session.ended()).toEqual({ reason: 'failed', message: 'the server refers to another address' });
    });

    it('reports one that never opens the stream', async () => {
      const session = open({ openTimeout: 4 });
      const peer = await server.accept();
      await peer.frame();
      clock.tick(4100);
      expect((await session.ended()).message).toBe('waited too long for the stream to open');
    });

    it('reports one that accepts and says nothing', async () => {
      const silent = await FakeServer.listen();
      try {
        const session = open({ url: `ws://127.0.0.1:${silent.port}/`, connectTimeout: 3, handshakeTimeout: 1 });
        const peer = await silent.accept();
        await peer.expect('\r\n\r\n');
        clock.tick(4100);
        expect((await session.ended()).message).toBe('waited too long for a connection');
        await peer.end();
      } finally {
        await silent.close();
      }
    });

    it('reports a wrong path', async () => {
      const session = open({ url: server.url.replace('/ws', '/nothing') });
      expect((await session.ended()).message).toBe('Unexpected server response: 400');
    });

    it('W1: reports one that does not take the subprotocol', async () => {
      const other = await FakeWebSocketServer.listen(undefined, '');
      try {
        expect((await open({ url: other.url }).ended()).message).toBe('Server sent no subprotocol');
      } finally {
        await other.close();
      }
    });

    it('B29: reports a refused connection', async () => {
      const gone = createServer().listen(0, '127.0.0.1');
      await once(gone, 'listening');
      const { port } = gone.address() as AddressInfo;
      gone.close();
      await once(gone, 'close');
      expect((await open({ url: `ws://127.0.0.1:${port}/` }).ended()).message).toBe(`connect ECONNREFUSED 127.0.0.1:${port}`);
    });
  });

  it('U10: begins with the PROXY header where it is asked to', async () => {
    const raw = await FakeServer.listen();
    try {
      open({ url: `ws://127.0.0.1:${raw.port}/ws`, proxyProtocol: 1 });
      const header = `PROXY TCP4 192.0.2.7 127.0.0.1 4711 ${raw.port}\r\nGET /ws HTTP/1.1\r\n`;
      expect((await (await raw.accept()).bytes(header.length)).toString()).toBe(header);
    } finally {
      await raw.close();
    }
  });

  it('probes the server', async () => {
    const probe = new WebSocketUpstream({ clock, url: server.url }).probe('example.org');
    const peer = await server.accept();
    await peer.openStream();
    expect(await peer.frame()).toBe(CLOSE);
    peer.send(CLOSE);
    await probe;
    const failing = new WebSocketUpstream({ clock, url: `${server.url}-not?token=secret` }).probe('example.org');
    await expect(failing).rejects.toThrow(`${server.url}-not: Unexpected server response: 400`);
  });
});

describe('a stream over WebSocket and TLS', () => {
  let authority: TestAuthority;
  let localhost: Identity;
  let clock: ManualClock;

  beforeAll(async () => {
    authority = await testAuthority();
    localhost = await authority.issue('localhost');
    clock = new ManualClock();
  });
  afterAll(() => authority.remove());

  it.each([undefined, 2] as const)('W18: verifies the certificate against the host of the URL (PROXY protocol: %s)', async (proxyProtocol) => {
    const server = await FakeWebSocketServer.listen(localhost);
    try {
      if (proxyProtocol === undefined) {
        const session = new UpstreamRecorder(new WebSocketUpstream({ clock, url: server.url, ca: authority.ca }));
        await (await server.accept()).openStream();
        await session.opened();
        expect(session.stream.secure).toBe(true);
        return;
      }
      // In front of the server, which does not know the PROXY protocol: takes the header away.
      const front = await FakeServer.listen();
      const session = new UpstreamRecorder(
        new WebSocketUpstream({ clock, url: `wss://localhost:${front.port}/ws`, ca: authority.ca, proxyProtocol }),
      );
      const peer = await front.accept();
      const start = await peer.bytes(12 + 4 + 12 + 1);
      expect(start.subarray(0, 14).toString('hex')).toMatch(/^0d0a0d0a000d0a515549540a21/);
      expect(start[28]).toBe(0x16); // a TLS handshake record
      session.stream.abort();
      await session.ended();
      await front.close();
    } finally {
      await server.close();
    }
  });

  it('W18: refuses the certificate of another host, and of an unknown authority', async () => {
    const server = await FakeWebSocketServer.listen(localhost);
    try {
      const other = new UpstreamRecorder(new WebSocketUpstream({ clock, url: server.url.replace('localhost', '127.0.0.1'), ca: authority.ca }));
      expect((await other.ended()).message).toMatch(/^certificate refused: IP: 127\.0\.0\.1 is not in the cert's list/);
      const unknown = new UpstreamRecorder(new WebSocketUpstream({ clock, url: server.url }));
      expect((await unknown.ended()).message).toMatch(/^certificate refused: .*UNABLE_TO_/);
    } finally {
      await server.close();
    }
  });

  it('does not look at it with verify: false, which is said in the log', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const server = await FakeWebSocketServer.listen(localhost);
    try {
      const session = new UpstreamRecorder(new WebSocketUpstream({ clock, url: server.url, verify: false }));
      await (await server.accept()).openStream();
      await session.opened();
      expect(warn).toHaveBeenCalledTimes(1);
    } finally {
      warn.mockRestore();
      await server.close();
    }
  });
});
