import { embedded, login, online, settle, TestStream } from '../../support/embedded.js';

const BIND = 'urn:ietf:params:xml:ns:xmpp-bind';

describe('a stream of the embedded server', () => {
  it('W8: is answered with the domain, an unpredictable id and the version', async () => {
    const { upstream } = embedded();
    const one = new TestStream(upstream, 'example.org', { from: 'alice@example.org', version: '1.0', lang: 'de' });
    const other = new TestStream(upstream);
    await one.next();
    await other.next();
    expect(one.headers).toEqual([
      { from: 'example.org', to: 'alice@example.org', id: expect.stringMatching(/^[0-9a-f]{32}$/), lang: 'en', version: '1.0' },
    ]);
    expect(other.headers[0]!.id).not.toBe(one.headers[0]!.id);
  });

  it('W14: a restart is answered with another id and the features of an authenticated stream', async () => {
    const { upstream } = embedded();
    const stream = new TestStream(upstream);
    await stream.next();
    await stream.plain('alice', 'wonderland');
    stream.stream.restart({ version: '1.0' });
    const features = await stream.next();
    expect(stream.headers).toHaveLength(2);
    expect(stream.headers[1]!.id).not.toBe(stream.headers[0]!.id);
    expect(features.children().map((child) => [child.name, child.namespace])).toEqual([
      ['bind', BIND],
      ['session', 'urn:ietf:params:xml:ns:xmpp-session'],
      ['sm', 'urn:xmpp:sm:3'],
      ['csi', 'urn:xmpp:csi:0'],
      ['ver', 'urn:xmpp:features:rosterver'],
    ]);
    expect(features.child('session')!.child('optional')).toBeDefined();
  });

  it('a restart before authentication is answered with the mechanisms once more', async () => {
    const { upstream } = embedded();
    const stream = new TestStream(upstream);
    await stream.next();
    stream.stream.restart({ version: '1.0' });
    expect((await stream.next()).child('mechanisms')).toBeDefined();
  });

  it('the features stand alone with the prefix that clients insist on', async () => {
    const features = await new TestStream(embedded().upstream).next();
    expect(features.toString()).toMatch(/^<stream:features xmlns:stream="http:\/\/etherx\.jabber\.org\/streams"/);
  });

  it('W9: a domain that is not served gets a header of ours, then host-unknown', async () => {
    const { upstream } = embedded();
    const stream = new TestStream(upstream, 'elsewhere.example');
    expect((await stream.next()).toString()).toContain('<host-unknown xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>');
    expect(stream.headers).toMatchObject([{ from: 'example.org' }]);
    await settle();
    expect(stream.end).toEqual({ reason: 'closed', message: 'stream error host-unknown' });
  });

  it('C3: a version below 1.0 gets unsupported-version', async () => {
    const stream = new TestStream(embedded().upstream, 'example.org', { version: '0.9' });
    expect((await stream.next()).toString()).toContain('<unsupported-version');
    expect(stream.headers).toHaveLength(1);
  });

  it('serves whatever domain is opened where none were given', async () => {
    const { upstream } = embedded({ domains: undefined });
    const stream = await login(upstream, 'alice/x', 'anything.example');
    expect(stream.jid).toBe('alice@anything.example/x');
    await expect(upstream.probe('other.example')).resolves.toBeUndefined();
  });

  it('every account exists on every domain, apart from its namesakes', async () => {
    const { upstream } = embedded();
    const org = await login(upstream, 'alice/x');
    const net = await login(upstream, 'alice/x', 'example.net');
    org.message('alice@example.net/x', 'hi');
    expect((await net.next()).attribute('from')).toBe('alice@example.org/x');
  });

  it('close() answers with the end, and others see the client leave', async () => {
    const { upstream } = embedded();
    const one = await online(upstream, 'alice/one');
    const other = await online(upstream, 'alice/other');
    await one.rest();
    one.stream.close();
    const [presence] = await other.rest();
    expect(presence).toContain('type="unavailable"');
    expect(one.end).toEqual({ reason: 'closed' });
  });

  it('close() lets out first what was sent before it', async () => {
    const { upstream } = embedded();
    const alice = await login(upstream, 'alice/x');
    const bob = await login(upstream, 'bob/x');
    alice.message(bob.jid, 'last words');
    alice.stream.close();
    expect((await bob.next()).child('body')!.text()).toBe('last words');
  });

  it('abort() without stream management ends the session, and what was sent goes out first', async () => {
    const { upstream } = embedded();
    const one = await online(upstream, 'alice/one');
    const other = await online(upstream, 'alice/other');
    one.message(other.jid, 'last words');
    one.stream.abort();
    const [message, presence] = await other.rest();
    expect(message).toContain('last words');
    expect(presence).toContain('type="unavailable"');
    expect(one.end).toEqual({ reason: 'aborted' });
  });

  it('ends once however often it is ended', async () => {
    const { upstream } = embedded();
    const stream = await online(upstream, 'alice/x');
    stream.stream.close();
    stream.stream.abort();
    stream.stream.close();
    await settle();
    stream.stream.abort();
    stream.send(`<message xmlns='jabber:client'/>`);
    await settle();
    expect(stream.end).toEqual({ reason: 'aborted' });
  });

  it.each([
    ['a stanza before authentication', `<message xmlns='jabber:client' to='bob@example.org'/>`],
    ['an unknown element before authentication', `<x xmlns='urn:example'/>`],
  ])('RFC 6120, section 4.9.3.12: %s is answered with not-authorized', async (_what, xml) => {
    const stream = new TestStream(embedded().upstream);
    await stream.next();
    stream.send(xml);
    expect((await stream.next()).toString()).toContain('<not-authorized xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>');
    await settle();
    expect(stream.end?.reason).toBe('closed');
  });

  it('RFC 6120, section 7.1: a stanza before a resource is bound is answered with not-authorized', async () => {
    const stream = new TestStream(embedded().upstream);
    await stream.authenticate('alice', 'wonderland');
    stream.send(`<message xmlns='jabber:client' to='bob@example.org'/>`);
    expect((await stream.next()).toString()).toContain('<not-authorized');
  });

  it('RFC 6120, section 4.9.3.24: an unknown element is answered with unsupported-stanza-type', async () => {
    const stream = await login(embedded().upstream, 'alice/x');
    stream.send(`<x xmlns='urn:example'/>`);
    expect((await stream.next()).toString()).toContain('<unsupported-stanza-type');
  });

  it('XEP-0352: takes client states without a word', async () => {
    const stream = await login(embedded().upstream, 'alice/x');
    stream.send(`<inactive xmlns='urn:xmpp:csi:0'/>`);
    stream.send(`<active xmlns='urn:xmpp:csi:0'/>`);
    expect(await stream.rest()).toEqual([]);
    expect(stream.end).toBeUndefined();
  });

  it('shutting down tells the streams with system-shutdown, and opens no more', async () => {
    const { upstream } = embedded();
    const stream = await online(upstream, 'alice/x');
    await upstream.close();
    expect((await stream.next()).toString()).toContain('<system-shutdown');
    expect(stream.end?.reason).toBe('closed');
    const late = new TestStream(upstream);
    await settle();
    expect(late.end).toEqual({ reason: 'failed', message: 'the embedded server is closed' });
    await expect(upstream.probe('example.org')).rejects.toThrow('closed');
  });

  it('probe() tells which domains are served', async () => {
    const { upstream } = embedded();
    await expect(upstream.probe('Example.org')).resolves.toBeUndefined();
    await expect(upstream.probe('elsewhere.example')).rejects.toThrow('elsewhere.example');
  });

  it('a handler that throws loses its stream and nobody else is harmed', async () => {
    const { upstream, errors } = embedded();
    const ends: unknown[] = [];
    const broken = upstream.open(
      { domain: 'example.org', header: {}, client: { address: '::1', port: 0, secure: false } },
      {
        onOpen: () => {},
        onStanza: () => {
          throw new Error('broken client');
        },
        onDrain: () => {},
        onEnd: (end) => ends.push(end),
      },
    );
    const alice = await login(upstream, 'alice/x');
    expect(alice.jid).toBe('alice@example.org/x');
    await settle();
    expect(ends).toEqual([{ reason: 'closed', message: 'stream error internal-server-error' }]);
    expect(String(errors[0])).toContain('broken client');
    broken.abort();
    await settle();
    expect(ends).toHaveLength(1);
  });
});

