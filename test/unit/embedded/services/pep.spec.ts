import { createHash } from 'node:crypto';
import type { Stanza } from '../../../../lib/xml/index.js';
import { Chat, conditionOf, failure, result, START, type ChatClient } from './chat.js';

const PUBSUB = 'http://jabber.org/protocol/pubsub';
const OWNER = `${PUBSUB}#owner`;
const EVENT = `${PUBSUB}#event`;
const INFO = 'http://jabber.org/protocol/disco#info';
const NODE = 'urn:example:mood';

function form(type: string, fields: Readonly<Record<string, string>>): string {
  const all = { FORM_TYPE: `${PUBSUB}#${type}`, ...fields };
  const xml = Object.entries(all).map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`);
  return `<x xmlns='jabber:x:data' type='submit'>${xml.join('')}</x>`;
}

function publish(id: string | undefined, text: string, options?: Readonly<Record<string, string>>, node = NODE): string {
  const preconditions = options ? `<publish-options>${form('publish-options', options)}</publish-options>` : '';
  const item = `<item${id === undefined ? '' : ` id='${id}'`}><mood xmlns='urn:example:mood'>${text}</mood></item>`;
  return `<pubsub xmlns='${PUBSUB}'><publish node='${node}'>${item}</publish>${preconditions}</pubsub>`;
}

function request(content: string, namespace = PUBSUB): string {
  return `<pubsub xmlns='${namespace}'>${content}</pubsub>`;
}

/** `id: text` of the items in a result or an event. */
function itemsOf(stanza: Stanza | undefined): string[] {
  const items = (stanza!.child('event', EVENT) ?? stanza!.child('pubsub', PUBSUB))!.child('items')!;
  return items.children().map((item) => `${item.name} ${item.attribute('id')}: ${item.children()[0]?.text() ?? ''}`);
}

const got = (stanzas: readonly Stanza[]): Stanza[] => stanzas.filter((stanza) => stanza.child('event', EVENT));

const IDENTITY = "<identity category='client' type='web' name='Test'/>";

function caps(hash: string, node: string, ver: string): string {
  return `<c xmlns='http://jabber.org/protocol/caps' hash='${hash}' node='${node}' ver='${ver}'/>`;
}

/** The question for capabilities among what came. */
function questionIn(received: readonly Stanza[]): Stanza | undefined {
  return received.find(({ kind }) => kind === 'iq');
}

/** Capabilities, and the answer of who has them to whoever asks. */
class Caps {
  readonly ver: string;
  readonly presence: string;
  readonly info: string;

  constructor(...features: string[]) {
    const sorted = features.toSorted();
    this.ver = createHash('sha1')
      .update(`client/web//Test<${sorted.map((feature) => `${feature}<`).join('')}`)
      .digest('base64');
    this.presence = caps('sha-1', 'urn:example:client', this.ver);
    this.info = IDENTITY + sorted.map((feature) => `<feature var='${feature}'/>`).join('');
  }

  /** Answers the one question in what the client received. */
  answer(client: ChatClient, received: readonly Stanza[]): void {
    const question = questionIn(received);
    const node = question!.child('query', INFO)!.attribute('node');
    if (node !== `urn:example:client#${this.ver}`) throw new Error(`asked for ${node}`);
    const info = `<query xmlns='${INFO}' node='${node}'>${this.info}</query>`;
    client.send(result(question!.attribute('from'), question!.attribute('id'), info));
  }
}

const INTERESTED = new Caps('http://jabber.org/protocol/caps', `${NODE}+notify`);

