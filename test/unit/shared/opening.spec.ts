import { BIND, BIND_FEATURES, JID, KEY, message, settled, SM_FEATURE, Stage, Tab } from './stage.js';

const RUNNING =
  `<stream:features xmlns:stream='http://etherx.jabber.org/streams'>` +
  `<csi xmlns='urn:xmpp:csi:0'/><ver xmlns='urn:xmpp:features:rosterver'/></stream:features>`;
const SESSION = '<iq xmlns="jabber:client" type="set" id="s"><session xmlns="urn:ietf:params:xml:ns:xmpp-session"/></iq>';

/** Without the declarations that the gateway repeats. */
const bare = (xml: string): string => xml.replaceAll(/ xmlns="[^"]*"/g, '');

describe('creating a shared session', () => {
  it('S2: the first with a key creates, and is told so once', () => {
    const stage = new Stage();
    const creator = stage.open();
    expect(stage.upstream.streams).toHaveLength(1);
    stage.line.open();
    expect(creator.take()).toEqual(['open created']);
    stage.line.features();
    creator.session.restart({});
    stage.line.open('again');
    expect(creator.take().filter((entry) => entry.startsWith('open'))).toEqual(['open']);
  });

  it('S9: the creator negotiates as if it were alone, but without stream management', () => {
    const stage = new Stage();
    const creator = stage.open();
    stage.bind(creator);
    const got = creator.take();
    expect(got.filter((entry) => entry.includes('stream:features'))[1]).toBe(
      `<stream:features xmlns:stream='http://etherx.jabber.org/streams'>${BIND_FEATURES.replace(SM_FEATURE, '')}</stream:features>`,
    );
    expect(got.at(-1)).toContain(`<jid>${JID}</jid>`);
    expect(stage.line.take()).toEqual([expect.stringContaining('<auth'), 'restart', BIND]);
    expect(creator.session.jid).toBe(JID);
    expect(creator.session.resumable).toBe(false);
  });

  it('S9: stream management is taken out of SASL2 and Bind2, in what is offered and in what is asked', () => {
    const stage = new Stage();
    const creator = stage.open();
    stage.line.open();
    const offer = (sm: string, feature: string): string =>
      `<authentication xmlns='urn:xmpp:sasl:2'><mechanism>PLAIN</mechanism><inline>${sm}` +
      `<bind xmlns='urn:xmpp:bind:0'><inline>${feature}<feature var='urn:xmpp:carbons:2'/></inline></bind></inline></authentication>`;
    stage.line.features(offer(SM_FEATURE, "<feature var='urn:xmpp:sm:3'/>"));
    expect(bare(creator.take()[1]!)).toContain(offer('', ''));
    const ask = (resume: string, enable: string): string =>
      `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>AA==</initial-response>${resume}` +
      `<bind xmlns='urn:xmpp:bind:0'><tag>x</tag>${enable}</bind></authenticate>`;
    creator.send(ask("<resume xmlns='urn:xmpp:sm:3' previd='a' h='1'/>", "<enable xmlns='urn:xmpp:sm:3'/>"));
    expect(stage.line.take().map(bare)).toEqual([ask('', '')]);
  });

  it('S9: a client that asks for stream management all the same is refused it, before and after binding', async () => {
    const stage = new Stage();
    const creator = stage.open();
    stage.line.open();
    creator.send("<resume xmlns='urn:xmpp:sm:3' previd='a' h='1'/>");
    expect(creator.take().at(-1)).toContain('<item-not-found');
    stage.bind(creator);
    stage.line.take();
    creator.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    creator.send("<r xmlns='urn:xmpp:sm:3'/>");
    expect(creator.take().at(-1)).toBe(
      '<failed xmlns="urn:xmpp:sm:3"><unexpected-request xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></failed>',
    );
    expect(stage.line.take()).toEqual([]);
  });

  it('S9: the server hears of inactivity when all clients are inactive', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    const active = '<active xmlns="urn:xmpp:csi:0"/>';
    const inactive = '<inactive xmlns="urn:xmpp:csi:0"/>';
    a.send(inactive);
    expect(stage.line.take()).toEqual([]);
    b.send(inactive);
    expect(stage.line.take()).toEqual([inactive]);
    const c = await stage.attach();
    expect(stage.line.take()).toEqual([active]);
    c.session.leave({ reason: 'closed' });
    expect(stage.line.take()).toEqual([inactive]);
    a.send(active);
    a.send(active);
    expect(stage.line.take()).toEqual([active]);
    expect([...a.take(), ...b.take()]).toEqual([]);
  });

  it('S9: a client that logs in inactive with Bind2 is inactive', () => {
    const stage = new Stage();
    const creator = stage.open();
    stage.line.open();
    creator.send(
      "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><bind xmlns='urn:xmpp:bind:0'><inactive xmlns='urn:xmpp:csi:0'/></bind></authenticate>",
    );
    stage.line.push(`<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>${JID}</authorization-identifier></success>`);
    stage.line.take();
    creator.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    expect(stage.line.take()).toEqual([]);
    creator.send("<active xmlns='urn:xmpp:csi:0'/>");
    expect(stage.line.take()).toEqual(['<active xmlns="urn:xmpp:csi:0"/>']);
  });

  it('a server that cannot be reached leaves nothing behind', () => {
    const stage = new Stage();
    stage.upstream.broken = true;
    expect(() => stage.open()).toThrow('no server');
    stage.upstream.broken = false;
    const creator = stage.open();
    stage.line.open();
    expect(creator.take()).toEqual(['open created']);
    expect(stage.keys.list()).toHaveLength(1);
  });

  it('S4: a key that is too short, too long or has control characters makes no session', () => {
    const stage = new Stage();
    for (const key of ['', 'fifteen-letters', 'x'.repeat(257), `${KEY}\n`, `${KEY}\u0085`]) {
      expect(stage.refused(new Tab(), { key })).toBe('policy-violation');
    }
    expect(stage.upstream.streams).toHaveLength(0);
    expect(stage.events()).toEqual(new Array(5).fill('refused key 192.0.2.1'));
    stage.open(new Tab(), { key: 'sixteen-letters!' });
    expect(stage.upstream.streams).toHaveLength(1);
  });
});

