import type { ChatClient } from './chat.js';
import { conditionOf, failure } from './chat.js';
import { MUC, ROOM, Rooms } from './muc.js';

describe('Multi-user chat: who is in a room', () => {
  let chat: Rooms;
  let alice: ChatClient;
  let bob: ChatClient;
  let carol: ChatClient;

  beforeEach(async () => {
    chat = new Rooms();
    alice = await chat.login('alice');
    bob = await chat.login('bob');
    carol = await chat.login('carol');
  });

  afterEach(async () => {
    expect(chat.errors).toEqual([]);
    await chat.close();
  });

  describe('entering', () => {
    it('XEP-0045, 10.1: who comes first makes the room, owns it and can use it at once', async () => {
      alice.presence(`<x xmlns='${MUC}'/>`, `id='enter' to='Tea@conference.localhost/Alice'`);
      const received = await alice.received();
      expect(received.map((stanza) => stanza.attribute('id'))).toEqual(['enter', undefined]);
      expect(received.every((stanza) => stanza.attribute('to') === alice.jid)).toBe(true);
      alice.presence('', `to='${ROOM}/Alice' type='unavailable'`);
      await alice.received();
      chat.join(alice, 'Alice');
      expect(await chat.lines(alice)).toEqual([
        'Alice available owner/moderator jid=alice@localhost/web 201,110',
        '(room) groupchat subject=',
      ]);
      chat.join(bob, 'Bob');
      expect(await chat.lines(bob)).toEqual([
        'Alice available owner/moderator',
        'Bob available none/participant jid=bob@localhost/web 110',
        '(room) groupchat subject=',
      ]);
    });

    it('XEP-0045, 7.2.3 and 10.1.2: who is there sees others enter, and an instant room stays as it is', async () => {
      await chat.gather([alice, 'Alice']);
      const instant = `<query xmlns='${MUC}#owner'><x xmlns='jabber:x:data' type='submit'/></query>`;
      expect((await alice.query('set', instant, ROOM)).attribute('type')).toBe('result');
      expect(await chat.lines(alice)).toEqual([]);
      await chat.gather([bob, 'Bob']);
      await alice.received();
      chat.join(carol, 'Carol');
      // Moderators see addresses, the others do not.
      expect(await chat.lines(alice)).toEqual(['Carol available none/participant jid=carol@localhost/web']);
      expect(await chat.lines(bob)).toEqual(['Carol available none/participant']);
    });

    it('XEP-0045, 7.2.5: in a room that is not anonymous everybody sees everybody, and is warned', async () => {
      await chat.gather([alice, 'Alice']);
      await chat.configure(alice, { whois: 'anyone' });
      chat.join(bob, 'Bob');
      expect(await chat.lines(bob)).toEqual([
        'Alice available owner/moderator jid=alice@localhost/web',
        'Bob available none/participant jid=bob@localhost/web 100,110',
        '(room) groupchat subject=',
      ]);
    });

    it('XEP-0045, 7.1: what presence carries comes through, but for what only the room says', async () => {
      await chat.gather([alice, 'Alice']);
      bob.presence(
        `<show>dnd</show><x xmlns='${MUC}'><password>none</password></x>` +
          `<x xmlns='${MUC}#user'><status code='110'/></x>`,
        `to='${ROOM}/Bob'`,
      );
      const [presence] = await alice.received();
      expect(presence!.children().map((child) => `${child.name} ${child.namespace}`)).toEqual([
        'show jabber:client',
        `x ${MUC}#user`,
      ]);
      expect(presence!.child('x')!.children().map(({ name }) => name)).toEqual(['item']);
    });

    it('XEP-0045, 7.2.8: a nick that is taken is a conflict', async () => {
      await chat.gather([alice, 'Alice']);
      chat.join(bob, 'Alice');
      const [refused, ...more] = await bob.received();
      expect(more).toEqual([]);
      expect([refused!.kind, refused!.attribute('from')]).toEqual(['presence', `${ROOM}/Alice`]);
      expect(conditionOf(refused)).toBe('conflict');
      expect(await chat.lines(alice)).toEqual([]);
    });

    it.each([
      ['', ROOM, 'jid-malformed'],
      ['', 'conference.localhost', 'service-unavailable'],
      ['/%20', ROOM, 'not-acceptable'],
    ])('XEP-0045, 7.2.1: "%s" is no nick in %s', async (nick, room, condition) => {
      alice.presence(`<x xmlns='${MUC}'/>`, `to='${room}${nick.replace('%20', ' ')}'`);
      expect((await alice.received()).map(conditionOf)).toEqual([condition]);
    });

    it('XEP-0045, 7.2.1: presence without the wish to enter does not, so that a lost client learns of it', async () => {
      await chat.gather([alice, 'Alice']);
      for (const room of [ROOM, 'other@conference.localhost']) {
        bob.presence('', `to='${room}/Bob'`);
        expect((await bob.received()).map(conditionOf)).toEqual(['item-not-found']);
      }
      expect(await chat.lines(alice)).toEqual([]);
    });

    it('XEP-0045, 7.2.6: a password is asked of everybody but owners', async () => {
      await chat.gather([alice, 'Alice']);
      await chat.configure(alice, { passwordprotectedroom: '1', roomsecret: 'cauldron &lt;burn&gt;' });
      chat.join(bob, 'Bob');
      expect((await bob.received()).map(conditionOf)).toEqual(['not-authorized']);
      chat.join(bob, 'Bob', '<password>wrong</password>');
      expect((await bob.received()).map(conditionOf)).toEqual(['not-authorized']);
      chat.join(bob, 'Bob', '<password>cauldron &lt;burn&gt;</password>');
      expect(await chat.lines(bob)).toHaveLength(3);
      alice.presence('', `to='${ROOM}/Alice' type='unavailable'`);
      await alice.received();
      chat.join(alice, 'Alice');
      expect(await chat.lines(alice)).toContain('Alice available owner/moderator jid=alice@localhost/web 110');
    });

    it('XEP-0045, 7.2.9: a full room lets nobody in but its admins', async () => {
      await chat.gather([alice, 'Alice']);
      await chat.configure(alice, { maxusers: '1' });
      chat.join(bob, 'Bob');
      expect((await bob.received()).map(conditionOf)).toEqual(['service-unavailable']);
      await chat.admin(alice, 'set', "<item affiliation='admin' jid='bob@localhost'/>");
      chat.join(bob, 'Bob');
      expect(await chat.lines(bob)).toContain('Bob available admin/moderator jid=bob@localhost/web 110');
    });

    it('who enters again, having lost everything, gets everything again', async () => {
      await chat.gather([alice, 'Alice'], [bob, 'Bob']);
      await alice.received();
      chat.join(bob, 'Bob');
      expect(await chat.lines(bob)).toEqual([
        'Alice available owner/moderator',
        'Bob available none/participant jid=bob@localhost/web 110',
        '(room) groupchat subject=',
      ]);
    });

    it('the resources of one account share a nick', async () => {
      const phone = await chat.login('bob', 'phone');
      await bob.received();
      await chat.gather([alice, 'Alice'], [bob, 'Bob']);
      await alice.received();
      chat.join(phone, 'Bob');
      expect(await chat.lines(phone)).toEqual([
        'Alice available owner/moderator',
        'Bob available none/participant jid=bob@localhost/phone 110',
        '(room) groupchat subject=',
      ]);
      await bob.received();
      await alice.received();
      chat.say(alice, 'hello');
      expect(await chat.lines(phone)).toEqual(['Alice groupchat body=hello']);
      expect(await chat.lines(bob)).toEqual(['Alice groupchat body=hello']);
      await alice.received();
      // The one that leaves is out; for the others the nick stays, with the address that is left.
      phone.presence('', `to='${ROOM}/Bob' type='unavailable'`);
      expect(await chat.lines(phone)).toEqual(['Bob unavailable none/none jid=bob@localhost/phone 110']);
      expect(await chat.lines(alice)).toEqual(['Bob available none/participant jid=bob@localhost/web']);
      bob.presence('', `to='${ROOM}/Bob' type='unavailable'`);
      await bob.received();
      expect(await chat.lines(alice)).toEqual(['Bob unavailable none/none jid=bob@localhost/web']);
    });
  });

  describe('while inside', () => {
    it('XEP-0045, 7.7: a new presence goes to all', async () => {
      await chat.gather([alice, 'Alice'], [bob, 'Bob']);
      await alice.received();
      bob.presence('<show>away</show>', `to='${ROOM}/Bob'`);
      const [seen] = await alice.received();
      expect(seen!.child('show')!.text()).toBe('away');
      expect(await chat.lines(bob)).toEqual(['Bob available none/participant jid=bob@localhost/web 110']);
    });

    it('XEP-0045, 7.6: a new nick is an exit of the old one and an entry of the new one', async () => {
      await chat.gather([alice, 'Alice'], [bob, 'Bob']);
      await alice.received();
      bob.presence('', `to='${ROOM}/Robert'`);
      expect(await chat.lines(alice)).toEqual([
        'Bob unavailable none/participant jid=bob@localhost/web nick=Robert 303',
        'Robert available none/participant jid=bob@localhost/web',
      ]);
      expect(await chat.lines(bob)).toEqual([
        'Bob unavailable none/participant jid=bob@localhost/web nick=Robert 303,110',
        'Robert available none/participant jid=bob@localhost/web 110',
      ]);
      bob.presence('', `to='${ROOM}/Alice'`);
      expect((await bob.received()).map(conditionOf)).toEqual(['conflict']);
      chat.join(carol, 'Bob');
      expect(await chat.lines(carol)).toContain('Bob available none/participant jid=carol@localhost/web 110');
    });
  });

  describe('leaving', () => {
    it('XEP-0045, 7.14: everybody is told, with the words of who leaves', async () => {
      await chat.gather([alice, 'Alice'], [bob, 'Bob']);
      await alice.received();
      bob.presence('<status>bye</status>', `to='${ROOM}/Bob' type='unavailable'`);
      const [seen] = await alice.received();
      expect(seen!.child('status')!.text()).toBe('bye');
      expect(await chat.lines(bob)).toEqual(['Bob unavailable none/none jid=bob@localhost/web 110']);
      bob.message(ROOM, 'still here?', "type='groupchat'");
      expect((await bob.received()).map(conditionOf)).toEqual(['not-acceptable']);
    });

    it('who goes offline, or ends the stream, leaves', async () => {
      await chat.gather([alice, 'Alice'], [bob, 'Bob'], [carol, 'Carol']);
      await alice.received();
      bob.presence('', "type='unavailable'");
      carol.close();
      expect(await chat.lines(alice)).toEqual([
        'Bob unavailable none/none jid=bob@localhost/web',
        'Carol unavailable none/none jid=carol@localhost/web',
      ]);
    });

    it('who entered without being online leaves with the end of the stream', async () => {
      await chat.gather([alice, 'Alice']);
      carol.presence('', "type='unavailable'");
      await carol.received();
      await chat.gather([carol, 'Carol']);
      await alice.received();
      carol.close();
      expect(await chat.lines(alice)).toEqual(['Carol unavailable none/none jid=carol@localhost/web']);
    });

    it('XEP-0045, 10.9: a room that nobody is in is gone, unless it is persistent', async () => {
      const exists = async (): Promise<boolean> => {
        const answer = await carol.query('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", ROOM);
        return answer.attribute('type') === 'result';
      };
      await chat.gather([alice, 'Alice']);
      expect(await exists()).toBe(true);
      const leave = (): void => alice.presence('', `to='${ROOM}/Alice' type='unavailable'`);
      leave();
      await alice.received();
      expect(await exists()).toBe(false);
      await chat.gather([alice, 'Alice']);
      await chat.configure(alice, { persistentroom: '1' });
      leave();
      await alice.received();
      expect(await exists()).toBe(true);
      expect((await chat.configure(alice, { persistentroom: '0' })).attribute('type')).toBe('result');
      expect(await exists()).toBe(false);
    });

    it('a room whose only owner was an anonymous account does not outlive it', async () => {
      const guest = await chat.login('');
      await chat.gather([guest, 'Guest']);
      await chat.configure(guest, { persistentroom: '1' });
      guest.close();
      await chat.settle();
      chat.join(alice, 'Alice');
      expect(await chat.lines(alice)).toContain('Alice available owner/moderator jid=alice@localhost/web 201,110');
    });

    it('whom nothing reaches any more is out; other errors change nothing', async () => {
      await chat.gather([alice, 'Alice'], [bob, 'Bob']);
      await alice.received();
      const fail = (condition: string): void => bob.send(failure('message', `${ROOM}/Alice`, condition));
      fail('service-unavailable');
      expect((await chat.lines(alice)).filter((seen) => seen.includes('unavailable'))).toEqual([]);
      fail('recipient-unavailable');
      expect(await chat.lines(alice)).toContain('Bob unavailable none/none jid=bob@localhost/web');
    });
  });

  it('one account makes so many rooms and no more', async () => {
    for (let i = 0; i < 100; i++) chat.join(alice, 'Alice', '', `room${i}@conference.localhost`);
    await alice.received();
    chat.join(alice, 'Alice');
    expect((await alice.received()).map(conditionOf)).toEqual(['resource-constraint']);
    chat.join(bob, 'Bob');
    expect(await chat.lines(bob)).toHaveLength(2);
  });
});