describe('binding a resource', () => {
  it('RFC 6120, section 7.6: the server chooses a resource where the client names none', async () => {
    const { upstream } = embedded();
    const one = await login(upstream, 'alice');
    const other = await login(upstream, 'alice');
    expect(one.jid).toMatch(/^alice@example\.org\/.{8,}$/);
    expect(other.jid).not.toBe(one.jid);
  });

  it('RFC 6120, section 7.7.2.2: a resource that is taken goes to the newcomer, the older stream ends with conflict', async () => {
    const { upstream } = embedded();
    const watcher = await online(upstream, 'alice/watcher');
    const old = await online(upstream, 'alice/web');
    await watcher.rest();
    const young = await login(upstream, 'alice/web');
    expect((await old.next()).toString()).toContain('<conflict xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>');
    await settle();
    expect(old.end?.reason).toBe('closed');
    expect((await watcher.rest())[0]).toContain('type="unavailable"');
    watcher.message(young.jid, 'hi');
    expect((await young.next()).child('body')!.text()).toBe('hi');
  });

  it('refuses a resource that is none, and the client may ask for another', async () => {
    const stream = new TestStream(embedded().upstream);
    await stream.authenticate('alice', 'wonderland');
    const long = 'x'.repeat(1024);
    const refused = await stream.query('set', `<bind xmlns='${BIND}'><resource>${long}</resource></bind>`);
    expect(refused.child('error')!.child('bad-request', 'urn:ietf:params:xml:ns:xmpp-stanzas')).toBeDefined();
    expect(await stream.bind('short')).toBe('alice@example.org/short');
  });

  it('binds no second resource on a stream', async () => {
    const stream = await login(embedded().upstream, 'alice/x');
    const refused = await stream.query('set', `<bind xmlns='${BIND}'/>`);
    expect(refused.toString()).toContain('<not-allowed');
  });

  it('limits the resources of an account', async () => {
    const { upstream } = embedded({ limits: { maxResources: 1 } });
    await login(upstream, 'alice/one');
    const other = new TestStream(upstream);
    await other.authenticate('alice', 'wonderland');
    const refused = await other.query('set', `<bind xmlns='${BIND}'><resource>two</resource></bind>`);
    expect(refused.child('error')!.attribute('type')).toBe('wait');
    expect(refused.toString()).toContain('<resource-constraint');
    expect(await other.bind('one')).toBe('alice@example.org/one');
  });

  it('RFC 3921, section 3: answers a session that nobody needs, to whomever it is addressed', async () => {
    const stream = await login(embedded().upstream, 'alice/x');
    const session = `<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>`;
    expect((await stream.query('set', session)).attribute('type')).toBe('result');
    expect((await stream.query('set', session, 'example.org')).attribute('type')).toBe('result');
  });
});

