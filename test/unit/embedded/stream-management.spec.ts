import { Stanza } from '../../../lib/xml/index.js';
import type { EmbeddedUpstream } from '../../../lib/upstream/embedded/index.js';
import { StreamManagement } from '../../../lib/upstream/embedded/stream-management.js';
import { befriend, embedded, login, NOW, online, settle, SM, TestStream } from '../../support/embedded.js';

async function enable(stream: TestStream, attributes = `resume='true'`): Promise<string> {
  stream.send(`<enable xmlns='${SM}' ${attributes}/>`);
  const enabled = await stream.take((stanza) => stanza.is('enabled', SM));
  return enabled.attribute('id') ?? '';
}

/** A stream at the point where it may resume another. */
async function authenticated(upstream: EmbeddedUpstream, user = 'alice', password = 'wonderland'): Promise<TestStream> {
  const stream = new TestStream(upstream);
  await stream.authenticate(user, password);
  return stream;
}

const resume = (stream: TestStream, previd: string, h: number | string) =>
  stream.send(`<resume xmlns='${SM}' previd='${previd}' h='${h}'/>`);
const ack = (stream: TestStream, h: number | string) => stream.send(`<a xmlns='${SM}' h='${h}'/>`);
const failed = (stanza: Stanza) => stanza.is('failed', SM) && stanza.children()[0]!.name;

/** What came, in short: bodies of messages, names of other elements. */
async function events(stream: TestStream): Promise<string[]> {
  return (await stream.rest()).map((text) => {
    const stanza = Stanza.parse(text);
    return stanza.child('body')?.text() ?? stanza.name + (stanza.attribute('h') ? ` ${stanza.attribute('h')}` : '');
  });
}

/** Alice with stream management, and Bob, who see each other. */
async function scene(options = {}) {
  const server = embedded(options);
  const alice = await online(server.upstream, 'alice/x');
  const bob = await online(server.upstream, 'bob/y');
  await befriend(alice, bob);
  const id = await enable(alice);
  return { ...server, alice, bob, id };
}

