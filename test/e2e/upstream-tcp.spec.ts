import { jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ManualClock } from '../../lib/clock.js';
import { TcpUpstream, type TcpUpstreamOptions } from '../../lib/upstream/tcp/index.js';
import type { UpstreamRequest } from '../../lib/upstream/upstream.js';
import { Stanza } from '../../lib/xml/index.js';
import { FakeServer, SASL_FEATURES, serverHeader, STARTTLS_FEATURES, type Peer } from '../support/fake-server.js';
import { freePorts } from '../support/ports.js';
import { UpstreamRecorder } from '../support/upstream-recorder.js';

const ERROR = "<stream:error xmlns:stream='http://etherx.jabber.org/streams'>";
const message = (body: string) => Stanza.parse(`<message xmlns='jabber:client' to='a@b'><body>${body}</body></message>`);

/** Until what is due in this process has been done, I/O of loopback included. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('a stream over TCP in clear', () => {
  let server: FakeServer;
  let clock: ManualClock;

  beforeEach(async () => {
    server = await FakeServer.listen();
    clock = new ManualClock();
  });
  afterEach(() => server.close());

  function upstream(options: TcpUpstreamOptions = {}): TcpUpstream {
    return new TcpUpstream({ clock, server: { host: '127.0.0.1', port: server.port, tls: 'starttls' }, ...options });
  }

  async function openStream(options: TcpUpstreamOptions = {}, request: Partial<UpstreamRequest> = {}) {
    const session = new UpstreamRecorder(upstream(options), request);
    const peer = await server.accept();
    const header = await peer.openStream(SASL_FEATURES);
    await session.opened();
    expect((await session.element()).name).toBe('features');
    return { session, peer, header };
  }

  it('U4: sends from and xml:lang of the client in the header, escaped, and to of the session', async () => {
    const { session, header } = await openStream({}, { header: { from: `o'n<e@example.org`, lang: 'de&', to: 'evil.example' } });
    expect(header).toBe(
      "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.org'" +
        " from='o&apos;n&lt;e@example.org' version='1.0' xml:lang='de&amp;'>",
    );
    expect(session.stream.secure).toBe(false);
  });

  it('hands on the header of the server and its elements, standing alone', async () => {
    const session = new UpstreamRecorder(upstream());
    const peer = await server.accept();
    await peer.openStream(SASL_FEATURES);
    expect(await session.opened()).toEqual({ from: 'example.org', id: 's1', lang: 'en', version: '1.0', to: undefined });
    expect((await session.element()).toString()).toContain('xmlns:stream="http://etherx.jabber.org/streams"');
    peer.send("<iq type='result' id='1'/><x:y xmlns:x='urn:other'/>");
    expect((await session.element()).toString()).toBe(`<iq xmlns="jabber:client" type='result' id='1'/>`);
    expect((await session.element()).namespace).toBe('urn:other');
  });

  it('takes a stream that comes byte by byte', async () => {
    const session = new UpstreamRecorder(upstream());
    const peer = await server.accept();
    for (const byte of Buffer.from(`${serverHeader()}${SASL_FEATURES}<message><body>ä😀</body></message>`)) {
      peer.send(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await session.element();
    expect((await session.element()).child('body')?.text()).toBe('ä😀');
    expect(session.log).toEqual(['open', 'features', 'message']);
  });

  it('opens at the header of a server that sends no features', async () => {
    const session = new UpstreamRecorder(upstream());
    const peer = await server.accept();
    await peer.expect(/<stream:stream [^>]*>/);
    peer.send(serverHeader().replace(" version='1.0' xml", ' xml'));
    expect((await session.opened()).version).toBeUndefined();
  });

  it('sends what was given before the stream was open, in order', async () => {
    const session = new UpstreamRecorder(upstream());
    expect(session.stream.send(message('one'))).toBe(true);
    const peer = await server.accept();
    await peer.openStream();
    session.stream.send(message('two'));
    await settle();
    expect(peer.unread).toBe('');
    peer.send(SASL_FEATURES);
    await peer.expect(`${message('one')}${message('two')}`);
  });

  it('bounds what waits for the stream to open', async () => {
    const session = new UpstreamRecorder(upstream());
    const large = message('x'.repeat(300_000));
    const taken = [];
    for (let i = 0; i < 14; i++) taken.push(session.stream.send(large));
    expect(new Set(taken)).toEqual(new Set([false]));
    expect(session.log).toEqual([]);
    session.stream.send(large);
    expect(await session.ended()).toEqual({ reason: 'failed', message: 'too much was sent before the stream was open' });
  });

  it('sends the stanzas of one tick as one chunk', async () => {
    const { session, peer } = await openStream();
    const before = peer.chunks.length;
    for (let i = 0; i < 50; i++) session.stream.send(message(String(i)));
    await peer.expect(String(message('49')));
    expect(peer.chunks).toHaveLength(before + 1);
  });

  it('opens the stream anew on the same connection, for the same domain', async () => {
    const { session, peer } = await openStream();
    session.onElement = (stanza) => {
      if (stanza.name === 'success') session.stream.restart({ from: 'alice@example.org', to: 'other.example', lang: 'fr' });
    };
    peer.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/> ");
    const header = await peer.openStream("<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>", " x='2'");
    expect(header).toContain("to='example.org' from='alice@example.org' version='1.0' xml:lang='fr'>");
    await session.opened();
    session.stream.send(message('bound'));
    await peer.expect(String(message('bound')));
    expect(session.log).toEqual(['open', 'features', 'success', 'open', 'features']);
    expect(server.count).toBe(1);
  });

  it('ends the stream when a restart is not answered', async () => {
    const { session } = await openStream({ openTimeout: 3 });
    session.stream.restart({});
    clock.tick(2900);
    expect(session.log).not.toContain('end');
    clock.tick(200);
    expect(await session.ended()).toEqual({ reason: 'failed', message: 'waited too long for the new stream header' });
  });

  it('does not blame the server for a restart that is not answered while we do not read', async () => {
    const { session, peer } = await openStream({ openTimeout: 3 });
    session.stream.pause();
    session.stream.restart({});
    await peer.openStream(SASL_FEATURES);
    clock.tick(10_000);
    expect(session.log).toEqual(['open', 'features']);
    session.stream.resume();
    await session.opened();
  });

  describe('backpressure', () => {
    it('tells when the server does not read, and when it does again, and loses nothing', async () => {
      const { session, peer } = await openStream();
      peer.pause();
      const body = 'x'.repeat(100_000);
      let sent = 0;
      for (;;) {
        sent++;
        if (!session.stream.send(message(body))) break;
        await settle(); // the buffers of the operating system fill first
      }
      await settle();
      expect(session.log).not.toContain('drain');
      peer.resume();
      await session.drained();
      session.stream.send(message('last'));
      await peer.expectLast(String(message('last')));
      expect(peer.raw.toString().match(/<body>x{100000}<\/body>/g)).toHaveLength(sent);
      expect(session.log.filter((entry) => entry === 'drain')).toHaveLength(1);
    });

    it.each([1, 40])('tells of room again when the server took all at once that was too much for one tick (%i stanzas)', async (count) => {
      const { session, peer } = await openStream();
      const large = message('x'.repeat(300_000 / count));
      let room = true;
      for (let i = 0; i < count; i++) room = session.stream.send(large) && room;
      expect(room).toBe(false);
      await session.drained();
      for (let i = 0; i < count; i++) await peer.expect(String(large));
      expect(session.log).toEqual(['open', 'features', 'drain']);
    });

    it('says nothing of room again where it never said that there was none', async () => {
      const { session, peer } = await openStream();
      const large = message('x'.repeat(200_000));
      for (let i = 0; i < 20; i++) {
        expect(session.stream.send(large)).toBe(true);
        await peer.expect(String(large));
        await settle();
      }
      expect(session.log).toEqual(['open', 'features']);
    });

    it('stops reading while paused, and reads on', async () => {
      const { session, peer } = await openStream();
      session.stream.pause();
      peer.send('<presence/>');
      await settle();
      expect(session.log).toEqual(['open', 'features']);
      session.stream.resume();
      expect((await session.element()).name).toBe('presence');
    });

    it('a pause before the stream is open holds what comes behind the features', async () => {
      const session = new UpstreamRecorder(upstream());
      session.stream.pause();
      const peer = await server.accept();
      await peer.openStream(SASL_FEATURES);
      await session.element();
      peer.send('<presence/>');
      await settle();
      expect(session.log).toEqual(['open', 'features']);
      session.stream.resume();
      await session.element();
    });
  });

  describe('the end', () => {
    it('U12: close() sends what waits and the end of the stream, takes what still comes, and ends when it is answered', async () => {
      const { session, peer } = await openStream();
      session.stream.send(message('last'));
      session.stream.close();
      await peer.expect(`${message('last')}</stream:stream>`);
      peer.send('<message><body>late</body></message>');
      expect((await session.element()).child('body')?.text()).toBe('late');
      expect(session.log).not.toContain('end');
      peer.send('</stream:stream>');
      expect(await session.ended()).toEqual({ reason: 'closed' });
      await peer.end();
      expect(peer.error).toBeUndefined();
    });

    it('close() reads on in a paused stream', async () => {
      const { session, peer } = await openStream();
      session.stream.pause();
      peer.send('<presence/>');
      session.stream.close();
      await peer.expect('</stream:stream>');
      peer.send('</stream:stream>');
      expect((await session.ended()).reason).toBe('closed');
      expect(session.log).toEqual(['open', 'features', 'presence', 'end']);
    });

    it('close() waits for the answer no longer than two seconds', async () => {
      const { session, peer } = await openStream();
      session.stream.close();
      await peer.expect('</stream:stream>');
      await settle();
      clock.tick(1900);
      expect(session.log).not.toContain('end');
      clock.tick(200);
      expect(await session.ended()).toEqual({ reason: 'closed', message: 'the server did not close the connection' });
      await peer.end();
    });

    it('close() gives the server two more seconds to answer once it took everything', async () => {
      const { session, peer } = await openStream();
      peer.pause();
      for (let i = 0; i < 100; i++) session.stream.send(message('x'.repeat(200_000)));
      session.stream.close();
      await settle();
      clock.tick(1900);
      peer.resume();
      await peer.expectLast('</stream:stream>');
      await settle();
      clock.tick(1900);
      expect(session.log).toEqual(['open', 'features']);
      peer.send('</stream:stream>');
      expect(await session.ended()).toEqual({ reason: 'closed' });
    });

    it('close() says so when the server did not take what was sent', async () => {
      const { session, peer } = await openStream();
      peer.pause();
      for (let i = 0; i < 100; i++) session.stream.send(message('x'.repeat(200_000)));
      session.stream.close();
      await settle();
      clock.tick(2100);
      expect((await session.ended()).reason).toBe('failed');
    });

    it('close() is done when the server closes the connection without an answer', async () => {
      const { session, peer } = await openStream();
      session.stream.close();
      await peer.expect('</stream:stream>');
      peer.finish();
      expect((await session.ended()).reason).toBe('closed');
    });

    it('close() before the stream is open gives it up', async () => {
      const session = new UpstreamRecorder(upstream());
      session.stream.close();
      expect(await session.ended()).toEqual({ reason: 'closed' });
    });

    it('close() before the stream is open waits for it when something was sent', async () => {
      const session = new UpstreamRecorder(upstream());
      session.stream.send(message('only'));
      session.stream.close();
      const peer = await server.accept();
      await peer.openStream(SASL_FEATURES);
      await peer.expect(`${message('only')}</stream:stream>`);
      peer.send('</stream:stream>');
      expect((await session.ended()).reason).toBe('closed');
    });

    it('U12: abort() sends what waits and cuts the connection in order, without the end of the stream', async () => {
      const { session, peer } = await openStream();
      peer.send('<presence/>'.repeat(1000)); // unread data must not turn the cut into a reset
      const large = message('x'.repeat(500_000));
      session.stream.send(large);
      session.stream.abort();
      await peer.end();
      expect(peer.error).toBeUndefined();
      expect(peer.unread.endsWith(String(large))).toBe(true);
      expect(session.log).not.toContain('end');
      peer.finish();
      expect(await session.ended()).toEqual({ reason: 'aborted' });
    });

    it('abort() inside onStanza hands on nothing more of the chunk', async () => {
      const { session, peer } = await openStream();
      session.onElement = () => session.stream.abort();
      peer.send('<presence/><presence/>');
      await peer.end();
      peer.finish();
      await session.ended();
      expect(session.log).toEqual(['open', 'features', 'presence', 'end']);
    });

    it('abort() inside onOpen hands on nothing', async () => {
      const session = new UpstreamRecorder(upstream());
      session.onHeader = () => session.stream.abort();
      const peer = await server.accept();
      await peer.openStream(SASL_FEATURES);
      await peer.end();
      peer.finish();
      await session.ended();
      expect(session.log).toEqual(['open', 'end']);
    });

    it('abort() waits for the server no longer than two seconds', async () => {
      const { session } = await openStream();
      session.stream.abort();
      clock.tick(2100);
      expect((await session.ended()).reason).toBe('aborted');
    });

    it('abort() while dialing ends at once', async () => {
      const session = new UpstreamRecorder(upstream());
      session.stream.abort();
      session.stream.abort();
      session.stream.close();
      expect(await session.ended()).toEqual({ reason: 'aborted' });
      await settle();
      expect(session.log).toEqual(['end']);
    });

    it('abort() while dialing makes no connection any more', async () => {
      const byName = upstream({ server: { host: 'localhost', port: server.port, tls: 'starttls' } });
      const given = new UpstreamRecorder(byName);
      given.stream.abort();
      await given.ended();
      const other = new UpstreamRecorder(byName);
      await (await server.accept()).openStream(SASL_FEATURES);
      await other.opened();
      expect(server.count).toBe(1);
    });

    it('U11: answers the end of the stream by the server', async () => {
      const { session, peer } = await openStream();
      session.stream.send(message('crossing'));
      peer.send('<presence/></stream:stream>');
      expect(await session.ended()).toEqual({ reason: 'closed' });
      await peer.expect(`${message('crossing')}</stream:stream>`);
      await peer.end();
      expect(session.log).toEqual(['open', 'features', 'presence', 'end']);
      expect(session.stream.send(message('too late'))).toBe(true);
    });

    it('U11: hands on a stream error', async () => {
      const { session, peer } = await openStream();
      peer.send("<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>");
      expect((await session.element()).child('conflict')).toBeDefined();
      expect((await session.ended()).reason).toBe('closed');
    });

    it.each([
      ['a half-closed connection', (peer: Peer) => peer.finish(), 'the server closed the connection'],
      ['a connection that ends inside a stanza', (peer: Peer) => (peer.send('<message><body>se'), peer.finish()), 'in the middle of an element'],
      ['a reset', (peer: Peer) => peer.reset(), 'ECONNRESET'],
    ])('B29: takes %s as lost', async (_name, fault, expected) => {
      const { session, peer } = await openStream();
      fault(peer);
      const end = await session.ended();
      expect(end.reason).toBe('failed');
      expect(end.message).toContain(expected);
      expect(session.log).toEqual(['open', 'features', 'end']);
    });
  });

  describe('bad input', () => {
    it.each([
      ['not-well-formed', '<message></presence>'],
      ['restricted-xml', '<!-- c -->'],
      ['restricted-xml', '<message><body>&ouml;</body></message>'],
      ['policy-violation', `<message><body>${'x'.repeat(5000)}`],
    ])('R2: answers %s with that stream error and ends the stream', async (condition, xml) => {
      const { session, peer } = await openStream({ maxStanzaBytes: 5000 });
      peer.send(`<presence/>${xml}<presence/>`);
      const end = await session.ended();
      expect(end.reason).toBe('failed');
      expect(end.message).toMatch(new RegExp(`^${condition}: `));
      expect(session.log).toEqual(['open', 'features', 'presence', 'end']);
      await peer.expect(`${ERROR}<${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`);
      await peer.end();
    });

    it('R2: tells the server why even while it sends on', async () => {
      const { session, peer } = await openStream();
      peer.send('<a></b>');
      for (let i = 0; i < 50; i++) peer.send('x'.repeat(100_000));
      await session.ended();
      await peer.expect('</stream:stream>');
      peer.finish();
      await peer.closed();
      expect(peer.error).toBeUndefined();
    });

    it('refuses a header that is none of a stream', async () => {
      const session = new UpstreamRecorder(upstream());
      const peer = await server.accept();
      await peer.expect(/<stream:stream [^>]*>/);
      peer.send("<stream:stream xmlns='jabber:client' xmlns:stream='urn:wrong'>");
      await peer.expect('<invalid-namespace ');
      expect((await session.ended()).message).toMatch(/^127\.0\.0\.1:\d+: invalid-namespace: no stream header$/);
    });

    it('names no byte of what came in the message', async () => {
      const { session, peer } = await openStream();
      peer.send('<success>c2VjcmV0&secret;</success>');
      expect((await session.ended()).message).not.toMatch(/secret|c2Vj/);
    });
  });

  describe('a server that cannot be used', () => {
    it('B29: reports a refused connection', async () => {
      const port = (await freePorts(1))[0]!;
      const session = new UpstreamRecorder(upstream({ server: { host: '127.0.0.1', port, tls: 'starttls' } }));
      expect(await session.ended()).toEqual({
        reason: 'failed',
        message: `127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
      });
    });

    it('reports every address of a name that was tried', async () => {
      const port = (await freePorts(1))[0]!;
      const session = new UpstreamRecorder(upstream({ server: { host: 'localhost', port, tls: 'starttls' } }));
      expect((await session.ended()).message).toContain(`ECONNREFUSED 127.0.0.1:${port}`);
    });

    it('reports a server that accepts and says nothing', async () => {
      const session = new UpstreamRecorder(upstream({ openTimeout: 4 }));
      const peer = await server.accept();
      await peer.expect(/<stream:stream [^>]*>/);
      clock.tick(3900);
      expect(session.log).toEqual([]);
      clock.tick(200);
      expect((await session.ended()).message).toMatch(/: waited too long for the stream to open$/);
      await peer.end();
    });

    it('reports a server that sends a header and never its features', async () => {
      const session = new UpstreamRecorder(upstream({ openTimeout: 4 }));
      const peer = await server.accept();
      await peer.openStream();
      await settle();
      clock.tick(4100);
      expect((await session.ended()).reason).toBe('failed');
      expect(session.log).toEqual(['end']);
    });

    it('reports a server that closes before the stream is open', async () => {
      const session = new UpstreamRecorder(upstream());
      (await server.accept()).finish();
      expect((await session.ended()).message).toMatch(/: the server closed the connection$/);
    });

    it('U11: hands on a stream error instead of features', async () => {
      const session = new UpstreamRecorder(upstream());
      const peer = await server.accept();
      await peer.openStream("<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>");
      await session.opened();
      expect((await session.element()).child('host-unknown')).toBeDefined();
      expect((await session.ended()).reason).toBe('closed');
    });

    it('never: says so when the server requires STARTTLS', async () => {
      const session = new UpstreamRecorder(upstream({ starttls: 'never' }));
      await (await server.accept()).openStream(STARTTLS_FEATURES);
      expect((await session.ended()).message).toContain('the server requires STARTTLS, which is set to never');
    });

    it('never: passes features with STARTTLS that is not required', async () => {
      const session = new UpstreamRecorder(upstream({ starttls: 'never' }));
      await (await server.accept()).openStream(STARTTLS_FEATURES.replace('<required/>', ''));
      expect((await session.element()).name).toBe('features');
    });
  });

  describe('see-other-host', () => {
    const redirect = (to: string) =>
      `<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>${to}</see-other-host></stream:error></stream:stream>`;
    const here = () => `127.0.0.1:${server.port}`;

    it('U9: follows to an allowed host before the session sees anything, with what was sent meanwhile', async () => {
      const other = await FakeServer.listen();
      try {
        const session = new UpstreamRecorder(upstream({ redirects: [`127.0.0.1:${other.port}`] }), { header: { from: 'a@example.org' } });
        session.stream.send(message('early'));
        await (await server.accept()).openStream(redirect(`127.0.0.1:${other.port}`));
        const peer = await other.accept();
        expect(await peer.openStream(SASL_FEATURES)).toContain("to='example.org' from='a@example.org'");
        await session.opened();
        await peer.expect(String(message('early')));
        expect(session.log).toEqual(['open', 'features']);
      } finally {
        await other.close();
      }
    });

    it('U9: follows three times and no further', async () => {
      const session = new UpstreamRecorder(upstream({ redirects: ['127.0.0.1'] }));
      for (let hop = 0; hop <= 3; hop++) await (await server.accept()).openStream(redirect(here()));
      expect((await session.ended()).message).toContain('redirects more than 3 times');
      expect(server.count).toBe(4);
    });

    it.each([[[]], [['other.example']], [['127.0.0.1:1']], [['127.0.0.1:65000', '127.0.0.2']]])(
      'R16: does not dial a host that is not allowed by %j',
      async (redirects: string[]) => {
        const session = new UpstreamRecorder(upstream({ redirects }));
        await (await server.accept()).openStream(redirect(here()));
        expect((await session.ended()).message).toContain('redirects to a host that is not allowed');
        expect(session.log).toEqual(['end']);
        expect(server.count).toBe(1);
      },
    );

    it('R16: does not dial what is no host', async () => {
      const session = new UpstreamRecorder(upstream({ redirects: ['127.0.0.1'] }));
      await (await server.accept()).openStream(redirect(`http://${here()}/`));
      expect((await session.ended()).message).toContain('not allowed');
    });

    it('U9: an open stream that is redirected has failed, and the client does not hear where to', async () => {
      const { session, peer } = await openStream({ redirects: ['127.0.0.1'] });
      peer.send(redirect(here()));
      expect(await session.ended()).toEqual({ reason: 'failed', message: 'the server redirects a stream that is already open', violation: true });
      expect(session.log).toEqual(['open', 'features', 'end']);
    });
  });

  describe('PROXY protocol', () => {
    it('U10: version 1 comes before everything else', async () => {
      new UpstreamRecorder(upstream({ proxyProtocol: 1 }));
      const peer = await server.accept();
      const header = `PROXY TCP4 192.0.2.7 127.0.0.1 4711 ${server.port}\r\n<?xml`;
      expect((await peer.bytes(header.length)).toString()).toBe(header);
    });

    it('U10: version 2 comes before everything else', async () => {
      new UpstreamRecorder(upstream({ proxyProtocol: 2 }), { client: { address: '2001:db8::7', port: 1, secure: false } });
      const peer = await server.accept();
      const bytes = await peer.bytes(12 + 4 + 36 + 5);
      expect(bytes.subarray(0, 14).toString('hex')).toBe('0d0a0d0a000d0a515549540a2121');
      expect(bytes.subarray(-5).toString()).toBe('<?xml');
    });
  });

  describe('probe', () => {
    it('succeeds when the server opens the stream, and leaves nothing behind', async () => {
      const probe = upstream().probe('example.org');
      const peer = await server.accept();
      await peer.openStream(SASL_FEATURES);
      await peer.expect('</stream:stream>');
      peer.send('</stream:stream>');
      await probe;
      await peer.end();
    });

    it('says LOCAL in the PROXY protocol: it is for no client', async () => {
      const probe = upstream({ proxyProtocol: 2 }).probe('example.org');
      const peer = await server.accept();
      expect((await peer.bytes(16)).toString('hex')).toBe('0d0a0d0a000d0a515549540a20000000');
      peer.finish();
      await expect(probe).rejects.toThrow('the server closed the connection');
    });

    it('rejects with the reason', async () => {
      const probe = upstream().probe('example.org');
      const peer = await server.accept();
      await peer.openStream("<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>");
      await expect(probe).rejects.toThrow(`xmpp://127.0.0.1:${server.port}: stream error host-unknown`);
    });
  });

  it('a handler that throws ends its own stream, and nothing else', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    const { session, peer } = await openStream();
    session.onElement = () => {
      throw new Error('a fault in the test');
    };
    peer.send('<presence/>');
    expect(await session.ended()).toEqual({ reason: 'failed', message: 'undefined-condition: internal error', violation: true });
    await peer.expect('<undefined-condition ');
    expect(logged).toHaveBeenCalledWith(new Error('a fault in the test'));
    logged.mockRestore();
  });
});

describe('a domain with SRV records', () => {
  it('U1: tries the next target when one fails, and names all when none is left', async () => {
    const [first, last] = [await FakeServer.listen(), await FakeServer.listen()];
    const dead = (await freePorts(1))[0]!;
    const records = [first.port, dead, last.port].map((port, priority) => ({ name: '127.0.0.1', port, priority, weight: 0 }));
    const upstream = new TcpUpstream({
      clock: new ManualClock(),
      starttls: 'never',
      resolver: { resolveSrv: async (name) => (name.startsWith('_xmpp-client') ? records : []) },
    });
    try {
      const session = new UpstreamRecorder(upstream);
      (await first.accept()).reset();
      const peer = await last.accept();
      await peer.openStream(SASL_FEATURES);
      await session.opened();

      const unlucky = new UpstreamRecorder(upstream);
      (await first.accept()).finish();
      (await last.accept()).finish();
      const { message } = await unlucky.ended();
      expect(message).toBe(
        `127.0.0.1:${first.port}: the server closed the connection; ` +
          `127.0.0.1:${dead}: connect ECONNREFUSED 127.0.0.1:${dead}; 127.0.0.1:${last.port}: the server closed the connection`,
      );
    } finally {
      await first.close();
      await last.close();
    }
  });

  it('U1: fails without a connection when the domain offers no service', async () => {
    const resolver = { resolveSrv: async () => [{ name: '', port: 0, priority: 0, weight: 0 }] };
    const session = new UpstreamRecorder(new TcpUpstream({ clock: new ManualClock(), resolver }));
    expect((await session.ended()).message).toContain('offers no service');
  });

  it('does not wait for ever for DNS, and is not disturbed by an answer that comes too late', async () => {
    const clock = new ManualClock();
    const server = await FakeServer.listen();
    const records = [{ name: '127.0.0.1', port: server.port, priority: 0, weight: 0 }];
    const answers: (() => void)[] = [];
    const resolver = { resolveSrv: () => new Promise<typeof records>((resolve) => answers.push(() => resolve(records))) };
    const session = new UpstreamRecorder(new TcpUpstream({ clock, resolver, connectTimeout: 5 }));
    clock.tick(5100);
    expect((await session.ended()).message).toContain('waited too long for the SRV records');
    for (const answer of answers) answer();
    await settle();
    expect(session.log).toEqual(['end']);
    expect(server.count).toBe(0);
    await server.close();
  });
});
