import { jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ManualClock } from '../../lib/clock.js';
import { TcpUpstream, type TcpUpstreamOptions } from '../../lib/upstream/tcp/index.js';
import type { UpstreamRequest } from '../../lib/upstream/upstream.js';
import { Stanza } from '../../lib/xml/index.js';
import { FakeServer, SASL_FEATURES, serverHeader, STARTTLS_FEATURES } from '../support/fake-server.js';
import { testAuthority, type Identity, type TestAuthority } from '../support/tls.js';
import { UpstreamRecorder } from '../support/upstream-recorder.js';

const message = (body: string) => Stanza.parse(`<message xmlns='jabber:client' to='a@b'><body>${body}</body></message>`);

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('a stream over TLS', () => {
  let authority: TestAuthority;
  let right: Identity;
  let wrong: Identity;
  let server: FakeServer;
  let clock: ManualClock;

  beforeAll(async () => {
    authority = await testAuthority();
    right = await authority.issue('example.org');
    // The host that is dialed, which is not what counts.
    wrong = await authority.issue('localhost', 'other.example');
  });
  afterAll(() => authority.remove());
  beforeEach(async () => {
    server = await FakeServer.listen();
    clock = new ManualClock();
  });
  afterEach(() => server.close());

  function open(tls: 'starttls' | 'direct', options: TcpUpstreamOptions = {}, request: Partial<UpstreamRequest> = {}): UpstreamRecorder {
    const upstream = new TcpUpstream({
      clock,
      ca: authority.ca,
      starttls: 'required',
      server: { host: 'localhost', port: server.port, tls },
      ...options,
    });
    return new UpstreamRecorder(upstream, request);
  }

  describe('STARTTLS', () => {
    it('U2: shows the session nothing but the stream behind TLS, opened once', async () => {
      const session = open('starttls');
      const peer = await server.accept();
      await peer.starttls(right);
      await peer.openStream(SASL_FEATURES);
      await session.opened();
      expect(String(await session.element())).toContain('PLAIN');
      expect(session.log).toEqual(['open', 'features']);
      expect(session.stream.secure).toBe(true);
      session.stream.send(message('private'));
      await peer.expect(String(message('private')));
    });

    it('U2: sends nothing of the client before TLS, neither its address nor what it sent', async () => {
      const session = open('starttls', {}, { header: { from: 'alice@example.org' } });
      session.stream.send(message('secret'));
      const peer = await server.accept();
      await peer.starttls(right);
      const clear = peer.raw.toString();
      expect(clear).toBe(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'" +
          " to='example.org' version='1.0'><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
      );
      expect(await peer.openStream(SASL_FEATURES)).toContain("from='alice@example.org'");
      await peer.expect(String(message('secret')));
    });

    it('R13: drops what was put in clear behind <proceed/>', async () => {
      const session = open('starttls');
      const peer = await server.accept();
      const injected = `${serverHeader(" x='injected'")}<stream:features/><message><body>injected</body></message>`;
      await peer.starttls(right, injected);
      await peer.openStream(SASL_FEATURES);
      await session.opened();
      await session.element();
      await settle();
      expect(session.log).toEqual(['open', 'features']);
    });

    it('R13: what is put in clear behind <proceed/> in a packet of its own never reaches the session', async () => {
      const session = open('starttls');
      const peer = await server.accept();
      await peer.openStream(STARTTLS_FEATURES);
      await peer.expect('<starttls');
      peer.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
      await settle();
      peer.send(`${serverHeader()}<stream:features/><message><body>injected</body></message>`);
      expect((await session.ended()).reason).toBe('failed');
      expect(session.log).toEqual(['end']);
    });

    it.each([
      ['features without STARTTLS', SASL_FEATURES, 'the server does not offer STARTTLS, which is required'],
      ['a stanza', '<message/>', 'the server does not offer STARTTLS, which is required'],
      [
        'a stream error',
        "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
        'stream error host-unknown before TLS',
      ],
    ])('U2: required: refuses a server that sends %s in clear', async (_name, first, expected) => {
      const session = open('starttls');
      const peer = await server.accept();
      await peer.openStream(first);
      expect((await session.ended()).message).toBe(`localhost:${server.port}: ${expected}`);
      expect(session.log).toEqual(['end']);
    });

    it('U2: required: refuses a server that does not know features', async () => {
      const session = open('starttls');
      const peer = await server.accept();
      await peer.expect(/<stream:stream [^>]*>/);
      peer.send(serverHeader().replace(" version='1.0' xml", ' xml'));
      expect((await session.ended()).message).toContain('STARTTLS, which is required');
    });

    it.each([
      ["<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", 'the server failed to start TLS'],
      ["<proceed xmlns='urn:wrong'/>", 'the server did not answer to STARTTLS'],
    ])('ends when STARTTLS is answered with %s', async (answer, expected) => {
      const session = open('starttls', { starttls: 'optional' });
      const peer = await server.accept();
      await peer.openStream(STARTTLS_FEATURES);
      await peer.expect('<starttls');
      peer.send(answer);
      expect((await session.ended()).message).toContain(expected);
    });

    it('optional: takes TLS where it is offered', async () => {
      const session = open('starttls', { starttls: 'optional' });
      const peer = await server.accept();
      await peer.starttls(right);
      await peer.openStream(SASL_FEATURES);
      await session.opened();
      expect(session.stream.secure).toBe(true);
    });

    it('optional: goes on in clear where it is not, with the features that came', async () => {
      const session = open('starttls', { starttls: 'optional' }, { header: { from: 'alice@example.org' } });
      const peer = await server.accept();
      expect(await peer.openStream(SASL_FEATURES)).toContain("from='alice@example.org'");
      await session.opened();
      expect(session.stream.secure).toBe(false);
      expect(session.log).toEqual(['open', 'features']);
    });

    it('optional: a certificate that does not fit is refused, too', async () => {
      const session = open('starttls', { starttls: 'optional' });
      await (await server.accept()).starttls(wrong);
      expect((await session.ended()).message).toContain('certificate refused');
    });

    it('ends when the server does not answer to STARTTLS', async () => {
      const session = open('starttls', { openTimeout: 3 });
      const peer = await server.accept();
      await peer.openStream(STARTTLS_FEATURES);
      await peer.expect('<starttls');
      clock.tick(3100);
      expect((await session.ended()).message).toContain('waited too long for an answer to STARTTLS');
    });

    it('ends when the server stalls in the TLS handshake', async () => {
      const session = open('starttls', { handshakeTimeout: 3 });
      const peer = await server.accept();
      await peer.openStream(STARTTLS_FEATURES);
      await peer.expect('<starttls');
      peer.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
      await peer.expect('example.org'); // in the ClientHello
      clock.tick(3100);
      expect((await session.ended()).message).toContain('waited too long for the TLS handshake');
      await peer.end();
    });

    it('U9: follows see-other-host that came before TLS, and demands the certificate of the domain there', async () => {
      const session = open('starttls', { redirects: ['localhost'] });
      const to = `localhost:${server.port}`;
      const redirect = `<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>${to}</see-other-host></stream:error>`;
      await (await server.accept()).openStream(redirect);
      const peer = await server.accept();
      await peer.starttls(right);
      await peer.openStream(redirect);
      const second = await server.accept();
      await second.starttls(wrong);
      expect((await session.ended()).message).toContain('certificate refused');
      expect(session.log).toEqual(['end']);
    });
  });

  describe('direct TLS (XEP-0368)', () => {
    it('U1: begins with TLS, names the domain by SNI and xmpp-client by ALPN', async () => {
      const session = open('direct', {}, { header: { from: 'alice@example.org' } });
      const peer = await server.accept();
      const tls = await peer.secure(right, ['xmpp-client']);
      expect((tls as unknown as { servername: string }).servername).toBe('example.org');
      expect(tls.alpnProtocol).toBe('xmpp-client');
      expect(await peer.openStream(SASL_FEATURES)).toContain("from='alice@example.org'");
      await session.opened();
      expect(session.stream.secure).toBe(true);
      session.stream.send(message('private'));
      await peer.expect(String(message('private')));
      session.stream.close();
      await peer.expect('</stream:stream>');
      peer.send('</stream:stream>');
      expect((await session.ended()).reason).toBe('closed');
      await peer.end();
      expect(peer.error).toBeUndefined();
    });

    it('works with a server that knows no ALPN', async () => {
      const session = open('direct');
      const peer = await server.accept();
      await peer.secure(right);
      await peer.openStream(SASL_FEATURES);
      await session.opened();
    });

    it('U1: does not ask for STARTTLS inside TLS', async () => {
      const session = open('direct');
      const peer = await server.accept();
      await peer.secure(right);
      await peer.openStream(STARTTLS_FEATURES);
      await session.element();
      await settle();
      expect(peer.unread).toBe('');
    });

    it('U10: the PROXY header comes before TLS', async () => {
      const session = open('direct', { proxyProtocol: 1 });
      const peer = await server.accept();
      const header = /PROXY TCP[46] \S+ \S+ 4711 \d+\r\n/;
      const bytes = await peer.bytes(60);
      const [line] = header.exec(bytes.toString('latin1'))!;
      expect(bytes[line.length]).toBe(0x16); // a TLS handshake record
      session.stream.abort();
      await session.ended();
    });

    it('U12: abort() sends what waits, then cuts', async () => {
      const session = open('direct');
      const peer = await server.accept();
      await peer.secure(right);
      await peer.openStream(SASL_FEATURES);
      await session.element();
      const large = message('x'.repeat(400_000));
      session.stream.send(large);
      session.stream.abort();
      await peer.end();
      expect(peer.unread).toBe(String(large));
      peer.finish();
      expect((await session.ended()).reason).toBe('aborted');
    });

    it('ends when the server stalls in the handshake', async () => {
      const session = open('direct', { handshakeTimeout: 3 });
      const peer = await server.accept();
      await peer.bytes(1);
      clock.tick(3100);
      expect((await session.ended()).message).toContain('waited too long for the TLS handshake');
      await peer.end();
    });

    it('reports a server that speaks no TLS', async () => {
      const session = open('direct');
      const peer = await server.accept();
      await peer.bytes(1);
      peer.send(serverHeader());
      const { message: reason } = await session.ended();
      expect(reason).toMatch(/wrong version number|packet length/i);
      expect(reason).not.toMatch(/\n/);
    });
  });

  describe('the certificate', () => {
    it.each(['starttls', 'direct'] as const)('U2: must be of the domain, not of the host that is dialed (%s)', async (tls) => {
      const session = open(tls);
      const peer = await server.accept();
      if (tls === 'starttls') await peer.starttls(wrong);
      else await peer.secure(wrong);
      const { message: reason } = await session.ended();
      expect(reason).toMatch(/certificate refused: Host: example\.org\. is not in the cert's altnames: DNS:localhost, DNS:other\.example$/);
      expect(session.log).toEqual(['end']);
    });

    it('U2: must come from an authority that is trusted', async () => {
      const session = open('direct', { ca: undefined });
      await (await server.accept()).secure(right);
      expect((await session.ended()).message).toMatch(/certificate refused: .* \((UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)\w+\)$/);
    });

    it('may have a wildcard, and the A-labels of an internationalised domain', async () => {
      const identity = await authority.issue('*.example.org', 'xn--bcher-kva.example');
      for (const domain of ['chat.example.org', 'bücher.example']) {
        const session = open('direct', {}, { domain });
        const peer = await server.accept();
        const tls = await peer.secure(identity);
        expect((tls as unknown as { servername: string }).servername).toMatch(/^(chat\.example\.org|xn--bcher-kva\.example)$/);
        expect(await peer.openStream(SASL_FEATURES)).toContain(`to='${domain}'`);
        await session.opened();
      }
    });

    it('is not looked at with verify: false, which is said in the log once', async () => {
      const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
      try {
        const upstream = new TcpUpstream({ clock, verify: false, server: { host: 'localhost', port: server.port, tls: 'direct' } });
        for (let i = 0; i < 2; i++) {
          const session = new UpstreamRecorder(upstream);
          const peer = await server.accept();
          await peer.secure(wrong);
          await peer.openStream(SASL_FEATURES);
          await session.opened();
        }
        expect(warn).toHaveBeenCalledTimes(1);
        expect(warn).toHaveBeenCalledWith(expect.stringMatching(/^xmpps:\/\/localhost:\d+: the server's certificate is not verified/));
      } finally {
        warn.mockRestore();
      }
    });
  });

  it('U1: takes the next SRV target when the certificate of one is refused', async () => {
    const second = await FakeServer.listen();
    try {
      const records = [server, second].map(({ port }, priority) => ({ name: '127.0.0.1', port, priority, weight: 0 }));
      const upstream = new TcpUpstream({
        clock,
        ca: authority.ca,
        resolver: { resolveSrv: async (name) => (name === '_xmpps-client._tcp.example.org' ? [records[0]!] : [records[1]!]) },
      });
      const session = new UpstreamRecorder(upstream);
      await (await server.accept()).secure(wrong);
      const peer = await second.accept();
      await peer.starttls(right);
      await peer.openStream(SASL_FEATURES);
      await session.opened();
      expect(session.stream.secure).toBe(true);
    } finally {
      await second.close();
    }
  });

  it('U1: SRV: requires STARTTLS unless it is told otherwise, also towards loopback', async () => {
    const upstream = new TcpUpstream({
      clock,
      resolver: { resolveSrv: async () => [{ name: '127.0.0.1', port: server.port, priority: 0, weight: 0 }] },
      random: () => 0.99,
    });
    const session = new UpstreamRecorder(upstream);
    const peer = await server.accept();
    // Both kinds of record lead to the same port here: whichever comes, nothing is accepted in clear.
    peer.send(`${serverHeader()}${SASL_FEATURES}`);
    const other = await server.accept();
    other.send(`${serverHeader()}${SASL_FEATURES}`);
    expect((await session.ended()).message).toContain('the server does not offer STARTTLS, which is required');
    expect(session.log).toEqual(['end']);
  });
});
