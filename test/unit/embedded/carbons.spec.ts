import { Stanza } from '../../../lib/xml/index.js';
import { embedded, login, online, type TestStream } from '../../support/embedded.js';

const CARBONS = 'urn:xmpp:carbons:2';

async function carbonCopies(stream: TestStream): Promise<TestStream> {
  const answer = await stream.query('set', `<enable xmlns='${CARBONS}'/>`);
  expect(answer.attribute('type')).toBe('result');
  return stream;
}

/** What came, in short: the body, and for a copy its direction before it. */
async function events(stream: TestStream): Promise<string[]> {
  return (await stream.rest()).map((text) => {
    const stanza = Stanza.parse(text);
    const copy = stanza.children().find((child) => child.namespace === CARBONS);
    const message = copy?.child('forwarded', 'urn:xmpp:forward:0')?.child('message', 'jabber:client') ?? stanza;
    const what = message.child('body')?.text() ?? message.children().map((child) => child.name).join();
    return copy ? `${copy.name} ${what}` : what;
  });
}

async function scene() {
  const { upstream } = embedded();
  const phone = await carbonCopies(await online(upstream, 'alice/phone', 5));
  const desk = await carbonCopies(await online(upstream, 'alice/desk', 1));
  const plain = await online(upstream, 'alice/plain', 1);
  const bob = await carbonCopies(await online(upstream, 'bob/y'));
  for (const stream of [phone, desk, plain, bob]) await stream.rest();
  return { upstream, phone, desk, plain, bob };
}

describe('message carbons: XEP-0280', () => {
  it('section 7: the other resources see what came to one of them', async () => {
    const { phone, desk, plain, bob } = await scene();
    bob.message(phone.jid, 'full');
    bob.message('alice@example.org', 'bare');
    expect(await events(phone)).toEqual(['full', 'bare']);
    expect(await events(plain)).toEqual([]);
    expect(await events(desk)).toEqual(['received full', 'received bare']);
  });

  it('section 8: and what one of them sends', async () => {
    const { phone, desk, plain, bob } = await scene();
    phone.message(bob.jid, 'hi');
    expect(await events(bob)).toEqual(['hi']);
    expect(await events(desk)).toEqual(['sent hi']);
    expect(await events(plain)).toEqual([]);
    expect(await events(phone)).toEqual([]);
  });

  it('R12: a copy comes from the own bare address, to the full one, with the whole message', async () => {
    const { phone, desk, bob } = await scene();
    bob.send(
      `<message xmlns='jabber:client' type='chat' id='m' to='${phone.jid}'><body>hi</body><x xmlns='urn:example'/></message>`,
    );
    const copy = await desk.next();
    expect([copy.attribute('from'), copy.attribute('to'), copy.attribute('type')]).toEqual([
      'alice@example.org',
      desk.jid,
      'chat',
    ]);
    const message = copy.child('received', CARBONS)!.child('forwarded', 'urn:xmpp:forward:0')!.child('message')!;
    expect([message.attribute('from'), message.attribute('to'), message.attribute('id')]).toEqual([bob.jid, phone.jid, 'm']);
    expect(message.child('x', 'urn:example')).toBeDefined();
  });

  it('what is sent while nobody answers is copied, too', async () => {
    const { phone, desk } = await scene();
    phone.message('carol@example.org', 'later');
    expect(await events(desk)).toEqual(['sent later']);
    phone.message('nobody@example.org', 'never');
    expect(await events(desk)).toEqual([]);
  });

  it.each([
    ['normal with a body', `type='normal'`, '', true],
    ['without a type', '', '', true],
    ['headline', `type='headline'`, '', false],
    ['groupchat', `type='groupchat'`, '', false],
    ['private', `type='chat'`, `<private xmlns='${CARBONS}'/>`, false],
    ['no-copy', `type='chat'`, `<no-copy xmlns='urn:xmpp:hints'/>`, false],
    ['a private message of a room', `type='chat'`, `<x xmlns='http://jabber.org/protocol/muc#user'/>`, false],
  ])('section 6: %s', async (_what, attributes, content, copied) => {
    const { phone, desk, bob } = await scene();
    bob.message(phone.jid, 'hi', attributes, content);
    phone.message(bob.jid, 'ho', attributes, content);
    expect(await events(desk)).toEqual(copied ? ['received hi', 'sent ho'] : []);
    expect(await events(bob)).toEqual(['ho']);
  });

  it('section 6: normal without a body is copied if it belongs to a conversation', async () => {
    const { phone, desk, bob } = await scene();
    const send = (content: string) =>
      bob.send(`<message xmlns='jabber:client' to='${phone.jid}'>${content}</message>`);
    send(`<received xmlns='urn:xmpp:receipts' id='m'/>`);
    send(`<event xmlns='http://jabber.org/protocol/pubsub#event'/>`);
    expect(await events(desk)).toEqual(['received received']);
  });

  it('section 9: the recipient does not see the wish for privacy', async () => {
    const { phone, bob } = await scene();
    bob.message(phone.jid, 'hi', `type='chat'`, `<private xmlns='${CARBONS}'/><x xmlns='urn:example'/>`);
    const message = await phone.next();
    expect(message.children().map((child) => child.name)).toEqual(['body', 'x']);
  });

  it('between resources of one account there is one copy', async () => {
    const { upstream, phone, desk } = await scene();
    const third = await carbonCopies(await online(upstream, 'alice/third'));
    for (const stream of [phone, desk, third]) await stream.rest();
    desk.message(phone.jid, 'note');
    expect(await events(phone)).toEqual(['note']);
    expect(await events(desk)).toEqual([]);
    expect(await events(third)).toEqual(['sent note']);
  });

  it('end when they are disabled, and do not begin with another stream', async () => {
    const { upstream, phone, desk, bob } = await scene();
    expect((await desk.query('set', `<disable xmlns='${CARBONS}'/>`)).attribute('type')).toBe('result');
    bob.message(phone.jid, 'one');
    expect(await events(desk)).toEqual([]);
    await carbonCopies(desk);
    desk.stream.close();
    const again = await login(upstream, 'alice/desk');
    bob.message(phone.jid, 'two');
    expect(await events(again)).toEqual([]);
  });

  it("another account's carbons are nobody's business", async () => {
    const { bob } = await scene();
    const answer = await bob.query('set', `<enable xmlns='${CARBONS}'/>`, 'alice@example.org');
    expect(answer.toString()).toContain('<not-allowed');
  });
});
