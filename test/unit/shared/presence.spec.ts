import { copy, JID, message, Stage, type Tab } from './stage.js';

const AVAILABLE = '<presence xmlns="jabber:client"><show>away</show></presence>';
const UNAVAILABLE = '<presence xmlns="jabber:client" type="unavailable"><status>bye</status></presence>';
const from = (jid: string, rest = '/>'): string => `<presence xmlns="jabber:client" from="${jid}"${rest}`;
/** As it is replayed. */
const snapshot = (xml: string): string =>
  xml.replace(/(\/?>)/, ' xmlns:shared="urn:xmpp:tmp:shared-bosh:0" shared:snapshot="true"$1');

describe('the presence of one tab', () => {
  it('S18: an "unavailable" that a client says as it leaves is not the word of those who stay', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(UNAVAILABLE);
    a.session.leave({ reason: 'closed' });
    stage.clock.tick(5000);
    expect([...stage.line.take(), ...b.take()]).toEqual([]);
  });

  it('S18: nor one after which its connection is lost', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(UNAVAILABLE);
    a.session.leave({ reason: 'lost' });
    expect([...stage.line.take(), ...b.take()]).toEqual([]);
  });

  it('S18: the last client says it for all', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(UNAVAILABLE);
    b.send(UNAVAILABLE.replace('bye', 'last'));
    a.session.leave({ reason: 'closed' });
    b.session.leave({ reason: 'closed' });
    expect(stage.line.take()).toEqual([UNAVAILABLE.replace('bye', 'last'), 'close']);
  });

  it('S18: alone, it is forwarded at once', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(1)) as [Tab];
    a.send(UNAVAILABLE);
    expect(stage.line.take()).toEqual([UNAVAILABLE]);
  });

  it('S18: of a client that stays it is the wish of the user', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(UNAVAILABLE);
    stage.clock.tick(450);
    expect([...stage.line.take(), ...b.take()]).toEqual([]);
    stage.clock.tick(100);
    expect(stage.line.take()).toEqual([UNAVAILABLE]);
    expect(b.take()).toEqual([copy(UNAVAILABLE, 1)]);
  });

  it('S18: what it sends next does not overtake it', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(UNAVAILABLE);
    a.send(message('m1'));
    stage.clock.tick(5000);
    expect(stage.line.take()).toEqual([UNAVAILABLE, message('m1')]);
    expect(b.take()).toEqual([copy(UNAVAILABLE, 1), copy(message('m1'), 1)]);
  });

  it('S18: a room is left for all, also on the way out', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    const exit = '<presence xmlns="jabber:client" type="unavailable" to="room@muc.example.org/alice"/>';
    a.send(exit);
    a.send(UNAVAILABLE);
    a.session.leave({ reason: 'closed' });
    expect(stage.line.take()).toEqual([exit]);
    expect(b.take()).toEqual([copy(exit, 1)]);
  });

  it('S18: a tab that opens and says what the server knows is not forwarded, whatever the id and the spelling', async () => {
    const stage = new Stage();
    const [a, b, c] = (await stage.tabs(3)) as [Tab, Tab, Tab];
    a.send(AVAILABLE);
    b.take();
    stage.line.take();
    b.send("<presence id='x' xmlns='jabber:client'><show>away</show></presence>");
    expect([...stage.line.take(), ...a.take()]).toEqual([]);
    b.send(AVAILABLE); // not its first: it says so on purpose
    expect(stage.line.take()).toEqual([AVAILABLE]);
    c.send(AVAILABLE.replace('away', 'dnd'));
    expect(stage.line.take()).toEqual([AVAILABLE.replace('away', 'dnd')]);
    expect(a.take()).toEqual([copy(AVAILABLE, 2), copy(AVAILABLE.replace('away', 'dnd'), 3)]);
  });

  it('S18: after the user went offline the first presence of a tab is news', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(AVAILABLE);
    a.send(UNAVAILABLE);
    stage.clock.tick(600);
    stage.line.take();
    b.send(AVAILABLE);
    expect(stage.line.take()).toEqual([AVAILABLE]);
  });
});

