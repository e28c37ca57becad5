import { jest } from '@jest/globals';
import type { BrowserContext } from 'playwright-core';
import { attributeOf, ScriptedWeb, type BoshRequest, type WebSocketPeer } from '../support/scripted-web.js';
import { TabStage, type Tab, type TabOptions } from '../support/tabs.js';

jest.setTimeout(60_000);

const HTTPBIND = 'http://jabber.org/protocol/httpbind';
const STREAMS = 'http://etherx.jabber.org/streams';
const SHARED = "xmlns:shared='urn:xmpp:tmp:shared-bosh:0'";
const PLAIN = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>";
const JID = 'alice@example.org/shared';

let stage: TabStage;
let web: ScriptedWeb;
let context: BrowserContext;

/** Tickets that the site gave out. */
let tickets: number;

beforeAll(async () => {
  stage = await TabStage.set((request, response) => {
    if (request.url !== '/ticket') return false;
    // A page must see none that was kept for it.
    response.setHeader('Cache-Control', 'max-age=3600').end(JSON.stringify({ ticket: `ticket.${++tickets}`, jid: 'alice@example.org' }));
    return true;
  });
});

afterAll(async () => {
  await stage?.close();
});

beforeEach(async () => {
  tickets = 0;
  web = await ScriptedWeb.start();
  context = await stage.newContext();
});

afterEach(async () => {
  await context?.close();
  await web?.close();
});

const openTab = async (options: Partial<TabOptions>): Promise<Tab> =>
  await stage.open(context, { service: web.boshUrl, ...options });

const body = (attributes: string, content = ''): string =>
  `<body ${attributes} xmlns='${HTTPBIND}' xmlns:stream='${STREAMS}' ${SHARED}>${content}</body>`;
const created = (attributes: string, features = PLAIN): string =>
  body(`sid='s1' wait='60' hold='1' requests='2' ver='1.6' from='example.org' ${attributes}`, `<stream:features>${features}</stream:features>`);
const attached = (jid = JID): string => created(`shared:result='attached' shared:jid='${jid}'`, '');
const refused = (condition: string): string => body(`type='terminate' condition='${condition}'`);
const open = (attributes: string): string =>
  `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" from="example.org" id="i" version="1.0" ${SHARED} ${attributes} />`;
const features = (content: string): string => `<stream:features xmlns:stream='${STREAMS}'>${content}</stream:features>`;

/** How a stream is opened and answered on either transport. */
interface Opening {
  readonly xml: string;
  /** Of `<body/>` or `<open/>`. */
  attribute(name: string): string | undefined;
  attached(jid?: string): void;
  /** @param attributes beyond the usual ones: what is said about sharing */
  features(attributes: string): void;
  refused(condition: string): void;
  /** WebSocket: answers a restart that brought a new key. */
  rekeyed?(): void;
  /** What the client sends next. */
  next(): Promise<string>;
}

const OVER = {
  BOSH: {
    service: () => web.boshUrl,
    opening: async (): Promise<Opening> => {
      const request: BoshRequest = await web.requests.take();
      return {
        xml: request.xml,
        attribute: request.attribute,
        attached: (jid) => request.answer(attached(jid)),
        features: (attributes) => request.answer(created(attributes)),
        refused: (condition) => request.answer(refused(condition)),
        next: async () => {
          const next = await web.requests.take();
          if (next.attribute('type') === 'terminate') next.answer(body("type='terminate'"));
          return next.xml;
        },
      };
    },
  },
  WebSocket: {
    service: () => web.wsUrl,
    opening: async (): Promise<Opening> => {
      const socket: WebSocketPeer = await web.sockets.take();
      const xml = await socket.frames.take();
      return {
        xml,
        attribute: (name) => attributeOf(xml, name),
        attached: (jid = JID) => socket.send(open(`shared:result='attached' shared:jid='${jid}'`), features('')),
        features: (attributes) => socket.send(open(attributes), features(PLAIN)),
        refused: (condition) => {
          const name = condition === 'item-not-found' ? 'undefined-condition' : condition;
          const error = `<${name} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>`;
          socket.send(open(''), `<stream:error xmlns:stream='${STREAMS}'>${error}</stream:error>`);
        },
        rekeyed: () => socket.send(open(`shared:result='rekeyed'`), features('')),
        next: async () => await socket.frames.take(),
      };
    },
  },
} as const;