describe('stream management: XEP-0198', () => {
  it('section 3: is enabled once, after binding', async () => {
    const { upstream } = embedded();
    const stream = await authenticated(upstream);
    stream.send(`<enable xmlns='${SM}'/>`);
    expect(failed(await stream.next())).toBe('unexpected-request');
    await stream.bind('x');
    stream.send(`<enable xmlns='${SM}'/>`);
    const enabled = await stream.next();
    expect([enabled.name, enabled.attribute('id'), enabled.attribute('resume')]).toEqual(['enabled', undefined, undefined]);
    stream.send(`<enable xmlns='${SM}'/>`);
    expect(failed(await stream.next())).toBe('unexpected-request');
  });

  it.each([
    [`resume='true'`, '300'],
    [`resume='1' max='60'`, '60'],
    [`resume='true' max='9000'`, '300'],
    [`resume='true' max='soon'`, '300'],
  ])('section 3: grants resumption for a bounded time: %s', async (wish, max) => {
    const { upstream } = embedded();
    const stream = await login(upstream, 'alice/x');
    stream.send(`<enable xmlns='${SM}' ${wish}/>`);
    const enabled = await stream.next();
    expect([enabled.attribute('resume'), enabled.attribute('max')]).toEqual(['true', max]);
    expect(enabled.attribute('id')).toMatch(/^[\w-]{22}$/);
  });

  it('section 4: counts what it handled, and nothing but stanzas', async () => {
    const { alice, bob } = await scene();
    alice.send(`<r xmlns='${SM}'/>`);
    expect(await events(alice)).toEqual(['a 0']);
    alice.message(bob.jid, 'one');
    alice.presence('<show>away</show>');
    alice.send(`<active xmlns='urn:xmpp:csi:0'/>`);
    alice.message('nobody@example.org', 'two');
    ack(alice, 0);
    alice.send(`<r xmlns='${SM}'/>`);
    expect(await events(alice)).toEqual(['presence', 'message', 'a 3']);
  });

  it('section 4: asks for an acknowledgement after ten stanzas at once, after fewer when a second has passed', async () => {
    const { alice, bob, clock } = await scene();
    for (let i = 0; i < 10; i++) bob.message(alice.jid, String(i));
    expect((await events(alice)).slice(-2)).toEqual(['9', 'r']);
    for (let i = 0; i < 20; i++) bob.message(alice.jid, String(i));
    expect((await events(alice)).filter((event) => event === 'r')).toEqual([]);
    ack(alice, 30);
    await settle();
    bob.message(alice.jid, 'last');
    expect(await events(alice)).toEqual(['last', 'r']);
    ack(alice, 31);
    await settle();
    bob.message(alice.jid, 'more');
    expect(await events(alice)).toEqual(['more']);
    clock.tick(1100);
    expect(await events(alice)).toEqual(['r']);
    clock.tick(5000);
    expect(await events(alice)).toEqual([]);
  });

  it('section 4: a lower or a repeated count does no harm', async () => {
    const { alice, bob } = await scene();
    for (let i = 0; i < 3; i++) bob.message(alice.jid, String(i));
    await alice.rest();
    for (const h of [2, 2, 1, 0, 3, 3]) ack(alice, h);
    await settle();
    expect(alice.end).toBeUndefined();
    expect(await alice.rest()).toEqual([]);
  });

  it('section 4: a count of more than was sent ends the stream', async () => {
    const { alice, bob } = await scene();
    bob.message(alice.jid, 'one');
    await alice.rest();
    ack(alice, 2);
    const error = (await alice.next()).toString();
    expect(error).toContain('<undefined-condition xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>');
    expect(error).toContain(`<handled-count-too-high xmlns="${SM}" h="2" send-count="1"/>`);
    await settle();
    expect(alice.end?.reason).toBe('closed');
  });

  it.each(['', 'x', '-1', '4294967296'])('a count that is none ends the stream: %j', async (h) => {
    const { alice } = await scene();
    ack(alice, h);
    expect((await alice.next()).toString()).toContain('<policy-violation');
  });

  it('requests and acknowledgements mean nothing before it is enabled', async () => {
    const stream = await login(embedded().upstream, 'alice/x');
    stream.send(`<r xmlns='${SM}'/>`);
    expect(failed(await stream.next())).toBe('unexpected-request');
    ack(stream, 0);
    expect(failed(await stream.next())).toBe('unexpected-request');
  });

  it('section 5: a stream that broke stays online for others, and resumes without loss or repetition', async () => {
    const { upstream, alice, bob, id, clock } = await scene();
    bob.message(alice.jid, 'seen');
    bob.message(alice.jid, 'lost');
    expect(await events(alice)).toEqual(['seen', 'lost']);
    alice.message(bob.jid, 'sent');
    alice.stream.abort();
    expect(await events(bob)).toEqual(['sent']);
    expect(alice.end).toEqual({ reason: 'aborted' });
    bob.message(alice.jid, 'meanwhile');
    bob.message('alice@example.org', 'to the account');
    await settle();
    clock.tick(299_000);
    await settle();

    const again = await authenticated(upstream);
    resume(again, id, 1);
    expect(await events(again)).toEqual(['resumed 1', 'lost', 'meanwhile', 'to the account', 'r']);
    again.message(bob.jid, 'back');
    const message = await bob.next();
    expect([message.child('body')!.text(), message.attribute('from')]).toEqual(['back', 'alice@example.org/x']);
    clock.tick(400_000);
    expect(await events(bob)).toEqual([]);
    expect(again.end).toBeUndefined();
  });

  it('what came while the stream was broken says when', async () => {
    const { upstream, alice, bob, id, clock } = await scene();
    bob.message(alice.jid, 'before');
    await settle();
    clock.tick(1000);
    alice.stream.abort();
    await settle();
    clock.tick(60_000);
    bob.message(alice.jid, 'while');
    await settle();
    const again = await authenticated(upstream);
    resume(again, id, 0);
    const stamps: string[] = [];
    for (const text of ['before', 'while']) {
      const message = await again.take((stanza) => stanza.child('body')?.text() === text);
      stamps.push(message.child('delay', 'urn:xmpp:delay')!.attribute('stamp')!);
    }
    expect(stamps).toEqual([new Date(NOW + 1000).toISOString(), new Date(NOW + 61_000).toISOString()]);
  });

  it('section 5: tells how much of the client it handled, counting on after the resumption', async () => {
    const { upstream, alice, bob, id } = await scene();
    alice.message(bob.jid, 'one');
    alice.message(bob.jid, 'two');
    alice.stream.abort();
    await settle();
    const again = await authenticated(upstream);
    resume(again, id, 0);
    const resumed = await again.next();
    expect([resumed.name, resumed.attribute('h'), resumed.attribute('previd')]).toEqual(['resumed', '2', id]);
    again.message(bob.jid, 'three');
    again.send(`<r xmlns='${SM}'/>`);
    expect(await events(again)).toEqual(['a 3']);
    expect(await events(bob)).toEqual(['one', 'two', 'three']);
  });

  it('section 5: a client may resume before the server noticed that the old stream broke', async () => {
    const { upstream, alice, bob, id } = await scene();
    const again = await authenticated(upstream);
    resume(again, id, 0);
    expect((await again.next()).name).toBe('resumed');
    expect((await alice.next()).toString()).toContain('<conflict');
    await settle();
    expect(alice.end?.reason).toBe('closed');
    bob.message('alice@example.org/x', 'hi');
    expect((await again.next()).child('body')!.text()).toBe('hi');
    alice.stream.abort();
    bob.message('alice@example.org/x', 'still there');
    expect((await again.next()).child('body')!.text()).toBe('still there');
  });

  it('section 5: another account cannot resume a stream, nor can anybody one that is unknown', async () => {
    const { upstream, alice, id } = await scene();
    alice.stream.abort();
    const bob = await authenticated(upstream, 'bob', 'builder');
    resume(bob, id, 0);
    expect(failed(await bob.next())).toBe('item-not-found');
    resume(bob, 'unknown', 0);
    expect(failed(await bob.next())).toBe('item-not-found');
    resume(bob, id, 'x');
    expect(failed(await bob.next())).toBe('bad-request');
    expect(await bob.bind('z')).toBe('bob@example.org/z');
    resume(bob, id, 0);
    expect(failed(await bob.next())).toBe('unexpected-request');
  });

  it('section 5: nobody resumes before authentication', async () => {
    const { upstream, id } = await scene();
    const stream = new TestStream(upstream);
    await stream.next();
    resume(stream, id, 0);
    expect((await stream.next()).toString()).toContain('<not-authorized');
  });

  it('section 5: resuming with a count too high ends the new stream and leaves the session alone', async () => {
    const { upstream, alice, id } = await scene();
    alice.stream.abort();
    const wrong = await authenticated(upstream);
    resume(wrong, id, 7);
    expect((await wrong.next()).toString()).toContain('handled-count-too-high');
    const right = await authenticated(upstream);
    resume(right, id, 0);
    expect((await right.next()).name).toBe('resumed');
  });

  it('when the time is over the session ends: contacts see it, messages wait, questions are answered', async () => {
    const { upstream, alice, bob, id, clock } = await scene();
    alice.stream.abort();
    await settle();
    bob.message(alice.jid, 'chat');
    bob.message(alice.jid, 'group', `type='groupchat' id='g'`);
    bob.send(`<iq xmlns='jabber:client' type='get' id='q' to='${alice.jid}'><ping xmlns='urn:xmpp:ping'/></iq>`);
    await settle();
    await bob.rest();
    clock.tick(300_050);
    const [left, group, question] = await bob.rest();
    expect(left).toContain('type="unavailable"');
    expect(group).toMatch(/^<message .*type="error" id="g".*<recipient-unavailable/);
    expect(question).toMatch(/^<iq .*type="error" id="q".*<service-unavailable/);
    const late = await authenticated(upstream);
    resume(late, id, 0);
    expect(failed(await late.next())).toBe('item-not-found');
    await late.bind('x');
    late.presence();
    const message = await late.take((stanza) => stanza.kind === 'message');
    expect(message.child('body')!.text()).toBe('chat');
    expect(message.child('delay', 'urn:xmpp:delay')!.attribute('stamp')).toBe(new Date(NOW).toISOString());
    expect(message.children().filter((child) => child.name === 'delay')).toHaveLength(1);
  });

  it('what waited goes to another resource, if one is there', async () => {
    const { upstream, alice, bob, clock } = await scene();
    const other = await online(upstream, 'alice/other');
    alice.stream.abort();
    bob.message(alice.jid, 'hi');
    await settle();
    clock.tick(300_050);
    expect((await other.take((stanza) => stanza.kind === 'message')).child('body')!.text()).toBe('hi');
  });

  it('a copy of a message is not handed on when the session ends', async () => {
    const { upstream, alice, bob, clock } = await scene();
    await alice.query('set', `<enable xmlns='urn:xmpp:carbons:2'/>`);
    const other = await online(upstream, 'alice/other');
    alice.stream.abort();
    bob.message(other.jid, 'hi');
    expect((await events(other)).filter((event) => event === 'hi')).toEqual(['hi']);
    clock.tick(300_050);
    expect(await events(other)).toEqual(['presence']);
    const late = await login(upstream, 'alice/late');
    late.presence();
    expect(await events(late)).not.toContain('hi');
  });

  it('U12: a clean end is an end: the session cannot be resumed', async () => {
    const { upstream, alice, bob, id } = await scene();
    alice.stream.close();
    expect((await bob.rest())[0]).toContain('type="unavailable"');
    const again = await authenticated(upstream);
    resume(again, id, 0);
    expect(failed(await again.next())).toBe('item-not-found');
  });

  it('without resumption a broken stream ends its session, and messages not acknowledged wait', async () => {
    const { upstream } = embedded();
    const alice = await online(upstream, 'alice/x');
    const bob = await online(upstream, 'bob/y');
    await enable(alice, '');
    bob.message(alice.jid, 'one');
    bob.message(alice.jid, 'two');
    await alice.rest();
    ack(alice, 1);
    alice.stream.abort();
    await settle();
    const again = await login(upstream, 'alice/x');
    again.presence();
    expect((await events(again)).filter((event) => event !== 'presence')).toEqual(['two']);
  });

  it('a resource that hibernates gives way to a new stream that binds it', async () => {
    const { upstream, alice, bob } = await scene();
    alice.stream.abort();
    bob.message(alice.jid, 'hi');
    await settle();
    const again = await login(upstream, 'alice/x');
    again.presence();
    expect(await events(again)).toContain('hi');
  });

  it('a session that hibernates keeps so much and no more', async () => {
    const { upstream, alice, bob, clock, id } = await scene({ limits: { maxQueuedBytes: 2000 } });
    alice.stream.abort();
    for (let i = 0; i < 30; i++) bob.message(alice.jid, `${i} ${'x'.repeat(60)}`);
    await settle();
    clock.tick(50);
    expect((await bob.rest()).at(-1)).toContain('type="unavailable"');
    const again = await authenticated(upstream);
    resume(again, id, 0);
    expect(failed(await again.next())).toBe('item-not-found');
    await again.bind('x');
    again.presence();
    const bodies = (await events(again)).filter((event) => / x+$/.test(event)).map((event) => Number.parseInt(event, 10));
    expect(bodies).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });

  it('a client that acknowledges nothing ends with resource-constraint', async () => {
    const { alice, bob } = await scene({ limits: { maxQueuedBytes: 2000 } });
    for (let i = 0; i < 30; i++) bob.message(alice.jid, 'x'.repeat(60));
    expect((await alice.take((stanza) => stanza.name === 'error')).toString()).toContain('<resource-constraint');
    await settle();
    expect(alice.end?.reason).toBe('closed');
  });
});