describe('the snapshot', () => {
  it('S19: is off unless asked for', async () => {
    const stage = new Stage();
    await stage.tabs(1);
    stage.line.push(from('bob@example.org/x'));
    const tab = await stage.attach();
    expect(tab.take().filter((entry) => entry.startsWith('<presence'))).toEqual([]);
  });

  it('S19: has the last presence of everybody who is there, and open requests, for the newcomer only', async () => {
    const stage = new Stage({ shared: { snapshot: true } });
    const [a] = (await stage.tabs(1)) as [Tab];
    const self = from('room@muc.example.org/alice', '><x xmlns="http://jabber.org/protocol/muc#user"><status code="110"/></x></presence>');
    stage.line.push(from('bob@example.org/x', '><show>away</show></presence>'));
    stage.line.push(from('carol@example.org/y'));
    stage.line.push(self);
    stage.line.push(from('bob@example.org/x'));
    stage.line.push(from('carol@example.org/y', ' type="unavailable"/>'));
    stage.line.push(from('dave@example.org', ' type="subscribe"/>'));
    stage.line.push(from('eve@example.org', ' type="subscribe"/>'));
    stage.line.push(from('frank@example.org', ' type="subscribe"/>'));
    stage.line.push(from('frank@example.org', ' type="unsubscribe"/>'));
    stage.line.push(from('grace@example.org', ' type="error"/>'));
    a.send('<presence xmlns="jabber:client" to="eve@example.org" type="unsubscribed"/>');
    a.take();
    const tab = await stage.attach();
    expect(tab.take().slice(2)).toEqual([
      snapshot(self),
      snapshot(from('bob@example.org/x')),
      snapshot(from('dave@example.org', ' type="subscribe"/>')),
    ]);
    expect(a.take()).toEqual([]);
  });

  it('S18, S19: answers the first presence of a tab that is not forwarded', async () => {
    const stage = new Stage({ shared: { snapshot: true } });
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(AVAILABLE);
    stage.line.push(from('bob@example.org/x'));
    b.take();
    b.send(AVAILABLE);
    expect(b.take()).toEqual([snapshot(from('bob@example.org/x'))]);
  });

  it('S19: a room that was left is forgotten with its occupants, all are when the user went offline', async () => {
    const stage = new Stage({ shared: { snapshot: true } });
    const [a] = (await stage.tabs(1)) as [Tab];
    stage.line.push(from('room@muc.example.org/bob'));
    stage.line.push(from('bob@example.org/x'));
    stage.line.push(from('room@muc.example.org/alice', ' type="unavailable"><x xmlns="http://jabber.org/protocol/muc#user"><status code="110"/></x></presence>'));
    stage.line.push(from('dave@example.org', ' type="subscribe"/>'));
    const b = await stage.attach();
    expect(b.take().slice(2)).toEqual([snapshot(from('bob@example.org/x')), snapshot(from('dave@example.org', ' type="subscribe"/>'))]);
    a.send(UNAVAILABLE);
    stage.clock.tick(600);
    const c = await stage.attach();
    expect(c.take().slice(2)).toEqual([snapshot(from('dave@example.org', ' type="subscribe"/>'))]);
  });

  it('S19: keeps so many bytes, the youngest', async () => {
    const stage = new Stage({ shared: { snapshot: true }, limits: { maxBufferedBytes: 16_384 } });
    await stage.tabs(1);
    for (let i = 0; i < 20; i++) stage.line.push(from(`bob@example.org/${i}`, `><status>${'x'.repeat(1000)}</status></presence>`));
    const tab = await stage.attach();
    const replayed = tab.stanzas.slice(1).map((stanza) => stanza.attribute('from'));
    expect(replayed.at(-1)).toBe('bob@example.org/19');
    expect(replayed.length).toBeGreaterThan(10);
    expect(replayed.length).toBeLessThan(16);
  });

  it('S19, R12: a mark from outside is no snapshot', async () => {
    const stage = new Stage({ shared: { snapshot: true } });
    const [a] = (await stage.tabs(1)) as [Tab];
    stage.line.push(from(`mallory@example.com/x`, ' xmlns:shared="urn:xmpp:tmp:shared-bosh:0" shared:snapshot="true"/>'));
    expect(a.take()).toEqual([from('mallory@example.com/x', ' xmlns:shared="urn:xmpp:tmp:shared-bosh:0"/>')]);
  });

  it('S18: while the stream lingers an "unavailable" of the last client waits for another', async () => {
    const stage = new Stage({ shared: { linger: 30 } });
    const [a] = (await stage.tabs(1)) as [Tab];
    a.send(UNAVAILABLE);
    a.session.leave({ reason: 'closed' });
    await stage.attach();
    stage.clock.tick(60_000);
    expect(stage.line.take()).toEqual([]);
    expect(stage.keys.list()).toMatchObject([{ jid: JID, clients: [{ number: 2 }] }]);
  });
});
