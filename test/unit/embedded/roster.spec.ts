import { Stanza } from '../../../lib/xml/index.js';
import { befriend, embedded, login, online, settle, type TestStream } from '../../support/embedded.js';

const ROSTER = 'jabber:iq:roster';
const item = (attributes: string, content = '') =>
  `<query xmlns='${ROSTER}'><item ${attributes}>${content}</item></query>`;
const condition = (stanza: Stanza) =>
  /<error [^>]*><([a-z-]+) xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/.exec(String(stanza))?.[1];

/** The items of a roster, or of a push, in short: `jid subscription[ ask][ "name"][ #group…]`. */
function items(stanza: Stanza | string): string[] {
  const query = (typeof stanza === 'string' ? Stanza.parse(stanza) : stanza).child('query', ROSTER);
  return (query?.children() ?? []).map((child) => {
    const name = child.attribute('name');
    const groups = child.children().map((group) => ` #${group.text()}`);
    const ask = child.attribute('ask') ? ' ask' : '';
    return `${child.attribute('jid')} ${child.attribute('subscription')}${ask}${name ? ` "${name}"` : ''}${groups.join('')}`;
  });
}

const roster = (stream: TestStream) => stream.query('get', `<query xmlns='${ROSTER}'/>`);

/** What came, in short: roster pushes as their items, presence as `type from`. */
async function events(stream: TestStream): Promise<string[]> {
  return (await stream.rest()).map((text) => {
    const stanza = Stanza.parse(text);
    if (stanza.kind === 'iq') return `push ${items(stanza).join()}`;
    return `${stanza.attribute('type') ?? 'available'} ${stanza.attribute('from')}`;
  });
}

/** Available and interested in the roster. */
async function there(server: ReturnType<typeof embedded>, who: string): Promise<TestStream> {
  const stream = await online(server.upstream, who);
  await roster(stream);
  return stream;
}

describe('the roster: RFC 6121, section 2', () => {
  it('is empty at first', async () => {
    const alice = await login(embedded().upstream, 'alice/x');
    expect(items(await roster(alice))).toEqual([]);
  });

  it('keeps names and groups, and pushes each change to the resources that asked for it', async () => {
    const server = embedded();
    const one = await there(server, 'alice/one');
    const other = await there(server, 'alice/other');
    const deaf = await login(server.upstream, 'alice/deaf');
    await one.rest();
    const groups = `<group>Friends</group><group>A &amp; B</group>`;
    const answer = await one.query('set', item(`jid='Bob@example.org' name='Bob "B"'`, groups));
    expect(answer.attribute('type')).toBe('result');
    const expected = 'bob@example.org none "Bob "B"" #Friends #A & B';
    expect(await events(one)).toEqual([`push ${expected}`]);
    const push = await other.next();
    expect([push.attribute('type'), push.attribute('to'), items(push)]).toEqual(['set', other.jid, [expected]]);
    expect(await deaf.rest()).toEqual([]);
    expect(items(await roster(deaf))).toEqual([expected]);
    await one.query('set', item(`jid='bob@example.org'`));
    expect(items(await roster(deaf))).toEqual(['bob@example.org none']);
  });

  it('takes no subscription state from a client', async () => {
    const alice = await login(embedded().upstream, 'alice/x');
    await alice.query('set', item(`jid='bob@example.org' subscription='both' ask='subscribe'`));
    expect(items(await roster(alice))).toEqual(['bob@example.org none']);
  });

  it.each([
    ['no item', `<query xmlns='${ROSTER}'/>`, 'bad-request'],
    ['two items', `<query xmlns='${ROSTER}'><item jid='a@b'/><item jid='c@d'/></query>`, 'bad-request'],
    ['no address', item(''), 'bad-request'],
    ['a malformed address', item(`jid='a b@c'`), 'jid-malformed'],
    ['the own address', item(`jid='alice@example.org'`), 'not-allowed'],
    ['an empty group', item(`jid='a@b'`, '<group/>'), 'not-acceptable'],
    ['a group twice', item(`jid='a@b'`, '<group>g</group><group>g</group>'), 'bad-request'],
    ['a name too long', item(`jid='a@b' name='${'x'.repeat(1024)}'`), 'not-acceptable'],
    ['the removal of nobody', item(`jid='a@b' subscription='remove'`), 'item-not-found'],
  ])('RFC 6121, section 2.3.3: refuses %s', async (_what, payload, expected) => {
    const alice = await login(embedded().upstream, 'alice/x');
    expect(condition(await alice.query('set', payload))).toBe(expected);
    expect(items(await roster(alice))).toEqual([]);
  });

  it.each(['get', 'set'] as const)("another account's roster is nobody's business: %s", async (type) => {
    const alice = await login(embedded().upstream, 'alice/x');
    expect(condition(await alice.query(type, item(`jid='a@b'`), 'bob@example.org'))).toBe('forbidden');
  });

  it('is bounded', async () => {
    const alice = await login(embedded({ limits: { maxRosterItems: 1 } }).upstream, 'alice/x');
    await alice.query('set', item(`jid='a@b'`));
    expect(condition(await alice.query('set', item(`jid='c@d'`)))).toBe('resource-constraint');
    expect((await alice.query('set', item(`jid='a@b' name='A'`))).attribute('type')).toBe('result');
  });

  it('RFC 6121, section 2.6: is not sent again to a client that has its version', async () => {
    const alice = await login(embedded().upstream, 'alice/x');
    const ask = (ver: string) => alice.query('get', `<query xmlns='${ROSTER}' ver='${ver}'/>`);
    const first = await ask('');
    const ver = first.child('query')!.attribute('ver')!;
    expect((await ask(ver)).children()).toEqual([]);
    await alice.query('set', item(`jid='bob@example.org'`));
    const push = await alice.take((stanza) => stanza.attribute('type') === 'set');
    const newer = push.child('query')!.attribute('ver')!;
    expect(newer).not.toBe(ver);
    expect(items(await ask(ver))).toEqual(['bob@example.org none']);
    expect((await ask(newer)).children()).toEqual([]);
  });
});

