import type { XmppModuleOptions } from 'nestjs-xmpp';
import { SessionRegistry } from '../../lib/session/index.js';
import { BoshSession, creation } from '../support/bosh-client.js';
import { BOSH_MODES, BoshGateway, message, presence } from '../support/bosh-gateway.js';

const streamError = (condition: string) =>
  `<stream:error xmlns:stream='http://etherx.jabber.org/streams'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`;

describe.each(BOSH_MODES)('the end of a BOSH session, on %s behind the %s', (platform, ingress) => {
  let bosh: BoshGateway;
  const start = async (options: Partial<XmppModuleOptions> = {}) => (bosh = await BoshGateway.start(platform, ingress, options));
  const service = () => bosh.gateway.app.get(SessionRegistry);
  afterEach(() => bosh.close());

  describe('by the client', () => {
    it('B26, U12: forwards the payload, tells the oldest request, answers the other with nothing, closes the stream', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      const terminate = session.send(`<presence xmlns='jabber:client' type='unavailable'/>`, { type: 'terminate' });
      expect(await stream.seen.take()).toContain('unavailable');
      expect(await stream.seen.take()).toBe('close');
      const oldest = await answer;
      expect([oldest.type, oldest.condition]).toEqual(['terminate', undefined]);
      expect((await terminate).body).toBe(`<body xmlns='http://jabber.org/protocol/httpbind'/>`);
      expect(service().count).toBe(0);
    });

    it('B26: tells the only request', async () => {
      await start();
      const { session } = await bosh.pair();
      const answer = await session.send('', { type: 'terminate' });
      expect([answer.type, answer.condition, answer.payload]).toEqual(['terminate', undefined, '']);
      expect((await session.send()).condition).toBe('item-not-found');
    });

    it('C18, X8: puts nothing into the answer that ends the session, and tells the senders', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      stream.push(message(1));
      const answer = await session.send('', { type: 'terminate' });
      expect([answer.type, answer.payload]).toEqual(['terminate', '']);
      expect(await stream.seen.take()).toContain('recipient-unavailable');
      expect(await stream.seen.take()).toBe('close');
    });

    it('C18: gives what waits to the oldest request and tells the next, behind it', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const parked = session.again(1002, '', { type: 'terminate' });
      await new Promise(setImmediate);
      stream.push(message(1));
      const first = session.again(1001, presence(1));
      expect((await first).payload).toBe(message(1));
      bosh.clock.tick(2100);
      expect((await parked).type).toBe('terminate');
    });

    it('B18: answers an end that is repeated as before', async () => {
      await start();
      const { session } = await bosh.pair();
      const answer = await session.send('', { type: 'terminate' });
      expect((await session.again(1001, '', { type: 'terminate' })).body).toBe(answer.body);
    });

    it('B1: takes an end by a beacon, which is text/plain', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      await bosh.http.post(session.text(1001, '', { type: 'terminate' }), { 'Content-Type': 'text/plain;charset=UTF-8' });
      expect(await stream.seen.take()).toBe('close');
    });

    it('takes the word of gloox for it', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      expect((await session.send('', { type: 'terminal' })).type).toBe('terminate');
      expect(await stream.seen.take()).toBe('close');
    });
  });

  describe('by the server', () => {
    it('X7, U11, B29: passes on the whole stream error, behind what waited', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      stream.push(message(1));
      stream.push(streamError('conflict'));
      const told = await answer;
      expect([told.status, told.type, told.condition]).toEqual([200, 'terminate', 'remote-stream-error']);
      expect(told.payload).toBe(message(1) + streamError('conflict'));
    });

    it('C20, U11: ends in order where the server did', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      stream.finish({ reason: 'closed' });
      const told = await answer;
      expect([told.type, told.condition]).toEqual(['terminate', undefined]);
    });

    it('B29, C32: tells of a server that was lost', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      stream.finish({ reason: 'failed', message: 'reset' });
      expect((await answer).condition).toBe('remote-connection-failed');
    });

    it('C18: gives what waited to the only request and tells the next one', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      stream.push(message(1));
      stream.finish({ reason: 'failed' });
      const first = await answer;
      expect([first.type, first.payload]).toEqual([undefined, message(1)]);
      expect((await session.send()).condition).toBe('remote-connection-failed');
    });

    it('C18: gives what waited to the oldest request and tells the next, behind it', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      stream.takes = false; // requests are held, for the server does not read
      const first = await bosh.held(session, stream);
      const second = session.send('');
      stream.takes = true;
      for (let i = 0; i < 20; i++) await new Promise(setImmediate);
      stream.push(message(1));
      stream.push(streamError('conflict'));
      expect((await first.answer).payload).toBe(message(1));
      bosh.clock.tick(2100);
      const told = await second;
      expect(told.condition).toBe('remote-stream-error');
      expect(told.payload).toBe(streamError('conflict'));
    });

    it('C19, P13: keeps the true condition for the next request, for as long as `inactivity`', async () => {
      await start({ bosh: { inactivity: 20 } });
      const { session, stream } = await bosh.pair();
      stream.push(streamError('conflict'));
      const told = await session.send();
      expect(told.condition).toBe('remote-stream-error');
      expect(told.payload).toContain('<conflict');
      expect((await session.send()).condition).toBe('remote-stream-error');
      bosh.clock.tick(21_000);
      expect((await session.send()).condition).toBe('item-not-found');
    });

    it('C19: gives what waited to the next request, and tells the one after it', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      stream.push(message(1));
      stream.finish({ reason: 'closed' });
      const first = await session.send();
      expect([first.type, first.payload]).toEqual([undefined, message(1)]);
      expect((await session.again(1001)).payload).toBe(message(1));
      expect((await session.send()).type).toBe('terminate');
    });

    it('B33: tells nobody who comes by another way', async () => {
      await start({ trustProxy: 1 });
      const https = { 'X-Forwarded-For': '192.0.2.1', 'X-Forwarded-Proto': 'https' };
      const created = await bosh.http.post(creation(), https);
      const stream = await bosh.stream();
      stream.push(message(1));
      stream.push(streamError('conflict'));
      const text = `<body xmlns='http://jabber.org/protocol/httpbind' sid='${created.attribute('sid')}' rid='1001'/>`;
      expect((await bosh.http.post(text)).condition).toBe('item-not-found');
      expect((await bosh.http.post(text, https)).payload).toBe(message(1));
    });
  });

  describe('by the app and the process', () => {
    it('B27: tells why the app ended it, and the senders of what was not delivered', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      stream.push(message(1));
      service().list().forEach(({ id }) => service().terminate(id));
      expect(await stream.seen.take()).toContain('recipient-unavailable');
      expect(await stream.seen.take()).toBe('close');
      expect((await session.send()).condition).toBe('policy-violation');
    });

    it('B27: sends a client elsewhere', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      service().list().forEach(({ id }) => service().terminate(id, { uri: 'https://b.example.org/http-bind?a&b' } as never));
      const told = await answer;
      expect([told.type, told.condition]).toEqual(['terminate', 'see-other-uri']);
      expect(told.payload).toMatch(/^<uri [^>]*httpbind[^>]*>https:\/\/b\.example\.org\/http-bind\?a&amp;b<\/uri>$/);
    });

    it('B27, R9: ends a session that does not authenticate', async () => {
      await start({ limits: { authTimeout: 30 } });
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      bosh.clock.tick(30_000);
      expect((await answer).condition).toBe('policy-violation');
    });

    it('P12: at shutdown, tells a held request that the system goes down, and answers new sessions with 503', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      stream.answersClose = false;
      const down = service().shutdown(60_000);
      const told = await answer;
      expect([told.type, told.condition]).toEqual(['terminate', 'system-shutdown']);
      const refused = await bosh.http.post(creation());
      expect(refused.status).toBe(503);
      expect(refused.condition).toBe('system-shutdown');
      expect(refused.headers['retry-after']).toMatch(/^\d+$/);
      expect(refused.headers['access-control-allow-origin']).toBe('*');
      expect((await session.send()).condition).toBe('system-shutdown');
      stream.finish({ reason: 'closed' });
      await down;
    });

    it('P12: at shutdown, gives a held request what waited for it, and the next one the end', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      stream.push(message(1));
      stream.answersClose = false;
      const down = service().shutdown(60_000);
      expect((await answer).payload).toBe(message(1));
      expect((await session.send()).condition).toBe('system-shutdown');
      stream.finish({ reason: 'closed' });
      await down;
    });

    it('P12: at shutdown, waits for a client that is between two requests', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const closing = bosh.gateway.app.close();
      expect(await stream.seen.take()).toBe('close');
      for (let i = 0; i < 50; i++) await new Promise(setImmediate);
      expect((await session.send()).condition).toBe('system-shutdown');
      await closing;
    });

    it('P12: at shutdown, waits two seconds at most, and not for one that has said that it pauses', async () => {
      await start({ bosh: { maxpause: 60 } });
      const { session } = await bosh.pair();
      await session.send('', { pause: 60 });
      await bosh.gateway.app.close();
      await start();
      const { stream } = await bosh.pair();
      const closing = bosh.gateway.app.close();
      expect(await stream.seen.take()).toBe('close');
      for (let i = 0; i < 50; i++) await new Promise(setImmediate);
      bosh.clock.tick(2100);
      await closing;
    });

    it('N5, P35: closes the app while requests are held', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      await bosh.gateway.close();
      expect((await answer).condition).toBe('system-shutdown');
    });
  });

  it('R24: never logs a sid', async () => {
    await start();
    const session = await BoshSession.open(bosh.http);
    expect(service().list().map(({ id }) => id)).not.toContain(session.sid);
  });
});
