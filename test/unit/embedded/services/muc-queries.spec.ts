import type { Stanza } from '../../../../lib/xml/index.js';
import { conditionOf, result, type ChatClient } from './chat.js';
import { MUC, ROOM, Rooms } from './muc.js';

const INFO = 'http://jabber.org/protocol/disco#info';
const ITEMS = 'http://jabber.org/protocol/disco#items';
const PING = "<ping xmlns='urn:xmpp:ping'/>";
const SERVICE = 'conference.localhost';

describe('Multi-user chat: questions', () => {
  let chat: Rooms;
  let alice: ChatClient;
  let bob: ChatClient;

  const ask = (client: ChatClient, namespace: string, to: string, node = ''): Promise<Stanza> =>
    client.query('get', `<query xmlns='${namespace}'${node && ` node='${node}'`}/>`, to);
  const features = (answer: Stanza): string[] =>
    answer
      .child('query', INFO)!
      .children()
      .filter(({ name }) => name === 'feature')
      .map((feature) => feature.attribute('var')!);
  const items = (answer: Stanza): string[] =>
    answer
      .child('query', ITEMS)!
      .children()
      .map((item) => item.attribute('jid')!);

  beforeEach(async () => {
    chat = new Rooms();
    alice = await chat.login('alice');
    bob = await chat.login('bob');
    await chat.gather([alice, 'Alice']);
  });

  afterEach(async () => {
    expect(chat.errors).toEqual([]);
    await chat.close();
  });

  describe('about the service', () => {
    it('XEP-0045, 6.2: says that it is a place for chat', async () => {
      const answer = await ask(bob, INFO, SERVICE);
      expect(answer.attribute('from')).toBe(SERVICE);
      expect(answer.child('query')!.child('identity')!.attribute('category')).toBe('conference');
      expect(features(answer)).toEqual(expect.arrayContaining([MUC, INFO, ITEMS]));
      expect((await bob.query('get', PING, SERVICE)).attribute('type')).toBe('result');
      expect(conditionOf(await ask(bob, INFO, SERVICE, 'none'))).toBe('item-not-found');
    });

    it('XEP-0045, 6.3: lists its rooms, hidden ones only to those who belong there', async () => {
      expect(items(await ask(bob, ITEMS, SERVICE))).toEqual([ROOM]);
      await chat.configure(alice, { publicroom: '0' });
      expect(items(await ask(bob, ITEMS, SERVICE))).toEqual([]);
      expect(items(await ask(alice, ITEMS, SERVICE))).toEqual([ROOM]);
    });

    it.each(['<query xmlns="jabber:iq:register"/>', '<unique xmlns="http://jabber.org/protocol/muc#unique"/>'])(
      'does not know %s',
      async (payload) => {
        for (const to of [SERVICE, ROOM]) {
          expect(conditionOf(await bob.query('get', payload, to))).toBe('service-unavailable');
        }
      },
    );
  });

  describe('about a room', () => {
    it('XEP-0045, 6.4: tells its name, its features and what else there is to know', async () => {
      expect(features(await ask(bob, INFO, ROOM))).toEqual(
        expect.arrayContaining([
          MUC,
          'muc_public',
          'muc_temporary',
          'muc_open',
          'muc_unmoderated',
          'muc_semianonymous',
          'muc_unsecured',
          `${MUC}#stable_id`,
        ]),
      );
      await chat.configure(alice, {
        roomname: 'Tea',
        roomdesc: 'With cake',
        publicroom: '0',
        persistentroom: '1',
        membersonly: '1',
        moderatedroom: '1',
        whois: 'anyone',
        passwordprotectedroom: '1',
        roomsecret: 'cauldron',
      });
      const answer = await ask(bob, INFO, ROOM);
      expect(answer.child('query')!.child('identity')!.attribute('name')).toBe('Tea');
      expect(features(answer)).toEqual(
        expect.arrayContaining([
          'muc_hidden',
          'muc_persistent',
          'muc_membersonly',
          'muc_moderated',
          'muc_nonanonymous',
          'muc_passwordprotected',
        ]),
      );
      const form = answer.child('query')!.child('x', 'jabber:x:data')!;
      const values = Object.fromEntries(
        form.children().map((field) => [field.attribute('var'), field.child('value')!.text()]),
      );
      expect(values).toMatchObject({
        FORM_TYPE: `${MUC}#roominfo`,
        'muc#roominfo_description': 'With cake',
        'muc#roominfo_occupants': '1',
      });
      expect(answer.toString()).not.toContain('cauldron');
    });

    it('XEP-0045, 6.5: lists who is inside to whoever may enter', async () => {
      expect(items(await ask(bob, ITEMS, ROOM))).toEqual([`${ROOM}/Alice`]);
      await chat.configure(alice, { membersonly: '1' });
      expect(items(await ask(bob, ITEMS, ROOM))).toEqual([]);
      expect(items(await ask(alice, ITEMS, ROOM))).toEqual([`${ROOM}/Alice`]);
    });

    it('XEP-0045, 7.12: says that no nick is reserved', async () => {
      const answer = await ask(bob, INFO, ROOM, 'x-roomuser-item');
      expect(answer.child('query')!.attribute('node')).toBe('x-roomuser-item');
      expect(answer.child('query')!.children()).toEqual([]);
      expect(conditionOf(await ask(bob, INFO, ROOM, 'none'))).toBe('item-not-found');
      expect(conditionOf(await ask(bob, ITEMS, ROOM, 'none'))).toBe('item-not-found');
    });

    it('XEP-0045, 6.4: that is not there is item-not-found', async () => {
      for (const namespace of [INFO, ITEMS, `${MUC}#owner`]) {
        expect(conditionOf(await ask(bob, namespace, `none@${SERVICE}`))).toBe('item-not-found');
      }
      expect(conditionOf(await bob.query('get', PING, `none@${SERVICE}`))).toBe('item-not-found');
    });
  });

  describe('to an occupant', () => {
    const send = (id: string): void => {
      const version = "<query xmlns='jabber:iq:version'/>";
      bob.send(`<iq xmlns='jabber:client' type='get' id='${id}' to='${ROOM}/Alice'>${version}</iq>`);
    };

    it('XEP-0410, 3: a ping to oneself tells whether one is in the room, and under this nick', async () => {
      const ping = async (client: ChatClient, to: string): Promise<string> => {
        const answer = await client.query('get', PING, to);
        return answer.attribute('type') === 'result' ? `result from ${answer.attribute('from')}` : conditionOf(answer);
      };
      expect(await ping(alice, `${ROOM}/Alice`)).toBe(`result from ${ROOM}/Alice`);
      expect(await ping(alice, `${ROOM}/Other`)).toBe('item-not-found');
      expect(await ping(bob, `${ROOM}/Alice`)).toBe('not-acceptable');
      expect(await ping(bob, `none@${SERVICE}/Bob`)).toBe('not-acceptable');
    });

    it('XEP-0045, 17.4: goes there and back, and neither learns the address of the other', async () => {
      await chat.gather([bob, 'Bob']);
      await alice.received();
      send('v1');
      const [question] = await alice.received();
      expect([question!.attribute('from'), question!.attribute('to')]).toEqual([`${ROOM}/Bob`, alice.jid]);
      expect(question!.toString()).not.toContain('bob@localhost');
      const version = "<query xmlns='jabber:iq:version'><name>Test</name></query>";
      alice.send(result(`${ROOM}/Bob`, question!.attribute('id'), version));
      const [answer] = await bob.received();
      expect([answer!.attribute('from'), answer!.attribute('to'), answer!.attribute('id')]).toEqual([
        `${ROOM}/Alice`,
        bob.jid,
        'v1',
      ]);
      expect(answer!.child('query')!.child('name')!.text()).toBe('Test');
      // An answer that nobody waits for goes nowhere.
      alice.send(result(`${ROOM}/Bob`, question!.attribute('id')));
      expect(await bob.received()).toEqual([]);

      send('v2');
      await alice.received();
      alice.close();
      const last = (await bob.received()).find(({ kind }) => kind === 'iq');
      expect([last!.attribute('id'), conditionOf(last)]).toEqual(['v2', 'service-unavailable']);
    });

    it('XEP-0045, 17.4: a question that is one too many gives up the oldest', async () => {
      await chat.gather([bob, 'Bob']);
      await alice.received();
      for (let i = 0; i <= 1000; i++) {
        send(`v${i}`);
      }
      const given = (await bob.received()).map((answer) => `${answer.attribute('id')} ${conditionOf(answer)}`);
      expect(given).toEqual(['v0 remote-server-timeout']);
    });

    it('XEP-0054: shows the vCard of the account behind the nick', async () => {
      await alice.query('set', "<vCard xmlns='vcard-temp'><FN>Alice</FN></vCard>");
      await chat.gather([bob, 'Bob']);
      const answer = await bob.query('get', "<vCard xmlns='vcard-temp'/>", `${ROOM}/Alice`);
      expect([answer.attribute('from'), answer.child('vCard')!.child('FN')!.text()]).toEqual([`${ROOM}/Alice`, 'Alice']);
      expect(conditionOf(await alice.query('get', "<vCard xmlns='vcard-temp'/>", `${ROOM}/Bob`))).toBe(
        'service-unavailable',
      );
    });
  });
});