describe('subscriptions: RFC 6121, section 3', () => {
  const ask = (who: TestStream, type: string, to: string) => who.presence('', `type='${type}' to='${to}' id='s'`);
  const A = 'alice@example.org';
  const B = 'bob@example.org';

  it('section 3.1: a request, its approval, and the presence that follows', async () => {
    const server = embedded();
    const alice = await there(server, 'alice/x');
    const bob = await there(server, 'bob/y');
    ask(alice, 'subscribe', `${B}/anything`);
    expect(await events(alice)).toEqual([`push ${B} none ask`]);
    const request = await bob.next();
    expect([request.attribute('type'), request.attribute('from'), request.attribute('to')]).toEqual(['subscribe', A, B]);
    expect(items(await roster(bob))).toEqual([]);
    ask(bob, 'subscribed', A);
    expect(await events(bob)).toEqual([`push ${A} from`]);
    expect(await events(alice)).toEqual([`subscribed ${B}`, `push ${B} to`, `available ${B}/y`]);
    ask(bob, 'subscribe', A);
    expect(await events(bob)).toEqual([`push ${A} from ask`]);
    await alice.rest();
    ask(alice, 'subscribed', B);
    expect(await events(alice)).toEqual([`push ${B} both`]);
    expect(await events(bob)).toEqual([`subscribed ${A}`, `push ${A} both`, `available ${A}/x`]);
  });

  it('section 3.1.3: a request waits until somebody is there, and comes again until it is answered', async () => {
    const server = embedded();
    const alice = await there(server, 'alice/x');
    alice.presence('<status>let me in</status>', `type='subscribe' to='${B}'`);
    await settle();
    for (const resource of ['one', 'two']) {
      const bob = await login(server.upstream, `bob/${resource}`);
      expect(await bob.rest()).toEqual([]);
      bob.presence();
      const request = await bob.take((stanza) => stanza.attribute('type') === 'subscribe');
      expect([request.attribute('from'), request.child('status')!.text()]).toEqual([A, 'let me in']);
      bob.stream.close();
    }
    const bob = await login(server.upstream, 'bob/three');
    bob.presence();
    await bob.rest();
    ask(bob, 'unsubscribed', A);
    await settle();
    expect(await events(alice)).toEqual([`push ${B} none ask`, `unsubscribed ${B}`, `push ${B} none`]);
    const last = await login(server.upstream, 'bob/four');
    last.presence();
    expect(await events(last)).not.toContain(`subscribe ${A}`);
  });

  it('a request that is repeated is not handed over twice', async () => {
    const server = embedded();
    const alice = await there(server, 'alice/x');
    const bob = await there(server, 'bob/y');
    ask(alice, 'subscribe', B);
    ask(alice, 'subscribe', B);
    expect(await events(bob)).toEqual([`subscribe ${A}`]);
  });

  it('section 3.1.3: the server answers for a contact that agreed before', async () => {
    const server = embedded();
    const alice = await there(server, 'alice/x');
    const bob = await there(server, 'bob/y');
    await befriend(alice, bob);
    ask(alice, 'subscribe', B);
    expect(await events(bob)).toEqual([]);
    expect(items(await roster(alice))).toEqual([`${B} both`]);
  });

  it('nobody is subscribed without having asked', async () => {
    const server = embedded();
    const alice = await there(server, 'alice/x');
    const bob = await there(server, 'bob/y');
    ask(bob, 'subscribed', A);
    ask(bob, 'unsubscribed', A);
    ask(bob, 'unsubscribe', A);
    expect(await events(alice)).toEqual([]);
    expect(await events(bob)).toEqual([]);
    expect(items(await roster(bob))).toEqual([]);
  });

  it('section 3.2: a subscription that the contact withdraws', async () => {
    const server = embedded();
    const alice = await there(server, 'alice/x');
    const bob = await there(server, 'bob/y');
    await befriend(alice, bob);
    ask(bob, 'unsubscribed', A);
    expect(await events(bob)).toEqual([`push ${A} to`]);
    expect(await events(alice)).toEqual([`unavailable ${B}/y`, `unsubscribed ${B}`, `push ${B} from`]);
    bob.presence('<show>away</show>');
    expect(await events(alice)).toEqual([]);
  });

  it('section 3.3: a subscription that the user gives up', async () => {
    const server = embedded();
    const alice = await there(server, 'alice/x');
    const bob = await there(server, 'bob/y');
    await befriend(alice, bob);
    ask(alice, 'unsubscribe', B);
    expect(await events(bob)).toEqual([`unsubscribe ${A}`, `push ${A} to`]);
    expect(await events(alice)).toEqual([`push ${B} from`, `unavailable ${B}/y`]);
  });

  it('section 3.3: a request that the user takes back', async () => {
    const server = embedded();
    const alice = await there(server, 'alice/x');
    ask(alice, 'subscribe', B);
    ask(alice, 'unsubscribe', B);
    expect(await events(alice)).toEqual([`push ${B} none ask`, `push ${B} none`]);
    const bob = await there(server, 'bob/y');
    expect(await events(bob)).toEqual([]);
    ask(bob, 'subscribed', A);
    expect(items(await roster(alice))).toEqual([`${B} none`]);
  });

  it('section 2.5: whoever is removed loses both subscriptions', async () => {
    const server = embedded();
    const alice = await there(server, 'alice/x');
    const bob = await there(server, 'bob/y');
    await befriend(alice, bob);
    await alice.query('set', item(`jid='${B}' subscription='remove'`));
    expect(await events(alice)).toEqual([`unavailable ${B}/y`, `push ${B} remove`]);
    expect(await events(bob)).toEqual([
      `unavailable ${A}/x`,
      `unsubscribe ${A}`,
      `push ${A} to`,
      `unsubscribed ${A}`,
      `push ${A} none`,
    ]);
    expect(items(await roster(alice))).toEqual([]);
  });

  it('section 8.5.1: nobody agrees for an account that does not exist', async () => {
    const server = embedded();
    const alice = await there(server, 'alice/x');
    ask(alice, 'subscribe', 'nobody@example.org');
    expect(await events(alice)).toEqual([
      'push nobody@example.org none ask',
      'unsubscribed nobody@example.org',
      'push nobody@example.org none',
    ]);
  });

  it('a contact on another server stays asked, and the user learns why', async () => {
    const server = embedded();
    const alice = await there(server, 'alice/x');
    ask(alice, 'subscribe', 'x@elsewhere.example');
    const push = await alice.next();
    expect(items(push)).toEqual(['x@elsewhere.example none ask']);
    expect(condition(await alice.next())).toBe('remote-server-not-found');
  });

  it('a request to oneself means nothing', async () => {
    const server = embedded();
    const alice = await there(server, 'alice/x');
    ask(alice, 'subscribe', A);
    expect(await events(alice)).toEqual([]);
    expect(items(await roster(alice))).toEqual([]);
  });
});