describe.each(['BOSH', 'WebSocket'] as const)('a shared connection of Strophe over %s', (transport) => {
  const { opening: nextOpening, service } = OVER[transport];

  it('S2, S7: asks with a key of 128 bits and the own address, and keeps the key in the browser', async () => {
    const tab = await openTab({ service: service() });
    await tab.connect('alice@example.org', 'secret');
    const opening = await nextOpening();
    expect(opening.attribute('shared:key')).toMatch(/^[0-9a-f]{32}$/);
    expect(opening.attribute('xmlns:shared')).toBe('urn:xmpp:tmp:shared-bosh:0');
    expect(opening.attribute('from')).toBe('alice@example.org');
    expect(opening.attribute('sx:attach-only')).toBeUndefined();
    expect(await tab.storedKeys()).toEqual({ 'alice@example.org': opening.attribute('shared:key') });
  });

  it('S5: is online without a login when it attached', async () => {
    const tab = await openTab({ service: service() });
    await tab.connect('alice@example.org', 'secret');
    const opening = await nextOpening();
    opening.attached();
    expect(await tab.online()).toBe('ATTACHED');
    expect(await tab.state()).toEqual({ jid: JID, result: 'attached', connected: true });
    await tab.send(`<message xmlns='jabber:client' to='bob@example.org'><body>hi</body></message>`);
    let sent = await opening.next();
    // BOSH begins with a poll.
    if (!sent.includes('<message')) sent = await opening.next();
    expect(sent).toContain('<body>hi</body>');
    expect((await tab.history()).filter(({ kind }) => kind === 'error')).toEqual([]);
    expect(await tab.statuses()).toEqual(['CONNECTING', 'ATTACHED']);
  });

  it('S2: logs in when it created, and restarts the stream without the key', async () => {
    const tab = await openTab({ service: service() });
    await tab.connect('alice@example.org', 'secret');
    const opening = await nextOpening();
    opening.features(`shared:result='created'`);
    const auth = await opening.next();
    expect(auth).toContain('mechanism="PLAIN"');
    expect(auth).not.toContain('shared:key');
    expect((await tab.state()).result).toBe('created');
  });

  it('S3: is an ordinary session where the server does not know Shared BOSH', async () => {
    const tab = await openTab({ service: service() });
    await tab.connect('alice@example.org', 'secret');
    const opening = await nextOpening();
    opening.features('');
    expect(await opening.next()).toContain('mechanism="PLAIN"');
    expect((await tab.state()).result).toBe('ordinary');
    expect(await tab.statuses()).not.toContain('CONNFAIL');
  });

  it.each(['item-not-found', 'policy-violation'])('S4, S10: logs in anew with a fresh key after %s', async (condition) => {
    const tab = await openTab({ service: service() });
    await tab.store({ 'alice@example.org': 'a key of long ago, now void', 'bob@example.org': 'not touched' });
    await tab.connect('alice@example.org', 'secret');
    const first = await nextOpening();
    expect(first.attribute('shared:key')).toBe('a key of long ago, now void');
    first.refused(condition);
    const second = await nextOpening();
    expect(second.attribute('shared:key')).toMatch(/^[0-9a-f]{32}$/);
    expect(await tab.storedKeys()).toEqual({
      'bob@example.org': 'not touched',
      'alice@example.org': second.attribute('shared:key'),
    });
    second.features(`shared:result='created'`);
    expect(await second.next()).toContain('mechanism="PLAIN"');
    expect((await tab.statuses()).filter((status) => status !== 'AUTHENTICATING')).toEqual(['CONNECTING']);
  });

  it('tells the app of a refusal that goes on', async () => {
    const tab = await openTab({ service: service() });
    await tab.connect('alice@example.org', 'secret');
    for (let i = 0; i < 3; i++) (await nextOpening()).refused('policy-violation');
    expect(await tab.status('CONNFAIL')).toMatchObject({ condition: 'policy-violation' });
    await tab.status('DISCONNECTED');
    expect(await tab.statuses()).toEqual(['CONNECTING', 'CONNFAIL', 'DISCONNECTED']);
  });

  it('tells the app of other ends at once', async () => {
    const tab = await openTab({ service: service() });
    await tab.connect('alice@example.org', 'secret');
    (await nextOpening()).refused('host-unknown');
    expect(await tab.status('CONNFAIL')).toMatchObject({ condition: 'host-unknown' });
    await tab.status('DISCONNECTED');
    expect(Object.keys(await tab.storedKeys())).toEqual(['alice@example.org']);
  });

  it('S2: attaches or fails without a password, and forgets a key that opens nothing', async () => {
    const tab = await openTab({ service: service() });
    await tab.store({ 'alice@example.org': 'the key of another tab' });
    await tab.connect(undefined);
    const opening = await nextOpening();
    expect(opening.attribute('to')).toBe('example.org');
    expect(opening.attribute('from')).toBe('alice@example.org');
    expect(opening.attribute('shared:key')).toBe('the key of another tab');
    expect(opening.attribute('xmlns:sx')).toBe('urn:nestjs-xmpp:shared:0');
    expect(opening.attribute('sx:attach-only')).toBe('true');
    opening.refused('item-not-found');
    expect(await tab.status('CONNFAIL')).toMatchObject({ condition: 'item-not-found' });
    await tab.status('DISCONNECTED');
    await tab.page.waitForFunction(() => (globalThis as unknown as { localStorage: { length: number } }).localStorage.length === 0);
  });

  it.each([
    ['created', `shared:result='created'`, 'item-not-found'],
    ['nothing', '', 'feature-not-implemented'],
  ])('S2: never logs in without a password when the server answers %s', async (_name, attributes, condition) => {
    const tab = await openTab({ service: service() });
    await tab.store({ 'alice@example.org': 'the key of another tab' });
    await tab.connect('example.org');
    const opening = await nextOpening();
    opening.features(attributes);
    const farewell = await opening.next();
    expect(farewell).toContain(transport === 'BOSH' ? 'type="terminate"' : '<close ');
    expect(farewell).not.toContain('<auth');
    expect(await tab.status('CONNFAIL')).toMatchObject({ condition });
    await tab.status('DISCONNECTED');
    expect((await tab.statuses()).filter((status) => status !== 'DISCONNECTING')).toEqual(['CONNECTING', 'CONNFAIL', 'DISCONNECTED']);
  });

  it('fails without a word to the server when there is nothing to attach to', async () => {
    const tab = await openTab({ service: service() });
    await tab.connect('alice@example.org');
    expect(await tab.status('CONNFAIL')).toMatchObject({ condition: 'item-not-found' });
    await tab.status('DISCONNECTED');
    expect(web.requests.size + web.sockets.size).toBe(0);
  });

  it('S22: looks for the key again when another tab has replaced it meanwhile', async () => {
    const tab = await openTab({ service: service() });
    await tab.store({ 'alice@example.org': 'a key that was replaced' });
    await tab.connect(undefined);
    const first = await nextOpening();
    await tab.store({ 'alice@example.org': 'the key that counts' });
    first.refused('item-not-found');
    const second = await nextOpening();
    expect(second.attribute('shared:key')).toBe('the key that counts');
    expect(second.attribute('sx:attach-only')).toBe('true');
    second.attached();
    expect(await tab.online()).toBe('ATTACHED');
    expect(await tab.statuses()).toEqual(['CONNECTING', 'ATTACHED']);
  });

  it('S7: does not stay on the stream of somebody else', async () => {
    const tab = await openTab({ service: service() });
    await tab.store({ 'alice@example.org': 'a key that mallory put there' });
    await tab.connect('alice@example.org', 'secret');
    const first = await nextOpening();
    first.attached('mallory@example.org/trap');
    if (transport === 'BOSH') {
      const farewell = await web.requests.take();
      expect(farewell.attribute('type')).toBe('terminate');
      expect(farewell.xml).not.toContain('presence');
      farewell.answer(body("type='terminate'"));
    }
    const second = await nextOpening();
    expect(second.attribute('shared:key')).toMatch(/^[0-9a-f]{32}$/);
    expect(await tab.statuses()).toEqual(['CONNECTING']);
    expect((await tab.state()).jid).not.toContain('mallory');
  });

  it('S11, S13: gives copies to onSent and the rest to the handlers, in their order', async () => {
    const tab = await openTab({ service: service() });
    await tab.connect('alice@example.org', 'secret');
    const stanza = (n: number): string =>
      n % 2
        ? `<message xmlns='jabber:client' from='bob@example.org' id='n${n}'/>`
        : `<message xmlns='jabber:client' from='${JID}' to='bob@example.org' id='n${n}' shared:sent='7' ${SHARED}/>`;
    const stanzas = [1, 2, 3, 4, 6, 5, 7].map(stanza);
    if (transport === 'BOSH') {
      const request = await web.requests.take();
      request.answer(attached());
      (await web.requests.take()).answer(body('', stanzas.join('')));
    } else {
      const socket = await web.sockets.take();
      socket.send(open(`shared:result='attached' shared:jid='${JID}'`), features(''), ...stanzas);
    }
    await tab.stanza('received', 'n7');
    const seen = (await tab.history()).flatMap((event) =>
      event.kind === 'sent' || event.kind === 'received' ? [`${event.kind} ${attributeOf(event.xml, 'id')}`] : [],
    );
    expect(seen).toEqual(['received n1', 'sent n2', 'received n3', 'sent n4', 'sent n6', 'received n5', 'received n7']);
    expect((await tab.history()).filter((event) => event.kind === 'sent').map(({ sender }) => sender)).toEqual([7, 7, 7]);
    expect((await tab.history()).filter(({ kind }) => kind === 'foreign')).toHaveLength(3);
  });

  it("S16: does not answer what another tab asks, but answers what is asked of it", async () => {
    const tab = await openTab({ service: service() });
    await tab.connect('alice@example.org', 'secret');
    const copy = `<iq xmlns='jabber:client' type='get' id='copy' from='${JID}' to='x' shared:sent='2' ${SHARED}><q xmlns='a:b'/></iq>`;
    const asked = `<iq xmlns='jabber:client' type='get' id='asked' from='example.org'><q xmlns='a:b'/></iq>`;
    let next: () => Promise<string>;
    if (transport === 'BOSH') {
      (await web.requests.take()).answer(attached());
      (await web.requests.take()).answer(body('', copy + asked));
      next = async () => (await web.requests.take(({ xml }) => xml.includes('<iq'))).xml;
    } else {
      const socket = await web.sockets.take();
      await socket.frames.take();
      socket.send(open(`shared:result='attached' shared:jid='${JID}'`), features(''), copy, asked);
      next = async () => await socket.frames.take();
    }
    const answer = await next();
    expect(answer).toContain('id="asked"');
    expect(answer).toContain('service-unavailable');
    expect(answer).not.toContain('id="copy"');
    expect(await tab.stanza('sent', 'copy')).toContain('type="get"');
    expect((await tab.history()).filter(({ kind }) => kind === 'foreign')).toEqual([]);
  });

  it('S21: leaves by itself, and ends the stream for all when asked to', async () => {
    for (const all of [false, true]) {
      const tab = await openTab({ service: service() });
      await tab.connect('alice@example.org', 'secret');
      const opening = await nextOpening();
      opening.attached();
      await tab.online();
      const kept = await tab.storedKeys();
      const leaving = all ? tab.logoutAll() : tab.disconnect();
      let farewell = '';
      while (!/terminate|<close/.test(farewell)) {
        if (transport === 'BOSH') {
          const request = await web.requests.take();
          farewell = request.xml;
          request.answer(body(farewell.includes('terminate') ? "type='terminate'" : ''));
        } else {
          farewell = await opening.next();
        }
      }
      await leaving;
      expect(attributeOf(farewell, 'sx:scope')).toBe(all ? 'all' : undefined);
      expect(attributeOf(farewell, 'xmlns:sx')).toBe(all ? 'urn:nestjs-xmpp:shared:0' : undefined);
      expect(await tab.storedKeys()).toEqual(all ? {} : kept);
      expect((await tab.state()).result).toBeNull();
      await tab.page.close();
    }
  });

  it('S22: replaces the key of the stream, and keeps the new one', async () => {
    const tab = await openTab({ service: service() });
    await tab.connect('alice@example.org', 'secret');
    const opening = await nextOpening();
    opening.attached();
    await tab.online();
    const rotating = tab.rotate();
    let key: string | undefined;
    while (key === undefined) {
      if (transport === 'BOSH') {
        const request = await web.requests.take();
        key = request.attribute('shared:newkey');
        request.answer(body(key === undefined ? '' : `shared:result='rekeyed'`));
      } else {
        key = attributeOf(await opening.next(), 'shared:newkey');
        opening.rekeyed?.();
      }
    }
    await rotating;
    expect(key).toMatch(/^[0-9a-f]{32}$/);
    expect(key).not.toBe(opening.attribute('shared:key'));
    expect(await tab.storedKeys()).toEqual({ 'alice@example.org': key });
    expect(await tab.state()).toEqual({ jid: JID, result: 'attached', connected: true });
  });

  it('goes on without a key that can be kept', async () => {
    const tab = await openTab({ service: service(), keys: ['broken'] });
    await tab.connect('alice@example.org', 'secret');
    expect((await nextOpening()).attribute('shared:key')).toMatch(/^[0-9a-f]{32}$/);
    expect(await tab.history()).toContainEqual({ kind: 'error', text: 'Error: no storage' });
  });

  it('S24: takes a ticket from an endpoint each time, without a password', async () => {
    const tab = await openTab({ service: service(), keys: [{ url: '/ticket' }] });
    await tab.connect(undefined);
    const first = await nextOpening();
    expect(first.attribute('shared:key')).toBe('ticket.1');
    expect(first.attribute('sx:attach-only')).toBe('true');
    expect(first.attribute('from')).toBe('alice@example.org');
    first.refused('item-not-found');
    const second = await nextOpening();
    expect(second.attribute('shared:key')).toBe('ticket.2');
    second.attached();
    expect(await tab.online()).toBe('ATTACHED');
    expect(await tab.storedKeys()).toEqual({});
  });

  it('S24: has nothing to attach to when the endpoint has no key', async () => {
    const tab = await openTab({ service: service(), keys: [{ url: '/nothing' }] });
    await tab.connect(undefined);
    expect(await tab.status('CONNFAIL')).toMatchObject({ condition: 'item-not-found' });
    expect((await tab.history()).filter(({ kind }) => kind === 'error')).toEqual([]);
  });
});

