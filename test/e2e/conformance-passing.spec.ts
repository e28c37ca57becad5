import type { LoggerService } from '@nestjs/common';
import { Stanza, XmppEvents, XmppSessionService, type XmppEventName } from 'nestjs-xmpp';
import { FakeServer, type Peer } from '../support/fake-server.js';
import { startGateway, type Gateway } from '../support/gateway.js';
import { openStream, TRANSPORTS, type WebClient } from '../support/web-client.js';

const STREAMS = 'http://etherx.jabber.org/streams';
const JID = 'alice@example.org/web';

const SASL2_FEATURES =
  `<stream:features><authentication xmlns='urn:xmpp:sasl:2'><mechanism>SCRAM-SHA-256-PLUS</mechanism>` +
  `<mechanism>EXTERNAL</mechanism><mechanism>SCRAM-SHA-256</mechanism><inline><bind xmlns='urn:xmpp:bind:0'>` +
  `<inline><feature var='urn:xmpp:sm:3'/><feature var='urn:xmpp:csi:0'/></inline></bind>` +
  `<fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-ENDP</mechanism><mechanism>HT-SHA-256-NONE</mechanism></fast>` +
  `</inline></authentication></stream:features>`;

const AUTHENTICATE =
  `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'><initial-response>c2VjcmV0LXRva2Vu</initial-response>` +
  `<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>Web\u00e9 \u{1f600}</software><device>Kiosk</device></user-agent>` +
  `<bind xmlns='urn:xmpp:bind:0'><tag>Web</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>` +
  `<fast xmlns='urn:xmpp:fast:0' count='7'/></authenticate>`;

const SUCCESS =
  `<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>${JID}</authorization-identifier>` +
  `<bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:xmpp:sm:3' id='sm-secret' resume='true' max='600'/></bound>` +
  `<token xmlns='urn:xmpp:fast:0' expiry='2030-01-01T00:00:00Z' token='fresh-secret'/></success>`;

const FEATURES_THEN = `<stream:features><sm xmlns='urn:xmpp:sm:3'/></stream:features>`;

