import { conditionOf, failure, START, type ChatClient } from './chat.js';
import { lines, MUC, ROOM, Rooms } from './muc.js';

describe('Multi-user chat: messages', () => {
  let chat: Rooms;
  let alice: ChatClient;
  let bob: ChatClient;
  let carol: ChatClient;

  beforeEach(async () => {
    chat = new Rooms();
    alice = await chat.login('alice');
    bob = await chat.login('bob');
    carol = await chat.login('carol');
    await chat.gather([alice, 'Alice'], [bob, 'Bob']);
    await alice.received();
  });

  afterEach(async () => {
    expect(chat.errors).toEqual([]);
    await chat.close();
  });

  describe('to everybody', () => {
    it('XEP-0045, 7.4: come to all, the sender included, with their id and all that they carry', async () => {
      chat.say(bob, 'a &amp; b', "<active xmlns='http://jabber.org/protocol/chatstates'/><x xmlns='urn:mine'>1</x>");
      for (const client of [alice, bob]) {
        const [message, ...more] = await client.received();
        expect(more).toEqual([]);
        expect(message!.attributes).toEqual(
          new Map([
            ['to', client.jid],
            ['type', 'groupchat'],
            ['id', 'm1'],
            ['from', `${ROOM}/Bob`],
          ]),
        );
        expect(message!.child('body')!.text()).toBe('a & b');
        expect(message!.child('active')).toBeDefined();
        expect(message!.child('x', 'urn:mine')!.text()).toBe('1');
      }
    });

    it('XEP-0359: get an id of the room, and nobody else can give one in its name', async () => {
      const forged = [
        `<stanza-id xmlns='urn:xmpp:sid:0' by='${ROOM}' id='forged'/>`,
        "<stanza-id xmlns='urn:xmpp:sid:0' by='other' id='kept'/>",
        `<x xmlns='${MUC}#user'><status code='307'/></x>`,
        `<delay xmlns='urn:xmpp:delay' from='${ROOM}' stamp='2000-01-01T00:00:00Z'/>`,
      ];
      chat.say(bob, 'hello', forged.join(''));
      const [message] = await alice.received();
      const ids = message!.children().filter((child) => child.is('stanza-id', 'urn:xmpp:sid:0'));
      expect(ids.map((id) => id.attribute('by'))).toEqual(['other', ROOM]);
      expect(ids[1]!.attribute('id')).not.toBe('forged');
      expect(message!.child('x')).toBeUndefined();
      expect(message!.child('delay')).toBeUndefined();
    });

    it('XEP-0045, 7.4: are for who is inside, and not for one occupant', async () => {
      chat.say(carol, 'let me in');
      expect((await carol.received()).map(conditionOf)).toEqual(['not-acceptable']);
      carol.message('none@conference.localhost', 'anybody?', "type='groupchat'");
      expect((await carol.received()).map(conditionOf)).toEqual(['item-not-found']);
      bob.message(`${ROOM}/Alice`, 'psst', "type='groupchat'");
      expect((await bob.received()).map(conditionOf)).toEqual(['bad-request']);
      expect(await alice.received()).toEqual([]);
    });

    it('XEP-0045, 7.4: in a moderated room need voice', async () => {
      await chat.configure(alice, { moderatedroom: '1' });
      await chat.gather([carol, 'Carol']);
      await alice.received();
      chat.say(carol, 'hello');
      expect((await carol.received()).map(conditionOf)).toEqual(['forbidden']);
      await chat.admin(alice, 'set', "<item nick='Carol' role='participant'/>");
      await alice.received();
      chat.say(carol, 'hello');
      expect(await chat.lines(alice)).toEqual(['Carol groupchat body=hello']);
    });
  });

  describe('the subject', () => {
    const subject = (client: ChatClient, text: string): void =>
      client.send(`<message xmlns='jabber:client' type='groupchat' to='${ROOM}'><subject>${text}</subject></message>`);

    it('XEP-0045, 8.1: is set by moderators, told to all, and to whoever enters', async () => {
      subject(alice, 'Scones');
      expect(await chat.lines(bob)).toEqual(['Alice groupchat subject=Scones']);
      subject(bob, 'Cake');
      expect((await bob.received()).map(conditionOf)).toEqual(['forbidden']);
      chat.clock.tick(60_000);
      chat.join(carol, 'Carol');
      const received = await carol.received();
      expect(lines(received).at(-1)).toBe('Alice groupchat subject=Scones delayed');
      expect(received.at(-1)!.child('delay')!.attribute('stamp')).toBe(new Date(START).toISOString());
    });

    it('XEP-0045, 8.1: is set by participants where the room lets them', async () => {
      await chat.configure(alice, { changesubject: '1' });
      await alice.received();
      subject(bob, 'Cake');
      expect(await chat.lines(alice)).toEqual(['Bob groupchat subject=Cake']);
    });

    it('XEP-0045, 8.1: a message with a subject and a body is a message', async () => {
      chat.say(bob, 'hello', '<subject>Cake</subject>');
      await bob.received();
      chat.join(carol, 'Carol');
      expect((await chat.lines(carol)).slice(-2)).toEqual([
        'Bob groupchat subject=Cake body=hello delayed',
        '(room) groupchat subject=',
      ]);
    });
  });

  describe('history', () => {
    const history = async (limits: string): Promise<string[]> => {
      chat.join(carol, 'Carol', limits);
      const received = await chat.lines(carol);
      carol.presence('', `to='${ROOM}/Carol' type='unavailable'`);
      await carol.received();
      return received.filter((seen) => seen.includes('body=')).map((seen) => /body=(\S+)/.exec(seen)![1]!);
    };

    it('XEP-0045, 7.2.13: brings what was said before, with its time, and no chat states', async () => {
      chat.say(bob, 'one');
      const composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
      bob.send(`<message xmlns='jabber:client' type='groupchat' to='${ROOM}'>${composing}</message>`);
      await bob.received();
      chat.clock.tick(3000);
      chat.join(carol, 'Carol');
      const received = await carol.received();
      expect(lines(received)).toEqual([
        'Alice available owner/moderator',
        'Bob available none/participant',
        'Carol available none/participant jid=carol@localhost/web 110',
        'Bob groupchat body=one delayed',
        '(room) groupchat subject=',
      ]);
      const delay = received[3]!.child('delay', 'urn:xmpp:delay')!;
      expect([delay.attribute('from'), delay.attribute('stamp')]).toEqual([ROOM, new Date(START).toISOString()]);
      expect([received[3]!.attribute('id'), received[3]!.attribute('to')]).toEqual(['m1', carol.jid]);
    });

    it('XEP-0045, 7.2.14: is as much as was asked for', async () => {
      for (const text of ['a', 'b', 'c', 'd']) {
        chat.say(bob, text);
        await bob.received();
        chat.clock.tick(10_000);
      }
      expect(await history('')).toEqual(['a', 'b', 'c', 'd']);
      expect(await history("<history maxstanzas='2'/>")).toEqual(['c', 'd']);
      expect(await history("<history maxstanzas='0'/>")).toEqual([]);
      expect(await history("<history maxchars='0'/>")).toEqual([]);
      expect(await history("<history maxchars='700'/>")).toEqual(['c', 'd']);
      expect(await history("<history seconds='25'/>")).toEqual(['c', 'd']);
      expect(await history(`<history since='${new Date(START + 25_000).toISOString()}'/>`)).toEqual(['d']);
      expect(await history("<history maxstanzas='many' seconds='-1' since='then'/>")).toEqual(['a', 'b', 'c', 'd']);
    });

    it('is kept of so many messages and so many bytes', async () => {
      for (let i = 0; i < 101; i++) chat.say(bob, String(i));
      await bob.received();
      expect(await history('')).toEqual(Array.from({ length: 20 }, (_, i) => String(81 + i)));
      const all = await history("<history maxstanzas='1000'/>");
      expect([all.length, all[0]]).toEqual([100, '1']);
      for (let i = 0; i < 6; i++) chat.say(bob, `${i}${'x'.repeat(99_999)}`);
      await bob.received();
      expect((await history("<history maxstanzas='1000'/>")).map((body) => body[0])).toEqual(['1', '2', '3', '4', '5']);
    });
  });

  describe('between two', () => {
    it('XEP-0045, 7.5: come from the nick, are marked, and go to nobody else', async () => {
      await chat.gather([carol, 'Carol']);
      await Promise.all([alice.received(), bob.received()]);
      bob.message(`${ROOM}/Alice`, 'psst', "type='chat' id='p1'", `<x xmlns='${MUC}#user'><status code='307'/></x>`);
      const [message, ...more] = await alice.received();
      expect(more).toEqual([]);
      expect(message!.attributes).toEqual(
        new Map([
          ['to', alice.jid],
          ['type', 'chat'],
          ['id', 'p1'],
          ['from', `${ROOM}/Bob`],
        ]),
      );
      expect(message!.child('x', `${MUC}#user`)!.children()).toEqual([]);
      expect(await bob.received()).toEqual([]);
      expect(await carol.received()).toEqual([]);
    });

    it('XEP-0045, 7.5: need both to be inside', async () => {
      bob.message(`${ROOM}/Nobody`, 'psst');
      expect((await bob.received()).map(conditionOf)).toEqual(['item-not-found']);
      carol.message(`${ROOM}/Alice`, 'psst');
      expect((await carol.received()).map(conditionOf)).toEqual(['not-acceptable']);
      carol.message('none@conference.localhost/Alice', 'psst');
      expect((await carol.received()).map(conditionOf)).toEqual(['item-not-found']);
    });

    it('errors to a private message find back to its sender', async () => {
      alice.send(failure('message', `${ROOM}/Bob`, 'feature-not-implemented', 'p1'));
      const [error] = await bob.received();
      expect([error!.attribute('from'), error!.attribute('id'), conditionOf(error)]).toEqual([
        `${ROOM}/Alice`,
        'p1',
        'feature-not-implemented',
      ]);
    });
  });

  describe('invitations', () => {
    const invite = (client: ChatClient, content: string): void =>
      client.send(`<message xmlns='jabber:client' to='${ROOM}'><x xmlns='${MUC}#user'>${content}</x></message>`);

    it('XEP-0045, 7.8.2: are passed on with the reason and the password', async () => {
      await chat.configure(alice, { passwordprotectedroom: '1', roomsecret: 'cauldron' });
      await alice.received();
      invite(bob, "<invite to='carol@localhost'><reason>tea &amp; cake</reason></invite>");
      const [invitation] = await carol.received();
      expect([invitation!.attribute('from'), invitation!.attribute('type')]).toEqual([ROOM, undefined]);
      const x = invitation!.child('x', `${MUC}#user`)!;
      expect(x.child('invite')!.attribute('from')).toBe(`${ROOM}/Bob`);
      expect(x.child('invite')!.child('reason')!.text()).toBe('tea & cake');
      expect(x.child('password')!.text()).toBe('cauldron');
      const direct = invitation!.child('x', 'jabber:x:conference')!;
      expect([direct.attribute('jid'), direct.attribute('reason')]).toEqual([ROOM, 'tea & cake']);
      expect(await alice.received()).toEqual([]);
    });

    it('XEP-0045, 7.8.2: to a members-only room come from who may invite, and make a member', async () => {
      await chat.admin(alice, 'set', "<item affiliation='member' jid='bob@localhost'/>");
      await chat.configure(alice, { membersonly: '1' });
      await bob.received();
      invite(bob, "<invite to='carol@localhost'/>");
      expect((await bob.received()).map(conditionOf)).toEqual(['forbidden']);
      chat.join(carol, 'Carol');
      expect((await carol.received()).map(conditionOf)).toEqual(['registration-required']);
      invite(alice, "<invite to='carol@localhost'/>");
      expect(await carol.received()).toHaveLength(1);
      chat.join(carol, 'Carol');
      expect(await chat.lines(carol)).toContain('Carol available member/participant jid=carol@localhost/web 110');
    });

    it('XEP-0045, 7.8.2: are refused from outside, to nobody, and for nothing', async () => {
      invite(carol, "<invite to='carol@localhost'/>");
      expect((await carol.received()).map(conditionOf)).toEqual(['not-acceptable']);
      invite(bob, "<invite to='nobody@localhost'/>");
      expect((await bob.received()).map(conditionOf)).toEqual(['item-not-found']);
      invite(bob, '<invite/>');
      expect((await bob.received()).map(conditionOf)).toEqual(['jid-malformed']);
      invite(bob, '');
      expect((await bob.received()).map(conditionOf)).toEqual(['feature-not-implemented']);
    });

    it('XEP-0045, 7.8.2: can be declined', async () => {
      invite(carol, `<decline to='${ROOM}/Bob'><reason>busy</reason></decline>`);
      const [declined] = await bob.received();
      const decline = declined!.child('x', `${MUC}#user`)!.child('decline')!;
      expect([declined!.attribute('from'), decline.attribute('from'), decline.child('reason')!.text()]).toEqual([
        ROOM,
        'carol@localhost',
        'busy',
      ]);
      invite(carol, "<decline to='bob@localhost'/>");
      expect(await bob.received()).toHaveLength(1);
      invite(carol, "<decline to='dave@localhost'/>");
      expect((await carol.received()).map(conditionOf)).toEqual(['item-not-found']);
    });

    it('XEP-0249: pass from user to user directly', async () => {
      const x = `<x xmlns='jabber:x:conference' jid='${ROOM}'/>`;
      carol.send(`<message xmlns='jabber:client' to='bob@localhost'>${x}</message>`);
      const [invitation] = await bob.received();
      expect(invitation!.child('x', 'jabber:x:conference')!.attribute('jid')).toBe(ROOM);
    });
  });
});
