import { Stanza } from '../../../lib/xml/index.js';
import { embedded, login, NOW, online, settle, type TestStream } from '../../support/embedded.js';

const body = (stanza: Stanza) => stanza.child('body')?.text();
const bodies = (texts: string[]) => texts.filter((text) => text.startsWith('<message')).map((text) => body(Stanza.parse(text)));
const condition = (stanza: Stanza | string | undefined) =>
  /<error [^>]*><([a-z-]+) xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/.exec(String(stanza))?.[1];

describe('the sender of a stanza', () => {
  it('RFC 6120, section 8.1.2.1: is the full address, whatever the client wrote', async () => {
    const { upstream } = embedded();
    const alice = await login(upstream, 'alice/new');
    const bob = await login(upstream, 'bob/x');
    alice.message(bob.jid, 'one');
    alice.message(bob.jid, 'two', `from='alice@example.org/old' type='chat'`);
    alice.message(bob.jid, 'three', `from='carol@example.org/x' type='chat'`);
    for (const text of ['one', 'two', 'three']) {
      const message = await bob.next();
      expect([body(message), message.attribute('from')]).toEqual([text, 'alice@example.org/new']);
    }
    expect(await alice.rest()).toEqual([]);
  });

  it('a stanza is handed over byte for byte but for its from', async () => {
    const { upstream } = embedded();
    const alice = await login(upstream, 'alice/x');
    const bob = await login(upstream, 'bob/x');
    alice.send(
      `<message xmlns='jabber:client' to='bob@example.org/x'  id="a&amp;b"><body>&lt;&#x41;</body ><x xmlns='urn:y' a = '1'/></message>`,
    );
    expect((await bob.next()).toString()).toBe(
      `<message xmlns='jabber:client' to='bob@example.org/x' id="a&amp;b" from="alice@example.org/x"><body>&lt;&#x41;</body ><x xmlns='urn:y' a = '1'/></message>`,
    );
  });
});

describe('addresses', () => {
  it.each(['@example.org', 'a b@example.org', 'bob@example.org/'])('RFC 6120, section 8.3.3.8: %j is jid-malformed', async (to) => {
    const { upstream } = embedded();
    const alice = await login(upstream, 'alice/x');
    alice.message(to, 'hi', `id='m'`);
    const error = await alice.next();
    expect([error.attribute('type'), error.attribute('id'), condition(error)]).toEqual(['error', 'm', 'jid-malformed']);
    expect(error.attribute('from')).toBe('example.org');
  });

  it.each(['message', 'iq', 'presence'])('another server is not found: %s', async (kind) => {
    const { upstream } = embedded();
    const alice = await login(upstream, 'alice/x');
    const type = kind === 'iq' ? `type='get'` : '';
    alice.send(`<${kind} xmlns='jabber:client' id='s' to='x@elsewhere.example' ${type}><x xmlns='urn:x'/></${kind}>`);
    const error = await alice.next();
    expect([error.kind, condition(error), error.attribute('from')]).toEqual([
      kind,
      'remote-server-not-found',
      'x@elsewhere.example',
    ]);
  });

  it('an error is never answered with an error', async () => {
    const { upstream } = embedded();
    const alice = await login(upstream, 'alice/x');
    alice.message('x@elsewhere.example', 'hi', `type='error'`);
    alice.message('a b@example.org', 'hi', `type='error'`);
    alice.send(`<iq xmlns='jabber:client' type='result' id='r' to='bob@example.org/gone'/>`);
    alice.send(`<iq xmlns='jabber:client' type='error' id='r' to='x@elsewhere.example'/>`);
    expect(await alice.rest()).toEqual([]);
  });

  it('addresses are compared without regard to case', async () => {
    const { upstream } = embedded();
    const alice = await login(upstream, 'alice/x');
    const bob = await login(upstream, 'bob/Phone');
    alice.message('BOB@Example.ORG/Phone', 'hi');
    expect(body(await bob.next())).toBe('hi');
    alice.message('bob@example.org/phone', 'hi', `type='normal'`);
    expect(condition(await alice.next())).toBe('service-unavailable');
  });
});