describe.each(TRANSPORTS)('what passes over %s', (transport) => {
  let server: FakeServer;
  let gateway: Gateway;
  beforeEach(async () => {
    server = await FakeServer.listen();
    gateway = await startGateway('express', { upstream: `xmpp://127.0.0.1:${server.port}?starttls=never` });
  });
  afterEach(async () => {
    await server.close(); // first: a stream that the server never closes would be waited for
    await gateway.close();
  });

  /** A client whose stream is open, and the server's side of it, which has read the header. */
  const pair = async (features = SASL2_FEATURES, attributes: Record<string, string> = {}) => {
    const [client, { peer, header }] = await Promise.all([
      openStream(transport, gateway, attributes),
      server.accept().then(async (accepted) => ({ peer: accepted, header: await accepted.openStream(features) })),
    ]);
    return { client, peer, header, offered: await client.next() };
  };
  /** A client logged in by SASL2, with resumable stream management. */
  const managed = async () => {
    const { client, peer, header } = await pair();
    client.send(AUTHENTICATE);
    await peer.expect(AUTHENTICATE);
    peer.send(SUCCESS + FEATURES_THEN);
    await client.next();
    await client.next();
    return { client, peer, sent: `${header}${AUTHENTICATE}` };
  };
  const sessions = () => gateway.app.get(XmppSessionService);

  it("U4, W8, X2, C28: the client's from and language reach the server's header, and nothing of it is made up", async () => {
    const { header, client } = await pair(SASL2_FEATURES, { 'from': 'alice@example.org', 'xml:lang': 'de' });
    expect(header).toBe(
      `<stream:stream xmlns='jabber:client' xmlns:stream='${STREAMS}' to='example.org' from='alice@example.org' version='1.0' xml:lang='de'>`,
    );
    client.cut();
  });

  it('U7, X5, P30: offers no EXTERNAL and no channel binding, also inside SASL2 and FAST, and leaves the rest', async () => {
    const { offered, client } = await pair();
    expect(offered).not.toMatch(/PLUS|EXTERNAL|ENDP/);
    for (const kept of ['SCRAM-SHA-256', 'HT-SHA-256-NONE', 'urn:xmpp:bind:0', 'urn:xmpp:csi:0']) expect(offered).toContain(kept);
    client.cut();
  });

  it('U4, U3, W17: SASL2 with Bind2, FAST and stream management passes as it is, without a restart', async () => {
    const { client, peer, header } = await pair();
    client.send(AUTHENTICATE);
    await peer.expect(AUTHENTICATE);
    peer.send(SUCCESS + FEATURES_THEN);
    expect(await client.next()).toBe(SUCCESS);
    expect(await client.next()).toMatch(/^<stream:features[^>]*><sm xmlns='urn:xmpp:sm:3'\/><\/stream:features>$/);
    const after = [`<r xmlns='urn:xmpp:sm:3'/>`, `<inactive xmlns='urn:xmpp:csi:0'/>`, `<a xmlns='urn:xmpp:sm:3' h='4294967295'/>`];
    for (const element of after) client.send(element);
    for (const element of after) await peer.expect(element);
    expect(peer.raw.toString().replace("<?xml version='1.0'?>", '')).toBe(header + AUTHENTICATE + after.join(''));
    peer.send(`<a xmlns='urn:xmpp:sm:3' h='1'/><r xmlns='urn:xmpp:sm:3'/>`);
    expect(await client.next()).toBe(`<a xmlns='urn:xmpp:sm:3' h='1'/>`);
    expect(await client.next()).toBe(`<r xmlns='urn:xmpp:sm:3'/>`);
    client.cut();
  });

  it('U4, W15, U8, P23: a quiet stream stays quiet, during the login and after it', async () => {
    const { client, peer, header } = await pair();
    client.send(AUTHENTICATE);
    await peer.expect(AUTHENTICATE);
    gateway.clock.tick(50_000);
    peer.send(SUCCESS + FEATURES_THEN);
    await client.next();
    await client.next();
    let sent = header + AUTHENTICATE;
    for (let i = 0; i < 20; i++) {
      const element = `<a xmlns='urn:xmpp:sm:3' h='${i}'/>`;
      client.send(element);
      await peer.expect(element);
      sent += element;
      gateway.clock.tick(50_000);
    }
    expect(peer.raw.toString().replace("<?xml version='1.0'?>", '')).toBe(sent);
    client.cut();
  });

  it('U8: what the app would add is refused while stream management counts', async () => {
    const { client, peer, sent } = await managed();
    const stanza = Stanza.parse(`<message xmlns='jabber:client' to='bob@example.org'><body>x</body></message>`);
    const [session] = await sessions().list();
    expect(await sessions().send(JID, stanza)).toBe(0);
    expect(await sessions().sendAs(session!.id, stanza)).toBe(false);
    client.send(`<r xmlns='urn:xmpp:sm:3'/>`);
    await peer.expect(`<r xmlns='urn:xmpp:sm:3'/>`);
    expect(peer.raw.toString().replace("<?xml version='1.0'?>", '')).toBe(`${sent}<r xmlns='urn:xmpp:sm:3'/>`);
    peer.send(`<a xmlns='urn:xmpp:sm:3' h='0'/>`);
    expect(await client.next()).toBe(`<a xmlns='urn:xmpp:sm:3' h='0'/>`);
    client.cut();
  });

  describe('U5: who the client is', () => {
    const SASL = `<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`;
    const bound = (jid: string) =>
      `<iq xmlns='jabber:client' type='result' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>${jid}</jid></bind></iq>`;
    const inline = (bind: string) =>
      `<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>${JID}</authorization-identifier><bound xmlns='${bind}'/></success>`;

    it.each([
      ['the result of binding', SASL + bound(JID), 2],
      ['the success of SASL2 that bound (urn:xmpp:bind:0)', inline('urn:xmpp:bind:0'), 1],
      ['the success of SASL2 that bound (urn:xmpp:bind2:1)', inline('urn:xmpp:bind2:1'), 1],
    ])('U5: %s says it', async (_how, said, elements) => {
      const { client, peer } = await pair();
      peer.send(said);
      for (let i = 0; i < elements; i++) await client.next();
      expect(await sessions().list()).toMatchObject([{ jid: JID, authenticated: true }]);
      client.cut();
    });

    it('U5, P40: a stream that was resumed has the JID that it had, and the app is told that it is no new one', async () => {
      const told: XmppEventName[] = [];
      const events = gateway.app.get(XmppEvents);
      for (const name of ['session.bound', 'session.resumed'] as const) events.on(name, () => told.push(name));
      const first = await pair();
      first.peer.send(`${SASL}${bound(JID)}<enabled xmlns='urn:xmpp:sm:3' id='sm1' resume='true'/>`);
      for (let i = 0; i < 3; i++) await first.client.next();
      const second = await pair();
      second.peer.send(`${SASL}<resumed xmlns='urn:xmpp:sm:3' previd='sm1' h='0'/>`);
      for (let i = 0; i < 2; i++) await second.client.next();
      expect(await sessions().list()).toMatchObject([{ jid: JID }, { jid: JID, resumable: true }]);
      expect(told).toEqual(['session.bound', 'session.resumed']);
      first.client.cut();
      second.client.cut();
    });

    it('U5, R11: what the client says proves nothing', async () => {
      const { client, peer } = await pair();
      for (const claim of [SASL, bound(JID), inline('urn:xmpp:bind:0'), `<resumed xmlns='urn:xmpp:sm:3' previd='sm1' h='0'/>`]) {
        client.send(claim);
        await peer.expect(claim);
      }
      expect(await sessions().list()).toMatchObject([{ jid: undefined, authenticated: false }]);
      client.cut();
    });
  });

  it('U6, R24: no secret that passes is logged, or told to the app, however the session ends', async () => {
    const lines: string[] = [];
    const write = (...parts: unknown[]) => void lines.push(parts.map(String).join(' '));
    const collector: LoggerService = { log: write, error: write, warn: write, debug: write, verbose: write, fatal: write };
    gateway.app.useLogger(collector);
    const events = gateway.app.get(XmppEvents);
    for (const name of ['session.opened', 'session.authenticated', 'session.bound', 'session.closed', 'upstream.failed', 'limit.hit'] as const) {
      events.on(name, (event) => write(name, JSON.stringify(event, ['session', 'end', 'text', 'reason', 'message', 'jid', 'condition', 'address', 'id'])));
    }
    const secrets = ['c2VjcmV0LXRva2Vu', 'AGFsaWNlAHNlY3JldA', 'hidden-password', 'fresh-secret', 'sm-secret'];
    const says = [
      AUTHENTICATE,
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFsaWNlAHNlY3JldA==</auth>`,
      `<iq xmlns='jabber:client' type='set' id='a'><query xmlns='jabber:iq:auth'><username>a</username><password>hidden-password</password><resource>r</resource></query></iq>`,
    ];
    const begin = async () => {
      const { client, peer } = await pair();
      for (const element of says) {
        client.send(element);
        await peer.expect(element);
      }
      return { client, peer };
    };
    const closed = () => new Promise<void>((resolve) => events.on('session.closed', () => resolve()));
    const ends: ((client: WebClient, peer: Peer) => void)[] = [
      (client) => client.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFsaWNlAHNlY3JldA==</a>`),
      (client) => client.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${'AGFsaWNlAHNlY3JldA'.repeat(20_000)}</auth>`),
      (_client, peer) => peer.reset(),
      (_client, peer) => peer.send(`${SUCCESS}<success token='fresh-secret' token='fresh-secret'/>`),
      (_client, peer) => peer.send(`<failure xmlns='urn:xmpp:sasl:2'>hidden-password</failure></stream:stream>`),
      (_client, peer) =>
        peer.send(`<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`),
      () => gateway.clock.tick(70_000),
      (client) => client.close(),
    ];
    for (const end of ends) {
      const { client, peer } = await begin();
      const over = closed();
      end(client, peer);
      await over;
      client.cut();
    }
    const said = lines.join('\n');
    expect(lines.filter((line) => line.startsWith('session.closed')).length).toBe(ends.length);
    expect(said).toMatch(/XmppSession/);
    for (const secret of secrets) expect(said).not.toContain(secret);
  });
});
