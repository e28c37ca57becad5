import { Stanza } from '../../../lib/xml/index.js';
import { copy, JID, message, settled, Stage, Tab } from './stage.js';

const get = (id: string, to?: string): string =>
  `<iq xmlns="jabber:client" type="get" id="${id}"${to ? ` to="${to}"` : ''}><query xmlns="urn:q"/></iq>`;
const result = (id: string, attributes = ''): string => `<iq xmlns="jabber:client" type="result" id="${id}"${attributes}/>`;
const error = (id: string, attributes = ''): string =>
  `<iq xmlns="jabber:client" type="error" id="${id}"${attributes}><error type="cancel"><service-unavailable xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></iq>`;
const inquiry = (id: string, from?: string): string =>
  `<iq xmlns="jabber:client" type="get" id="${id}"${from ? ` from="${from}"` : ''}><query xmlns="urn:q"/></iq>`;
const BOB = 'bob@example.org/x';
const to = ` to="${BOB}"`;

/** As Strophe does: whoever gets a request that it does not know answers with an error at once. */
function answersUnknown(tab: Tab): void {
  tab.reacts = (stanza) => {
    const type = stanza.attribute('type');
    if (stanza.kind !== 'iq' || (type !== 'get' && type !== 'set')) return;
    const from = stanza.attribute('from');
    tab.send(error(stanza.attribute('id')!, from ? ` to="${from}"` : ''));
  };
}