describe('messages: RFC 6121, section 8.5', () => {
  type Situation = 'nobody' | 'negative' | 'one' | 'two' | 'unavailable';

  /** Bob's resources, and those that got a message. */
  async function deliver(situation: Situation, to: string, type: string) {
    const { upstream } = embedded();
    const resources: Record<string, TestStream> = {};
    if (situation === 'negative') resources.neg = await online(upstream, 'bob/neg', -1);
    if (situation === 'one') {
      resources.neg = await online(upstream, 'bob/neg', -1);
      resources.low = await online(upstream, 'bob/low', 0);
    }
    if (situation === 'two') {
      resources.low = await online(upstream, 'bob/low', 0);
      resources.high = await online(upstream, 'bob/high', 5);
      resources.same = await online(upstream, 'bob/same', 5);
    }
    if (situation === 'unavailable') resources.low = await login(upstream, 'bob/low');
    for (const stream of Object.values(resources)) await stream.rest();
    const alice = await login(upstream, 'alice/x');
    alice.message(to, 'hi', `type='${type}' id='m'`);
    await settle();
    const got: string[] = [];
    for (const [name, stream] of Object.entries(resources)) {
      if (bodies(await stream.rest()).includes('hi')) got.push(name);
    }
    const [error] = await alice.rest();
    const late = await login(upstream, 'bob/late');
    late.presence();
    const stored = bodies(await late.rest()).includes('hi');
    return [...got, ...(stored ? ['offline'] : []), ...(error ? [condition(error)] : [])].join(' ');
  }

  const BARE = 'bob@example.org';
  const unavailable = 'service-unavailable';
  it.each<[Situation, string, string, string]>([
    ['nobody', BARE, 'normal', 'offline'],
    ['nobody', BARE, 'chat', 'offline'],
    ['nobody', BARE, 'unheard-of', 'offline'],
    ['nobody', BARE, 'groupchat', unavailable],
    ['nobody', BARE, 'headline', ''],
    ['nobody', BARE, 'error', ''],
    ['nobody', `${BARE}/gone`, 'normal', unavailable],
    ['nobody', `${BARE}/gone`, 'chat', 'offline'],
    ['nobody', `${BARE}/gone`, 'groupchat', unavailable],
    ['nobody', `${BARE}/gone`, 'headline', unavailable],
    ['nobody', `${BARE}/gone`, 'error', ''],
    ['negative', BARE, 'normal', 'offline'],
    ['negative', BARE, 'chat', 'offline'],
    ['negative', BARE, 'headline', ''],
    ['negative', `${BARE}/neg`, 'normal', 'neg'],
    ['negative', `${BARE}/neg`, 'chat', 'neg'],
    ['negative', `${BARE}/neg`, 'groupchat', 'neg'],
    ['negative', `${BARE}/neg`, 'headline', 'neg'],
    ['negative', `${BARE}/neg`, 'error', 'neg'],
    ['negative', `${BARE}/gone`, 'chat', 'offline'],
    ['one', BARE, 'normal', 'low'],
    ['one', BARE, 'chat', 'low'],
    ['one', BARE, 'groupchat', unavailable],
    ['one', BARE, 'headline', 'low'],
    ['one', BARE, 'error', ''],
    ['one', `${BARE}/low`, 'groupchat', 'low'],
    ['one', `${BARE}/gone`, 'chat', 'low'],
    ['one', `${BARE}/gone`, 'normal', unavailable],
    ['two', BARE, 'normal', 'high same'],
    ['two', BARE, 'chat', 'high same'],
    ['two', BARE, 'headline', 'low high same'],
    ['two', BARE, 'error', ''],
    ['two', `${BARE}/low`, 'chat', 'low'],
    ['two', `${BARE}/gone`, 'chat', 'high same'],
    ['unavailable', `${BARE}/low`, 'chat', 'low'],
    ['unavailable', BARE, 'chat', 'offline'],
    ['nobody', 'nobody@example.org', 'chat', unavailable],
    ['nobody', 'nobody@example.org/x', 'normal', unavailable],
    ['nobody', 'nobody@example.org', 'error', ''],
    ['nobody', 'example.org', 'chat', unavailable],
  ])('%s there, to %s, of type %s: %j', async (situation, to, type, outcome) => {
    expect(await deliver(situation, to, type)).toBe(outcome);
  });

  it('RFC 6121, section 8.1.1.1: without an address goes to the own account', async () => {
    const { upstream } = embedded();
    const one = await online(upstream, 'alice/one', 1);
    const other = await online(upstream, 'alice/other', 2);
    one.send(`<message xmlns='jabber:client' type='chat'><body>note</body></message>`);
    expect(bodies(await other.rest())).toEqual(['note']);
  });
});

