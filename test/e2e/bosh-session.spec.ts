import { hash } from 'node:crypto';
import { connect } from 'node:net';
import { XmppSessionService, type XmppModuleOptions } from 'nestjs-xmpp';
import { creation, type BoshSession } from '../support/bosh-client.js';
import { BOSH_MODES, BoshGateway, message, presence } from '../support/bosh-gateway.js';

/** Not answered yet, as far as can be told without waiting. */
async function isPending(answer: Promise<unknown>): Promise<boolean> {
  const open = Symbol('open');
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  return (await Promise.race([answer, Promise.resolve(open)])) === open;
}

describe.each(BOSH_MODES)('a BOSH session, on %s behind the %s', (platform, ingress) => {
  let bosh: BoshGateway;
  const start = async (options: Partial<XmppModuleOptions> = {}) => (bosh = await BoshGateway.start(platform, ingress, options));
  const sessions = () => bosh.gateway.app.get(XmppSessionService).count;
  afterEach(() => bosh.close());

  describe('holding', () => {
    it('B14: holds a request for `wait`, then answers it with nothing, a little early', async () => {
      await start();
      const { session, stream } = await bosh.pair({ wait: 10 });
      const { answer } = await bosh.held(session, stream);
      bosh.clock.tick(9_500);
      expect(await isPending(answer)).toBe(true);
      bosh.clock.tick(500);
      const { status, body } = await answer;
      expect([status, body]).toEqual([200, `<body xmlns='http://jabber.org/protocol/httpbind'/>`]);
    });

    it('B14: answers the oldest request with nothing when one more comes than it holds', async () => {
      await start({ bosh: { hold: 2 } });
      const { session, stream } = await bosh.pair({ hold: 2 });
      const first = await bosh.held(session, stream);
      const second = await bosh.held(session, stream);
      expect(await isPending(first.answer)).toBe(true);
      const third = await bosh.held(session, stream);
      expect((await first.answer).payload).toBe('');
      expect(await isPending(second.answer)).toBe(true);
      expect(await isPending(third.answer)).toBe(true);
    });

    it('B15, C24: gives all stanzas that come together to the oldest request, in order', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      for (const id of [1, 2, 3]) stream.push(message(id));
      const { payload } = await answer;
      expect(payload).toBe(message(1) + message(2) + message(3));
    });

    it('B13, B15: keeps stanzas back while those of the answer before may still be on their way', async () => {
      await start({ bosh: { hold: 2 } });
      const { session, stream } = await bosh.pair({ hold: 2 });
      const first = await bosh.held(session, stream);
      const second = await bosh.held(session, stream);
      stream.push(message(1));
      expect((await first.answer).payload).toBe(message(1));
      stream.push(message(2));
      expect(await isPending(second.answer)).toBe(true);
      bosh.clock.tick(100);
      expect((await second.answer).payload).toBe(message(2));
      // By asking for more the client says that it has all.
      const third = session.send();
      stream.push(message(3));
      expect((await third).payload).toBe(message(3));
      const fourth = session.send();
      stream.push(message(4));
      expect((await fourth).payload).toBe(message(4));
    });

    it('B15: keeps stanzas for the next request when none is held', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      stream.push(message(1));
      stream.push(message(2));
      expect((await session.send()).payload).toBe(message(1) + message(2));
    });

    it('C24: gives no more than 256 KiB to one answer', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const large = message(1).replace('x<', `${'x'.repeat(150_000)}<`);
      for (let i = 0; i < 3; i++) stream.push(large);
      for (let i = 0; i < 3; i++) expect((await session.send()).payload).toBe(large);
    });

    it('X1, P26: declares the prefix `stream` on the body', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      stream.features('');
      expect((await session.send()).body).toContain(`<body xmlns='http://jabber.org/protocol/httpbind' xmlns:stream=`);
    });
  });

  describe('order', () => {
    it('B13, B17, P16: serves requests in the order of their rid, and parks one that leaves a gap', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const later = session.again(1002, presence('second'));
      expect(await isPending(later)).toBe(true);
      const earlier = session.again(1001, presence('first'));
      expect(await stream.seen.take()).toContain('first');
      expect(await stream.seen.take()).toContain('second');
      expect((await earlier).payload).toBe('');
      expect(await isPending(later)).toBe(true);
    });

    it('B17, B18: ends the session with item-not-found beyond the window', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      expect((await session.again(1003)).condition).toBe('item-not-found');
      expect(await stream.seen.take()).toBe('close');
      expect(sessions()).toBe(0);
    });

    it('B18: ends the session with item-not-found for a rid whose answer is gone', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      for (let i = 0; i < 4; i++) {
        stream.push(message(i));
        await session.send();
      }
      expect((await session.again(1001)).condition).toBe('item-not-found');
      expect(await stream.seen.take()).toBe('close');
    });

    it('C16, B20: ends a session whose gap is never filled', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const parked = session.again(1002, presence(1));
      expect(await isPending(parked)).toBe(true);
      await bosh.cut(parked);
      bosh.clock.tick(62_000);
      expect(await stream.seen.take()).toBe('close');
      expect(sessions()).toBe(0);
    });

    it('B12: ignores to, route and stream of later bodies', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      session.send(presence(1), { to: 'example.com', route: 'xmpp:x:1', stream: 'y' });
      expect(await stream.seen.take()).toContain('p1');
    });

    it('B27: ends the session for a request without rid, with bad-request', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const answer = await bosh.http.post(session.text(1, '').replace(`rid='1'`, ''));
      expect(answer.condition).toBe('bad-request');
      expect(await stream.seen.take()).toBe('close');
    });

    it('B28: tells the request that broke a rule why, and the others that it was another', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      const wrong = session.again(2000);
      expect((await wrong).condition).toBe('item-not-found');
      const other = await answer;
      expect([other.type, other.condition]).toEqual(['terminate', 'other-request']);
    });

    it('R2: ends the session for a body that is no XML behind its start tag', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const answer = await bosh.http.post(session.text(1001, '<a>').replace('</body>', '</a></b>'));
      expect(answer.condition).toBe('bad-request');
      expect(await stream.seen.take()).toBe('close');
      expect((await session.again(1001)).condition).toBe('bad-request');
    });
  });

  describe('repeated requests', () => {
    it('B18: answers a request that was answered with the same bytes, and serves it once', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      stream.push(message(1));
      const first = await session.send(presence(1));
      expect((await session.again(1001, presence(1))).body).toBe(first.body);
      expect(await stream.seen.take()).toContain('p1');
      await bosh.held(session, stream);
    });

    it('B18, B32, R26: answers nothing but the same bytes', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      stream.push(message(1));
      await session.send(presence(1));
      const answer = await session.again(1001, presence(2));
      expect([answer.condition, answer.payload]).toEqual(['item-not-found', '']);
      await stream.seen.take();
      expect(await stream.seen.take()).toBe('close');
    });

    it('B18, B30, P15: tells the old connection of a held request to repeat, and answers the new one', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      const again = session.again(1001, presence('-1001-'));
      const old = await answer;
      expect([old.type, old.condition]).toEqual(['error', undefined]);
      stream.push(message(1));
      expect((await again).payload).toBe(message(1));
    });

    it('B18: does the same for a request that is parked', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const first = session.again(1002, presence('second'));
      expect(await isPending(first)).toBe(true);
      const again = session.again(1002, presence('second'));
      expect((await first).type).toBe('error');
      await session.again(1001, presence('first'));
      await stream.seen.take((seen) => seen.includes('second'));
      stream.push(message(1));
      expect((await again).payload).toBe(message(1));
    });

    it('B18: refuses another request with the rid of one that is held', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      expect((await session.again(1001, presence('other'))).condition).toBe('item-not-found');
      expect((await answer).condition).toBe('other-request');
    });

    it('C15, B18: refuses the eleventh repetition, of a held and of an answered request', async () => {
      await start();
      const one = await bosh.pair();
      await bosh.held(one.session, one.stream);
      let last = one.session.again(1001, presence('-1001-'));
      for (let i = 0; i < 9; i++) {
        expect(await isPending(last)).toBe(true);
        const next = one.session.again(1001, presence('-1001-'));
        expect((await last).type).toBe('error');
        last = next;
      }
      expect(await isPending(last)).toBe(true);
      expect((await one.session.again(1001, presence('-1001-'))).condition).toBe('policy-violation');

      const two = await bosh.pair();
      two.stream.push(message(1));
      await two.session.send();
      for (let i = 0; i < 10; i++) expect((await two.session.again(1001)).payload).toBe(message(1));
      expect((await two.session.again(1001)).condition).toBe('policy-violation');
    });

    it('C17: gives nothing to a connection that is gone, and all to the next request', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      await bosh.cut(answer);
      stream.push(message(1));
      stream.push(message(2));
      expect((await session.send()).payload).toBe(message(1) + message(2));
      // The request whose connection was lost was answered, with nothing.
      expect((await session.again(1001, presence('-1001-'))).payload).toBe('');
    });

    it('C17, P29: gives the stanzas of an answer that never left to the next request, once', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const socket = connect(bosh.gateway.port, '127.0.0.1').pause();
      const text = session.text(++session.rid, presence(1));
      socket.write(`POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
      await stream.seen.take();
      // More than fits into the buffers on the way to a client that does not read.
      const large = message(1).replace('x<', `${'x'.repeat(16_000_000)}<`);
      stream.push(large);
      stream.push(message(2));
      await isPending(Promise.resolve()); // the answer is on its way
      await bosh.hangUp(socket);
      expect((await session.send()).payload === large).toBe(true);
      // Not twice.
      expect((await session.again(1001, presence(1))).payload).toBe('');
      expect((await session.send()).payload).toBe(message(2));
    });

    it('C17: gives what waits to a lost request that comes again', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      await bosh.cut(answer);
      stream.push(message(1));
      expect((await session.again(1001, presence('-1001-'))).payload).toBe(message(1));
    });
  });

  describe('acknowledgements', () => {
    it('B19: acknowledges what was received, unless it is the very request', async () => {
      await start();
      const { session, stream } = await bosh.pair({ ack: 1 });
      const first = await bosh.held(session, stream);
      const second = await bosh.held(session, stream);
      expect((await first.answer).attribute('ack')).toBe('1002');
      stream.push(message(1));
      expect((await second.answer).attribute('ack')).toBeUndefined();
    });

    it('B19: acknowledges nothing to a client that does not', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const first = await bosh.held(session, stream);
      await bosh.held(session, stream);
      expect((await first.answer).attribute('ack')).toBeUndefined();
    });

    it('B18, B19: keeps all answers that are not acknowledged', async () => {
      await start();
      const { session, stream } = await bosh.pair({ ack: 1 });
      for (let i = 1; i <= 6; i++) {
        stream.push(message(i));
        await session.send('', { ack: 1000 });
      }
      expect((await session.again(1001, '', { ack: 1000 })).payload).toBe(message(1));
    });

    it('C31, B19: keeps no answer that was acknowledged', async () => {
      await start();
      const { session, stream } = await bosh.pair({ ack: 1 });
      stream.push(message(1));
      await session.send();
      stream.push(message(2));
      await session.send('', { ack: 1001 });
      expect((await session.again(1001)).condition).toBe('item-not-found');
    });

    it('B19: reports an answer that the client has not got, at once', async () => {
      await start();
      const { session, stream } = await bosh.pair({ ack: 1 });
      for (let i = 1; i <= 2; i++) {
        stream.push(message(i));
        await session.send();
      }
      bosh.clock.tick(3_000);
      const answer = await session.send('', { ack: 1000 });
      expect([answer.attribute('report'), answer.attribute('time')]).toEqual(['1001', '3000']);
    });

    it('B5: refuses an ack that is no number', async () => {
      await start();
      const { session } = await bosh.pair({ ack: 1 });
      expect((await session.send('', { ack: 'x' })).condition).toBe('bad-request');
    });
  });

  describe('keys', () => {
    const sequence = (seed: string, length: number) => {
      const keys = [hash('sha1', seed)];
      while (keys.length < length) keys.unshift(hash('sha1', keys[0]!));
      return keys;
    };

    it('B32: serves requests with the right keys, in order of rid, and changes to a new sequence', async () => {
      await start();
      const [k0, k1, k2, k3] = sequence('a', 4);
      const [n0, n1] = sequence('b', 2);
      const { session, stream } = await bosh.pair({ newkey: k0 });
      session.again(1002, presence(2), { key: k2 });
      session.again(1001, presence(1), { key: k1!.toUpperCase() });
      expect(await stream.seen.take()).toContain('p1');
      expect(await stream.seen.take()).toContain('p2');
      session.again(1003, presence(3), { key: k3, newkey: n0 });
      expect(await stream.seen.take()).toContain('p3');
      session.again(1004, presence(4), { key: n1 });
      expect(await stream.seen.take()).toContain('p4');
    });

    it.each([
      ['a wrong', { key: hash('sha1', 'wrong') }],
      ['no', {}],
      ['the same', undefined],
    ])('B32: ends the session at %s key and does not serve the request', async (_what, attributes) => {
      await start();
      const [k0] = sequence('a', 2);
      const { session, stream } = await bosh.pair({ newkey: k0 });
      expect((await session.send(presence(1), attributes ?? { key: k0 })).condition).toBe('item-not-found');
      expect(await stream.seen.take()).toBe('close');
    });

    it('B32: answers a repeated request, whose key was used', async () => {
      await start();
      const [k0, k1] = sequence('a', 2);
      const { session, stream } = await bosh.pair({ newkey: k0 });
      stream.push(message(1));
      await session.send('', { key: k1 });
      expect((await session.again(1001, '', { key: k1 })).payload).toBe(message(1));
    });

    it('B32: refuses a newkey that is no SHA-1', async () => {
      await start();
      expect((await bosh.http.post(creation({ newkey: 'x' }))).condition).toBe('bad-request');
    });
  });

  describe('inactivity and pause', () => {
    it('B20: ends a session without open requests after `inactivity`, never early, up to 2 s late', async () => {
      await start({ bosh: { inactivity: 20 } });
      const { session, stream } = await bosh.pair();
      stream.push(message(1));
      await session.send();
      await isPending(Promise.resolve()); // the answer has left
      bosh.clock.tick(20_000);
      expect(sessions()).toBe(1);
      bosh.clock.tick(2_000);
      expect(sessions()).toBe(0);
      expect(await stream.seen.take()).toContain('close');
      expect((await session.send()).condition).toBe('item-not-found');
    });

    it('B20, P1: counts no request whose connection is gone', async () => {
      await start({ bosh: { inactivity: 20 } });
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      await bosh.cut(answer);
      bosh.clock.tick(22_000);
      expect(sessions()).toBe(0);
    });

    it('B20: does not end a session with an open request', async () => {
      await start({ bosh: { inactivity: 5 } });
      const { session, stream } = await bosh.pair();
      await bosh.held(session, stream);
      bosh.clock.tick(50_000);
      expect(sessions()).toBe(1);
    });

    it('X8: tells the senders of what was never delivered', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      stream.push(message(1));
      stream.push(`<iq xmlns='jabber:client' type='get' id='q' from='bob@example.org/x'><a xmlns='b'/></iq>`);
      stream.push(`<presence xmlns='jabber:client' from='bob@example.org/x'/>`);
      await isPending(Promise.resolve());
      bosh.clock.tick(62_000);
      expect(await stream.seen.take()).toContain('recipient-unavailable');
      expect(await stream.seen.take()).toContain('service-unavailable');
      expect(await stream.seen.take()).toBe('close');
      expect(session.sid).toBeDefined();
    });

    it('X8, U12: only cuts a stream that can be resumed', async () => {
      await start();
      const { stream } = await bosh.pair();
      stream.bound('alice@example.org/x');
      stream.push(`<enabled xmlns='urn:xmpp:sm:3' id='sm' resume='true'/>`);
      stream.push(message(1));
      await isPending(Promise.resolve());
      bosh.clock.tick(62_000);
      expect(await stream.seen.take()).toBe('abort');
    });

    it('B21: answers all requests at a pause, keeps stanzas for later, and waits as long as was asked', async () => {
      await start({ bosh: { inactivity: 10, maxpause: 120 } });
      const { session, stream } = await bosh.pair();
      stream.bound('alice@example.org/x');
      await session.send();
      const { answer } = await bosh.held(session, stream);
      const pause = session.send('', { pause: 100 });
      expect((await answer).payload).toBe('');
      expect((await pause).payload).toBe('');
      stream.push(message(1));
      await isPending(Promise.resolve());
      bosh.clock.tick(99_000);
      expect(sessions()).toBe(1);
      expect((await session.send()).payload).toBe(message(1));
      // Back to normal.
      await isPending(Promise.resolve());
      bosh.clock.tick(12_000);
      expect(sessions()).toBe(0);
    });

    it('B21: gives what waits to the request before a pause, and nothing to the pause', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const early = session.again(1002, '', { pause: 100 });
      expect(await isPending(early)).toBe(true);
      stream.push(message(1));
      const first = session.again(1001, presence(1));
      expect((await first).payload).toBe(message(1));
      expect((await early).payload).toBe('');
    });

    it('C30, B21: gives no stanza to a pause, nor to a pause that is repeated', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      stream.push(message(1));
      expect((await session.send('', { pause: 100 })).payload).toBe('');
      expect((await session.again(1001, '', { pause: 100 })).payload).toBe('');
      expect((await session.send()).payload).toBe(message(1));
    });

    it('B21: takes a pause shorter than `inactivity`, and refuses one that is too long', async () => {
      await start();
      const one = await bosh.pair();
      await one.session.send('', { pause: 3 });
      await isPending(Promise.resolve());
      bosh.clock.tick(5_000);
      expect(sessions()).toBe(0);
      const two = await bosh.pair();
      expect((await two.session.send('', { pause: 121 })).condition).toBe('policy-violation');
      const three = await bosh.pair();
      expect((await three.session.send('', { pause: -1 })).condition).toBe('bad-request');
    });

    it('B22: ignores a pause where none is offered', async () => {
      await start({ bosh: { maxpause: 0 } });
      const { session, stream } = await bosh.pair();
      expect(session.created.attribute('maxpause')).toBeUndefined();
      const { answer } = await bosh.held(session, stream, { pause: 10 });
      expect(await isPending(answer)).toBe(true);
    });
  });

  describe('polling and overactivity', () => {
    it('B25: never holds a request of a polling session, and lets it be quiet for longer', async () => {
      await start();
      const { session, stream } = await bosh.pair({ wait: 0 });
      expect(Number(session.created.attribute('inactivity'))).toBeGreaterThan(60 + 5);
      stream.features(''); // the first answer did not wait for the features
      await session.send();
      bosh.clock.tick(5_000);
      expect((await session.send()).payload).toBe('');
      stream.push(message(1));
      bosh.clock.tick(5_000);
      expect((await session.send()).payload).toBe(message(1));
    });

    it('B25: ends a polling session that asks too often, with policy-violation', async () => {
      await start();
      const { session } = await bosh.pair({ hold: 0 });
      await session.send(); // the features
      expect((await session.send()).payload).toBe('');
      expect((await session.send()).condition).toBe('policy-violation');
    });

    it('B25: limits no polling session where no interval is offered', async () => {
      await start({ bosh: { polling: 0 } });
      const { session } = await bosh.pair({ hold: 0 });
      expect(session.created.attribute('polling')).toBeUndefined();
      for (let i = 0; i < 10; i++) expect((await session.send()).type).toBeUndefined();
    });

    const hurry = async (session: BoshSession, count: number) => {
      let last = session.send();
      for (let i = 0; i < count; i++) {
        const next = session.send();
        expect((await last).type).toBeUndefined();
        last = next;
      }
      return { held: last };
    };

    it('C14, B24, P1: slows a client down that asks too often, and ends its session only if it goes on', async () => {
      await start();
      const { session } = await bosh.pair();
      const { held } = await hurry(session, 6);
      const slowed = session.send();
      expect(await isPending(held)).toBe(true);
      bosh.clock.tick(1_000);
      expect((await held).payload).toBe('');
      // B23: more requests at once than were granted.
      session.send();
      expect(await isPending(slowed)).toBe(true);
      expect((await session.send()).condition).toBe('policy-violation');
    });

    it('C14: delivers stanzas to a client that is slowed down', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { held } = await hurry(session, 6);
      session.send();
      expect(await isPending(held)).toBe(true);
      stream.push(message(1));
      expect((await held).payload).toBe(message(1));
    });

    it('C14, B24: ends the session at once where the rule is to be strict', async () => {
      await start({ bosh: { overactivity: 'strict' } });
      const { session, stream } = await bosh.pair();
      await bosh.held(session, stream);
      expect((await session.send()).condition).toBe('policy-violation');
    });

    it('C14, P1: takes no request whose connection is gone for overactivity', async () => {
      await start({ bosh: { overactivity: 'strict' } });
      const { session, stream } = await bosh.pair();
      for (let i = 0; i < 5; i++) {
        const { answer } = await bosh.held(session, stream);
        await bosh.cut(answer);
        const poll = session.send();
        expect(await isPending(poll)).toBe(true);
        await bosh.cut(poll);
      }
    });
  });

  describe('restart', () => {
    it('X4: opens a new stream on the same connection and passes its features on; a payload is ignored', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const answer = session.send(presence(1), { 'xmpp:restart': 'true', 'to': 'Example.org', 'xml:lang': 'fr', 'from': 'alice@example.org' });
      expect(await stream.seen.take()).toBe('restart');
      expect(stream.restarts).toEqual([{ to: 'example.org', from: 'alice@example.org', lang: 'fr', version: '1.0' }]);
      stream.open('second');
      stream.features(`<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>`);
      expect((await answer).payload).toContain('<bind');
    });

    it('X4: reads restart by its namespace, and 1 as true', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      bosh.http.post(`<body xmlns='http://jabber.org/protocol/httpbind' xmlns:x='urn:xmpp:xbosh' sid='${session.sid}' rid='1001' x:restart='1'/>`);
      expect(await stream.seen.take()).toBe('restart');
    });

    it('X4: does not take a restart in another namespace for one', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      bosh.http.post(
        `<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='x' sid='${session.sid}' rid='1001' xmpp:restart='1'>${presence(1)}</body>`,
      );
      expect(await stream.seen.take()).toContain('p1');
    });

    it('C8, R6: refuses a restart with another domain, also one that is served', async () => {
      await start();
      for (const to of ['example.net', 'example.com']) {
        const { session, stream } = await bosh.pair();
        const answer = await session.send('', { 'xmpp:restart': 'true', to });
        expect(answer.condition).toBe('improper-addressing');
        expect(await stream.seen.take()).toBe('close');
      }
    });
  });

  describe('backpressure', () => {
    it('limits.maxBufferedBytes: pauses the server when too much waits, and goes on when it is delivered', async () => {
      await start({ limits: { maxBufferedBytes: 16_384 } });
      const { session, stream } = await bosh.pair();
      const large = message(1).replace('x<', `${'x'.repeat(9_000)}<`);
      stream.push(large);
      expect(stream.paused).toBe(false);
      stream.push(large);
      expect(await stream.seen.take()).toBe('pause');
      expect((await session.send()).payload).toBe(large + large);
      expect(await stream.seen.take()).toBe('resume');
    });

    it('does not answer requests faster than the server reads, and serves no further payload', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      stream.takes = false;
      const first = await bosh.held(session, stream);
      const second = session.send(presence('parked'));
      expect(await isPending(first.answer)).toBe(true);
      expect(await isPending(second)).toBe(true);
      stream.drain();
      expect(await stream.seen.take()).toContain('parked');
      expect((await first.answer).payload).toBe('');
    });
  });
});
