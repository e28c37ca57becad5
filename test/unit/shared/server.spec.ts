import { embedded, settle } from '../../support/embedded.js';
import { BIND, Stage, Tab } from './stage.js';

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';

async function login(tab: Tab, user: string, password: string): Promise<string> {
  await settle();
  tab.send(`<auth xmlns="${SASL}" mechanism="PLAIN">${Buffer.from(`\0${user}\0${password}`).toString('base64')}</auth>`);
  await settle();
  tab.session.restart({ version: '1.0' });
  await settle();
  tab.send(BIND);
  await settle();
  return tab.session.jid!;
}

const ids = (tab: Tab): string[] =>
  tab.stanzas.filter(({ kind }) => kind === 'message').map((stanza) => stanza.attribute('id')!);

describe('two tabs of one user and a real server', () => {
  it('S11, S13, S18: what either does, and what comes, reaches both once; one resource, until the last has left', async () => {
    const { upstream, errors } = embedded();
    const stage = new Stage({ upstream, shared: { snapshot: true } });
    const bob = new Tab('192.0.2.2');
    bob.session = stage.sessions.open('example.org', { version: '1.0' }, bob);
    const bobJid = await login(bob, 'bob', 'builder');
    bob.send('<presence xmlns="jabber:client"/>');
    const one = stage.open(new Tab(), {}, { version: '1.0' });
    const other = stage.open(new Tab(), { attachOnly: true });
    const jid = await login(one, 'alice', 'wonderland');
    await settle();
    expect(other.session.jid).toBe(jid);
    one.send('<presence xmlns="jabber:client"/>');
    await settle();
    one.stanzas.length = other.stanzas.length = 0;

    const own = new Map<string, Tab>();
    for (let i = 0; i < 60; i++) {
      const id = `n${i}`;
      const sender = [one, other, bob][i % 3]!;
      own.set(id, sender);
      sender.send(`<message xmlns="jabber:client" type="chat" id="${id}" to="${sender === bob ? jid : bobJid}"><body>${i}</body></message>`);
      if (i % 7 === 0) await settle();
    }
    await settle();
    for (const tab of [one, other]) {
      const got = ids(tab);
      expect(got).toHaveLength(40);
      expect(new Set(got)).toEqual(new Set([...own.keys()].filter((id) => own.get(id) !== tab)));
    }
    const fromBob = (tab: Tab): string[] => ids(tab).filter((id) => own.get(id) === bob);
    expect(fromBob(one)).toEqual(fromBob(other));
    expect(ids(bob)).toHaveLength(40);

    // The same id in both, to the server itself.
    for (const tab of [one, other]) {
      tab.stanzas.length = 0;
      tab.send('<iq xmlns="jabber:client" type="get" id="same"><query xmlns="jabber:iq:roster"/></iq>');
    }
    await settle();
    for (const tab of [one, other]) {
      const answers = tab.stanzas.filter((stanza) => stanza.kind === 'iq' && stanza.attribute('type') === 'result');
      expect(answers).toHaveLength(2);
      expect(answers.filter((stanza) => stanza.attribute('id') === 'same')).toHaveLength(1);
    }

    const online = (): number => stage.sessions.find('alice@example.org').length;
    expect(online()).toBe(1);
    one.send('<presence xmlns="jabber:client" type="unavailable"/>');
    one.session.leave({ reason: 'closed' });
    bob.send(`<message xmlns="jabber:client" type="chat" id="last" to="${jid}"><body>still there?</body></message>`);
    await settle();
    expect(ids(other)).toEqual(['last']);
    expect(online()).toBe(1);
    other.session.leave({ reason: 'closed' });
    await settle();
    expect(online()).toBe(0);
    expect(errors).toEqual([]);
  });
});