describe('offline messages: XEP-0160', () => {
  it('wait in order, bear the time when they came, and are handed over once', async () => {
    const { upstream, clock } = embedded();
    const alice = await login(upstream, 'alice/x');
    alice.message('bob@example.org', 'one');
    await settle();
    clock.tick(90_000);
    alice.message('bob@example.org', 'two', `type='normal'`);
    await settle();
    const bob = await online(upstream, 'bob/neg', -1);
    bob.presence('<priority>3</priority>');
    const messages = (await bob.rest()).filter((text) => text.startsWith('<message')).map((text) => Stanza.parse(text));
    expect(messages.map(body)).toEqual(['one', 'two']);
    expect(messages.map((message) => message.child('delay', 'urn:xmpp:delay')!.attribute('stamp'))).toEqual([
      new Date(NOW).toISOString(),
      new Date(NOW + 90_000).toISOString(),
    ]);
    expect(messages[0]!.child('delay', 'urn:xmpp:delay')!.attribute('from')).toBe('example.org');
    bob.presence();
    const again = await login(upstream, 'bob/again');
    again.presence();
    expect(bodies([...(await bob.rest()), ...(await again.rest())])).toEqual([]);
  });

  it('a sender cannot pass off a delay of its own as the server\'s', async () => {
    const { upstream } = embedded();
    const alice = await login(upstream, 'alice/x');
    alice.message('bob@example.org', 'x', '', `<delay xmlns='urn:xmpp:delay' from='example.org' stamp='1999-01-01T00:00:00Z'/>`);
    await settle();
    const bob = await login(upstream, 'bob/x');
    bob.presence();
    const message = await bob.take((stanza) => stanza.kind === 'message');
    const delays = message.children().filter((child) => child.name === 'delay');
    expect(delays.map((delay) => delay.attribute('stamp'))).toEqual([new Date(NOW).toISOString()]);
  });

  it('are bounded: a further one is refused', async () => {
    const { upstream } = embedded({ limits: { maxOfflineMessages: 2 } });
    const alice = await login(upstream, 'alice/x');
    for (const text of ['one', 'two', 'three']) alice.message('bob@example.org', text, `type='chat' id='${text}'`);
    const error = await alice.next();
    expect([error.attribute('id'), condition(error)]).toEqual(['three', 'service-unavailable']);
    expect(await alice.rest()).toEqual([]);
  });

  it('are bounded in bytes, too', async () => {
    const { upstream } = embedded({ limits: { maxOfflineBytes: 500 } });
    const alice = await login(upstream, 'alice/x');
    alice.message('bob@example.org', 'x'.repeat(600), `id='big'`);
    alice.message('bob@example.org', 'small', `id='small'`);
    const error = await alice.next();
    expect([error.attribute('id'), condition(error)]).toEqual(['big', 'service-unavailable']);
    expect(await alice.rest()).toEqual([]);
  });

  it('a mere chat state does not wait', async () => {
    const { upstream } = embedded();
    const alice = await login(upstream, 'alice/x');
    alice.send(
      `<message xmlns='jabber:client' type='chat' to='bob@example.org'><composing xmlns='http://jabber.org/protocol/chatstates'/><thread>t</thread></message>`,
    );
    alice.message('bob@example.org', 'real', '', `<active xmlns='http://jabber.org/protocol/chatstates'/>`);
    await settle();
    const bob = await login(upstream, 'bob/x');
    bob.presence();
    expect(bodies(await bob.rest())).toEqual(['real']);
  });
});