describe('StreamManagement', () => {
  const stanza = Stanza.parse(`<message xmlns='jabber:client'/>`);

  it('XEP-0198, section 4: counts modulo 2^32', () => {
    const management = new StreamManagement(undefined, 0);
    management.handled = 0xffff_ffff;
    management.count();
    expect(management.handled).toBe(0);
  });

  it('takes acknowledgements across the turn of the counter', () => {
    const management = new StreamManagement(undefined, 0);
    Object.assign(management, { acknowledged: 0xffff_fffe });
    for (let i = 0; i < 4; i++) management.push(stanza);
    expect(management.sent).toBe(2);
    expect(management.acknowledge(0xffff_ffff)).toBe('taken');
    expect(management.unacknowledged()).toHaveLength(3);
    expect(management.acknowledge(1)).toBe('taken');
    expect(management.unacknowledged()).toHaveLength(1);
    expect(management.acknowledge(0xffff_fffe)).toBe('taken');
    expect(management.acknowledge(3)).toBe('too-high');
    expect(management.unacknowledged()).toHaveLength(1);
  });

  it('keeps what is not acknowledged, in order, however much comes and goes', () => {
    const management = new StreamManagement(undefined, 0);
    const sent: Stanza[] = [];
    let acknowledged = 0;
    for (let round = 0; round < 500; round++) {
      for (let i = 0; i < (round * 7) % 5; i++) {
        const next = Stanza.parse(`<message xmlns='jabber:client' id='${sent.length}'/>`);
        sent.push(next);
        management.push(next);
      }
      acknowledged += Math.floor((sent.length - acknowledged) / 2);
      expect(management.acknowledge(acknowledged)).toBe('taken');
      expect(management.unacknowledged()).toEqual(sent.slice(acknowledged));
      expect(management.bytes).toBe(sent.slice(acknowledged).reduce((sum, each) => sum + each.byteLength, 0));
    }
  });
});
