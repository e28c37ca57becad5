import { readFile } from 'node:fs/promises';
import { jest } from '@jest/globals';
import { upstreamFromUrl, XmppSessionService, XmppSharedKeyService, type XmppModuleOptions } from 'nestjs-xmpp';
import type { BrowserContext } from 'playwright-core';
import { SessionRegistry } from '../../lib/session/index.js';
import type { UpstreamHandler, UpstreamRequest, UpstreamStream, XmppUpstream } from '../../lib/upstream/upstream.js';
import { startApp, type TestApp } from '../support/app.js';
import { Mailbox } from '../support/mailbox.js';
import { attributeOf } from '../support/scripted-web.js';
import { TabStage, type KeySourceName, type Tab } from '../support/tabs.js';

jest.setTimeout(120_000);

/** What the XMPP server sees of the gateway. */
class WatchedUpstream implements XmppUpstream {
  readonly name = 'watched';
  /** Streams that were opened. */
  opened = 0;
  /** One for each stream that was ended in order. */
  readonly closed = new Mailbox<true>();

  constructor(private readonly inner: XmppUpstream) {}

  open(request: UpstreamRequest, handler: UpstreamHandler): UpstreamStream {
    this.opened++;
    const stream = this.inner.open(request, handler);
    const close = stream.close.bind(stream);
    stream.close = () => {
      this.closed.put(true);
      close();
    };
    return stream;
  }
}

/** A server behind the gateway, with the accounts `alice` and `bob`. */
export interface Server {
  readonly upstream: XmppUpstream;
  stop(): Promise<void>;
}

/** A server of its own, over STARTTLS. */
export async function behind(server: { readonly port: number; readonly caFile: string; stop(): Promise<void> }): Promise<Server> {
  const ca = await readFile(server.caFile);
  const upstream = upstreamFromUrl(`xmpp://127.0.0.1:${server.port}?starttls=required`, { ca });
  return {
    upstream,
    stop: async () => {
      await upstream.close?.();
      await server.stop();
    },
  };
}

/** Which transport the nth tab takes. */
const TRANSPORTS: Readonly<Record<string, (n: number) => 'bosh' | 'websocket'>> = {
  'BOSH': () => 'bosh',
  'WebSocket': () => 'websocket',
  'both mixed': (n) => (n % 2 ? 'bosh' : 'websocket'),
};

let stage: TabStage;
/** What the site's web session is given. */
let ticket: string;

beforeAll(async () => {
  stage = await TabStage.set((request, response) => {
    if (request.url !== '/ticket') return false;
    response.setHeader('Cache-Control', 'no-store').end(JSON.stringify({ ticket, jid: 'alice@localhost' }));
    return true;
  });
});

afterAll(async () => {
  await stage?.close();
});

/** One number after the other, the same in every run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) yield (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0);
}

const message = (to: string, id: string): string =>
  `<message xmlns='jabber:client' type='chat' to='${to}' id='${id}'><body>${id}</body></message>`;

/** Ids of the messages in a tab, in its order: `>` those of other tabs, `<` those received. */
const storyOf = async (tab: Tab): Promise<string[]> =>
  (await tab.history()).flatMap((event) => {
    if ((event.kind !== 'sent' && event.kind !== 'received') || !event.xml.startsWith('<message')) return [];
    return [`${event.kind === 'sent' ? '>' : '<'}${attributeOf(event.xml, 'id')}`];
  });

/**
 * The plugin, Strophe, a browser, the gateway and an XMPP server.
 * @param startServer run once
 * @param extent `traffic`: without what no server has a part in
 */
export function describeTabs(name: string, startServer: () => Promise<Server>, extent: 'everything' | 'traffic'): void {
  describe(`tabs of a browser in front of ${name}`, () => {
    defineTests(startServer, extent === 'everything');
  });
}