describe('iqs: RFC 6120, section 8.2.3', () => {
  it('travel between clients, both ways', async () => {
    const { upstream } = embedded();
    const alice = await login(upstream, 'alice/x');
    const bob = await login(upstream, 'bob/x');
    const answer = alice.query('get', `<query xmlns='jabber:iq:version'/>`, bob.jid);
    const asked = await bob.next();
    expect([asked.attribute('from'), asked.attribute('to')]).toEqual([alice.jid, bob.jid]);
    bob.send(`<iq xmlns='jabber:client' type='result' id='${asked.attribute('id')}' to='${asked.attribute('from')}'/>`);
    expect((await answer).attribute('from')).toBe(bob.jid);
  });

  it.each(['bob@example.org/gone', 'bob@example.org', 'alice@example.org', 'nobody@example.org', 'example.org'])(
    'what nobody understands is answered with service-unavailable: %s',
    async (to) => {
      const { upstream } = embedded();
      const alice = await login(upstream, 'alice/x');
      const answer = await alice.query('get', `<query xmlns='urn:example:unheard-of'/>`, to);
      expect([condition(answer), answer.attribute('from'), answer.attribute('to')]).toEqual([
        'service-unavailable',
        to,
        alice.jid,
      ]);
    },
  );

  it('without an address is answered by the own account', async () => {
    const alice = await login(embedded().upstream, 'alice/x');
    const answer = await alice.query('set', `<query xmlns='urn:example:unheard-of'/>`);
    expect([condition(answer), answer.attribute('from')]).toEqual(['service-unavailable', undefined]);
  });

  it.each([
    ['of no type', `<iq xmlns='jabber:client' id='i'><x xmlns='urn:x'/></iq>`],
    ['of an unknown type', `<iq xmlns='jabber:client' id='i' type='put'><x xmlns='urn:x'/></iq>`],
    ['without an id', `<iq xmlns='jabber:client' type='get'><x xmlns='urn:x'/></iq>`],
    ['without a child', `<iq xmlns='jabber:client' id='i' type='get'/>`],
    ['with two children', `<iq xmlns='jabber:client' id='i' type='get'><x xmlns='urn:x'/><y xmlns='urn:y'/></iq>`],
  ])('%s is a bad-request', async (_what, xml) => {
    const alice = await login(embedded().upstream, 'alice/x');
    alice.send(xml);
    expect(condition(await alice.next())).toBe('bad-request');
  });

  it('registration is not offered', async () => {
    const alice = await login(embedded().upstream, 'alice/x');
    const answer = await alice.query('get', `<query xmlns='jabber:iq:register'/>`, 'example.org');
    expect(condition(answer)).toBe('service-unavailable');
  });

  it('a service that breaks is answered for with internal-server-error', async () => {
    const handler = {
      name: 'query',
      namespace: 'urn:broken',
      type: 'get',
      target: 'domain',
      answer: () => {
        throw new Error('broken service');
      },
    } as const;
    const { upstream, errors } = embedded({ services: [{ queries: [handler] }] });
    const alice = await login(upstream, 'alice/x');
    expect(condition(await alice.query('get', `<query xmlns='urn:broken'/>`, 'example.org'))).toBe('internal-server-error');
    expect(String(errors[0])).toContain('broken service');
  });
});
