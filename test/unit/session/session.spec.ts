import { bounce } from '../../../lib/session/bounce.js';
import { XmppEvents } from '../../../lib/session/index.js';
import { NS, Stanza } from '../../../lib/xml/index.js';
import { bindResult, ENABLED, ScriptedClient, Stage, SUCCESS } from './scripted.js';

const MESSAGE = '<message xmlns="jabber:client" from="juliet@example.org/balcony" id="m1"><body>hi</body></message>';
const stanzas = (...xml: string[]): Stanza[] => xml.map((text) => Stanza.parse(text));

describe('Session', () => {
  it('opens the stream of its domain with what the client gave (W8)', () => {
    const stage = new Stage();
    const { stream } = stage.open(new ScriptedClient('bosh', '198.51.100.7'), { from: 'romeo@example.org', to: 'evil', lang: 'de', version: '1.0' });
    expect(stream.request).toEqual({
      domain: 'example.org',
      header: { from: 'romeo@example.org', to: 'example.org', lang: 'de', version: '1.0' },
      client: { address: '198.51.100.7', port: 4711, secure: true },
    });
  });

  it('U3: passes every element of any namespace in both directions, byte for byte', () => {
    const stage = new Stage();
    const { client, session, stream } = stage.bound();
    const elements = [MESSAGE, `<a  xmlns='urn:x'\n b='&#65;' />`, '<r xmlns="urn:xmpp:sm:3"/>', '<a/>', `<stream:x xmlns:stream="${NS.streams}"/>`];
    stream.says(...elements);
    expect(client.take()).toEqual(elements);
    for (const stanza of stanzas(...elements)) expect(session.send(stanza)).toBe(true);
    expect(stream.take()).toEqual(elements);
  });

  it('R6, C8: a restart keeps the domain, whatever the client names', () => {
    const stage = new Stage();
    const { session, stream, client } = stage.open();
    stream.handler.onOpen({ id: '1' });
    stream.says(SUCCESS);
    session.restart({ to: 'example.net', from: 'romeo@example.org' });
    expect(stream.take()).toEqual(['restart {"from":"romeo@example.org","to":"example.org"}']);
    stream.handler.onOpen({ id: '2' });
    expect(client.take()).toEqual(['open {"id":"1"}', SUCCESS, 'open {"id":"2"}']);
    expect(stage.names()).toEqual(['session.opened', 'session.authenticated']);
  });

  it('W16, X6, U7: strips features, also after a restart, and only there', () => {
    const stage = new Stage();
    const { client, stream } = stage.open();
    const features = `<stream:features xmlns:stream="${NS.streams}"><starttls xmlns="${NS.tls}"/><x xmlns="u"/></stream:features>`;
    stream.says(features, SUCCESS, features, `<starttls xmlns="${NS.tls}"/>`);
    const stripped = features.replace(`<starttls xmlns="${NS.tls}"/>`, '');
    expect(client.take()).toEqual([stripped, SUCCESS, stripped, `<starttls xmlns="${NS.tls}"/>`]);
  });

  it('offers channel binding where the app says so', () => {
    const stage = new Stage({ channelBinding: 'pass' });
    const { client, stream } = stage.open();
    const features = `<stream:features xmlns:stream="${NS.streams}"><mechanisms xmlns="${NS.sasl}"><mechanism>SCRAM-SHA-1-PLUS</mechanism></mechanisms></stream:features>`;
    stream.says(features);
    expect(client.take()).toEqual([features]);
  });

  it('counts what passes', () => {
    const stage = new Stage();
    const { session, stream } = stage.bound();
    const before = { ...session.traffic };
    stream.says(MESSAGE, MESSAGE);
    session.send(Stanza.parse('<a/>'));
    expect(session.traffic.stanzasOut - before.stanzasOut).toBe(2);
    expect(session.traffic.bytesOut - before.bytesOut).toBe(2 * MESSAGE.length);
    expect(session.traffic).toMatchObject({ stanzasIn: 1, bytesIn: 4 });
    expect(stage.service.traffic).toEqual(session.traffic);
  });

  describe('events', () => {
    it('tell the life of a session', () => {
      const stage = new Stage();
      const { session, stream } = stage.open();
      expect(stage.names()).toEqual([]);
      stream.handler.onOpen({});
      stream.says(SUCCESS);
      stream.handler.onOpen({});
      expect([session.authenticated, session.jid]).toEqual([true, undefined]);
      stream.says(bindResult('romeo@example.org/orchard'));
      expect(session.jid).toBe('romeo@example.org/orchard');
      session.leave({ reason: 'closed' });
      stream.handler.onEnd({ reason: 'closed' });
      expect(stage.names()).toEqual(['session.opened', 'session.authenticated', 'session.bound', 'session.closed']);
    });

    it('tell of a resumption', () => {
      const stage = new Stage();
      stage.bound().stream.says(ENABLED);
      stage.names();
      const { session, stream } = stage.open();
      stream.says(SUCCESS, '<resumed xmlns="urn:xmpp:sm:3" previd="sm1"/>');
      expect(stage.names()).toEqual(['session.authenticated', 'session.resumed']);
      expect([session.jid, session.resumable]).toEqual(['romeo@example.org/orchard', true]);
    });

    it('know what they tell when they tell it', () => {
      const stage = new Stage();
      const seen: unknown[] = [];
      stage.service.events.on('session.bound', ({ session }) => seen.push(session.jid, stage.service.find('romeo@example.org').length));
      stage.bound();
      expect(seen).toEqual(['romeo@example.org/orchard', 1]);
    });

    it('harm nobody when a listener throws, and reach the others', () => {
      const errors: unknown[] = [];
      const events = new XmppEvents((name, error) => errors.push(name, error));
      const seen: string[] = [];
      const remove = events.on('limit.hit', () => {
        throw new Error('mine');
      });
      events.on('limit.hit', ({ limit }) => seen.push(limit));
      events.emit('limit.hit', { limit: 'a', address: '' });
      expect([seen, errors]).toEqual([['a'], ['limit.hit', new Error('mine')]]);
      remove();
      events.emit('limit.hit', { limit: 'b', address: '' });
      events.emit('session.opened', {} as never);
      expect(seen).toEqual(['a', 'b']);
      expect(errors).toHaveLength(2);
    });
  });

  describe('backpressure', () => {
    it('pauses the upstream when the client is slow, and goes on when it drained', () => {
      const { client, session, stream } = new Stage().bound();
      client.ready = false;
      stream.says(MESSAGE);
      expect(client.take()).toEqual([MESSAGE]);
      expect(stream.take()).toEqual(['pause']);
      session.drained();
      expect(stream.take()).toEqual(['resume']);
    });

    it('tells the client when the upstream is slow, and when it takes again', () => {
      const { client, session, stream } = new Stage().bound();
      stream.ready = false;
      expect(session.send(Stanza.parse(MESSAGE))).toBe(false);
      stream.handler.onDrain();
      expect(client.take()).toEqual(['drain']);
    });
  });

  describe('R9: authTimeout', () => {
    it('ends a stream that is not authenticated in time, whatever it sent', () => {
      const stage = new Stage({ limits: { authTimeout: 5 } });
      const { client, session, stream } = stage.open();
      for (let i = 0; i < 49; i++) {
        stage.clock.tick(100);
        session.send(Stanza.parse('<a/>'));
      }
      expect(client.ends).toEqual([]);
      stage.clock.tick(200);
      expect(client.ends).toEqual([{ reason: 'auth-timeout', condition: 'policy-violation', text: expect.any(String) }]);
      expect(stream.take().at(-1)).toBe('close');
    });

    it.each([
      ['SASL', [SUCCESS]],
      ['SASL2', ['<success xmlns="urn:xmpp:sasl:2"/>']],
      ['a bound resource', [bindResult('a@b/c')]],
    ])('P19: stops with %s', (_, says) => {
      const stage = new Stage({ limits: { authTimeout: 5 } });
      const { client, stream } = stage.open();
      stream.says(...says);
      stage.clock.tick(100_000);
      expect(client.ends).toEqual([]);
    });

    it('starts when the stream is asked for, not when it answers', () => {
      const stage = new Stage({ limits: { authTimeout: 5 } });
      const { client, stream } = stage.open();
      stage.clock.tick(4000);
      stream.handler.onOpen({});
      stage.clock.tick(1500);
      expect(client.ends).toHaveLength(1);
    });

    it('leaves nothing behind when the upstream cannot be asked', () => {
      const stage = new Stage({ limits: { authTimeout: 5 } });
      stage.refuse = new Error('no upstream');
      const client = new ScriptedClient();
      expect(() => stage.open(client)).toThrow('no upstream');
      stage.clock.tick(100_000);
      expect(client.ends).toEqual([]);
      expect(stage.service.list()).toEqual([]);
      expect(stage.names()).toEqual([]);
    });

    it('does not strike a session that has ended', () => {
      const stage = new Stage({ limits: { authTimeout: 5 } });
      const { client, session } = stage.open();
      session.leave({ reason: 'closed' });
      stage.clock.tick(100_000);
      expect(client.ends).toEqual([]);
    });
  });

  describe('U11: the server ends it', () => {
    it('with a stream error, which the client gets whole', () => {
      const stage = new Stage();
      const { client, stream, session } = stage.bound();
      const error = `<stream:error xmlns:stream="${NS.streams}"><conflict xmlns="${NS.streamErrors}"/></stream:error>`;
      stream.says(error);
      expect(client.told).toEqual(['end']);
      expect(client.ends[0]!.reason).toBe('upstream-error');
      expect(client.ends[0]!.condition).toBeUndefined();
      expect(client.ends[0]!.error!.toString()).toBe(error);
      expect(stream.take()).toEqual(['close']);
      stream.handler.onEnd({ reason: 'closed' });
      expect(client.ends).toHaveLength(1);
      expect(session.end!.reason).toBe('upstream-error');
      expect(stage.names().slice(-1)).toEqual(['session.closed']);
    });

    it('without an error', () => {
      const { client, stream } = new Stage().bound();
      stream.handler.onEnd({ reason: 'closed' });
      expect(client.ends).toEqual([{ reason: 'upstream-closed' }]);
    });

    it.each([
      ['lost', 'connection reset'],
      ['lost without a word', undefined],
    ])('C32: by a connection that is %s', (_, message) => {
      const stage = new Stage();
      const { client, session, stream } = stage.bound();
      stage.names();
      stream.handler.onEnd({ reason: 'failed', ...(message && { message }) });
      expect(client.ends).toEqual([{ reason: 'upstream-failed', condition: 'remote-connection-failed' }]);
      expect(stage.events).toEqual([
        ['upstream.failed', { session, message: message ?? 'connection lost' }],
        ['session.closed', { session, end: client.ends[0] }],
      ]);
      expect(stage.service.list()).toEqual([]);
    });

    it('and what still comes then goes nowhere', () => {
      const { client, session, stream } = new Stage().bound();
      session.leave({ reason: 'closed' });
      stream.take();
      stream.says(MESSAGE);
      stream.handler.onOpen({});
      stream.handler.onDrain();
      stream.handler.onEnd({ reason: 'failed' });
      expect(client.take()).toEqual([]);
      expect(session.send(Stanza.parse(MESSAGE))).toBe(true);
      session.restart({});
      session.drained();
      session.leave({ reason: 'lost' });
      session.terminate({ reason: 'terminated' });
      session.deliver(Stanza.parse(MESSAGE));
      expect([stream.take(), client.take()]).toEqual([[], []]);
    });
  });

  describe('U12: the client leaves', () => {
    it.each(['closed', 'lost', 'inactivity', 'error'] as const)('%s, without stream management: the stream is closed', (reason) => {
      const { client, session, stream } = new Stage().bound();
      session.leave({ reason });
      expect(stream.take()).toEqual(['close']);
      expect(client.ends).toEqual([]);
    });

    it.each([
      ['closed', 'close'],
      ['error', 'close'],
      ['lost', 'abort'],
      ['inactivity', 'abort'],
    ] as const)('%s, with a stream that can be resumed: %s', (reason, call) => {
      const { session, stream } = new Stage().bound();
      stream.says(ENABLED);
      session.leave({ reason }, stanzas(MESSAGE));
      expect(stream.take()).toEqual([call]);
    });

    it('lost, with stream management that cannot be resumed: closed, and nothing bounced', () => {
      const { session, stream } = new Stage().bound();
      stream.says('<enabled xmlns="urn:xmpp:sm:3"/>');
      session.leave({ reason: 'lost' }, stanzas(MESSAGE));
      expect(stream.take()).toEqual(['close']);
    });

    it('X8: the senders of what it never got learn of it, in order, before the stream is closed', () => {
      const { session, stream } = new Stage().bound();
      session.leave(
        { reason: 'inactivity' },
        stanzas(MESSAGE, '<presence xmlns="jabber:client" from="a@b"/>', '<iq xmlns="jabber:client" type="get" id="q1" from="a@b/c"/>'),
      );
      const told = stream.take();
      expect(told).toHaveLength(3);
      expect(told[0]).toContain('recipient-unavailable');
      expect(told[1]).toContain('service-unavailable');
      expect(told[2]).toBe('close');
    });
  });

  describe('X8: bounce', () => {
    const refused = (kind: string, attributes: string): string | undefined =>
      bounce(Stanza.parse(`<${kind} xmlns="jabber:client" ${attributes}><x xmlns="u"/></${kind}>`))?.toString();

    it('answers a message', () => {
      const error = bounce(Stanza.parse(MESSAGE.replace('m1', 'm&quot;1')))!;
      expect(error.kind).toBe('message');
      expect(Object.fromEntries(error.attributes)).toEqual({ type: 'error', id: 'm"1', to: 'juliet@example.org/balcony' });
      expect(error.child('error')!.attribute('type')).toBe('wait');
      expect(error.child('error')!.child('recipient-unavailable', NS.stanzaErrors)).toBeDefined();
    });

    it.each(['get', 'set'])('answers an iq of type %s', (type) => {
      const error = bounce(Stanza.parse(`<iq xmlns="jabber:client" type="${type}" id="1" from="a@b/c"/>`))!;
      expect(Object.fromEntries(error.attributes)).toEqual({ type: 'error', id: '1', to: 'a@b/c' });
      expect(error.child('error')!.attribute('type')).toBe('cancel');
      expect(error.child('error')!.child('service-unavailable', NS.stanzaErrors)).toBeDefined();
    });

    it.each([
      ['iq', 'type="result" id="1"'],
      ['iq', 'type="error" id="1"'],
      ['iq', 'id="1"'],
      ['message', 'type="error"'],
      ['message', 'type="groupchat"'],
      ['message', 'type="headline"'],
      ['presence', ''],
      ['presence', 'type="subscribe"'],
      ['presence', 'type="error"'],
      ['features', ''],
    ])('is silent for <%s %s>', (kind, attributes) => expect(refused(kind, attributes)).toBeUndefined());

    it('answers to the server where a stanza names no sender, without an id where it has none', () => {
      expect(refused('message', '')).toMatch(/^<message xmlns="jabber:client" type="error"><error /);
    });
  });

  it('tells when an upstream can be reached, and when it cannot: each once', () => {
    const stage = new Stage();
    const told: string[] = [];
    stage.service.events.onAny((name, event) => {
      if (name === 'upstream.up' || name === 'upstream.down') told.push(`${name} ${(event as { upstream: string }).upstream}`);
    });
    const fails = () => stage.open().stream.handler.onEnd({ reason: 'failed', message: 'refused' });
    const opens = () => stage.open().stream.handler.onOpen({ id: '1' });
    fails();
    fails();
    opens();
    opens();
    const { stream } = stage.bound();
    stream.handler.onEnd({ reason: 'failed', message: 'reset' }); // one connection was lost: no more is known
    expect(told).toEqual(['upstream.down scripted', 'upstream.up scripted']);
    fails();
    expect(told.at(-1)).toBe('upstream.down scripted');
  });

  it('R9: tells of the limit that ends whoever does not authenticate', () => {
    const stage = new Stage();
    stage.open();
    stage.clock.tick(60_000);
    expect(stage.events.map(([name, event]) => [name, (event as { limit?: string }).limit])).toEqual([
      ['limit.hit', 'limits.authTimeout'],
      ['session.closed', undefined],
    ]);
  });
});
