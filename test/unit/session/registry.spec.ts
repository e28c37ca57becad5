import { SessionRefused, unguessable } from '../../../lib/session/index.js';
import { Stanza } from '../../../lib/xml/index.js';
import { ENABLED, ScriptedClient, Stage } from './scripted.js';

const MESSAGE = Stanza.parse('<message xmlns="jabber:client"><body>hi</body></message>');

function refusal(act: () => unknown): SessionRefused {
  try {
    act();
  } catch (error) {
    if (error instanceof SessionRefused) return error;
    throw error;
  }
  throw new Error('not refused');
}

describe('SessionRegistry', () => {
  describe('domainOf (B5, C2)', () => {
    const { service } = new Stage({ domains: ['Example.ORG', 'example.net.', 'ｗｉｄｅ.example'] });

    it.each([
      ['example.org', 'example.org'],
      ['EXAMPLE.org', 'example.org'],
      ['example.org.', 'example.org'],
      ['example.net', 'example.net'],
      ['wide.example', 'wide.example'],
    ])('%s is %s', (to, domain) => expect(service.domainOf(to)).toBe(domain));

    it.each([undefined, ''])('none: improper-addressing', (to) => {
      expect(refusal(() => service.domainOf(to))).toMatchObject({ condition: 'improper-addressing', status: 400 });
    });

    it.each(['example.com', 'sub.example.org', 'example.org:5222', 'romeo@example.org', 'example.org/x', ' example.org', '__proto__', 'example.org..'])(
      '%j: host-unknown',
      (to) => expect(refusal(() => service.domainOf(to))).toMatchObject({ condition: 'host-unknown', status: 400 }),
    );
  });

  describe('find, list', () => {
    it('knows sessions by id, full and bare JID', () => {
      const stage = new Stage();
      const { service } = stage;
      const one = stage.bound('romeo@example.org/a').session;
      const two = stage.bound('romeo@example.org/b').session;
      const other = stage.bound('romeo@example.org.evil/a').session;
      const unbound = stage.open().session;
      expect(service.find(one.id)).toEqual([one]);
      expect(service.find('romeo@example.org/b')).toEqual([two]);
      expect(service.find('romeo@example.org')).toEqual([one, two]);
      expect(service.find('romeo@example.org/')).toEqual([]);
      expect(service.find('romeo')).toEqual([]);
      expect(service.find('')).toEqual([]);
      expect(service.find(unbound.id)).toEqual([unbound]);
      expect(service.list()).toEqual([one, two, other, unbound]);
    });

    it('forgets a session that has ended, even while its stream is closing', () => {
      const stage = new Stage();
      const { session, stream } = stage.bound();
      session.leave({ reason: 'closed' });
      expect([stage.service.list(), stage.service.find(session.id), stage.service.find(session.jid!)]).toEqual([[], [], []]);
      stream.handler.onEnd({ reason: 'closed' });
      expect(stage.service.find(session.id)).toEqual([]);
    });
  });

  describe('terminate', () => {
    it('tells the clients and closes the streams', () => {
      const stage = new Stage();
      const all = [stage.bound('romeo@example.org/a'), stage.bound('romeo@example.org/b')];
      const other = stage.bound('juliet@example.org/c');
      expect(stage.service.terminate('romeo@example.org', { condition: 'reset', text: 'bye' })).toBe(2);
      for (const { client, stream } of all) {
        expect(client.ends).toEqual([{ reason: 'terminated', condition: 'reset', text: 'bye' }]);
        expect(stream.take()).toEqual(['close']);
      }
      expect(other.client.ends).toEqual([]);
      expect(stage.service.terminate('romeo@example.org')).toBe(0);
      expect(stage.service.terminate(other.session.id)).toBe(1);
      expect(other.client.ends).toEqual([{ reason: 'terminated', condition: 'policy-violation' }]);
    });

    it('ends also a stream that could be resumed, in order', () => {
      const stage = new Stage();
      const { session, stream } = stage.bound();
      stream.says(ENABLED);
      stage.service.terminate(session.id);
      expect(stream.take()).toEqual(['close']);
    });
  });

  describe('send, sendAs', () => {
    it('gives a stanza to all clients of a user', () => {
      const stage = new Stage();
      const one = stage.bound('romeo@example.org/a');
      const two = stage.bound('romeo@example.org/b');
      expect(stage.service.send('romeo@example.org', MESSAGE)).toBe(2);
      expect(stage.service.send('romeo@example.org/b', MESSAGE)).toBe(1);
      expect(stage.service.send('juliet@example.org', MESSAGE)).toBe(0);
      expect([one.client.take(), two.client.take()]).toEqual([[String(MESSAGE)], [String(MESSAGE), String(MESSAGE)]]);
      expect([one.stream.take(), two.stream.take()]).toEqual([[], []]);
    });

    it('sends in the name of a client', () => {
      const stage = new Stage();
      const { client, session, stream } = stage.bound();
      expect(stage.service.sendAs(session.id, MESSAGE)).toBe(true);
      expect([stream.take(), client.take()]).toEqual([[String(MESSAGE)], []]);
      expect(stage.service.sendAs('unknown', MESSAGE)).toBe(false);
      session.leave({ reason: 'closed' });
      expect(stage.service.sendAs(session.id, MESSAGE)).toBe(false);
    });

    it('U8: adds nothing to a stream that is managed', () => {
      const stage = new Stage();
      const { client, session, stream } = stage.bound();
      stream.says('<enabled xmlns="urn:xmpp:sm:3"/>');
      client.take();
      expect(stage.service.send(session.jid!, MESSAGE)).toBe(0);
      expect(stage.service.sendAs(session.id, MESSAGE)).toBe(false);
      expect([stream.take(), client.take()]).toEqual([[], []]);
    });

    it('adds nothing to a stream on which nobody is known yet', () => {
      const stage = new Stage();
      const { client, session, stream } = stage.open();
      expect(stage.service.send(session.id, MESSAGE)).toBe(0);
      expect(stage.service.sendAs(session.id, MESSAGE)).toBe(false);
      expect([stream.take(), client.take()]).toEqual([[], []]);
    });

    it('pauses the upstream when the client that it gave to is slow', () => {
      const stage = new Stage();
      const { client, session, stream } = stage.bound();
      client.ready = false;
      stage.service.send(session.id, MESSAGE);
      expect(stream.take()).toEqual(['pause']);
    });
  });

  describe('resumptions', () => {
    it('are remembered for so many streams, the oldest forgotten first', () => {
      const stage = new Stage();
      const { stream } = stage.bound('romeo@example.org/a');
      for (let i = 0; i <= 20_000; i++) stream.says(`<enabled xmlns="urn:xmpp:sm:3" id="i${i}" resume="1"/>`);
      const resume = (id: string): string | undefined => {
        const opened = stage.open();
        opened.stream.says(`<resumed xmlns="urn:xmpp:sm:3" previd="${id}"/>`);
        return opened.session.jid;
      };
      expect([resume('i0'), resume('i1'), resume('i20000')]).toEqual([undefined, 'romeo@example.org/a', 'romeo@example.org/a']);
    });
  });

  describe('drain', () => {
    it('moves running sessions and sends new ones on, by transport', () => {
      const stage = new Stage();
      const web = stage.bound('a@example.org/w');
      const bosh = stage.bound('b@example.org/b', new ScriptedClient('bosh'));
      web.stream.says(ENABLED);
      web.stream.take();
      expect(stage.service.drain({ websocket: 'wss://b.example.org/ws' })).toBe(1);
      expect(web.client.ends).toEqual([{ reason: 'moved', uri: 'wss://b.example.org/ws' }]);
      expect(web.stream.take()).toEqual(['abort']);
      expect(bosh.client.ends).toEqual([]);
      expect(refusal(() => stage.open())).toMatchObject({ condition: 'see-other-host', uri: 'wss://b.example.org/ws' });
      expect(() => stage.open(new ScriptedClient('bosh'))).not.toThrow();
      stage.service.undrain();
      expect(() => stage.open()).not.toThrow();
    });

    it('W13: never sends a client to lower security', () => {
      const stage = new Stage();
      const { client } = stage.bound();
      expect(stage.service.drain({ websocket: 'ws://b.example.org/ws' })).toBe(0);
      expect(client.ends).toEqual([]);
      expect(() => stage.service.drain({ websocket: 'javascript:1' })).toThrow(TypeError);
    });
  });

  describe('shutdown (CONTRACT)', () => {
    it('cuts what can be resumed, tells all others, closes their streams, takes nobody new', async () => {
      const stage = new Stage();
      const plain = stage.bound('a@example.org/a');
      const resumable = stage.bound('b@example.org/b');
      resumable.stream.says(ENABLED);
      const managed = stage.bound('c@example.org/c');
      managed.stream.says('<enabled xmlns="urn:xmpp:sm:3"/>');
      const fresh = stage.open();
      const done = stage.service.shutdown(2000);
      expect(stage.service.isDraining).toBe(true);
      for (const { client, stream } of [plain, managed, fresh]) {
        expect(client.ends).toEqual([{ reason: 'shutdown', condition: 'system-shutdown' }]);
        expect(stream.take()).toEqual(['close']);
      }
      expect(resumable.client.ends).toEqual([{ reason: 'shutdown', condition: 'system-shutdown', resumable: true }]);
      expect(resumable.stream.take()).toEqual(['abort']);
      expect(refusal(() => stage.service.enter('192.0.2.1'))).toMatchObject({ condition: 'system-shutdown', status: 503, retryAfter: 1 });
      expect(refusal(() => stage.open())).toMatchObject({ condition: 'system-shutdown', status: 503 });
      let over = false;
      void done.then(() => (over = true));
      for (const { stream } of [plain, resumable, managed]) stream.handler.onEnd({ reason: 'closed' });
      await Promise.resolve();
      expect(over).toBe(false);
      fresh.stream.handler.onEnd({ reason: 'closed' });
      await done;
    });

    it('waits for streams that do not end no longer than told', async () => {
      const stage = new Stage();
      stage.bound();
      const done = stage.service.shutdown(2000);
      stage.clock.tick(1900);
      let over = false;
      void done.then(() => (over = true));
      await Promise.resolve();
      expect(over).toBe(false);
      stage.clock.tick(200);
      await done;
    });

    it('is done at once where nobody is', async () => {
      await new Stage().service.shutdown(2000);
    });
  });

  describe('limits', () => {
    it('tell the app and name the option', () => {
      const stage = new Stage({ limits: { maxSessions: 1 } });
      const place = stage.service.enter('192.0.2.1');
      expect(stage.service.count).toBe(1);
      expect(refusal(() => stage.service.enter('192.0.2.2'))).toMatchObject({ condition: 'resource-constraint', status: 503 });
      expect(stage.events).toEqual([['limit.hit', { limit: 'limits.maxSessions', address: '192.0.2.2' }]]);
      place.release();
      expect(stage.service.count).toBe(0);
      expect(() => stage.service.enter('192.0.2.2')).not.toThrow();
    });
  });

  it('B33, R10: identifiers are 160 bits, safe in a URL, and differ', () => {
    const many = new Set(Array.from({ length: 1000 }, unguessable));
    expect(many.size).toBe(1000);
    for (const id of many) expect(id).toMatch(/^[A-Za-z0-9_-]{27}$/);
  });
});