it('S28: tabs that open at once agree on one key', async () => {
  const tabs = await Promise.all(Array.from({ length: 5 }, async () => await openTab({})));
  await Promise.all(tabs.map(async (tab) => await tab.connect('alice@example.org', 'secret')));
  const keys = new Set<string | undefined>();
  for (const _tab of tabs) keys.add((await web.requests.take()).attribute('shared:key'));
  expect(keys.size).toBe(1);
});

it('S26: follows see-other-uri with its key', async () => {
  const tab = await openTab({ service: web.wsUrl });
  await tab.connect('alice@example.org', 'secret');
  const first = await web.sockets.take();
  const asked = await first.frames.take();
  first.send(`<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" see-other-uri="${web.wsUrl}" />`);
  const second = await web.sockets.take();
  expect(attributeOf(await second.frames.take(), 'shared:key')).toBe(attributeOf(asked, 'shared:key'));
  second.send(open(`shared:result='attached' shared:jid='${JID}'`), features(''));
  expect(await tab.online()).toBe('ATTACHED');
});

describe('S25: a key that is kept in the XMPP server', () => {
  const PUBSUB = 'http://jabber.org/protocol/pubsub';
  const KEPT = "<item id='current'><key xmlns='urn:nestjs-xmpp:shared:0'>the key of another browser</key></item>";
  const OPTIONS = `<feature var='${PUBSUB}#publish-options'/>`;
  let socket: WebSocketPeer;

  /** A tab that logs in on a stream of its own, up to what it asks first. */
  const login = async (keys: TabOptions['keys']): Promise<{ tab: Tab; key: string | undefined }> => {
    const tab = await openTab({ service: web.wsUrl, keys });
    await tab.connect('alice@example.org', 'secret');
    socket = await web.sockets.take();
    const key = attributeOf(await socket.frames.take(), 'shared:key');
    socket.send(open(`shared:result='created'`), features(PLAIN));
    await socket.frames.take((frame) => frame.startsWith('<auth'));
    socket.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    await socket.frames.take((frame) => frame.startsWith('<open'));
    const bind = (content: string): string => `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>${content}</bind>`;
    socket.send(open(''), features(bind('')));
    await answer(bind(`<jid>${JID}</jid>`));
    return { tab, key };
  };

  /** The next request of the tab, answered with a result or, by `type`, an error. */
  const answer = async (content: string, type = 'result'): Promise<string> => {
    const request = await socket.frames.take();
    const error = `<error type='cancel'><${content} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`;
    const id = attributeOf(request, 'id');
    socket.send(`<iq xmlns='jabber:client' type='${type}' id='${id}'>${type === 'error' ? error : content}</iq>`);
    return request;
  };
  const info = (features: string): string => `<query xmlns='http://jabber.org/protocol/disco#info'>${features}</query>`;
  const items = (content: string): string => `<pubsub xmlns='${PUBSUB}'><items node='urn:nestjs-xmpp:shared:0'>${content}</items></pubsub>`;

  it.each([
    ['has a node for each account, but no publish-options', info(`<feature var='${PUBSUB}#publish'/>`), 'result'],
    ['does not tell what it has', 'service-unavailable', 'error'],
  ])('S25: is not told to a server that %s', async (_server, content, type) => {
    const { tab } = await login(['pep']);
    const question = await answer(content, type);
    expect(question).toContain('http://jabber.org/protocol/disco#info');
    expect(attributeOf(question, 'to')).toBe('alice@example.org');
    expect(await tab.online()).toBe('CONNECTED');
    await tab.send(`<message xmlns='jabber:client' to='bob@example.org'/>`);
    expect(await socket.frames.take()).toMatch(/^<message /);
  });

  it('S25: is published to a node that is kept, and that only the account may read', async () => {
    const { tab, key } = await login(['pep']);
    await answer(info(OPTIONS));
    await answer('item-not-found', 'error');
    const publication = await answer('');
    expect(publication).toContain(`>${key}</key></item></publish><publish-options>`);
    const [, options = ''] = publication.split('<publish-options>');
    expect([...options.matchAll(/<field [^>]*var="([^"]*)"[^>]*><value>([^<]*)</g)].map(([, name, value]) => [name, value])).toEqual([
      ['FORM_TYPE', `${PUBSUB}#publish-options`],
      ['pubsub#persist_items', 'true'],
      ['pubsub#access_model', 'whitelist'],
    ]);
    await answer(items(KEPT.replace('the key of another browser', key!)));
    expect(await tab.online()).toBe('CONNECTED');
  });

  it('S25: is kept nowhere when the node is there already, and is not private', async () => {
    const { tab, key } = await login(['pep']);
    await answer(info(OPTIONS));
    await answer(items(''));
    expect(await answer('conflict', 'error')).toContain(`>${key}</key>`);
    expect(await tab.online()).toBe('CONNECTED');
    expect(await tab.history()).toContainEqual({ kind: 'error', text: 'IqError: the server answered with conflict' });
    await tab.send(`<message xmlns='jabber:client' to='bob@example.org'/>`);
    expect(await socket.frames.take()).toMatch(/^<message /);
  });

  it('S25: is kept as private XML without asking what the server has', async () => {
    const { tab, key } = await login(['private']);
    const stored = (content: string): string => `<query xmlns='jabber:iq:private'><key xmlns='urn:nestjs-xmpp:shared:0'>${content}</key></query>`;
    expect(await answer(stored(''))).toContain('jabber:iq:private');
    const change = await answer('');
    expect(attributeOf(change, 'type')).toBe('set');
    expect(change).toContain(`>${key}</key>`);
    await answer(stored(key!));
    expect(await tab.online()).toBe('CONNECTED');
  });

  it('S25: is found after a login, whose stream is then left for that of the other browser', async () => {
    const { tab } = await login(['pep']);
    await answer(info(OPTIONS));
    await answer(items(KEPT));
    expect(await socket.frames.take((frame) => frame.startsWith('<close'))).not.toContain('sx:scope');
    const next = await web.sockets.take();
    const opening = await next.frames.take();
    expect(attributeOf(opening, 'shared:key')).toBe('the key of another browser');
    expect(attributeOf(opening, 'sx:attach-only')).toBe('true');
    next.send(open(`shared:result='attached' shared:jid='${JID}'`), features(''));
    expect(await tab.online()).toBe('ATTACHED');
    expect(await tab.statuses()).not.toContain('CONNECTED');
  });

  it('S25: is looked for in the browser first, where there is one for tabs of the same origin', async () => {
    const { tab } = await login(['stored', 'pep']);
    await answer(info(OPTIONS));
    await answer(items(KEPT));
    const moved = await web.sockets.take();
    await moved.frames.take();
    moved.send(open(`shared:result='attached' shared:jid='${JID}'`), features(''));
    expect(await tab.online()).toBe('ATTACHED');
    const second = await openTab({ service: web.wsUrl, keys: ['stored', 'pep'] });
    await second.connect('alice@example.org', 'secret');
    const other = await web.sockets.take();
    expect(attributeOf(await other.frames.take(), 'shared:key')).toBe('the key of another browser');
    other.send(open(`shared:result='attached' shared:jid='${JID}'`), features(''));
    expect(await second.online()).toBe('ATTACHED');
  });
});