describe('a client that reads slowly', () => {
  it('gets nothing while it is paused, then everything in order', async () => {
    const { upstream } = embedded();
    const alice = await login(upstream, 'alice/x');
    const bob = await login(upstream, 'bob/x');
    bob.stream.pause();
    for (let i = 0; i < 50; i++) alice.message(bob.jid, String(i));
    expect(await bob.rest()).toEqual([]);
    bob.stream.resume();
    alice.message(bob.jid, '50');
    const bodies = (await bob.rest()).map((text) => Number(/<body>(\d+)</.exec(text)![1]));
    expect(bodies).toEqual(Array.from({ length: 51 }, (_, i) => i));
  });

  it('may pause again while it is handed what waited', async () => {
    const { upstream } = embedded();
    const alice = await login(upstream, 'alice/x');
    const bob = await login(upstream, 'bob/x');
    bob.stream.pause();
    alice.message(bob.jid, 'one');
    await settle();
    bob.stream.resume();
    bob.stream.pause();
    expect(await bob.rest()).toEqual([]);
    bob.stream.resume();
    expect(await bob.rest()).toHaveLength(1);
  });

  it('ends with resource-constraint when too much waits; what it did not get waits for it', async () => {
    const { upstream } = embedded({ limits: { maxQueuedBytes: 1000 } });
    const alice = await online(upstream, 'alice/x');
    const bob = await online(upstream, 'bob/x');
    bob.stream.pause();
    for (let i = 0; i < 20; i++) alice.message(bob.jid, `${i} ${'x'.repeat(80)}`);
    await settle();
    expect(bob.end).toBeUndefined();
    bob.stream.resume();
    expect((await bob.next()).toString()).toContain('<resource-constraint');
    await settle();
    expect(bob.end?.reason).toBe('closed');
    const again = await login(upstream, 'bob/y');
    again.presence();
    const messages = (await again.rest()).filter((text) => text.startsWith('<message'));
    expect(messages.map((text) => Number(/<body>(\d+) /.exec(text)![1]))).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(await alice.rest()).toEqual([]);
  });

  it('loses nothing when it goes while paused: messages wait, questions are answered for it', async () => {
    const { upstream } = embedded();
    const alice = await online(upstream, 'alice/x');
    const bob = await online(upstream, 'bob/x');
    bob.stream.pause();
    alice.message(bob.jid, 'hi');
    alice.send(`<iq xmlns='jabber:client' type='get' id='v' to='${bob.jid}'><query xmlns='jabber:iq:version'/></iq>`);
    await settle();
    bob.stream.abort();
    const [answer] = await alice.rest();
    expect(answer).toMatch(/^<iq .*type="error".*id="v".*<service-unavailable/);
    const again = await login(upstream, 'bob/x');
    again.presence();
    expect((await again.take((stanza) => stanza.kind === 'message')).child('body')!.text()).toBe('hi');
  });
});
