import type { Server } from 'node:http';
import { connect } from 'node:net';
import { XmppSessionService, type XmppModuleOptions } from 'nestjs-xmpp';
import { body, BoshSession, creation, HTTPBIND, type BoshAnswer, type Pending } from '../support/bosh-client.js';
import { BoshGateway, presence } from '../support/bosh-gateway.js';
import type { ScriptedStream } from '../support/scripted-upstream.js';

describe('XEP-0124 and XEP-0206 to the letter', () => {
  let bosh: BoshGateway;
  const start = async (options: Partial<XmppModuleOptions> = {}) => (bosh = await BoshGateway.start('express', 'server', options));
  const sessions = () => bosh.gateway.app.get(XmppSessionService);
  afterEach(() => bosh.close());

  it('B4: takes and gives UTF-8 alone, and promises no other', async () => {
    await start();
    const { session, stream } = await bosh.pair();
    expect(session.created.headers['content-type']).toBe('text/xml; charset=utf-8');
    expect(session.created.attribute('charsets')).toBeUndefined();
    const text = `<message xmlns='jabber:client'><body>\u00e9 \u{1f600} \ufffd</body></message>`;
    const answer = session.send(text);
    expect(await stream.seen.take()).toBe(text);
    stream.push(text);
    expect((await answer).payload).toBe(text);
    const latin1 = Buffer.from(session.text(session.rid + 1, `<message xmlns='jabber:client'><body>\u00e9</body></message>`), 'latin1');
    const refused = await bosh.http.post(latin1, { 'Content-Type': 'text/xml; charset=iso-8859-1' });
    expect([refused.type, refused.condition]).toEqual(['terminate', 'bad-request']);
  });

  it('B23: one request more than `requests`, while none can be answered, ends the session with policy-violation', async () => {
    await start();
    const { session, stream } = await bosh.pair();
    stream.takes = false; // the server does not read: nothing is answered only because another request came
    const answers: Pending[] = [];
    for (let i = 1; i <= 3; i++) answers.push(session.send(presence(i)));
    const [first, second, third] = await Promise.all(answers);
    expect([first!.condition, second!.condition]).toEqual(['other-request', 'other-request']);
    expect([third!.type, third!.condition]).toEqual(['terminate', 'policy-violation']);
    expect(sessions().count).toBe(0);
  });

  it.each([
    ['a pause', { pause: 30 }],
    ['the end', { type: 'terminate' }],
  ])('B23: %s may be one request more', async (_what, attributes) => {
    await start();
    const { session, stream } = await bosh.pair();
    stream.takes = false;
    const held = [session.send(presence(1)), session.send('')];
    await stream.seen.take();
    const last = await session.send('', attributes);
    expect(last.condition).toBeUndefined();
    expect((await Promise.all(held)).map(({ condition }) => condition)).toEqual([undefined, undefined]);
  });

  it('P15, B14: a held request is answered before `wait` is over, for its client gives up soon after', async () => {
    await start();
    const { session, stream } = await bosh.pair({ wait: 10 });
    const { answer } = await bosh.held(session, stream);
    for (const ms of [9000, 950]) {
      await new Promise(setImmediate); // it is held at the end of the turn
      bosh.gateway.clock.tick(ms);
    }
    expect((await answer).body).toBe(`<body xmlns='${HTTPBIND}'/>`);
  });

  it('P8, B20: a page whose timers come once a minute keeps its session', async () => {
    await start({ limits: { authTimeout: 3600 } });
    const { session, stream } = await bosh.pair();
    expect(session.created.attribute('inactivity')).toBe('60');
    for (let i = 0; i < 3; i++) {
      bosh.gateway.clock.tick(60_500);
      push(stream, i);
      expect((await session.send()).payload).toContain(`s${i}`);
    }
  });

  it('P9, C12, C19: a session that is gone is told with a body and a condition, whatever ended it', async () => {
    await start({ limits: { authTimeout: 3600 } });
    const { session } = await bosh.pair();
    bosh.gateway.clock.tick(63_000);
    const late = await session.send();
    expect([late.status, late.type, late.condition]).toEqual([200, 'terminate', 'item-not-found']);
    expect(late.headers['access-control-allow-origin']).toBe('*');
  });

  describe('W13, B27: moving elsewhere', () => {
    const URI = 'https://b.example.org/http-bind?a=1&b=2';
    const UNTIL = `<uri xmlns="${HTTPBIND}">https://b.example.org/http-bind?a=1&amp;b=2</uri>`;

    it('W13, B27: drain() sends running sessions and new ones on with see-other-uri', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      const { answer } = await bosh.held(session, stream);
      expect(sessions().drain({ bosh: URI })).toBe(1);
      expect(await stream.seen.take()).toBe('close');
      for (const told of [await answer, await session.send(), await bosh.http.post(creation({ rid: 5 }))]) {
        expect([told.status, told.type, told.condition]).toEqual([200, 'terminate', 'see-other-uri']);
        expect(told.payload).toBe(UNTIL);
        expect(told.attribute('sid')).toBeUndefined();
      }
      expect(sessions().count).toBe(0);
      sessions().undrain();
      expect((await bosh.http.post(creation({ rid: 5 }))).attribute('sid')).toBeDefined();
    });

    it('W13: a stream that can be resumed goes along: it is cut and not closed', async () => {
      await start();
      const { session, stream } = await bosh.pair();
      stream.bound('alice@example.org/a');
      stream.push(`<enabled xmlns='urn:xmpp:sm:3' id='sm1' resume='true'/>`);
      await session.send();
      const { answer } = await bosh.held(session, stream);
      sessions().drain({ bosh: URI });
      expect(await stream.seen.take()).toBe('abort');
      expect((await answer).condition).toBe('see-other-uri');
    });

    it('W13: nobody who came over TLS is sent to a URI without it, running or new', async () => {
      await start({ trustProxy: true });
      const tls = { 'X-Forwarded-For': '192.0.2.1', 'X-Forwarded-Proto': 'https' };
      const created = await bosh.http.post(creation(), tls);
      const sid = created.attribute('sid');
      expect(sessions().drain({ bosh: 'http://b.example.org/http-bind' })).toBe(0);
      const alive = await bosh.http.post(body({ sid, rid: 1001, 'xmpp:restart': 'true', 'type': 'terminate' }), tls);
      expect([alive.type, alive.condition]).toEqual(['terminate', undefined]);
      expect((await bosh.http.post(creation({ rid: 7 }), tls)).attribute('sid')).toBeDefined();
      expect((await bosh.http.post(creation({ rid: 9 }))).condition).toBe('see-other-uri');
    });
  });

  describe('C17, B13: an answer that never left and was overtaken by a later one', () => {
    const big = `<message xmlns='jabber:client' id='big'><body>${'x'.repeat(24_000_000)}</body></message>`;
    /** The answer to 1001 is stuck on a connection that nobody reads, that to 1002 has arrived, 1003 is held; then the connection is cut. */
    const overtaken = async () => {
      await start({ bosh: { hold: 2 } });
      const { session, stream } = await bosh.pair({ hold: 2 });
      const text = session.text(1001, presence('-1-'));
      const stuck = connect(Number(new URL(bosh.http.url).port), '127.0.0.1');
      stuck.pause();
      stuck.write(`POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
      await stream.seen.take((seen) => seen.includes('-1-'));
      const second = session.again(1002, presence('-2-'));
      await stream.seen.take((seen) => seen.includes('-2-'));
      stream.push(big);
      for (let i = 0; i < 5; i++) await new Promise(setImmediate); // it goes to 1001
      bosh.clock.tick(2000); // nothing waits for it for ever
      push(stream, 1);
      expect((await second).payload).toContain(`id='s1'`);
      const third = session.again(1003, presence('-3-'));
      await stream.seen.take((seen) => seen.includes('-3-'));
      const events = bosh.gateway.app.getHttpServer() as Server;
      const open = () => new Promise<number>((resolve) => events.getConnections((_error, count) => resolve(count)));
      const before = await open();
      stuck.destroy();
      while ((await open()) === before) await new Promise(setImmediate);
      return { session, stream, third, again: () => bosh.http.post(text) };
    };

    it('C17, B13: is given again to the request that it belongs to, and not behind what came later', async () => {
      const { stream, third, again } = await overtaken();
      const answer = await again();
      expect(answer.payload).toBe(big);
      push(stream, 2);
      expect((await third).payload).toMatch(/^<message [^>]*id='s2'/);
    });

    it('C17: goes out with another answer once nobody can ask for it any more', async () => {
      const { session, stream, third } = await overtaken();
      push(stream, 2);
      expect((await third).payload).toMatch(/^<message [^>]*id='s2'/);
      push(stream, 3);
      expect((await session.again(1004)).payload).toMatch(/^<message [^>]*id='s3'/);
      expect((await session.again(1005)).payload).toBe(big);
    });
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'P17, B13, B18, C17: over a network that loses, doubles and swaps requests and loses answers, all arrives once and in order (%i)',
    async (seed) => {
      await start({ bosh: { hold: 2, inactivity: 3600 }, limits: { authTimeout: 3600 } });
      const { session, stream } = await bosh.pair({ hold: 2 });
      const network = new LossyNetwork(bosh, seed);
      const COUNT = 60;
      const received: string[] = [];
      const forwarded: string[] = [];
      // The server answers each message with its number, and now and then with more than one.
      const serve = async () => {
        for (let i = 0; i < COUNT; i++) {
          forwarded.push(/ id='m(\d+)'/.exec(await stream.seen.take((seen) => seen.startsWith('<message')))![1]!);
          push(stream, i);
        }
      };
      const served = serve();
      let sent = 0;
      let open: Promise<BoshAnswer>[] = [];
      while (received.length < COUNT) {
        // Three requests may be open; the client reads their answers in order.
        while (open.length < 3 && (open.length === 0 || sent < COUNT)) {
          const payload = sent < COUNT ? `<message xmlns='jabber:client' id='m${sent++}'/>` : '';
          const answer = network.request(session, ++session.rid, payload);
          answer.catch(() => {}); // when the test has failed
          open.push(answer);
        }
        const answer = await open[0]!;
        open = open.slice(1);
        expect([answer.status, answer.type, answer.condition]).toEqual([200, undefined, undefined]);
        for (const [, id] of answer.payload.matchAll(/ id='s(\d+)'/g)) received.push(id!);
      }
      await served;
      const all = Array.from({ length: COUNT }, (_, i) => String(i));
      expect(forwarded).toEqual(all);
      expect(received).toEqual(all);
    },
  );
});

function push(stream: ScriptedStream, number: number): void {
  stream.push(`<message xmlns='jabber:client' id='s${number}'/>`);
}

/** Between a client that repeats what has no answer and a gateway; what it does follows from its seed alone. */
class LossyNetwork {
  constructor(
    private readonly bosh: BoshGateway,
    private state: number,
  ) {}

  /** One request, repeated until there is an answer. */
  async request(session: BoshSession, rid: number, payload: string): Promise<BoshAnswer> {
    const text = session.text(rid, payload);
    // More often would be abuse.
    for (let attempt = 0; attempt < 10; attempt++) {
      const fate = attempt > 5 ? 1 : this.random();
      await this.turns(20 * this.random()); // overtakes, or is overtaken
      if (fate < 0.15) continue; // the request is lost
      const attempts = [this.bosh.http.post(text)];
      if (fate < 0.45) {
        // The connection is lost, before there is an answer or when there is one; with it whatever else uses it by then.
        const { sent } = attempts[0]!;
        await new Promise((resolve) => sent.once('close', resolve).once('finish', resolve));
        await this.turns(30 * this.random());
        sent.destroy();
      } else if (fate < 0.55) {
        attempts.push(this.bosh.http.post(text));
      }
      for (const outcome of await Promise.allSettled(attempts)) {
        if (outcome.status === 'fulfilled' && outcome.value.type !== 'error') return outcome.value;
      }
    }
    throw new Error(`no answer to ${rid}`);
  }

  private async turns(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** mulberry32 */
  private random(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  }
}
