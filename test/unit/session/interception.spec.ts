import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Interception, InterceptorOptions, StanzaContext } from '../../../lib/session/index.js';
import { StanzaError } from '../../../lib/stanza-error.js';
import { Stanza } from '../../../lib/xml/index.js';
import { ENABLED, ScriptedClient, Stage } from './scripted.js';

const JID = 'romeo@example.org/orchard';
const toServer = (id: string) => `<message xmlns="jabber:client" to="juliet@example.org" id="${id}"><body>hi</body></message>`;
const toClient = (id: string) => `<message xmlns="jabber:client" from="juliet@example.org/balcony" id="${id}"><body>hi</body></message>`;
const query = (id: string, type = 'get', attributes = '') => `<iq xmlns="jabber:client" type="${type}" id="${id}"${attributes}><x xmlns="u"/></iq>`;
const parse = (xml: string) => Stanza.parse(xml);
const idOf = (stanza: Stanza) => stanza.attribute('id')!;
const ids = (told: string[]) => told.map((text) => (text.startsWith('<') ? parse(text).attribute('id') ?? parse(text).name : text));

type Intercept = (stanza: Stanza, context: StanzaContext) => Interception | Promise<Interception>;

function bound(options: InterceptorOptions, intercept: Intercept, limits = {}) {
  const stage = new Stage({ limits });
  stage.interceptors.add({ intercept }, options);
  const opened = stage.bound(JID);
  stage.names();
  const refusals = () => stage.events.splice(0).map(([name, event]) => `${name} ${(event as { reason?: string }).reason ?? ''}`.trim());
  return { stage, ...opened, refusals };
}

/** An interceptor whose answers the test gives. */
function patient() {
  const asked: { stanza: Stanza; answer: (interception: Interception) => void; fail: (error: unknown) => void }[] = [];
  const intercept: Intercept = (stanza) => new Promise((answer, fail) => asked.push({ stanza, answer, fail }));
  return { asked, intercept };
}