function defineTests(startServer: () => Promise<Server>, everything: boolean): void {
  let server: Server;
  let upstream: WatchedUpstream;
  let gateway: TestApp;
  let context: BrowserContext;

  beforeAll(async () => {
    server = await startServer();
  });

  afterAll(async () => {
    await server?.stop();
  });

  beforeEach(async () => {
    context = await stage.newContext();
  });

  afterEach(async () => {
    await context?.close();
    await gateway?.close();
  });

  const start = async (options: Partial<XmppModuleOptions> = {}): Promise<void> => {
    upstream = new WatchedUpstream(server.upstream);
    gateway = await startApp({ options: { upstream, ...options } });
  };
  const open = async (transport: 'bosh' | 'websocket', keys?: readonly KeySourceName[], from = context): Promise<Tab> =>
    await stage.open(from, {
      service: transport === 'bosh' ? gateway.boshUrl : gateway.wsUrl,
      ...(keys && { keys }),
    });
  const streams = (user: string): number => gateway.app.get(SessionRegistry).find(`${user}@localhost`).length;

  describe.each(Object.entries(TRANSPORTS))('over %s', (_mix, transportOf) => {
    it.each([2, 5])(
      'S1, S11, S14: %d tabs see each of 200 messages and of their answers once, in one order, on one stream',
      async (count) => {
        await start();
        const elsewhere = await stage.newContext();
        const bob = await open('websocket', [], elsewhere);
        expect(await bob.goOnline('bob@localhost/out', 'bob')).toBe('CONNECTED');
        await bob.echo();
        const tabs: Tab[] = [];
        for (let n = 0; n < count; n++) tabs.push(await open(transportOf(n)));
        // All at once: one of them logs in, the others wait for it.
        const statuses = await Promise.all(tabs.map(async (tab) => await tab.goOnline('alice@localhost', 'alice')));
        expect(statuses.toSorted()).toEqual([...Array.from({ length: count - 1 }, () => 'ATTACHED'), 'CONNECTED']);
        const [{ jid }, ...others] = await Promise.all(tabs.map(async (tab) => await tab.state()));
        for (const other of others) expect(other.jid).toBe(jid);

        const random = numbers(count);
        const senders = Array.from({ length: 200 }, () => random.next().value % count);
        const sending = senders.map(async (sender, n) => await tabs[sender]?.send(message('bob@localhost/out', `n${n}`)));
        await Promise.all(sending);
        await Promise.all(tabs.map(async (tab) => {
          for (let n = 0; n < senders.length; n++) await tab.stanza('received', 're-n');
        }));

        const stories = await Promise.all(tabs.map(storyOf));
        stories.forEach((story, number) => {
          const expected = senders.flatMap((sender, n) => [`<re-n${n}`, ...(sender === number ? [] : [`>n${n}`])]);
          expect(story.toSorted()).toEqual(expected.toSorted());
        });
        // A tab does not see its own messages in the traffic: what two tabs both saw, they saw in the same order.
        for (const story of stories.slice(1)) {
          const inBoth = (ids: readonly string[] | undefined, others: readonly string[] | undefined): string[] =>
            (ids ?? []).filter((id) => others?.includes(id));
          expect(inBoth(story, stories[0])).toEqual(inBoth(stories[0], story));
          expect(inBoth(story, stories[0]).length).toBeGreaterThanOrEqual(200);
        }
        expect((await bob.history()).filter((event) => event.kind === 'received' && event.xml.startsWith('<message'))).toHaveLength(200);
        expect(upstream.opened).toBe(2); // bob's, and the one of all tabs
        expect(streams('alice')).toBe(1);
        await elsewhere.close();
      },
    );
  });

  it('S2, S5, S18, S21: a tab joins without a password; the first one leaves; the last one ends the stream', async () => {
    await start();
    const [first, second, third] = [await open('websocket'), await open('bosh'), await open('websocket')];
    await first.goOnline('alice@localhost', 'alice');
    await first.send("<presence xmlns='jabber:client'/>");
    expect(await second.goOnline(undefined)).toBe('ATTACHED');
    await first.disconnect();
    expect(await third.goOnline('localhost')).toBe('ATTACHED');
    expect((await third.state()).jid).toBe((await second.state()).jid);
    const elsewhere = await stage.newContext();
    const bob = await open('bosh', [], elsewhere);
    await bob.goOnline('bob@localhost/out', 'bob');
    await bob.send(message((await third.state()).jid, 'still there'));
    await Promise.all([second, third].map(async (tab) => await tab.stanza('received', 'still there')));
    expect(upstream.closed.size).toBe(0);
    await second.disconnect();
    await third.disconnect();
    await upstream.closed.take();
    expect(upstream.opened).toBe(2);
    const late = await open('websocket');
    await late.connect(undefined);
    expect(await late.status('CONNFAIL')).toMatchObject({ condition: 'item-not-found' });
    await elsewhere.close();
  });

  it('S14, S15, S16: what two tabs ask, each is answered; neither answers for the other', async () => {
    await start();
    const [first, second] = [await open('bosh'), await open('websocket')];
    await first.goOnline('alice@localhost', 'alice');
    await second.goOnline('alice@localhost', 'alice');
    const ask = async (tab: Tab, id: string, namespace: string): Promise<string> =>
      await tab.ask(`<iq xmlns='jabber:client' type='get' id='${id}' to='localhost'><query xmlns='${namespace}'/></iq>`);
    const disco = 'http://jabber.org/protocol/disco#info';
    const unknown = 'urn:example:nobody-knows-this';
    const answers = await Promise.all([ask(first, 'a', disco), ask(second, 'b', unknown), ask(first, 'c', unknown), ask(second, 'd', disco)]);
    expect(answers.map((answer) => /^\w+/.exec(answer)?.[0])).toEqual(['result', 'error', 'error', 'result']);
    // One after the other under the same id.
    expect(await ask(first, 'same', disco)).toMatch(/^result /);
    expect(await ask(second, 'same', unknown)).toMatch(/^error /);
    for (const id of ['b', 'd']) expect(await first.stanza('sent', `id="${id}"`)).toContain('type="get"');
    for (const id of ['a', 'c']) expect(await second.stanza('sent', `id="${id}"`)).toContain('type="get"');
    expect([...(await first.history()), ...(await second.history())].filter(({ kind }) => kind === 'error')).toEqual([]);
  });

  it('S24: a page without a password joins the session that was opened on the server for it', async () => {
    await start();
    const sessions = gateway.app.get(XmppSessionService);
    const opened = await sessions.prebind({ domain: 'localhost', username: 'alice', password: 'alice', shared: true });
    ({ ticket } = opened);
    const tab = await open('websocket', [{ url: '/ticket' }]);
    expect(await tab.goOnline(undefined)).toBe('ATTACHED');
    expect((await tab.state()).jid).toBe(opened.jid);
    await tab.send(message(opened.jid, 'to myself'));
    await tab.stanza('received', 'to myself');
    await tab.disconnect();
    await upstream.closed.take();
    expect(upstream.opened).toBe(1);
  });

  describe.each([
    ['private XML storage', ['private']],
    ['a private node', ['pep']],
    ['the browser and private XML storage', ['stored', 'private']],
  ] as const)('S25: with the key in %s', (_name, keys) => {
    it('another browser finds the stream; a key of a stream that is over is replaced', async () => {
      await start();
      const first = await open('websocket', keys);
      expect(await first.goOnline('alice@localhost', 'alice')).toBe('CONNECTED');
      const other = await stage.newContext();
      const second = await open('bosh', keys, other);
      expect(await second.goOnline('alice@localhost', 'alice')).toBe('ATTACHED');
      expect(await second.statuses()).not.toContain('CONNECTED');
      expect((await second.state()).jid).toBe((await first.state()).jid);
      expect(streams('alice')).toBe(1);
      await first.disconnect();
      await second.disconnect();
      for (let n = 0; n < upstream.opened; n++) await upstream.closed.take();

      const third = await open('websocket', keys);
      expect(await third.goOnline('alice@localhost', 'alice')).toBe('CONNECTED');
      const fourth = await open('websocket', keys, other);
      expect(await fourth.goOnline('alice@localhost', 'alice')).toBe('ATTACHED');
      expect((await fourth.state()).jid).toBe((await third.state()).jid);
      for (const tab of [first, second, third, fourth]) expect((await tab.history()).filter(({ kind }) => kind === 'error')).toEqual([]);

      await fourth.logoutAll();
      await third.status('DISCONNECTED');
      const fifth = await open('bosh', keys);
      expect(await fifth.goOnline('alice@localhost', 'alice')).toBe('CONNECTED');
      expect(await fifth.statuses()).not.toContain('ATTACHED');
      await other.close();
    });
  });

  if (!everything) return;

  it.each(['websocket', 'bosh'] as const)('S21: logs all tabs out from one over %s', async (transport) => {
    await start();
    const tabs = [await open(transport), await open('bosh'), await open('websocket')];
    for (const tab of tabs) await tab.goOnline('alice@localhost', 'alice');
    await tabs[0]?.logoutAll();
    await Promise.all(tabs.slice(1).map(async (tab) => await tab.status('DISCONNECTED')));
    await upstream.closed.take();
    expect(await tabs[0]?.storedKeys()).toEqual({});
    expect(upstream.opened).toBe(1);
  });

  it.each(['websocket', 'bosh'] as const)('S22: a key that was replaced over %s attaches nobody, its successor does', async (transport) => {
    await start();
    const tabs = [await open('websocket'), await open(transport), await open('bosh')] as const;
    await tabs[0].goOnline('alice@localhost', 'alice');
    await tabs[1].goOnline(undefined);
    const old = await tabs[1].storedKeys();
    await tabs[1].rotate();
    expect(await tabs[1].storedKeys()).not.toEqual(old);
    expect(await tabs[2].goOnline(undefined)).toBe('ATTACHED');
    await tabs[1].send(message((await tabs[0].state()).jid, 'after'));
    for (const tab of tabs) await tab.stanza('received', 'after');

    const thief = await stage.newContext();
    const late = await open('websocket', ['stored'], thief);
    await late.store(old);
    await late.connect(undefined);
    expect(await late.status('CONNFAIL')).toMatchObject({ condition: 'item-not-found' });
    await thief.close();
  });

  it('S24: a page without a password joins with a ticket, which is good once', async () => {
    await start();
    const first = await open('websocket');
    await first.goOnline('alice@localhost', 'alice');
    const [session] = gateway.app.get(XmppSharedKeyService).list();
    ticket = gateway.app.get(XmppSharedKeyService).ticket(session!.id);
    const elsewhere = await stage.newContext();
    const [second, third] = [await open('bosh', [{ url: '/ticket' }], elsewhere), await open('websocket', [{ url: '/ticket' }], elsewhere)];
    expect(await second.goOnline(undefined)).toBe('ATTACHED');
    expect((await second.state()).jid).toBe((await first.state()).jid);
    await third.connect(undefined);
    expect(await third.status('CONNFAIL')).toMatchObject({ condition: 'item-not-found' });
    await elsewhere.close();
  });

  it('S26: a tab that is reloaded joins again; the others have not noticed', async () => {
    await start();
    const [first, second] = [await open('websocket'), await open('websocket')];
    await first.goOnline('alice@localhost', 'alice');
    await second.goOnline('alice@localhost', 'alice');
    const { jid } = await second.state();
    await first.page.close();
    const again = await open('websocket');
    expect(await again.goOnline(undefined)).toBe('ATTACHED');
    await again.send(message(jid, 'to myself'));
    await second.stanza('sent', 'to myself');
    await again.stanza('received', 'to myself');
    expect(await second.statuses()).toEqual(['CONNECTING', 'ATTACHED']);
    expect(upstream.opened).toBe(1);
  });

  it('S3: where there is no sharing, each tab has a session of its own', async () => {
    await start({ shared: { enabled: false } });
    const tabs = [await open('websocket'), await open('bosh')];
    for (const tab of tabs) {
      expect(await tab.goOnline('alice@localhost', 'alice')).toBe('CONNECTED');
      expect((await tab.state()).result).toBe('ordinary');
    }
    expect(streams('alice')).toBe(2);
  });
}
