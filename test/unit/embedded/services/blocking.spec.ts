import type { Stanza } from '../../../../lib/xml/index.js';
import { Chat, conditionOf, type ChatClient } from './chat.js';

const BLOCKING = 'urn:xmpp:blocking';

function items(stanza: Stanza | undefined): string[] {
  return stanza!
    .children()[0]!
    .children()
    .map((item) => item.attribute('jid')!);
}

describe('The blocking command', () => {
  let chat: Chat;
  let alice: ChatClient;
  let bob: ChatClient;

  const block = (client: ChatClient, ...jids: string[]): Promise<Stanza> =>
    client.query('set', `<block xmlns='${BLOCKING}'>${jids.map((jid) => `<item jid='${jid}'/>`).join('')}</block>`);
  const unblock = (client: ChatClient, ...jids: string[]): Promise<Stanza> =>
    client.query('set', `<unblock xmlns='${BLOCKING}'>${jids.map((jid) => `<item jid='${jid}'/>`).join('')}</unblock>`);
  const list = async (client: ChatClient): Promise<string[]> =>
    items(await client.query('get', `<blocklist xmlns='${BLOCKING}'/>`));

  beforeEach(async () => {
    chat = new Chat();
    alice = await chat.login('alice');
    bob = await chat.login('bob');
  });

  afterEach(async () => {
    expect(chat.errors).toEqual([]);
    await chat.close();
  });

  it('XEP-0191: keeps a list that starts empty, normalised and without doubles', async () => {
    expect(await list(alice)).toEqual([]);
    expect((await block(alice, 'Bob@LOCALHOST', 'bob@localhost', 'evil.example')).attribute('type')).toBe('result');
    expect(await list(alice)).toEqual(['bob@localhost', 'evil.example']);
    await unblock(alice, 'bob@localhost');
    expect(await list(alice)).toEqual(['evil.example']);
    await unblock(alice);
    expect(await list(alice)).toEqual([]);
    expect(await list(bob)).toEqual([]);
  });

  it('XEP-0191: pushes changes to the resources that asked for the list, and to no others', async () => {
    const tablet = await chat.login('alice', 'tablet');
    const phone = await chat.login('alice', 'phone');
    await alice.received(); // presence of the others
    await tablet.received();
    await list(alice);
    await list(tablet);
    await block(phone, 'bob@localhost');
    for (const client of [alice, tablet]) {
      const [push] = await client.received();
      expect([push!.kind, push!.attribute('type'), push!.attribute('from')]).toEqual(['iq', 'set', 'alice@localhost']);
      expect(push!.child('block', BLOCKING)).toBeDefined();
      expect(items(push)).toEqual(['bob@localhost']);
    }
    await unblock(phone);
    const [push] = await alice.received();
    expect(push!.child('unblock', BLOCKING)!.children()).toEqual([]);
    expect((await phone.received()).filter((stanza) => stanza.kind === 'iq')).toEqual([]);
  });

  it('XEP-0191: refuses to block nothing, what is no address, or for somebody else', async () => {
    expect(conditionOf(await block(alice))).toBe('bad-request');
    expect(conditionOf(await block(alice, '@localhost'))).toBe('jid-malformed');
    const foreign = await alice.query('set', `<block xmlns='${BLOCKING}'><item jid='a@b'/></block>`, 'bob@localhost');
    expect(conditionOf(foreign)).toBe('forbidden');
    expect(await list(alice)).toEqual([]);
  });

  it('XEP-0191: keeps so many addresses and no more', async () => {
    const many = Array.from({ length: 1000 }, (_, i) => `u${i}@localhost`);
    expect((await block(alice, ...many)).attribute('type')).toBe('result');
    expect(conditionOf(await block(alice, 'one@more'))).toBe('resource-constraint');
    expect((await block(alice, many[7]!)).attribute('type')).toBe('result');
  });

  it.each(['bob@localhost', 'bob@localhost/web', 'localhost/web', 'localhost'])(
    'XEP-0191: an entry of %s stops what bob/web sends, and what is sent to it',
    async (entry) => {
      await block(alice, entry);
      bob.message('alice@localhost/web', 'hello');
      expect((await bob.received()).map(conditionOf)).toEqual(['service-unavailable']);
      expect(await alice.received()).toEqual([]);
      alice.message('bob@localhost/web', 'hello');
      expect((await alice.received()).map(conditionOf)).toEqual(['not-acceptable blocked']);
      expect(await bob.received()).toEqual([]);
      await unblock(alice, entry);
      bob.message('alice@localhost/web', 'hello');
      expect((await alice.received()).map((message) => message.child('body')!.text())).toEqual(['hello']);
    },
  );

  it('XEP-0191: an entry of one resource leaves the others alone', async () => {
    const phone = await chat.login('bob', 'phone');
    await block(alice, 'bob@localhost/web');
    phone.message('alice@localhost/web', 'hello');
    expect(await alice.received()).toHaveLength(1);
  });

  it('XEP-0191: never stands between an account and itself', async () => {
    const phone = await chat.login('alice', 'phone');
    await block(alice, 'alice@localhost', 'localhost');
    alice.message('alice@localhost/phone', 'note');
    expect((await phone.received()).filter(({ kind }) => kind === 'message')).toHaveLength(1);
  });

  it('XEP-0191: a contact that is blocked sees us go, and come back when it no longer is', async () => {
    await chat.befriend(alice, bob);
    await block(alice, 'bob@localhost');
    const [gone] = await bob.received();
    expect([gone!.kind, gone!.attribute('type'), gone!.attribute('from')]).toEqual([
      'presence',
      'unavailable',
      'alice@localhost/web',
    ]);
    alice.presence('<show>away</show>');
    expect(await bob.received()).toEqual([]);
    await unblock(alice, 'bob@localhost');
    const [back] = await bob.received();
    expect([back!.kind, back!.attribute('type'), back!.child('show')!.text()]).toEqual(['presence', undefined, 'away']);
  });

  it('XEP-0191: unblocking a domain brings no contact back that is blocked by itself', async () => {
    await chat.befriend(alice, bob);
    await block(alice, 'bob@localhost', 'localhost');
    await bob.received();
    await unblock(alice, 'localhost');
    expect(await bob.received()).toEqual([]);
  });
});
