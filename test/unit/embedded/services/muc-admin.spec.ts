import type { Stanza } from '../../../../lib/xml/index.js';
import { conditionOf, type ChatClient } from './chat.js';
import { MUC, ROOM, Rooms } from './muc.js';

describe('Multi-user chat: roles, affiliations and configuration', () => {
  let chat: Rooms;
  let alice: ChatClient;
  let bob: ChatClient;
  let carol: ChatClient;

  const owner = (client: ChatClient, content: string, type: 'get' | 'set' = 'set'): Promise<Stanza> =>
    client.query(type, `<query xmlns='${MUC}#owner'>${content}</query>`, ROOM);
  const listed = (answer: Stanza): string[] =>
    answer
      .child('query', `${MUC}#admin`)!
      .children()
      .map((item) => `${item.attribute('jid')} ${item.attribute('affiliation')} ${item.attribute('nick')} ${item.attribute('role')}`);
  const clear = async (): Promise<void> => {
    await Promise.all([alice, bob, carol].map((client) => client.received()));
  };
  const set = async (client: ChatClient, ...items: string[]): Promise<string> => {
    const answer = await chat.admin(client, 'set', ...items);
    return answer.attribute('type') === 'result' ? 'result' : conditionOf(answer);
  };

  beforeEach(async () => {
    chat = new Rooms();
    alice = await chat.login('alice');
    bob = await chat.login('bob');
    carol = await chat.login('carol');
    await chat.gather([alice, 'Alice'], [bob, 'Bob'], [carol, 'Carol']);
    await clear();
  });

  afterEach(async () => {
    expect(chat.errors).toEqual([]);
    await chat.close();
  });

  it('XEP-0045, 8.2: moderators kick, and all learn who and why', async () => {
    expect(await set(alice, "<item nick='Bob' role='none'><reason>noise</reason></item>")).toBe('result');
    const why = 'actor=Alice reason=noise';
    expect(await chat.lines(bob)).toEqual([`Bob unavailable none/none jid=bob@localhost/web ${why} 307,110`]);
    expect(await chat.lines(carol)).toEqual([`Bob unavailable none/none ${why} 307`]);
    expect(await chat.lines(alice)).toEqual([`Bob unavailable none/none jid=bob@localhost/web ${why} 307`]);
    chat.say(bob, 'hey');
    expect((await bob.received()).map(conditionOf)).toEqual(['not-acceptable']);
    chat.join(bob, 'Bob');
    expect(await chat.lines(bob)).toHaveLength(4);
  });

  it('XEP-0045, 8.3 and 8.4: moderators take and give voice', async () => {
    expect(await set(alice, "<item nick='Bob' role='visitor'/>")).toBe('result');
    expect(await chat.lines(carol)).toEqual(['Bob available none/visitor actor=Alice']);
    chat.say(bob, 'hey');
    expect((await bob.received()).map(conditionOf)).toContain('forbidden');
    expect(await set(alice, "<item nick='Bob' role='participant'/>")).toBe('result');
    await clear();
    chat.say(bob, 'hey');
    expect(await chat.lines(carol)).toEqual(['Bob groupchat body=hey']);
  });

  it('XEP-0045, 9.6: admins make moderators, moderators do not', async () => {
    expect(await set(alice, "<item nick='Bob' role='moderator'/>")).toBe('result');
    expect(await set(bob, "<item nick='Carol' role='moderator'/>")).toBe('forbidden');
    expect(await set(bob, "<item nick='Carol' role='visitor'/>")).toBe('result');
    expect(await set(alice, "<item nick='Bob' role='participant'/>")).toBe('result');
    expect(await set(bob, "<item nick='Carol' role='participant'/>")).toBe('forbidden');
  });

  it('XEP-0045, 8.2 and 9.7: nobody touches those above', async () => {
    await set(alice, "<item nick='Bob' role='moderator'/>", "<item affiliation='admin' jid='carol@localhost'/>");
    await clear();
    expect(await set(bob, "<item nick='Alice' role='none'/>")).toBe('not-allowed');
    expect(await set(bob, "<item nick='Carol' role='visitor'/>")).toBe('not-allowed');
    expect(await set(carol, "<item nick='Alice' role='none'/>")).toBe('not-allowed');
    expect(await set(carol, "<item affiliation='outcast' jid='alice@localhost'/>")).toBe('not-allowed');
    expect(await set(carol, "<item affiliation='admin' jid='bob@localhost'/>")).toBe('not-allowed');
    expect(await set(alice, "<item nick='Carol' role='none'/>")).toBe('result');
    expect((await chat.lines(bob)).at(-1)).toContain('Carol unavailable admin/none');
  });

  it('XEP-0045, 9.1: who is banned is out, and stays out until forgiven', async () => {
    expect(await set(alice, "<item affiliation='outcast' jid='bob@localhost'><reason>noise</reason></item>")).toBe('result');
    expect(await chat.lines(bob)).toEqual([
      'Bob unavailable outcast/none jid=bob@localhost/web actor=Alice reason=noise 301,110',
    ]);
    chat.join(bob, 'Bob');
    expect((await bob.received()).map(conditionOf)).toEqual(['forbidden']);
    expect(listed(await chat.admin(alice, 'get', "<item affiliation='outcast'/>"))).toEqual([
      'bob@localhost outcast undefined undefined',
    ]);
    expect(await set(alice, "<item affiliation='none' jid='bob@localhost'/>")).toBe('result');
    chat.join(bob, 'Bob');
    expect(await chat.lines(bob)).toHaveLength(4);
    expect(await set(alice, "<item affiliation='outcast' jid='alice@localhost'/>")).toBe('conflict');
  });

  it('XEP-0045, 9.3 and 10.6: an affiliation brings its role, and is found by nick, too', async () => {
    expect(await set(alice, "<item affiliation='member' nick='Bob'/>")).toBe('result');
    expect(await chat.lines(carol)).toEqual(['Bob available member/participant actor=Alice']);
    expect(await set(alice, "<item affiliation='admin' jid='bob@localhost/any'/>")).toBe('result');
    expect(await chat.lines(carol)).toEqual(['Bob available admin/moderator actor=Alice']);
    expect(await set(bob, "<item affiliation='member' jid='dave@localhost'/>")).toBe('result');
    expect(await set(alice, "<item affiliation='none' jid='bob@localhost'/>")).toBe('result');
    expect(await chat.lines(carol)).toEqual(['Bob available none/participant actor=Alice']);
  });

  it('XEP-0045, 10.4: a room keeps an owner', async () => {
    expect(await set(alice, "<item affiliation='none' jid='alice@localhost'/>")).toBe('conflict');
    const swap = ["<item affiliation='owner' jid='bob@localhost'/>", "<item affiliation='member' jid='alice@localhost'/>"];
    expect(await set(alice, ...swap)).toBe('result');
    expect(await set(alice, "<item affiliation='owner' jid='alice@localhost'/>")).toBe('forbidden');
    expect(await set(bob, "<item affiliation='owner' jid='alice@localhost'/>")).toBe('result');
  });

  it('a room whose anonymous owner is gone can still be run by its admins', async () => {
    const guest = await chat.login('');
    const room = 'cake@conference.localhost';
    chat.join(guest, 'Guest', '', room);
    await chat.settle();
    chat.join(bob, 'Bob', '', room);
    const admin = (client: ChatClient, item: string): Promise<Stanza> =>
      client.query('set', `<query xmlns='${MUC}#admin'>${item}</query>`, room);
    await admin(guest, "<item affiliation='admin' jid='bob@localhost'/>");
    guest.close();
    await chat.settle();
    const answer = await admin(bob, "<item affiliation='member' jid='carol@localhost'/>");
    expect(answer.attribute('type')).toBe('result');
  });

  it('XEP-0045, 9: what is asked for at once is done at once, or not at all', async () => {
    expect(await set(alice, "<item nick='Bob' role='none'/>", "<item nick='Nobody' role='none'/>")).toBe('item-not-found');
    expect(await chat.lines(bob)).toEqual([]);
  });

  it('XEP-0045, 8 and 9: asks for what can be understood', async () => {
    expect(await set(alice)).toBe('bad-request');
    expect(await set(alice, '<item/>')).toBe('bad-request');
    expect(await set(alice, "<item nick='Bob' role='king'/>")).toBe('bad-request');
    expect(await set(alice, "<item affiliation='king' jid='bob@localhost'/>")).toBe('bad-request');
    expect(await set(alice, "<item affiliation='member' jid='@'/>")).toBe('jid-malformed');
    expect(await set(alice, "<item affiliation='member'/>")).toBe('bad-request');
    expect(conditionOf(await chat.admin(alice, 'get', '<item/>'))).toBe('bad-request');
  });

  it('XEP-0045, 9.5: lists are for who may see them', async () => {
    await set(alice, "<item affiliation='member' jid='bob@localhost'/>");
    expect(listed(await chat.admin(alice, 'get', "<item affiliation='owner'/>"))).toEqual([
      'alice@localhost owner undefined undefined',
    ]);
    expect(listed(await chat.admin(alice, 'get', "<item role='participant'/>"))).toEqual([
      'bob@localhost/web member Bob participant',
      'carol@localhost/web none Carol participant',
    ]);
    const asked = async (client: ChatClient, what: string): Promise<string> => {
      const answer = await chat.admin(client, 'get', `<item ${what}/>`);
      return answer.attribute('type') === 'result' ? 'result' : conditionOf(answer);
    };
    expect(await asked(bob, "affiliation='member'")).toBe('forbidden');
    expect(await asked(bob, "role='moderator'")).toBe('forbidden');
    await chat.configure(alice, { whois: 'anyone' });
    expect(await asked(bob, "affiliation='member'")).toBe('result');
    expect(await asked(bob, "affiliation='outcast'")).toBe('forbidden');
    expect(await asked(carol, "affiliation='member'")).toBe('forbidden');
  });

  describe('configuration', () => {
    it('XEP-0045, 10.2: is shown to owners with its values', async () => {
      await chat.configure(alice, { roomname: 'Tea &amp; cake', membersonly: 'true' });
      const form = (await owner(alice, '', 'get')).child('query')!.child('x', 'jabber:x:data')!;
      const values = Object.fromEntries(
        form
          .children()
          .filter(({ name }) => name === 'field')
          .map((field) => [field.attribute('var'), field.child('value')?.text()]),
      );
      expect(values).toMatchObject({
        FORM_TYPE: `${MUC}#roomconfig`,
        'muc#roomconfig_roomname': 'Tea & cake',
        'muc#roomconfig_membersonly': '1',
        'muc#roomconfig_persistentroom': '0',
        'muc#roomconfig_whois': 'moderators',
      });
      expect(conditionOf(await owner(bob, '', 'get'))).toBe('forbidden');
      expect(conditionOf(await chat.configure(bob, { roomname: 'mine' }))).toBe('forbidden');
    });

    it('XEP-0045, 10.2.1: changes are told, and who sees addresses in particular', async () => {
      await chat.configure(alice, { roomname: 'Tea' });
      expect(await chat.lines(bob)).toEqual(['(room) groupchat 104']);
      await chat.configure(alice, { whois: 'anyone' });
      expect(await chat.lines(bob)).toEqual(['(room) groupchat 104,172']);
      await chat.configure(alice, { whois: 'moderators' });
      expect(await chat.lines(bob)).toEqual(['(room) groupchat 104,173']);
    });

    it('XEP-0045, 10.2.1: who does not belong to a room that is for members now is out', async () => {
      await set(alice, "<item affiliation='member' jid='carol@localhost'/>");
      await clear();
      await chat.configure(alice, { membersonly: '1' });
      expect(await chat.lines(bob)).toEqual(['Bob unavailable none/none jid=bob@localhost/web 322,110']);
      await carol.received();
      await set(alice, "<item affiliation='none' jid='carol@localhost'/>");
      expect(await chat.lines(carol)).toEqual([
        'Carol unavailable none/none jid=carol@localhost/web actor=Alice 321,110',
      ]);
    });

    it.each<[Record<string, string>]>([
      [{ membersonly: 'maybe' }],
      [{ whois: 'nobody' }],
      [{ maxusers: '0' }],
      [{ maxusers: '501' }],
      [{ passwordprotectedroom: '1' }],
      [{ roomname: 'x'.repeat(1025) }],
    ])('XEP-0045, 10.2: %j is not acceptable and changes nothing', async (fields) => {
      expect(conditionOf(await chat.configure(alice, { ...fields, roomdesc: 'changed' }))).toBe('not-acceptable');
      expect(await chat.lines(bob)).toEqual([]);
      expect((await owner(alice, '', 'get')).toString()).not.toContain('changed');
    });

    it('XEP-0045, 10.2: can be cancelled, and has to be a form', async () => {
      expect((await owner(alice, "<x xmlns='jabber:x:data' type='cancel'/>")).attribute('type')).toBe('result');
      expect(conditionOf(await owner(alice, ''))).toBe('bad-request');
    });
  });

  it('XEP-0045, 10.9: an owner ends the room', async () => {
    const destroy = "<destroy jid='new@conference.localhost'><reason>moved</reason></destroy>";
    expect(conditionOf(await owner(bob, destroy))).toBe('forbidden');
    expect((await owner(alice, destroy)).attribute('type')).toBe('result');
    const [gone, ...more] = await bob.received();
    expect(more).toEqual([]);
    expect(gone!.attribute('type')).toBe('unavailable');
    const element = gone!.child('x', `${MUC}#user`)!.child('destroy')!;
    expect([element.attribute('jid'), element.child('reason')!.text()]).toEqual(['new@conference.localhost', 'moved']);
    chat.join(bob, 'Bob');
    expect(await chat.lines(bob)).toContain('Bob available owner/moderator jid=bob@localhost/web 201,110');
  });
});
