import { Stanza } from '../../../lib/xml/index.js';
import { copy, JID, message, settled, Stage, Tab } from './stage.js';

const incoming = (id: string): string =>
  `<message xmlns="jabber:client" from="bob@example.org/x" to="${JID}" id="${id}"><body>hi</body></message>`;
const big = (bytes: number): string => `<message xmlns="jabber:client"><body>${'x'.repeat(bytes)}</body></message>`;

describe('a tab that does not read', () => {
  it('S20: holds up the server and the others, never for longer than a client may be silent, then is put out', async () => {
    const stage = new Stage();
    const [a, b, c] = (await stage.tabs(3)) as [Tab, Tab, Tab];
    b.reads = false;
    stage.line.push(incoming('m1'));
    expect(stage.line.take()).toEqual(['pause']);
    expect(a.send(message('m2'))).toBe(false);
    expect(stage.line.take()).toEqual([message('m2')]); // nothing is dropped
    stage.clock.tick(59_000);
    expect(stage.line.take()).toEqual([]);
    expect(a.take()).toEqual([incoming('m1')]);
    stage.clock.tick(1100);
    expect(b.take()).toEqual([incoming('m1'), copy(message('m2'), 1), 'end error policy-violation']);
    expect(stage.line.take()).toEqual(['resume']);
    expect(a.take()).toEqual(['drain']);
    stage.line.push(incoming('m3'));
    expect([a.take(), c.take().at(-1), b.take()]).toEqual([[incoming('m3')], incoming('m3'), []]);
    expect(stage.events()).toEqual(['limit limits.maxBufferedBytes 192.0.2.1', 'detached 2 error']);
  });

  it('S20: goes on when it reads in time', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    b.reads = false;
    stage.line.push(incoming('m1'));
    expect(a.send(message('m2'))).toBe(false);
    b.reads = true;
    b.session.drained();
    expect(stage.line.take()).toEqual(['pause', message('m2'), 'resume']);
    expect(a.take()).toEqual([incoming('m1'), 'drain']);
    stage.clock.tick(120_000);
    expect(b.take()).toHaveLength(2);
    expect(stage.events()).toEqual(['limit limits.maxBufferedBytes 192.0.2.1']);
  });

  it('S20: does not keep itself from sending, only the others', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    b.reads = false;
    stage.line.push(incoming('m1'));
    expect(b.send(message('m2'))).toBe(true);
    expect(a.send(message('m3'))).toBe(false);
  });

  it('S20: two that do not read never wait for each other to send: over BOSH that is how they read', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    b.reads = false;
    stage.line.push(incoming('m1'));
    expect(a.send(message('m2'))).toBe(false);
    a.reads = false;
    stage.line.push(incoming('m3'));
    expect(a.take()).toEqual([incoming('m1'), incoming('m3'), 'drain']);
    expect([a.send(message('m4')), b.send(message('m5'))]).toEqual([true, true]);
  });

  it('S20: is put out at once when the others go on all the same', async () => {
    const stage = new Stage({ limits: { maxBufferedBytes: 20_000 } });
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    b.reads = false;
    for (let i = 0; i < 3; i++) a.send(big(9000));
    expect(b.take().filter((entry) => entry.startsWith('end'))).toEqual([]);
    a.send(big(9000));
    expect(b.take().at(-1)).toBe('end error policy-violation');
    expect(a.take()).toEqual(['drain']);
    expect(stage.line.take()).toHaveLength(4);
  });

  it('S20: alone it holds up nobody, and stays', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(1)) as [Tab];
    a.reads = false;
    stage.line.push(incoming('m1'));
    stage.clock.tick(300_000);
    expect(a.take()).toEqual([incoming('m1')]);
    const b = await stage.attach();
    b.take();
    stage.clock.tick(61_000);
    expect(a.take()).toEqual(['end error policy-violation']);
    expect(stage.line.take()).toEqual(['pause', 'resume']);
  });

  it('S20: two that do not read are waited for both', async () => {
    const stage = new Stage();
    const [a, b, c] = (await stage.tabs(3)) as [Tab, Tab, Tab];
    b.reads = c.reads = false;
    stage.line.push(incoming('m1'));
    b.session.drained();
    b.session.drained();
    expect(stage.line.take()).toEqual(['pause']);
    expect(a.send(message('m2'))).toBe(false);
    c.session.drained();
    expect(stage.line.take()).toEqual([message('m2')]); // B is slow again
    b.session.drained();
    expect(stage.line.take()).toEqual(['resume']);
    expect(a.take().at(-1)).toBe('drain');
  });

  it('a server that does not read holds up those who send', async () => {
    const stage = new Stage();
    const [a, b, c] = (await stage.tabs(3)) as [Tab, Tab, Tab];
    stage.line.takes = false;
    expect(a.send(message('m1'))).toBe(false);
    expect(b.send(message('m2'))).toBe(false);
    stage.line.drain();
    expect([a.take().at(-1), b.take().at(-1), c.take().includes('drain')]).toEqual(['drain', 'drain', false]);
    expect(a.send(message('m3'))).toBe(true);
  });

  it('S6: one that waits may send so much, and goes on when its session is there', () => {
    const stage = new Stage({ limits: { maxBufferedBytes: 20_000 } });
    const creator = stage.open();
    const waiting = stage.open();
    expect(waiting.send(big(15_000))).toBe(true);
    expect(waiting.send(big(15_000))).toBe(false);
    stage.bind(creator);
    expect(waiting.take().at(-1)).toBe('drain');
    expect(stage.line.take().slice(-2)).toEqual([big(15_000), big(15_000)]);
  });
});