describe('the requests of the clients', () => {
  it('S14: all see the answer, the asker with its own id', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(get('q1', 'bob@example.org'));
    stage.line.push(result('q1', ' from="bob@example.org"'));
    expect(a.take()).toEqual([result('q1', ' from="bob@example.org"')]);
    expect(b.take()).toEqual([copy(get('q1', 'bob@example.org'), 1), result('q1', ' from="bob@example.org"')]);
  });

  it('S14: the same id in two clients at once: each gets its own answer under it, and nothing else', async () => {
    const stage = new Stage();
    const [a, b, c] = (await stage.tabs(3)) as [Tab, Tab, Tab];
    a.send(get('q1'));
    b.send(get('q1'));
    const [first, second] = stage.line.take() as [string, string];
    const alias = Stanza.parse(second).attribute('id')!;
    expect(first).toBe(get('q1'));
    expect(alias).not.toBe('q1');
    expect(second).toBe(get('q1').replace('"q1"', `"${alias}"`));
    expect(a.take()).toEqual([copy(get('q1').replace('"q1"', `"${alias}"`), 2)]);
    expect(b.take()).toEqual([copy(get('q1'), 1)]);
    c.take();
    // The answer to A's must not look to B like one to its own.
    stage.line.push(result('q1', ' n="A"'));
    expect(a.take()).toEqual([result('q1', ' n="A"')]);
    const [foreign] = b.take();
    expect(Stanza.parse(foreign!).attribute('id')).not.toBe('q1');
    expect(foreign).toContain('n="A"');
    expect(c.take()).toEqual([result('q1', ' n="A"')]);
    stage.line.push(result(alias, ' n="B"'));
    expect(b.take()).toEqual([expect.stringMatching(/id="q1".* n="B"/)]);
    expect(a.take()).toEqual([result(alias, ' n="B"')]);
    expect(c.take()).toEqual([result(alias, ' n="B"')]);
    // Both are answered: the id is free again.
    c.send(get('q1'));
    expect(stage.line.take()).toEqual([get('q1')]);
  });

  it('S14: an id stays taken for others as long as its asker waits under an alias', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(get('q1'));
    b.send(get('q1')); // under an alias
    stage.line.push(result('q1'));
    stage.line.take();
    b.take();
    a.send(get('q1'));
    expect(Stanza.parse(stage.line.take()[0]!).attribute('id')).not.toBe('q1');
    expect(Stanza.parse(b.take()[0]!).attribute('id')).not.toBe('q1');
  });

  it('S14: an answer that somebody else gives under a guessed id ends no request', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    b.send(get('q1', BOB));
    a.send(get('q1', BOB));
    const alias = Stanza.parse(stage.line.take()[1]!).attribute('id')!;
    a.take();
    stage.line.push(result(alias, ' from="mallory@example.com/x"'));
    stage.line.push(result(alias, ` from="${BOB.toUpperCase()}"`));
    expect(a.take().map((xml) => Stanza.parse(xml).attribute('id'))).toEqual([alias, 'q1']);
  });

  it('S14: the account answers for itself with its own address, the server, or none', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    for (const from of ['', ' from="alice@example.org"', ` from="${JID}"`, ' from="example.org"']) {
      b.send(get('q1'));
      a.send(get('q1'));
      const alias = Stanza.parse(stage.line.take()[1]!).attribute('id')!;
      a.take();
      stage.line.push(result(alias, from));
      expect(a.take()).toEqual([expect.stringContaining('id="q1"')]);
      stage.line.push(result('q1', from));
      a.take();
    }
  });

  it('S14: a request without an id, or with a monstrous one, passes as it is', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(2)) as [Tab];
    const monster = get('x'.repeat(2000));
    a.send('<iq xmlns="jabber:client" type="get"/>');
    a.send(monster);
    a.send(monster);
    expect(stage.line.take()).toEqual(['<iq xmlns="jabber:client" type="get"/>', monster, monster]);
    stage.line.push(result('x'.repeat(2000)));
    expect(a.take()).toEqual([result('x'.repeat(2000))]);
  });

  it('S14: the ids of messages and presences are never touched', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(message('same'));
    b.send(message('same'));
    expect(stage.line.take()).toEqual([message('same'), message('same')]);
    expect(a.take()).toEqual([copy(message('same'), 2)]);
  });

  it('S17: an answer that nobody gives is forgotten after five minutes', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(get('q1'));
    stage.clock.tick(290_000);
    b.send(get('q1'));
    expect(Stanza.parse(stage.line.take()[1]!).attribute('id')).not.toBe('q1');
    stage.clock.tick(80_000);
    const c = await stage.attach();
    c.send(get('q1'));
    expect(Stanza.parse(stage.line.take()[0]!).attribute('id')).not.toBe('q1'); // B's is younger
    stage.clock.tick(400_000);
    c.send(get('q1'));
    expect(stage.line.take()).toEqual([get('q1')]);
  });

  it('S17: so many at once and no more are remembered', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    for (let i = 0; i <= 4096; i++) a.send(get(`q${i}`));
    stage.line.take();
    b.send(get('q0')); // forgotten
    b.send(get('q1'));
    expect(stage.line.take().map((xml) => Stanza.parse(xml).attribute('id') === 'q0')).toEqual([true, false]);
  });

  it('S17: when the asker has left, the answer still goes to the others', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(get('q1'));
    a.session.leave({ reason: 'closed' });
    b.take();
    stage.line.push(result('q1'));
    expect(b.take()).toEqual([result('q1')]);
    expect(a.take()).toEqual([]);
  });
});