describe('interceptors', () => {
  it('see stanzas of their kinds and direction, when a resource is bound, and nothing else', () => {
    const stage = new Stage();
    const seen: string[] = [];
    const see = (name: string): Intercept => (stanza, { direction, session }) => {
      seen.push(`${name} ${direction} ${idOf(stanza)} ${session.jid}`);
      return stanza;
    };
    stage.interceptors.add({ intercept: see('messages in') }, { direction: 'in', kinds: ['message'] });
    stage.interceptors.add({ intercept: see('iqs out') }, { direction: 'out', kinds: ['iq'] });
    stage.interceptors.add({ intercept: see('all') });
    const { session, stream, client } = stage.open();
    session.send(parse(query('early', 'set')));
    const { stream: other } = stage.bound(JID, client);
    expect(seen).toEqual([]);
    const mine = stage.service.find(JID)[0]!;
    for (const xml of [toServer('1'), '<r xmlns="urn:xmpp:sm:3"/>', '<presence xmlns="jabber:client" id="2"/>', '<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>']) {
      mine.send(parse(xml));
    }
    other.says(toClient('3'), query('4'), ENABLED, '<message xmlns="other" id="no"/>');
    expect(seen).toEqual([
      `messages in in 1 ${JID}`,
      `all in 1 ${JID}`,
      `all in 2 ${JID}`,
      `all out 3 ${JID}`,
      `iqs out out 4 ${JID}`,
      `all out 4 ${JID}`,
    ]);
    expect(stream.take()).toEqual([query('early', 'set')]);
    expect(other.take()).toHaveLength(4);
  });

  it('pass on what they return, byte for byte: the same, another, several, or nothing', () => {
    const { session, stream, client, refusals } = bound({ kinds: ['message'] }, (stanza) => {
      switch (idOf(stanza)) {
        case 'same':
          return stanza;
        case 'other':
          return stanza.with({ id: 'changed' });
        case 'two':
          return [stanza, stanza.with({ id: 'second' })];
        default:
          return undefined;
      }
    });
    for (const id of ['same', 'other', 'two', 'none']) {
      session.send(parse(toServer(id)));
      stream.says(toClient(id));
    }
    expect(stream.take()).toEqual(['same', 'changed', 'two', 'second'].map(toServer));
    expect(client.take()).toEqual(['same', 'changed', 'two', 'second'].map(toClient));
    expect(refusals()).toEqual(['stanza.refused dropped', 'stanza.refused dropped']);
  });

  it('stand in a row: each sees what the one before made of it, by order, then as they were added', async () => {
    const stage = new Stage();
    const add = (text: string, order?: number, later = false) =>
      stage.interceptors.add(
        {
          intercept: (stanza) => {
            const changed = stanza.with({ id: idOf(stanza) + text });
            const result = text === 'b' ? [changed, changed] : changed;
            return later ? Promise.resolve(result) : result;
          },
        },
        order === undefined ? {} : { order },
      );
    add('c', 5, true);
    add('b');
    add('a', -1);
    const { session, stream } = stage.bound(JID);
    session.send(parse(toServer('')));
    await nextTurn();
    expect(ids(stream.take())).toEqual(['abc', 'abc']);
  });

  describe('refuse a stanza', () => {
    const refuse: Intercept = () => new StanzaError('not-allowed', { text: 'not here' });
    const error = '<error type="cancel"><not-allowed xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/><text xmlns="urn:ietf:params:xml:ns:xmpp-stanzas" xml:lang="en">not here</text></error>';

    it('of the client: it gets the stanza error of RFC 6120, section 8.3, from whom it wrote to', () => {
      const { session, stream, client, refusals } = bound({}, refuse);
      session.send(parse(toServer('m')));
      session.send(parse('<presence xmlns="jabber:client" id="p"/>'));
      session.send(parse(query('q')));
      expect(stream.take()).toEqual([]);
      expect(client.take()).toEqual([
        `<message xmlns="jabber:client" type="error" id="m" from="juliet@example.org" to="${JID}">${error}</message>`,
        `<presence xmlns="jabber:client" type="error" id="p" to="${JID}">${error}</presence>`,
        `<iq xmlns="jabber:client" type="error" id="q" to="${JID}">${error}</iq>`,
      ]);
      expect(refusals()).toEqual(Array(3).fill('stanza.refused refused'));
    });

    it('of the server: the sender gets it, in the name of the client', () => {
      const { stream, client } = bound({}, refuse);
      stream.says(toClient('m'), query('q', 'set', ` from="example.org" to="${JID}"`));
      expect(client.take()).toEqual([]);
      expect(stream.take()).toEqual([
        `<message xmlns="jabber:client" type="error" id="m" to="juliet@example.org/balcony">${error}</message>`,
        `<iq xmlns="jabber:client" type="error" id="q" to="example.org">${error}</iq>`,
      ]);
    });

    it('and never answer an error, nor an answer', () => {
      const { session, stream, client } = bound({}, refuse);
      for (const xml of [query('r', 'result'), query('e', 'error'), `<message xmlns="jabber:client" type="error" id="m"/>`]) {
        session.send(parse(xml));
        stream.says(xml);
      }
      expect([...stream.take(), ...client.take()]).toEqual([]);
    });

    it('by throwing as well as by returning it, now or later', async () => {
      const { session, client } = bound({}, (stanza) => {
        if (idOf(stanza) === 'now') throw new StanzaError('forbidden');
        return Promise.reject(new StanzaError('gone'));
      });
      session.send(parse(toServer('now')));
      session.send(parse(toServer('later')));
      await nextTurn();
      expect(client.take().map((xml) => /<error.*?<(\S+)/.exec(xml)?.[1])).toEqual(['forbidden', 'gone']);
    });
  });

  it('that drop a request leave it answered, as every request has to be (RFC 6120, section 8.2.3)', () => {
    const { session, stream, client } = bound({}, () => undefined);
    session.send(parse(query('mine')));
    stream.says(query('theirs', 'set', ' from="juliet@example.org/balcony"'));
    expect(client.take().join()).toMatch(/^<iq [^>]*type="error" id="mine"[^>]*><error type="cancel"><service-unavailable /);
    expect(stream.take().join()).toMatch(/^<iq [^>]*type="error" id="theirs" to="juliet@example.org\/balcony"><error type="cancel"><service-unavailable /);
  });

  it('that fail pass nothing on: it is logged, and the sender told', async () => {
    const faults: Intercept[] = [
      () => {
        throw new Error('a');
      },
      () => Promise.reject(new Error('b')),
      () => 'text' as never,
      () => ['text'] as never,
      () => parse('<r xmlns="urn:xmpp:sm:3"/>'),
    ];
    for (const fault of faults) {
      const { stage, session, stream, client, refusals } = bound({}, fault);
      session.send(parse(toServer('1')));
      await nextTurn();
      expect(stream.take()).toEqual([]);
      expect(client.take().join()).toContain('<internal-server-error xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/>');
      expect(stage.errors).toHaveLength(1);
      expect(refusals()).toEqual(['stanza.refused failed']);
    }
  });

  describe('that take time', () => {
    it('hold up what follows in their direction, in order, whatever it is; not the other direction, not other sessions', async () => {
      const { asked, intercept } = patient();
      const { stage, session, stream, client } = bound({ direction: 'in', kinds: ['message'] }, intercept);
      const other = stage.bound('juliet@example.org/balcony', new ScriptedClient());
      for (const xml of [toServer('1'), query('2'), toServer('3'), '<r xmlns="urn:xmpp:sm:3"/>']) session.send(parse(xml));
      stream.says(toClient('4'));
      other.session.send(parse(query('5')));
      expect([stream.take(), ids(client.take()), ids(other.stream.take())]).toEqual([[], ['4'], ['5']]);
      expect(asked.map(({ stanza }) => idOf(stanza))).toEqual(['1']);
      asked[0]!.answer(asked[0]!.stanza);
      await nextTurn();
      expect(ids(stream.take())).toEqual(['1', '2']);
      asked[1]!.answer([]);
      await nextTurn();
      expect(ids(stream.take())).toEqual(['r']);
    });

    it('stop the client when too much waits, and let it go on', async () => {
      const { asked, intercept } = patient();
      const { session, client } = bound({ direction: 'in', kinds: ['message'] }, intercept, { maxBufferedBytes: 1024 });
      const results = Array.from({ length: 13 }, (_, i) => session.send(parse(toServer(String(i)))));
      expect(results.lastIndexOf(true)).toBeLessThan(12);
      expect(results[0]).toBe(true);
      expect(client.take()).toEqual([]);
      while (client.told.length === 0) {
        asked.at(-1)!.answer([]);
        await nextTurn();
      }
      expect(client.take()).toEqual(['drain']);
      expect(session.send(parse(toServer('more')))).toBe(true);
    });

    it('stop the server when too much waits, and let it go on', async () => {
      const { asked, intercept } = patient();
      const { stream, client } = bound({ direction: 'out' }, intercept, { maxBufferedBytes: 1024 });
      stream.says(...Array.from({ length: 13 }, (_, i) => toClient(String(i))));
      expect(new Set(stream.take())).toEqual(new Set(['pause']));
      for (let i = 0; i < 13; i++) {
        asked.at(-1)!.answer(asked.at(-1)!.stanza);
        await nextTurn();
      }
      expect(stream.take()).toEqual(['resume']);
      expect(client.take()).toHaveLength(13);
    });

    it('do not wake a server whose client does not read', async () => {
      const { asked, intercept } = patient();
      const { session, stream, client } = bound({ direction: 'out' }, intercept, { maxBufferedBytes: 1024 });
      client.ready = false;
      stream.says(...Array.from({ length: 13 }, (_, i) => toClient(String(i))));
      for (let i = 0; i < 13; i++) {
        asked.at(-1)!.answer(asked.at(-1)!.stanza);
        await nextTurn();
      }
      expect(stream.take()).not.toContain('resume');
      session.drained();
      expect(stream.take()).toEqual(['resume']);
    });

    it('too much of it have failed', async () => {
      const { asked, intercept } = patient();
      const { stage, session, stream, client } = bound({}, intercept);
      session.send(parse(toServer('1')));
      session.send(parse(toServer('2')));
      stage.clock.tick(10_000);
      expect(client.take().join()).toContain('<internal-server-error ');
      expect(String(stage.errors)).toBe('Error: an interceptor took more than 10 s');
      asked[0]!.answer(asked[0]!.stanza); // too late
      asked[1]!.answer(asked[1]!.stanza);
      await nextTurn();
      expect(ids(stream.take())).toEqual(['2']);
    });

    it('keep the stream until what the client sent has gone on, and give back what it did not get', async () => {
      const { asked, intercept } = patient();
      const { session, stream } = bound({ kinds: ['message'] }, intercept);
      session.send(parse(toServer('1')));
      session.send(parse(query('2')));
      stream.says(toClient('3'));
      session.leave({ reason: 'closed' });
      session.send(parse(toServer('after')));
      expect(ids(stream.take())).toEqual(['3']); // bounced
      asked[0]!.answer(asked[0]!.stanza);
      await nextTurn();
      expect(ids(stream.take())).toEqual(['1', '2', 'close']);
    });

    it('U12: leave a stream that can be resumed as it is: the server does not know of what waits', () => {
      const { intercept } = patient();
      const { session, stream } = bound({ kinds: ['message'] }, intercept);
      stream.says(ENABLED, toClient('3'));
      session.send(parse(toServer('1')));
      session.leave({ reason: 'lost' });
      expect(stream.take()).toEqual(['abort']);
    });

    it('let what the server said come before its end', async () => {
      const { asked, intercept } = patient();
      const { stage, stream, client } = bound({ direction: 'out', kinds: ['message'] }, intercept);
      stream.says(toClient('1'));
      stream.handler.onEnd({ reason: 'closed' });
      expect(client.take()).toEqual([]);
      asked[0]!.answer(asked[0]!.stanza);
      await nextTurn();
      expect(ids(client.take())).toEqual(['1', 'end']);
      expect(stage.service.find(JID)).toEqual([]);
    });

    it('are asked nothing for a session that the app ended', async () => {
      const { asked, intercept } = patient();
      const { stage, stream, client } = bound({ direction: 'out', kinds: ['message'] }, intercept);
      stream.says(toClient('1'));
      stage.service.terminate(JID);
      asked[0]!.answer(asked[0]!.stanza);
      await nextTurn();
      expect(client.take()).toEqual(['end']);
      expect(ids(stream.take())).toEqual(['1', 'close']);
    });

    it('many at once do not grow the stack', async () => {
      const { asked, intercept } = patient();
      let first = true;
      const { session, stream } = bound({ direction: 'in' }, (stanza, context) => {
        if (!first) return stanza;
        first = false;
        return intercept(stanza, context);
      });
      for (let i = 0; i < 20_000; i++) session.send(parse('<presence xmlns="jabber:client"/>'));
      asked[0]!.answer([]);
      await nextTurn();
      expect(stream.take()).toHaveLength(19_999);
    });
  });

  describe('U8: where stream management counts stanzas (XEP-0198, section 4)', () => {
    const managed = (intercept: Intercept, options: InterceptorOptions = {}) => {
      const all = bound(options, intercept);
      all.session.send(parse('<enable xmlns="urn:xmpp:sm:3" resume="true"/>'));
      all.stream.says(ENABLED);
      all.stream.take();
      all.client.take();
      return all;
    };

    it('may replace a stanza, one for one', () => {
      const { session, stream, client } = managed((stanza) => stanza.with({ id: `${idOf(stanza)}x` }));
      session.send(parse(toServer('1')));
      stream.says(toClient('2'));
      expect([ids(stream.take()), ids(client.take())]).toEqual([['1x'], ['2x']]);
    });

    it('add nothing: what is too much is told of, and not sent', () => {
      const { stage, session, stream, client, refusals } = managed((stanza) => [stanza, stanza.with({ id: 'more' })]);
      session.send(parse(toServer('1')));
      stream.says(toClient('2'));
      expect([ids(stream.take()), ids(client.take())]).toEqual([['1'], ['2']]);
      expect(refusals()).toEqual(['stanza.refused managed', 'stanza.refused managed']);
      expect(String(stage.errors[0])).toContain('would add a stanza where stream management counts them');
    });

    it('drop a stanza, and an answer that nobody asked for takes its place', () => {
      const { session, stream, client } = managed(() => []);
      session.send(parse(toServer('1')));
      stream.says(toClient('2'));
      expect(stream.take().join()).toMatch(/^<iq xmlns="jabber:client" type="result" id="[\w-]{20}" to="example.org"\/>$/);
      expect(client.take().join()).toMatch(/^<iq xmlns="jabber:client" type="result" id="[\w-]{20}" from="example.org" to="romeo@example.org\/orchard"\/>$/);
    });

    it('refuse a stanza: a ping takes its place, and the error that of the answer', () => {
      const { session, stream, client } = managed((stanza) => (stanza.kind === 'message' ? new StanzaError('forbidden') : stanza));
      session.send(parse(toServer('1')));
      const [ping] = stream.take();
      expect(ping).toMatch(/^<iq xmlns="jabber:client" type="get" id="[\w-]{20}" to="example.org"><ping xmlns="urn:xmpp:ping"\/><\/iq>$/);
      expect(client.take()).toEqual([]);
      stream.says(toClient('refused too'));
      const [theirs] = client.take();
      expect(theirs).toMatch(/^<iq [^>]*type="get" [^>]*from="example.org" to="romeo@example.org\/orchard"><ping /);
      stream.says(`<iq xmlns="jabber:client" type="result" id="${idOf(parse(ping!))}" from="example.org"/>`);
      expect(client.take()).toEqual([
        `<message xmlns="jabber:client" type="error" id="1" from="juliet@example.org" to="${JID}"><error type="auth"><forbidden xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></message>`,
      ]);
      session.send(parse(`<iq xmlns="jabber:client" type="error" id="${idOf(parse(theirs!))}"/>`)); // a client that knows no pings
      expect(stream.take().join()).toMatch(/^<message [^>]*type="error" id="refused too" to="juliet@example.org\/balcony"><error type="auth"><forbidden /);
    });

    it('drop a request, whose answer comes all the same', () => {
      const { session, stream, client } = managed((stanza) => (stanza.child('x') ? undefined : stanza));
      session.send(parse(query('q')));
      const [ping] = stream.take();
      stream.says(`<iq xmlns="jabber:client" type="result" id="${idOf(parse(ping!))}" from="example.org"/>`);
      expect(client.take().join()).toMatch(/^<iq [^>]*type="error" id="q" to="romeo@example.org\/orchard"><error type="cancel"><service-unavailable /);
    });

    it('count from what the client asked for, not from what it was answered', () => {
      const { session, stream } = bound({}, () => undefined);
      session.send(parse(toServer('before')));
      session.send(parse('<enable xmlns="urn:xmpp:sm:3"/>'));
      session.send(parse(toServer('after')));
      expect(stream.take().map((xml) => parse(xml).name)).toEqual(['enable', 'iq']);
    });
  });

  it('do not see what the app itself sends', () => {
    const { stage, session, stream, client } = bound({}, () => undefined);
    expect(stage.service.send(JID, parse(toClient('1')))).toBe(1);
    expect(stage.service.sendAs(session.id, parse(toServer('2')))).toBe(true);
    expect([ids(client.take()), ids(stream.take())]).toEqual([['1'], ['2']]);
  });

  it('of kinds that do not exist are refused', () => {
    const { interceptors } = new Stage();
    expect(() => interceptors.add({ intercept: () => undefined }, { kinds: ['iqs' as never] })).toThrow(
      'iqs is no kind of stanza; allowed: message, presence, iq',
    );
  });
});