describe('attaching', () => {
  it('S1, S5: another client with the key gets a stream id of its own, the JID and the features of the running stream', async () => {
    const stage = new Stage();
    const [creator] = (await stage.tabs(1)) as [Tab];
    const tab = stage.open();
    expect(tab.take()).toEqual([]); // not before it has its session
    await settled();
    expect(tab.take()).toEqual([`open attached ${JID}`, RUNNING]);
    expect(tab.headers[0]).toMatchObject({ from: 'example.org', version: '1.0', lang: 'en' });
    expect(tab.headers[0]!.id).toHaveLength(27);
    expect(tab.headers[0]!.id).not.toBe(creator.headers.at(-1)!.id);
    expect(tab.session.jid).toBe(JID);
    expect(stage.upstream.streams).toHaveLength(1);
    expect(stage.events()).toEqual(['attached 2']);
  });

  it('S2: another key, and the same key for another domain, are another session', async () => {
    const stage = new Stage();
    await stage.tabs(1);
    stage.open(new Tab(), { key: `${KEY}!` });
    stage.open(new Tab(), {}, {}, 'example.net');
    expect(stage.upstream.streams.map(({ request }) => request.domain)).toEqual(['example.org', 'example.org', 'example.net']);
  });

  it('S2: a client that only wants to attach gets item-not-found where there is nothing', () => {
    const stage = new Stage();
    expect(stage.refused(new Tab(), { attachOnly: true })).toBe('item-not-found');
    expect(stage.upstream.streams).toHaveLength(0);
    expect(stage.events()).toEqual(['refused no-match 192.0.2.1']);
  });

  it('S6, S28: two at once: the first creates, the second waits until it has bound', async () => {
    const stage = new Stage();
    const creator = stage.open();
    const waiting = stage.open(new Tab(), { attachOnly: true });
    expect(waiting.send(message('early'))).toBe(true);
    stage.line.open();
    stage.line.features();
    await settled();
    expect(waiting.take()).toEqual([]);
    stage.bind(creator);
    expect(waiting.take()).toEqual([`open attached ${JID}`, RUNNING]);
    expect(creator.take().at(-1)).toContain('id="early"');
    expect(stage.line.take().at(-1)).toBe(message('early'));
    expect(stage.upstream.streams).toHaveLength(1);
  });

  it('S6: with SASL2 and Bind2 the features follow the binding, and the attached wait for them', async () => {
    const stage = new Stage();
    stage.open();
    const waiting = stage.open();
    stage.line.open();
    stage.line.features("<authentication xmlns='urn:xmpp:sasl:2'/>");
    stage.line.push(`<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>${JID}</authorization-identifier></success>`);
    expect(waiting.take()).toEqual([]);
    stage.line.features(BIND_FEATURES);
    expect(waiting.take()).toEqual([`open attached ${JID}`, RUNNING]);
  });

  it('S6: when the creator leaves, the oldest that waits becomes the creator, on a stream of its own', async () => {
    const stage = new Stage();
    const creator = stage.open();
    const [second, third] = [stage.open(), stage.open(new Tab(), { attachOnly: true })];
    stage.line.open();
    second.send('<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN"/>');
    creator.session.leave({ reason: 'lost' });
    expect(stage.upstream.streams).toHaveLength(2);
    expect(stage.upstream.streams[0]!.take()).toEqual(['close']);
    expect(stage.line.take()).toEqual(['<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN"/>']);
    stage.line.open();
    expect(second.take()).toEqual(['open created']);
    stage.bind(second);
    expect(third.take()).toEqual([`open attached ${JID}`, RUNNING]);
    expect(stage.keys.list()).toMatchObject([{ jid: JID, clients: [{ number: 2 }, { number: 3 }] }]);
  });

  it('S6: when the server ends the creator, those who only attach get item-not-found, the next creates', () => {
    const stage = new Stage();
    const creator = stage.open();
    const second = stage.open(new Tab(), { attachOnly: true });
    const third = stage.open();
    stage.line.open();
    stage.line.push(`<stream:error xmlns:stream='http://etherx.jabber.org/streams'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`);
    expect(creator.take()).toEqual(['open created', 'end upstream-error']);
    expect(second.take()).toEqual(['end error item-not-found']);
    stage.line.open();
    expect(third.take()).toEqual(['open created']);
    expect(stage.events()).toContain('refused unbound 192.0.2.1');
  });

  it('S6: one after the other is told when the server cannot be reached, and the key is free again', () => {
    const stage = new Stage();
    const creator = stage.open();
    const second = stage.open();
    stage.upstream.broken = true;
    stage.line.end({ reason: 'failed' });
    expect(creator.take()).toEqual(['end upstream-failed remote-connection-failed']);
    expect(second.take()).toEqual(['end error internal-server-error']);
    expect(stage.keys.list()).toEqual([]);
    expect(stage.refused(new Tab(), { attachOnly: true })).toBe('item-not-found');
  });

  it('S6: whoever waits too long gets item-not-found, as the key never belongs to two streams', () => {
    const stage = new Stage({ limits: { authTimeout: 20 } });
    const creator = stage.open();
    const patient = stage.open(new Tab(), { patience: 600_000 });
    const hasty = stage.open(new Tab(), { patience: 5000 });
    const gone = stage.open();
    gone.session.leave({ reason: 'lost' });
    stage.line.open();
    stage.clock.tick(5000);
    expect(hasty.take()).toEqual(['end error item-not-found']);
    expect(patient.take()).toEqual([]);
    expect(gone.take()).toEqual([]);
    expect(creator.take()).toEqual(['open created']);
  });

  it('S6: nobody waits longer than a login may last; the creator is out of time then, too', () => {
    const stage = new Stage({ limits: { authTimeout: 20 } });
    const creator = stage.open();
    const patient = stage.open(new Tab(), { patience: 600_000 });
    const attaching = stage.open(new Tab(), { attachOnly: true });
    stage.clock.tick(20_050);
    expect(creator.take()).toEqual(['end auth-timeout policy-violation']);
    stage.line.open();
    expect(patient.take()).toEqual(['open created']);
    expect(attaching.take()).toEqual(['end error item-not-found']);
  });

  it('S6: a shutdown ends those who wait, too', async () => {
    const stage = new Stage();
    const creator = stage.open();
    const waiting = stage.open();
    const done = stage.sessions.shutdown(1000);
    expect(creator.take()).toEqual(['end shutdown system-shutdown']);
    expect(waiting.take()).toEqual(['end shutdown system-shutdown']);
    stage.line.end();
    await done;
    expect(stage.upstream.streams).toHaveLength(1);
  });

  it('S7: a client that says it is somebody else is told that there is nothing', async () => {
    const stage = new Stage();
    await stage.tabs(1);
    expect(stage.refused(new Tab(), {}, { from: 'mallory@example.org' })).toBe('item-not-found');
    await stage.attach(new Tab(), {}, { from: 'Alice@example.org/other' });
    expect(stage.events()).toEqual(['refused from 192.0.2.1', 'attached 2']);
    expect(stage.upstream.streams).toHaveLength(1);
  });

  it('S7: the same for one that waited', () => {
    const stage = new Stage();
    const creator = stage.open();
    const mallory = stage.open(new Tab(), {}, { from: 'mallory@example.org' });
    stage.bind(creator);
    expect(mallory.take()).toEqual(['end error item-not-found']);
  });

  it('S7: a session begun over TLS is not for a client without', async () => {
    const stage = new Stage();
    await stage.tabs(1);
    expect(stage.refused(new Tab('192.0.2.1', false))).toBe('item-not-found');
    const other = new Stage();
    const creator = other.open(new Tab('192.0.2.1', false));
    other.bind(creator);
    await other.attach(new Tab('192.0.2.1', true));
    expect(other.events()).toEqual(['attached 2']);
  });

  it('S7: the app has the last word, and a fault of the app is none', async () => {
    const seen: unknown[] = [];
    const stage = new Stage({
      guard: {
        mayAttach: ({ session, address, from }) => {
          seen.push([session.jid, address, from]);
          if (address === '198.51.100.2') throw new Error('a fault of the app');
          return address !== '198.51.100.1';
        },
      },
    });
    await stage.tabs(1);
    await stage.attach(new Tab('203.0.113.1'), {}, { from: 'alice@example.org' });
    expect(stage.refused(new Tab('198.51.100.1'))).toBe('item-not-found');
    expect(stage.refused(new Tab('198.51.100.2'))).toBe('item-not-found');
    expect(stage.events()).toEqual(['attached 2', 'refused guard 198.51.100.1', 'refused guard 198.51.100.2']);
    expect(seen.slice(0, 2)).toEqual([
      [JID, '203.0.113.1', 'alice@example.org'],
      [JID, '198.51.100.1', undefined],
    ]);
  });

  it('S8: an attached client that negotiates is answered here: restart, SASL, TLS, compression', async () => {
    const stage = new Stage();
    const [, tab] = (await stage.tabs(2)) as [Tab, Tab];
    tab.session.restart({});
    expect(tab.take()).toEqual(['open', RUNNING]);
    for (const [request, answer] of [
      ['<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">AA==</auth>', '<failure xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><aborted/></failure>'],
      ['<authenticate xmlns="urn:xmpp:sasl:2" mechanism="PLAIN"/>', '<failure xmlns="urn:xmpp:sasl:2"><aborted xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/></failure>'],
      ['<starttls xmlns="urn:ietf:params:xml:ns:xmpp-tls"/>', '<failure xmlns="urn:ietf:params:xml:ns:xmpp-tls"/>'],
      ['<compress xmlns="http://jabber.org/protocol/compress"/>', '<failure xmlns="http://jabber.org/protocol/compress"><setup-failed/></failure>'],
    ] as const) {
      tab.send(request);
      expect(tab.take()).toEqual([answer]);
    }
    expect(stage.line.take()).toEqual([]);
  });

  it('S8: a bind gets the shared JID, a session an empty result, a password goes nowhere', async () => {
    const stage = new Stage();
    const [creator, tab] = (await stage.tabs(2)) as [Tab, Tab];
    tab.send(BIND);
    expect(tab.take()).toEqual([
      `<iq xmlns="jabber:client" type="result" id="bind"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"><jid>${JID}</jid></bind></iq>`,
    ]);
    creator.send(SESSION);
    expect(stage.line.take()).toEqual([SESSION]);
    stage.line.push('<iq xmlns="jabber:client" type="result" id="s"/>');
    expect(creator.take()).toEqual(['<iq xmlns="jabber:client" type="result" id="s"/>']);
    tab.send(SESSION);
    tab.send('<iq xmlns="jabber:client" type="set" id="p"><query xmlns="jabber:iq:auth"><password>secret</password></query></iq>');
    expect(tab.take()).toEqual(['<iq xmlns="jabber:client" type="result" id="s"/>', expect.stringContaining('<not-allowed')]);
    expect([...stage.line.take(), ...creator.take()]).toEqual([]);
  });

  it('S8: a stream error of one client does not reach the server', async () => {
    const stage = new Stage();
    const [, tab] = (await stage.tabs(2)) as [Tab, Tab];
    tab.send(`<stream:error xmlns:stream='http://etherx.jabber.org/streams'><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`);
    expect(stage.line.take()).toEqual([]);
  });

  it('S10: there are so many clients and no more', async () => {
    const stage = new Stage({ shared: { maxClients: 3 } });
    const tabs = await stage.tabs(3);
    expect(stage.refused()).toBe('policy-violation');
    expect(stage.events()).toEqual(['refused clients 192.0.2.1']);
    tabs[1]!.session.leave({ reason: 'closed' });
    await stage.attach();
    expect(stage.events()).toEqual(['detached 2 closed', 'attached 4']);
  });

  it('S10: those who wait count', () => {
    const stage = new Stage({ shared: { maxClients: 2 } });
    stage.open();
    stage.open();
    expect(stage.refused()).toBe('policy-violation');
  });

  it('an unshared session knows nothing of all this', () => {
    const stage = new Stage();
    const tab = new Tab();
    tab.session = stage.sessions.open('example.org', {}, tab);
    stage.line.open();
    stage.line.features(SM_FEATURE);
    expect(tab.take()).toEqual(['open', expect.stringContaining(SM_FEATURE)]);
    expect(tab.session.rekey).toBeUndefined();
  });
});