describe('the requests from outside', () => {
  it('S15: all clients get them, the first result goes to the server, and no other answer', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    stage.line.push(inquiry('v1', BOB));
    expect([a.take(), b.take()]).toEqual([[inquiry('v1', BOB)], [inquiry('v1', BOB)]]);
    b.send(result('v1', to));
    a.send(result('v1', to));
    a.send(error('v1', to));
    expect(stage.line.take()).toEqual([result('v1', to)]);
    expect([...a.take(), ...b.take()]).toEqual([]);
  });

  it('S15: an error waits for a result', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    stage.line.push(inquiry('v1', BOB));
    a.send(error('v1', to));
    stage.clock.tick(900);
    expect(stage.line.take()).toEqual([]);
    b.send(result('v1', to));
    stage.clock.tick(10_000);
    expect(stage.line.take()).toEqual([result('v1', to)]);
  });

  it('S15: when all have answered with an error, one error goes out at once', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    stage.line.push(inquiry('v1', BOB));
    a.send(error('v1', `${to} n="1"`));
    a.send(error('v1', `${to} n="again"`));
    expect(stage.line.take()).toEqual([]);
    b.send(error('v1', `${to} n="2"`));
    expect(stage.line.take()).toEqual([error('v1', `${to} n="1"`)]);
    stage.clock.tick(10_000);
    expect(stage.line.take()).toEqual([]);
  });

  it('S15: after a second an error goes out, whoever is silent, each in its time', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    stage.line.push(inquiry('v1', BOB));
    stage.line.push(inquiry('v2', BOB));
    a.send(error('v1', to));
    stage.clock.tick(500);
    a.send(error('v2', to));
    stage.clock.tick(550);
    expect(stage.line.take()).toEqual([error('v1', to)]);
    b.send(result('v1', to));
    stage.clock.tick(500);
    expect(stage.line.take()).toEqual([error('v2', to)]);
  });

  it('S15: a result to one request leaves the error to an earlier one where it is', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    for (const id of ['v1', 'v2']) {
      stage.line.push(inquiry(id, BOB));
      a.send(error(id, to));
    }
    b.send(result('v2', to));
    stage.clock.tick(1050);
    expect(stage.line.take()).toEqual([result('v2', to), error('v1', to)]);
  });

  it('S15: the errors of a client that is alone go out at once', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(1)) as [Tab];
    stage.line.push(inquiry('v1', BOB));
    a.send(error('v1', to));
    expect(stage.line.take()).toEqual([error('v1', to)]);
  });

  it('S15: nobody waits for the answer of a client that left', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    stage.line.push(inquiry('v1', BOB));
    a.send(error('v1', to));
    b.session.leave({ reason: 'lost' });
    expect(stage.line.take()).toEqual([error('v1', to)]);
  });

  it('S15: a late tab that never saw a request has no say in it', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(1)) as [Tab];
    stage.line.push(inquiry('v1', BOB));
    const b = await stage.attach();
    b.send(result('v1', to));
    expect(stage.line.take()).toEqual([]);
    a.send(error('v1', to));
    expect(stage.line.take()).toEqual([error('v1', to)]);
  });

  it('S15: the account may ask with its bare address or none, and is answered in either way', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(2)) as [Tab];
    stage.line.push(inquiry('push1'));
    a.send(result('push1', ' to="alice@example.org"'));
    stage.line.push(inquiry('push2', 'alice@example.org'));
    a.send(result('push2'));
    expect(stage.line.take()).toHaveLength(2);
  });

  it('S15: requests that nobody answers are forgotten after five minutes', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(2)) as [Tab];
    stage.line.push(inquiry('v1', BOB));
    stage.clock.tick(420_000);
    a.send(result('v1', to));
    expect(stage.line.take()).toEqual([]);
  });

  it('S16: an answer to nothing that was asked is swallowed', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(error('q1', ` to="${JID}"`));
    a.send(result('q1', to));
    expect([...stage.line.take(), ...b.take()]).toEqual([]);
  });

  it('S15, S16: two clients that answer unknown requests at once do not break each other', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    answersUnknown(a);
    answersUnknown(b);
    // B refuses the copy of A's request; A must hear nothing of that.
    a.send(get('q1', 'bob@example.org'));
    expect(stage.line.take()).toEqual([get('q1', 'bob@example.org')]);
    expect(a.take()).toEqual([]);
    stage.line.push(result('q1', ' from="bob@example.org"'));
    expect(a.take()).toEqual([result('q1', ' from="bob@example.org"')]);
    // Both refuse what comes from outside: one refusal goes out.
    stage.line.push(inquiry('v1', BOB));
    expect(stage.line.take()).toEqual([error('v1', to)]);
    // One that knows the answer wins against one that does not.
    b.reacts = undefined;
    stage.line.push(inquiry('v2', BOB));
    b.send(result('v2', to));
    stage.clock.tick(5000);
    expect(stage.line.take()).toEqual([result('v2', to)]);
  });

  it('S16: a client that pings its own resource is answered by one of the clients', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(get('self', JID));
    stage.line.take();
    b.send(error('self', ` to="${JID}"`)); // to the copy
    stage.line.push(inquiry('self', JID));
    await settled();
    b.send(result('self', ` to="${JID}"`));
    expect(stage.line.take()).toEqual([result('self', ` to="${JID}"`)]);
    a.take();
    stage.line.push(result('self', ` from="${JID}"`));
    expect(a.take()).toEqual([result('self', ` from="${JID}"`)]);
  });
});