describe('the end', () => {
  it('S21: one client leaves, the stream and the others stay; the last one ends it', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.session.leave({ reason: 'closed' }, [Stanza.parse(incoming('m1'))]);
    expect([...stage.line.take(), ...b.take()]).toEqual([]);
    expect(stage.events()).toEqual(['detached 1 closed']);
    stage.line.push(incoming('m2'));
    expect([a.take(), b.take()]).toEqual([[], [incoming('m2')]]);
    b.session.leave({ reason: 'closed' });
    expect(stage.line.take()).toEqual(['close']);
    expect(stage.events()).toEqual(['detached 2 closed', 'session.closed']);
    b.session.leave({ reason: 'closed' });
    expect(stage.line.take()).toEqual([]);
    expect(stage.keys.list()).toEqual([]);
    expect(stage.refused(new Tab(), { attachOnly: true })).toBe('item-not-found');
  });

  it('S21, X8: what the last one never got is returned to its senders; copies have none', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(message('m1'));
    stage.line.push(incoming('m2'));
    const undelivered = b.stanzas.slice();
    expect(undelivered).toHaveLength(2);
    a.session.leave({ reason: 'lost' });
    stage.line.take();
    b.session.leave({ reason: 'inactivity' }, undelivered);
    expect(stage.line.take()).toEqual([expect.stringMatching(/type="error" id="m2".*<recipient-unavailable/), 'close']);
  });

  it('S21, X8: nothing is returned that one has read who was there all the time and left in good order', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    b.take();
    stage.line.push(incoming('m1'));
    a.session.leave({ reason: 'closed' });
    stage.line.push(incoming('m2'));
    stage.line.take();
    b.session.leave({ reason: 'inactivity' }, b.stanzas.slice(-2));
    expect(stage.line.take()).toEqual([expect.stringMatching(/type="error" id="m2"/), 'close']);
  });

  it('S21, X8: what came before another, or was not read by it, is returned', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(1)) as [Tab];
    stage.line.push(incoming('m1'));
    const b = await stage.attach();
    stage.line.push(incoming('m2'));
    b.session.leave({ reason: 'closed' });
    const c = await stage.attach();
    stage.line.push(incoming('m3'));
    c.session.leave({ reason: 'closed' }, [Stanza.parse(incoming('m3'))]);
    stage.line.take();
    a.session.leave({ reason: 'inactivity' }, a.stanzas.slice(-3));
    expect(stage.line.take()).toEqual([...['m1', 'm2', 'm3'].map((id) => expect.stringMatching(`type="error" id="${id}"`)), 'close']);
  });

  it('S21: with linger a page may change: what came meanwhile is for the next client', async () => {
    const stage = new Stage({ shared: { linger: 30 } });
    const [a] = (await stage.tabs(1)) as [Tab];
    a.session.leave({ reason: 'closed' }, [Stanza.parse(incoming('m1'))]);
    const ping = `<iq xmlns="jabber:client" type="get" id="p" from="bob@example.org/x"><ping xmlns="urn:xmpp:ping"/></iq>`;
    stage.line.push(incoming('m2'));
    stage.line.push(ping);
    stage.clock.tick(29_000);
    expect(stage.line.take()).toEqual([]);
    const b = await stage.attach();
    expect(b.take().slice(2)).toEqual([incoming('m1'), incoming('m2'), ping]);
    b.send('<iq xmlns="jabber:client" type="result" id="p" to="bob@example.org/x"/>');
    expect(stage.line.take()).toHaveLength(1);
    expect(stage.sessions.list()[0]!.jid).toBe(JID);
    stage.clock.tick(60_000);
    b.session.leave({ reason: 'lost' });
    expect(stage.line.take()).toEqual([]);
    stage.line.push(incoming('m3'));
    stage.clock.tick(31_000);
    expect(stage.line.take()).toEqual([expect.stringMatching(/type="error" id="m3"/), 'close']);
    expect(stage.keys.list()).toEqual([]);
  });

  it('S21: a stream without clients takes so much and then lets the server wait', async () => {
    const stage = new Stage({ shared: { linger: 30 }, limits: { maxBufferedBytes: 20_000 } });
    const [a] = (await stage.tabs(1)) as [Tab];
    a.session.leave({ reason: 'closed' });
    stage.line.push(big(15_000));
    expect(stage.line.take()).toEqual([]);
    stage.line.push(big(15_000));
    expect(stage.line.take()).toEqual(['pause']);
    const b = await stage.attach();
    expect(b.take()).toHaveLength(4);
    expect(stage.line.take()).toEqual(['resume']);
  });

  it('S21: a logout for all ends the stream at once, lingering or not', async () => {
    const stage = new Stage({ shared: { linger: 30 } });
    const [a, b, c] = (await stage.tabs(3)) as [Tab, Tab, Tab];
    b.send('<presence xmlns="jabber:client" type="unavailable"/>');
    b.session.leave({ reason: 'closed' }, [], 'all');
    expect(stage.line.take()).toEqual(['<presence xmlns="jabber:client" type="unavailable"/>', 'close']);
    expect([a.take().at(-1), b.take(), c.take().at(-1)]).toEqual(['end closed', [], 'end closed']);
    expect(stage.keys.list()).toEqual([]);
    expect(stage.events()).toEqual(['detached 2 closed', 'detached 1 closed', 'detached 3 closed', 'session.closed']);
  });

  it('S21: an ordinary session takes the same word for its own end', () => {
    const stage = new Stage();
    const tab = new Tab();
    tab.session = stage.sessions.open('example.org', {}, tab);
    tab.session.leave({ reason: 'closed' }, [], 'all');
    expect(stage.line.take()).toEqual(['close']);
  });

  it('S21: when the server ends the stream, every client gets the reason', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    stage.line.end({ reason: 'failed' });
    for (const tab of [a, b]) expect(tab.take()).toEqual(['end upstream-failed remote-connection-failed']);
    expect(a.send(message('late'))).toBe(true);
    expect(stage.events()).toEqual(['session.closed', 'detached 1 upstream-failed', 'detached 2 upstream-failed']);
    expect(stage.keys.list()).toEqual([]);
  });

  it('S21: the app ends it for all', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    expect(stage.sessions.terminate(JID)).toBe(1);
    for (const tab of [a, b]) expect(tab.take()).toEqual(['end terminated policy-violation']);
    // What one of several never got may have reached another.
    a.session.bounceAll([Stanza.parse(incoming('m1'))]);
    expect(stage.line.take()).toEqual(['close']);
  });

  it('X8: one client that the app ended returns what it never got', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(1)) as [Tab];
    stage.sessions.terminate(JID);
    stage.line.take();
    a.session.bounceAll([Stanza.parse(incoming('m1')), Stanza.parse(copy(message('m2'), 1))]);
    expect(stage.line.take()).toEqual([expect.stringMatching(/type="error" id="m1"/)]);
  });

  it('W13: clients are moved together, nobody from a protected place to one that is not', async () => {
    const stage = new Stage();
    const creator = stage.open(new Tab('192.0.2.1', false));
    stage.bind(creator);
    const other = await stage.attach(new Tab('192.0.2.2', true));
    stage.sessions.drain({ bosh: 'http://other.example/http-bind' });
    expect(creator.take().at(-1)).toBe('end moved http://other.example/http-bind');
    expect(other.take().at(-1)).toBe('end moved reset');
  });

  it('the session shows the oldest client, and the last one when there is none', async () => {
    const stage = new Stage({ shared: { linger: 30 } });
    const creator = stage.open(new Tab('192.0.2.1'));
    stage.bind(creator);
    const second = new Tab('192.0.2.2');
    second.transport = 'websocket';
    await stage.attach(second);
    const [session] = stage.sessions.list();
    expect(session).toMatchObject({ address: '192.0.2.1', transport: 'bosh' });
    creator.session.leave({ reason: 'closed' });
    expect(session).toMatchObject({ address: '192.0.2.2', transport: 'websocket' });
    second.session.leave({ reason: 'closed' });
    expect(session).toMatchObject({ address: '192.0.2.2' });
    await stage.attach(new Tab('192.0.2.3'));
    expect(session).toMatchObject({ address: '192.0.2.3', transport: 'bosh' });
  });

  it('a client that is gone before its turn attaches to nothing', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(1)) as [Tab];
    const late = stage.open();
    late.session.leave({ reason: 'lost' });
    const later = stage.open();
    a.session.leave({ reason: 'closed' });
    await settled();
    expect(late.take()).toEqual([]);
    expect(later.take()[0]).toBe(`open attached ${JID}`); // it was there when the last one left
    expect(stage.line.take()).toEqual([]);
  });

  it('a client that attaches just as the stream ends is told', async () => {
    const stage = new Stage();
    await stage.tabs(1);
    const late = stage.open();
    stage.line.end();
    await settled();
    expect(late.take()).toEqual(['end upstream-closed']);
  });
});
