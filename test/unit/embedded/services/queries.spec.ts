import type { Stanza } from '../../../../lib/xml/index.js';
import { Chat, conditionOf, START } from './chat.js';

const DISCO_INFO = 'http://jabber.org/protocol/disco#info';
const DISCO_ITEMS = 'http://jabber.org/protocol/disco#items';

function featuresOf(answer: Stanza): string[] {
  return answer
    .children()[0]!
    .children()
    .filter(({ name }) => name === 'feature')
    .map((feature) => feature.attribute('var')!);
}

describe('The simple services of the embedded server', () => {
  let chat: Chat;

  beforeEach(() => {
    chat = new Chat();
  });

  afterEach(async () => {
    expect(chat.errors).toEqual([]);
    await chat.close();
  });

  describe('service discovery', () => {
    it('XEP-0030: tells what the server is and can do', async () => {
      const alice = await chat.login('alice');
      const answer = await alice.query('get', `<query xmlns='${DISCO_INFO}'/>`, 'localhost');
      expect(answer.attribute('type')).toBe('result');
      expect(answer.attribute('from')).toBe('localhost');
      const identity = answer.children()[0]!.child('identity')!;
      expect([identity.attribute('category'), identity.attribute('type')]).toEqual(['server', 'im']);
      const features = featuresOf(answer);
      expect(features).toEqual(
        expect.arrayContaining([
          DISCO_INFO,
          DISCO_ITEMS,
          'urn:xmpp:ping',
          'jabber:iq:version',
          'urn:xmpp:time',
          'jabber:iq:last',
          'vcard-temp',
          'jabber:iq:private',
          'urn:xmpp:blocking',
          'urn:xmpp:carbons:2',
        ]),
      );
      expect(new Set(features).size).toBe(features.length);
    });

    it('XEP-0030: lists the host of the chat rooms among the items of the server', async () => {
      const alice = await chat.login('alice');
      const answer = await alice.query('get', `<query xmlns='${DISCO_ITEMS}'/>`, 'localhost');
      expect(answer.children()[0]!.children().map((item) => item.attribute('jid'))).toEqual(['conference.localhost']);
    });

    it('XEP-0163: shows the own account as a registered one with personal eventing', async () => {
      const alice = await chat.login('alice');
      for (const to of [undefined, 'alice@localhost']) {
        const answer = await alice.query('get', `<query xmlns='${DISCO_INFO}'/>`, to);
        const identities = answer
          .children()[0]!
          .children()
          .filter(({ name }) => name === 'identity')
          .map((identity) => `${identity.attribute('category')}/${identity.attribute('type')}`);
        expect(identities).toEqual(['account/registered', 'pubsub/pep']);
        expect(featuresOf(answer)).toEqual(
          expect.arrayContaining(['http://jabber.org/protocol/pubsub#publish-options', 'vcard-temp']),
        );
      }
    });

    it('RFC 6121, 8.5.1: tells strangers about an account what it tells about none', async () => {
      const alice = await chat.login('alice');
      const bob = await chat.login('bob');
      for (const namespace of [DISCO_INFO, DISCO_ITEMS]) {
        for (const to of ['bob@localhost', 'nobody@localhost']) {
          expect(conditionOf(await alice.query('get', `<query xmlns='${namespace}'/>`, to))).toBe('service-unavailable');
        }
      }
      await chat.befriend(alice, bob);
      const answer = await alice.query('get', `<query xmlns='${DISCO_INFO}'/>`, 'bob@localhost');
      expect(answer.attribute('type')).toBe('result');
    });

    it('XEP-0030: answers absent nodes with item-not-found', async () => {
      const alice = await chat.login('alice');
      for (const namespace of [DISCO_INFO, DISCO_ITEMS]) {
        for (const to of ['localhost', 'alice@localhost']) {
          const answer = await alice.query('get', `<query xmlns='${namespace}' node='none'/>`, to);
          expect(conditionOf(answer)).toBe('item-not-found');
        }
      }
    });
  });

  it('XEP-0199: answers pings to the server and to the own account', async () => {
    const alice = await chat.login('alice');
    await chat.login('bob');
    for (const to of [undefined, 'alice@localhost', 'localhost']) {
      const answer = await alice.query('get', "<ping xmlns='urn:xmpp:ping'/>", to);
      expect([answer.attribute('type'), answer.children()]).toEqual(['result', []]);
    }
    expect(conditionOf(await alice.query('get', "<ping xmlns='urn:xmpp:ping'/>", 'bob@localhost'))).toBe(
      'service-unavailable',
    );
  });

  it('XEP-0092: names its software and version', async () => {
    const alice = await chat.login('alice');
    const query = (await alice.query('get', "<query xmlns='jabber:iq:version'/>", 'localhost')).children()[0]!;
    expect(query.child('name')!.text()).toBe('nestjs-xmpp');
    expect(query.child('version')!.text()).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('XEP-0202: tells the time', async () => {
    const alice = await chat.login('alice');
    chat.clock.tick(1500);
    const time = (await alice.query('get', "<time xmlns='urn:xmpp:time'/>", 'localhost')).children()[0]!;
    expect(time.child('utc')!.text()).toBe(new Date(START + 1500).toISOString());
    expect(time.child('tzo')!.text()).toBe('+00:00');
  });

  it('XEP-0012: tells how long the server runs, and how long a contact has been away', async () => {
    const alice = await chat.login('alice');
    const bob = await chat.login('bob');
    const last = "<query xmlns='jabber:iq:last'/>";
    const seconds = async (to: string): Promise<string | undefined> =>
      (await alice.query('get', last, to)).child('query')?.attribute('seconds');
    expect(conditionOf(await alice.query('get', last, 'bob@localhost'))).toBe('service-unavailable');
    await chat.befriend(alice, bob);
    chat.clock.tick(10_000);
    expect(await seconds('localhost')).toBe('10');
    expect(await seconds('bob@localhost')).toBe('0');
    bob.close();
    await chat.settle();
    chat.clock.tick(7000);
    expect(await seconds('bob@localhost')).toBe('7');
  });

  describe('vcard-temp', () => {
    const card = "<vCard xmlns='vcard-temp'><FN>A &amp; \"B\" &lt;c&gt;</FN><PHOTO><BINVAL>AAAA</BINVAL></PHOTO></vCard>";

    it('XEP-0054: keeps the own vCard and shows it to others', async () => {
      const alice = await chat.login('alice');
      const bob = await chat.login('bob');
      expect(conditionOf(await alice.query('get', "<vCard xmlns='vcard-temp'/>"))).toBe('item-not-found');
      expect(conditionOf(await bob.query('get', "<vCard xmlns='vcard-temp'/>", 'alice@localhost'))).toBe(
        'service-unavailable',
      );
      expect((await alice.query('set', card)).attribute('type')).toBe('result');
      for (const answer of [
        await alice.query('get', "<vCard xmlns='vcard-temp'/>"),
        await bob.query('get', "<vCard xmlns='vcard-temp'/>", 'alice@localhost'),
      ]) {
        const found = answer.child('vCard', 'vcard-temp')!;
        expect(found.child('FN')!.text()).toBe('A & "B" <c>');
        expect(found.child('PHOTO')!.child('BINVAL')!.text()).toBe('AAAA');
      }
    });

    it('XEP-0054: lets nobody write the vCard of another, nor one without measure', async () => {
      const alice = await chat.login('alice');
      await chat.login('bob');
      expect(conditionOf(await alice.query('set', card, 'bob@localhost'))).toBe('forbidden');
      const large = `<vCard xmlns='vcard-temp'><NOTE>${'x'.repeat(129 * 1024)}</NOTE></vCard>`;
      expect(conditionOf(await alice.query('set', large))).toBe('not-acceptable');
      expect(conditionOf(await alice.query('get', "<vCard xmlns='vcard-temp'/>"))).toBe('item-not-found');
    });
  });

  describe('private storage', () => {
    const storage = (content: string): string => `<query xmlns='jabber:iq:private'>${content}</query>`;

    it('XEP-0049: keeps one document for each name and namespace', async () => {
      const alice = await chat.login('alice');
      const one = "<storage xmlns='storage:bookmarks'><conference name='a&#10;&apos;b' jid='room@conference.localhost'/></storage>";
      expect((await alice.query('set', storage(one))).attribute('type')).toBe('result');
      await alice.query('set', storage("<storage xmlns='storage:other'><x/></storage>"));
      const answer = await alice.query('get', storage("<storage xmlns='storage:bookmarks'/>"));
      const found = answer.children()[0]!.child('storage', 'storage:bookmarks')!;
      expect(found.child('conference')!.attribute('name')).toBe("a\n'b");
      expect(found.child('x')).toBeUndefined();
    });

    it('XEP-0049: answers what was never stored with an empty element', async () => {
      const alice = await chat.login('alice');
      const answer = await alice.query('get', storage("<roster xmlns='roster:delimiter'/>"));
      const found = answer.children()[0]!.child('roster', 'roster:delimiter')!;
      expect([found.children(), found.text()]).toEqual([[], '']);
    });

    it('S25: is for its own account only, and not for what has no namespace of its own (XEP-0049)', async () => {
      const alice = await chat.login('alice');
      await chat.login('bob');
      const bookmarks = storage("<storage xmlns='storage:bookmarks'/>");
      expect(conditionOf(await alice.query('get', bookmarks, 'bob@localhost'))).toBe('forbidden');
      expect(conditionOf(await alice.query('set', bookmarks, 'bob@localhost'))).toBe('forbidden');
      for (const content of ['', '<storage/>']) {
        expect(conditionOf(await alice.query('set', storage(content)))).toBe('not-acceptable');
      }
    });

    it('XEP-0049: keeps so many documents and no more', async () => {
      const alice = await chat.login('alice');
      const many = (from: number, count: number): string =>
        storage(Array.from({ length: count }, (_, i) => `<s xmlns='storage:${from + i}'/>`).join(''));
      expect((await alice.query('set', many(0, 64))).attribute('type')).toBe('result');
      expect(conditionOf(await alice.query('set', many(64, 1)))).toBe('resource-constraint');
      expect((await alice.query('set', many(63, 1))).attribute('type')).toBe('result');
    });
  });

  it('forgets what an anonymous account had stored when it is gone', async () => {
    const guest = await chat.login('');
    await guest.query('set', "<vCard xmlns='vcard-temp'><FN>guest</FN></vCard>");
    const alice = await chat.login('alice');
    const ask = (): Promise<string> =>
      alice.query('get', "<vCard xmlns='vcard-temp'/>", guest.bare).then((answer) => answer.attribute('type')!);
    expect(await ask()).toBe('result');
    guest.close();
    await chat.settle();
    expect(await ask()).toBe('error');
  });
});