describe('Personal eventing', () => {
  let chat: Chat;
  let alice: ChatClient;
  let bob: ChatClient;

  const items = (client: ChatClient, to?: string, content = `<items node='${NODE}'/>`): Promise<Stanza> =>
    client.query('get', request(content), to);

  /** Shows capabilities, answers for them where asked, and returns what came of that. */
  const show = async (client: ChatClient, caps = INTERESTED): Promise<Stanza[]> => {
    client.presence(caps.presence);
    const received = await client.received();
    if (!received.some(({ kind }) => kind === 'iq')) return received;
    caps.answer(client, received);
    return client.received();
  };

  beforeEach(async () => {
    chat = new Chat();
    alice = await chat.login('alice');
    bob = await chat.login('bob');
  });

  afterEach(async () => {
    expect(chat.errors).toEqual([]);
    await chat.close();
  });

  describe('items', () => {
    it('XEP-0060, 7.1: are published under their id, or under one that is made', async () => {
      const named = await alice.query('set', publish('one', 'a &amp; b'));
      expect(named.child('pubsub')!.child('publish')!.child('item')!.attribute('id')).toBe('one');
      expect(itemsOf(await items(alice))).toEqual(['item one: a & b']);
      const made = await alice.query('set', publish(undefined, 'b'));
      const id = made.child('pubsub')!.child('publish')!.child('item')!.attribute('id')!;
      expect(id).toMatch(/^[\w-]{20,}$/);
      // One item is what a node keeps unless told otherwise.
      expect(itemsOf(await items(alice, 'alice@localhost'))).toEqual([`item ${id}: b`]);
    });

    it('XEP-0060, 6.5: are retrieved all, the latest ones, or by id', async () => {
      for (const id of ['1', '2', '3', '4', '2']) {
        await alice.query('set', publish(id, `text ${id}`, { 'pubsub#max_items': '3' }));
      }
      expect(itemsOf(await items(alice))).toEqual(['item 3: text 3', 'item 4: text 4', 'item 2: text 2']);
      expect(itemsOf(await items(alice, undefined, `<items node='${NODE}' max_items='1'/>`))).toEqual(['item 2: text 2']);
      const byId = `<items node='${NODE}'><item id='4'/><item id='none'/></items>`;
      expect(itemsOf(await items(alice, undefined, byId))).toEqual(['item 4: text 4']);
      const absent = `<items node='${NODE}'><item id='1'/></items>`;
      expect(conditionOf(await items(alice, undefined, absent))).toBe('item-not-found');
      expect(conditionOf(await items(alice, undefined, `<items node='${NODE}' max_items='x'/>`))).toBe('bad-request');
    });

    it('XEP-0060, 6.5.9: of nodes that are not there are item-not-found', async () => {
      expect(conditionOf(await items(alice))).toBe('item-not-found');
      expect(conditionOf(await items(alice, undefined, '<items/>'))).toBe('bad-request nodeid-required');
    });

    it('XEP-0060, 7.2: are retracted', async () => {
      await alice.query('set', publish('one', 'a'));
      const retract = (item: string): string => request(`<retract node='${NODE}'>${item}</retract>`);
      expect(conditionOf(await alice.query('set', retract("<item id='two'/>")))).toBe('item-not-found');
      expect(conditionOf(await alice.query('set', retract('')))).toBe('bad-request item-required');
      expect((await alice.query('set', retract("<item id='one'/>"))).attribute('type')).toBe('result');
      expect(itemsOf(await items(alice))).toEqual([]);
    });

    it('XEP-0060, 7.1.3: are refused without a payload, with two, or with one that is too large', async () => {
      const refused = async (item: string): Promise<string> =>
        conditionOf(await alice.query('set', request(`<publish node='${NODE}'>${item}</publish>`)));
      expect(await refused('')).toBe('bad-request item-required');
      expect(await refused("<item id='a'/>")).toBe('bad-request payload-required');
      expect(await refused("<item><a xmlns='a'/><b xmlns='b'/></item>")).toBe('bad-request invalid-payload');
      expect(await refused(`<item><a xmlns='a'>${'x'.repeat(129 * 1024)}</a></item>`)).toBe(
        'not-acceptable payload-too-big',
      );
      expect(conditionOf(await items(alice))).toBe('item-not-found');
    });

    it('XEP-0060, 7.1.3: are published by the owner only', async () => {
      await chat.befriend(alice, bob);
      expect(conditionOf(await bob.query('set', publish('one', 'a'), 'alice@localhost'))).toBe('forbidden');
      const retract = request(`<retract node='${NODE}'><item id='one'/></retract>`);
      expect(conditionOf(await bob.query('set', retract, 'alice@localhost'))).toBe('forbidden');
    });

    it('are not kept where persist_items is off', async () => {
      await alice.query('set', publish('one', 'a', { 'pubsub#persist_items': 'false' }));
      expect(itemsOf(await items(alice))).toEqual([]);
    });
  });

  describe('publish options', () => {
    it('XEP-0060, 7.1.5: make the configuration of a new node and must fit that of an old one', async () => {
      const options = { 'pubsub#access_model': 'whitelist', 'pubsub#persist_items': 'true', 'pubsub#max_items': 'max' };
      expect((await alice.query('set', publish('1', 'a', options))).attribute('type')).toBe('result');
      const same = await alice.query('set', publish('2', 'b', { ...options, 'pubsub#persist_items': '1' }));
      expect(same.attribute('type')).toBe('result');
      const refused = await alice.query('set', publish('3', 'c', { ...options, 'pubsub#access_model': 'open' }));
      expect(conditionOf(refused)).toBe('conflict precondition-not-met');
      expect(refused.child('error')!.child('precondition-not-met')!.namespace).toBe(`${PUBSUB}#errors`);
      expect(conditionOf(await alice.query('set', publish('3', 'c', { 'pubsub#nonsense': '1' })))).toBe(
        'conflict precondition-not-met',
      );
      expect(itemsOf(await items(alice))).toEqual(['item 1: a', 'item 2: b']);
    });

    it.each([
      ['pubsub#access_model', 'roster'],
      ['pubsub#max_items', '0'],
      ['pubsub#max_items', '257'],
      ['pubsub#persist_items', 'maybe'],
      ['pubsub#publish_model', 'open'],
      ['constructor', '1'],
    ])('XEP-0060, 7.1.5: a new node with %s %s is refused', async (name, value) => {
      expect(conditionOf(await alice.query('set', publish('1', 'a', { [name]: value })))).toBe('not-acceptable');
      expect(conditionOf(await items(alice))).toBe('item-not-found');
    });
  });

  describe('nodes', () => {
    it('XEP-0060, 8: are created, configured, purged and deleted', async () => {
      const configure = form('node_config', { 'pubsub#max_items': '5', 'pubsub#title': 'Moods' });
      const create = request(`<create node='${NODE}'/><configure>${configure}</configure>`);
      expect((await alice.query('set', create)).attribute('type')).toBe('result');
      expect(conditionOf(await alice.query('set', create))).toBe('conflict');
      for (const id of ['1', '2', '3']) await alice.query('set', publish(id, id));

      const fields = async (): Promise<Record<string, string>> => {
        const answer = await alice.query('get', request(`<configure node='${NODE}'/>`, OWNER));
        const shown = answer.child('pubsub', OWNER)!.child('configure')!.child('x', 'jabber:x:data')!;
        return Object.fromEntries(
          shown.children().map((field) => [field.attribute('var')!, field.child('value')!.text()]),
        );
      };
      expect(await fields()).toMatchObject({
        FORM_TYPE: `${PUBSUB}#node_config`,
        'pubsub#title': 'Moods',
        'pubsub#max_items': '5',
        'pubsub#access_model': 'presence',
      });
      const change = (changed: string): Promise<Stanza> =>
        alice.query('set', request(`<configure node='${NODE}'>${changed}</configure>`, OWNER));
      await change(form('node_config', { 'pubsub#max_items': '2', 'pubsub#access_model': 'open' }));
      expect(await fields()).toMatchObject({ 'pubsub#max_items': '2', 'pubsub#access_model': 'open' });
      expect(itemsOf(await items(alice))).toEqual(['item 2: 2', 'item 3: 3']);
      await change("<x xmlns='jabber:x:data' type='cancel'/>");
      expect(conditionOf(await change(''))).toBe('bad-request');
      expect(conditionOf(await change(form('node_config', { 'pubsub#max_items': 'many' })))).toBe('not-acceptable');

      await alice.query('set', request(`<purge node='${NODE}'/>`, OWNER));
      expect(itemsOf(await items(alice))).toEqual([]);
      await alice.query('set', request(`<delete node='${NODE}'/>`, OWNER));
      expect(conditionOf(await items(alice))).toBe('item-not-found');
      expect(conditionOf(await alice.query('set', request(`<delete node='${NODE}'/>`, OWNER)))).toBe('item-not-found');
    });

    it('XEP-0060, 8.3: show the defaults of a configuration', async () => {
      const answer = await alice.query('get', request('<default/>', OWNER));
      expect(answer.child('pubsub', OWNER)!.child('default')!.child('x', 'jabber:x:data')!.attribute('type')).toBe('form');
    });

    it('XEP-0060, 8: are their owner\'s to manage', async () => {
      await chat.befriend(alice, bob);
      await alice.query('set', publish('1', 'a'));
      for (const [type, content] of [
        ['get', `<configure node='${NODE}'/>`],
        ['set', `<delete node='${NODE}'/>`],
        ['set', `<purge node='${NODE}'/>`],
      ] as const) {
        expect(conditionOf(await bob.query(type, request(content, OWNER), 'alice@localhost'))).toBe('forbidden');
      }
      expect(itemsOf(await items(alice))).toEqual(['item 1: a']);
    });

    it('are so many and no more', async () => {
      for (let i = 0; i < 128; i++) await alice.query('set', publish('1', 'a', undefined, `node${i}`));
      expect(conditionOf(await alice.query('set', publish('1', 'a', undefined, 'more')))).toBe(
        'resource-constraint max-nodes-exceeded',
      );
    });

    it('XEP-0060, 12.2: say which features they have not', async () => {
      const answer = await alice.query('set', request(`<subscribe node='${NODE}' jid='alice@localhost'/>`));
      expect(conditionOf(answer)).toBe('feature-not-implemented unsupported');
      expect(answer.child('error')!.child('unsupported')!.attribute('feature')).toBe('subscribe');
      expect(conditionOf(await alice.query('set', request('<nonsense/>')))).toBe('bad-request');
    });
  });

  describe('access', () => {
    it('XEP-0163: is for those who receive the presence', async () => {
      await alice.query('set', publish('1', 'a'));
      expect(conditionOf(await items(bob, 'alice@localhost'))).toBe('not-authorized presence-subscription-required');
      await chat.befriend(alice, bob);
      expect(itemsOf(await items(bob, 'alice@localhost'))).toEqual(['item 1: a']);
    });

    it('XEP-0060, 4.5: is for everybody where the node is open', async () => {
      await alice.query('set', publish('1', 'a', { 'pubsub#access_model': 'open' }));
      expect(itemsOf(await items(bob, 'alice@localhost'))).toEqual(['item 1: a']);
    });

    it('S25: is for nobody else where the node is private (XEP-0223), and it is listed to nobody else', async () => {
      await chat.befriend(alice, bob);
      await alice.query('set', publish('1', 'a', { 'pubsub#access_model': 'whitelist' }));
      expect(conditionOf(await items(bob, 'alice@localhost'))).toBe('not-allowed closed-node');
      const listed = (client: ChatClient): Promise<Stanza> =>
        client.query('get', "<query xmlns='http://jabber.org/protocol/disco#items'/>", 'alice@localhost');
      expect((await listed(alice)).child('query')!.children().map((item) => item.attribute('node'))).toEqual([NODE]);
      expect((await listed(bob)).child('query')!.children()).toEqual([]);
      const info = `<query xmlns='${INFO}' node='${NODE}'/>`;
      expect((await alice.query('get', info)).child('query')!.child('identity')!.attribute('type')).toBe('leaf');
      expect(conditionOf(await bob.query('get', info, 'alice@localhost'))).toBe('item-not-found');
    });
  });

  describe('notifications', () => {
    it('XEP-0163, 4: go to the resources that are interested, the own and those of contacts', async () => {
      const phone = await chat.login('alice', 'phone');
      const carol = await chat.login('carol');
      await chat.befriend(alice, bob);
      await show(alice);
      bob.presence(INTERESTED.presence);
      carol.presence(INTERESTED.presence); // no contact
      await Promise.all([alice, bob, phone, carol].map((client) => client.received()));
      await bob.query('set', publish('b', 'not hers'));
      await alice.received();
      await bob.received();

      await alice.query('set', publish('1', 'happy'));
      const [toAlice, ...moreToAlice] = got(await alice.received());
      const [toBob, ...moreToBob] = got(await bob.received());
      expect([moreToAlice, moreToBob]).toEqual([[], []]);
      for (const [event, to] of [
        [toAlice!, 'alice@localhost/web'],
        [toBob!, 'bob@localhost/web'],
      ] as const) {
        expect([event.attribute('type'), event.attribute('from'), event.attribute('to')]).toEqual([
          'headline',
          'alice@localhost',
          to,
        ]);
        expect(itemsOf(event)).toEqual(['item 1: happy']);
        expect(event.child('delay')).toBeUndefined();
      }
      expect(got(await phone.received())).toEqual([]);
      expect(got(await carol.received())).toEqual([]);
    });

    it('S25: of private nodes go to the owner only (XEP-0223)', async () => {
      await chat.befriend(alice, bob);
      await show(alice);
      bob.presence(INTERESTED.presence);
      await bob.received();
      await alice.received();
      await alice.query('set', publish('1', 'secret', { 'pubsub#access_model': 'whitelist' }));
      expect(got(await alice.received())).toHaveLength(1);
      expect(got(await bob.received())).toEqual([]);
    });

    it('XEP-0060, 7.2.2 and 8.4: tell of retractions, of purges and of the end of a node', async () => {
      await show(alice);
      await alice.query('set', publish('1', 'a', { 'pubsub#notify_retract': '0' }));
      await alice.received();
      const retract = (notify: string): Promise<Stanza> =>
        alice.query('set', request(`<retract node='${NODE}'${notify}><item id='1'/></retract>`));
      await retract('');
      expect(got(await alice.received())).toEqual([]);
      await alice.query('set', publish('1', 'a'));
      await alice.received();
      await retract(" notify='true'");
      expect(itemsOf(got(await alice.received())[0])).toEqual(['retract 1: ']);
      await alice.query('set', request(`<delete node='${NODE}'/>`, OWNER));
      const [deleted] = got(await alice.received());
      expect(deleted!.child('event')!.child('delete')!.attribute('node')).toBe(NODE);
      await alice.query('set', publish('1', 'a'));
      await alice.received();
      await alice.query('set', request(`<purge node='${NODE}'/>`, OWNER));
      expect(got(await alice.received())[0]!.child('event')!.child('purge')!.attribute('node')).toBe(NODE);
    });

    it('XEP-0060, 16.4.4: leave the payload, or everything, out where the node says so', async () => {
      await show(alice);
      await alice.query('set', publish('1', 'a', { 'pubsub#deliver_payloads': '0' }));
      expect(itemsOf(got(await alice.received())[0])).toEqual(['item 1: ']);
      await alice.query('set', publish('1', 'a', { 'pubsub#deliver_notifications': '0' }, 'urn:example:mood'));
      const configure = form('node_config', { 'pubsub#deliver_notifications': '0' });
      await alice.query('set', request(`<configure node='${NODE}'>${configure}</configure>`, OWNER));
      await alice.received();
      await alice.query('set', publish('2', 'b'));
      expect(got(await alice.received())).toEqual([]);
    });

    it('XEP-0163, 4.3: the last item goes to whoever comes online, with the time of its publication', async () => {
      await chat.befriend(alice, bob);
      await alice.query('set', publish('1', 'old'));
      chat.clock.tick(5000);
      const [last, ...more] = got(await show(bob));
      expect(more).toEqual([]);
      expect(itemsOf(last)).toEqual(['item 1: old']);
      expect(last!.child('delay', 'urn:xmpp:delay')!.attribute('stamp')).toBe(new Date(START).toISOString());
      bob.presence(`<show>away</show>${INTERESTED.presence}`);
      expect(got(await bob.received())).toEqual([]);
    });

    it('XEP-0163, 4.3: the last item goes to who is interested from now on, and to a new contact', async () => {
      await alice.query('set', publish('1', 'old'));
      expect(got(await show(alice, new Caps('urn:example:other+notify')))).toEqual([]);
      expect(got(await show(alice))).toHaveLength(1);
      expect(got(await show(bob))).toEqual([]);
      bob.presence('', "type='subscribe' to='alice@localhost'");
      await alice.received();
      alice.presence('', "type='subscribed' to='bob@localhost'");
      expect(got(await bob.received()).map(itemsOf)).toEqual([['item 1: old']]);
    });

    it('XEP-0060, 16.4.4: the last item goes to nobody where the node says so', async () => {
      await alice.query('set', publish('1', 'old', { 'pubsub#send_last_published_item': 'never' }));
      expect(got(await show(alice))).toEqual([]);
    });

    it('XEP-0191: do not get past a block', async () => {
      await chat.befriend(alice, bob);
      await show(bob);
      await bob.query('set', "<block xmlns='urn:xmpp:blocking'><item jid='alice@localhost'/></block>");
      await alice.query('set', publish('1', 'a'));
      expect(got(await bob.received())).toEqual([]);
    });
  });

  describe('capabilities', () => {
    const reply = (client: ChatClient, question: Stanza | undefined, info: string): void =>
      client.send(result('localhost', question!.attribute('id'), `<query xmlns='${INFO}'>${info}</query>`));

    it('XEP-0115, 5.2: hashes as the specification does, so that one answer holds for all', async () => {
      const shown = caps('sha-1', 'n', 'QgayPKawpkPSDYmwT/WM94uAlu0=');
      alice.presence(shown);
      const question = questionIn(await alice.received());
      expect([question!.attribute('from'), question!.attribute('to')]).toEqual(['localhost', 'alice@localhost/web']);
      const features = ['caps', 'disco#info', 'disco#items', 'muc']
        .map((name) => `<feature var='http://jabber.org/protocol/${name}'/>`)
        .join('');
      reply(alice, question, `<identity category='client' type='pc' name='Exodus 0.9.1'/>${features}`);
      await chat.settle();
      bob.presence(shown);
      expect((await bob.received()).filter(({ kind }) => kind === 'iq')).toEqual([]);
    });

    it('XEP-0115, 5.2: sorts and hashes the fields of forms, too', async () => {
      const text = "client/web//Test<x+notify<urn:form<a<1<2<b<3<";
      const ver = createHash('sha256').update(text).digest('base64');
      const shown = caps('sha-256', 'n', ver);
      const field = (name: string, ...values: string[]): string =>
        `<field var='${name}'>${values.map((value) => `<value>${value}</value>`).join('')}</field>`;
      alice.presence(shown);
      const question = questionIn(await alice.received());
      const fields = field('b', '3') + field('FORM_TYPE', 'urn:form') + field('a', '2', '1');
      const filled = `<x xmlns='jabber:x:data' type='result'>${fields}</x>`;
      reply(alice, question, `${filled}<feature var='x+notify'/>${IDENTITY}`);
      await chat.settle();
      bob.presence(shown);
      expect((await bob.received()).filter(({ kind }) => kind === 'iq')).toEqual([]);
    });

    it('XEP-0115, 8: a wrong hash holds for its sender only', async () => {
      alice.presence(INTERESTED.presence);
      const question = questionIn(await alice.received());
      reply(alice, question, "<feature var='poison+notify'/>");
      await alice.query('set', publish('1', 'a', undefined, 'poison'));
      expect(got(await alice.received())).toHaveLength(1);
      await alice.received();
      INTERESTED.answer(bob, await (bob.presence(INTERESTED.presence), bob.received()));
      await bob.query('set', publish('1', 'a', undefined, 'poison'));
      expect(got(await bob.received())).toEqual([]);
      await bob.query('set', publish('1', 'a'));
      expect(got(await bob.received())).toHaveLength(1);
    });

    it('XEP-0115: one answer serves all that wait for it', async () => {
      alice.presence(INTERESTED.presence);
      bob.presence(INTERESTED.presence);
      await bob.received(); // was asked, and does not answer
      INTERESTED.answer(alice, await alice.received());
      await bob.query('set', publish('1', 'a'));
      expect(got(await bob.received())).toHaveLength(1);
    });

    it('XEP-0115: nobody answers for another', async () => {
      alice.presence(INTERESTED.presence);
      const question = questionIn(await alice.received());
      reply(bob, question, INTERESTED.info);
      await chat.settle();
      await alice.query('set', publish('1', 'a'));
      expect(got(await alice.received())).toEqual([]);
    });

    it('XEP-0115: who answers with an error has no features', async () => {
      alice.presence(INTERESTED.presence);
      const question = questionIn(await alice.received());
      alice.send(failure('iq', 'localhost', 'service-unavailable', question!.attribute('id')));
      await alice.query('set', publish('1', 'a'));
      expect(got(await alice.received())).toEqual([]);
    });
  });
});
