import { copyOf, withoutMarks } from '../../../lib/shared/copies.js';
import { sharedAttributesOf, sharedResult, readSharedAttributes } from '../../../lib/shared/index.js';
import { Scanner, readEnvelope, Stanza } from '../../../lib/xml/index.js';
import { copy, JID, KEY, message, Stage, type Tab } from './stage.js';

const SHARED = 'urn:xmpp:tmp:shared-bosh:0';
const OWN = 'urn:nestjs-xmpp:shared:0';

describe('what one client sends', () => {
  it('S11, S12: messages, presences and requests are copied to the others, before they go to the server', async () => {
    const stage = new Stage();
    const [a, b, c] = (await stage.tabs(3)) as [Tab, Tab, Tab];
    const sent = [
      message('m1'),
      '<presence xmlns="jabber:client" to="room@muc.example.org/alice"/>',
      '<iq xmlns="jabber:client" type="get" id="q1" to="bob@example.org"><query xmlns="jabber:iq:version"/></iq>',
      '<iq xmlns="jabber:client" type="set" id="q2"><query xmlns="jabber:iq:roster"/></iq>',
    ];
    for (const xml of sent) {
      let copied = 0;
      b.reacts = () => (copied = b.take().length);
      a.send(xml);
      expect(copied).toBe(1);
      b.reacts = undefined;
    }
    expect(stage.line.take()).toEqual(sent);
    expect(c.take()).toEqual(sent.map((xml) => copy(xml, 1)));
    expect(a.take()).toEqual([]);
  });

  it('S11: at the time of the copy the server has nothing yet', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    let before: string[] | undefined;
    b.reacts = () => (before ??= stage.line.take());
    a.send(message('m1'));
    expect(before).toEqual([]);
    expect(stage.line.take()).toEqual([message('m1')]);
  });

  it('S12: what concerns the stream alone, and answers, are not copied', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    stage.line.push('<iq xmlns="jabber:client" type="get" id="p" from="bob@example.org/x"><ping xmlns="urn:xmpp:ping"/></iq>');
    b.take();
    a.send('<iq xmlns="jabber:client" type="result" id="p" to="bob@example.org/x"/>');
    a.send('<inactive xmlns="urn:xmpp:csi:0"/>');
    a.send('<x xmlns="urn:example:extension"/>');
    expect(b.take()).toEqual([]);
    expect(stage.line.take()).toEqual([
      '<iq xmlns="jabber:client" type="result" id="p" to="bob@example.org/x"/>',
      '<x xmlns="urn:example:extension"/>',
    ]);
  });

  it('S13: the same object goes to all of the others', async () => {
    const stage = new Stage();
    const [a, b, c] = (await stage.tabs(3)) as [Tab, Tab, Tab];
    a.send(message('m1'));
    stage.line.push('<message xmlns="jabber:client" from="bob@example.org/x"><body>hello</body></message>');
    expect(b.stanzas).toHaveLength(2);
    expect(b.stanzas[0]).toBe(c.stanzas[0]);
    expect(b.stanzas[1]).toBe(c.stanzas[1]);
    expect(a.stanzas).toEqual([b.stanzas[1]]);
  });

  it('S13: a copy comes from the shared JID, whatever its sender wrote, and bears no mark but ours', () => {
    const forged = `<message xmlns="jabber:client" xmlns:s="${SHARED}" from="x@y" s:sent="7" s:jid="a"><body>hi</body></message>`;
    expect(copyOf(Stanza.parse(forged), 2, JID, 'marked').toString()).toBe(
      `<message xmlns="jabber:client" xmlns:s="${SHARED}" from="${JID}" s:sent="2"><body>hi</body></message>`,
    );
  });

  it('S13: a prefix that is taken is left to whom it belongs', () => {
    const taken = '<message xmlns="jabber:client" xmlns:shared="urn:a" shared:sent="1"><shared:x/></message>';
    expect(copyOf(Stanza.parse(taken), 2, JID, 'marked').toString()).toBe(
      `<message xmlns="jabber:client" xmlns:shared="urn:a" shared:sent="1" from="${JID}" xmlns:shared1="${SHARED}" shared1:sent="2"><shared:x/></message>`,
    );
  });

  it('S13: a prefix that the stanza inherited from its envelope is taken, too', () => {
    const body = `<body xmlns="http://jabber.org/protocol/httpbind" xmlns:shared="urn:a"><message xmlns="jabber:client" shared:y="1"/></body>`;
    const [stanza] = readEnvelope(Buffer.from(body), new Scanner(), 'jabber:client').children;
    expect(copyOf(stanza!, 2, JID, 'marked').attributes.get('shared1:sent')).toBe('2');
  });

  it('S13: a stanza with as many namespaces as there can be is copied without a mark', () => {
    const declarations = Array.from({ length: 15 }, (_, i) => ` xmlns:n${i}="urn:n:${i}"`).join('');
    const inner = Array.from({ length: 15 }, (_, i) => ` xmlns:m${i}="urn:m:${i}"`).join('');
    const full = Stanza.parse(`<message xmlns="jabber:client"${declarations.replace(' xmlns:n0="urn:n:0"', '')}><x xmlns:o="urn:o"${inner.replace(' xmlns:m0="urn:m:0"', '')}><y xmlns:p="urn:p"/></x></message>`);
    const copied = copyOf(full, 2, JID, 'marked');
    expect(copied.attribute('from')).toBe(JID);
    expect(copied.toString()).not.toContain(SHARED);
  });

  it('S13: plain copies have no mark', async () => {
    const stage = new Stage({ shared: { copies: 'plain' } });
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(message('m1', ` xmlns:s="${SHARED}" s:sent="1"`));
    expect(b.take()).toEqual([
      `<message xmlns="jabber:client" to="bob@example.org" id="m1" xmlns:s="${SHARED}" from="${JID}"><body>hi</body></message>`,
    ]);
  });

  it('S13: as carbons, messages come from the bare JID inside a carbon; what is said in a room, and the rest, is marked', async () => {
    const stage = new Stage({ shared: { copies: 'carbons' } });
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    a.send(message('m1', ' type="chat"'));
    const [carbon] = b.stanzas.splice(0) as [Stanza];
    expect(Object.fromEntries(carbon.attributes)).toEqual({ from: 'alice@example.org', to: JID, type: 'chat' });
    const inner = carbon.child('sent', 'urn:xmpp:carbons:2')!.child('forwarded', 'urn:xmpp:forward:0')!.children();
    expect(inner).toHaveLength(1);
    expect(inner[0]!.kind).toBe('message');
    expect(Object.fromEntries(inner[0]!.attributes)).toEqual({ from: JID, to: 'bob@example.org', id: 'm1', type: 'chat' });
    expect(inner[0]!.child('body')!.text()).toBe('hi');
    for (const xml of [message('m2', ' type="groupchat"'), '<presence xmlns="jabber:client"/>']) {
      a.send(xml);
      expect(b.take().at(-1)).toBe(copy(xml, 1));
    }
  });

  it('S13, R12: a mark from outside is stripped, under any prefix and spelling', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    const clean = (prefix: string, uri: string): string =>
      `<message xmlns="jabber:client" from="mallory@example.com/x" xmlns:${prefix}="${uri}"><body>hi</body></message>`;
    for (const [prefix, uri] of [
      ['shared', SHARED],
      ['x', SHARED],
      ['x', SHARED.replace('u', '&#117;')],
    ] as const) {
      stage.line.push(clean(prefix, uri).replace('><body', ` ${prefix}:sent="1" ${prefix}:snapshot="true"><body`));
      expect(a.take()).toEqual([clean(prefix, uri)]);
      expect(b.take()).toEqual([clean(prefix, uri)]);
    }
  });

  it('R12: the attributes of others stay', () => {
    const stanza = Stanza.parse('<message xmlns="jabber:client" xmlns:a="urn:a" a:sent="1" xml:lang="de"/>');
    expect(withoutMarks(stanza)).toBe(stanza);
  });

  it('S11: every client sees what the others do and what the server says in one order, however it interleaves', async () => {
    for (let seed = 1; seed <= 25; seed++) {
      let state = seed;
      const random = (below: number): number => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
        return (state >> 8) % below;
      };
      const stage = new Stage();
      const tabs = await stage.tabs(2 + random(4));
      const sender = new Map<string, Tab>();
      let count = 0;
      const say = (tab: Tab): void => {
        const id = `n${count++}`;
        sender.set(id, tab);
        tab.send(message(id));
      };
      // Some answer at once, while a stanza is still being handed out.
      for (const tab of tabs) {
        tab.reacts = () => {
          if (count < 300 && random(3) === 0) say(tab);
        };
      }
      while (count < 100) {
        if (random(2) === 0) say(tabs[random(tabs.length)]!);
        else stage.line.push(`<message xmlns="jabber:client" from="bob@example.org/x" id="n${count++}"/>`);
      }
      const orders = tabs.map((tab) => tab.stanzas.map((stanza) => stanza.attribute('id')!));
      const upstream = stage.line.take().filter((entry) => entry.startsWith('<')).map((xml) => Stanza.parse(xml).attribute('id')!);
      for (const [index, order] of orders.entries()) {
        const own = [...sender].filter(([, tab]) => tab === tabs[index]).map(([id]) => id);
        expect(new Set(order).size).toBe(order.length);
        expect(order.length + own.length).toBe(count);
        expect(order.some((id) => own.includes(id))).toBe(false);
        for (const other of orders) {
          const common = new Set(other);
          const mine = new Set(order);
          expect(order.filter((id) => common.has(id))).toEqual(other.filter((id) => mine.has(id)));
        }
        // The server gets it in the same order.
        expect(upstream.filter((id) => order.includes(id))).toEqual(order.filter((id) => sender.has(id)));
      }
    }
  });

  it('a client whose transport throws is put out; the others get what it did not', async () => {
    const stage = new Stage();
    const [a, b, c] = (await stage.tabs(3)) as [Tab, Tab, Tab];
    b.reacts = () => {
      throw new Error('a fault of ours');
    };
    a.send(message('m1'));
    expect(b.take().at(-1)).toBe('end error internal-server-error');
    expect(c.take()).toEqual([copy(message('m1'), 1)]);
    expect(stage.line.take()).toEqual([message('m1')]);
  });
});

describe('the attributes of sharing', () => {
  it('S3, S26: are read by namespace, whatever the prefix, of an <open/>', () => {
    const open = `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="example.org" xmlns:a="${SHARED}" a:key="${KEY}" xmlns:b="${OWN}" b:attach-only="true"/>`;
    expect(sharedAttributesOf(Stanza.parse(open))).toEqual({ key: KEY, attachOnly: true, newKey: undefined, scope: undefined });
  });

  it('S3: of a <body/>, by its attributes and declarations', () => {
    const read = (attributes: string) => {
      const body = `<body xmlns="http://jabber.org/protocol/httpbind" xmlns:s="${SHARED}" xmlns:sx="${OWN}" ${attributes}/>`;
      const envelope = readEnvelope(Buffer.from(body), new Scanner(), 'jabber:client');
      return readSharedAttributes(envelope.attributes, envelope.declarations);
    };
    expect(read(`s:newkey="${KEY}"`)).toMatchObject({ newKey: KEY, key: undefined });
    expect(read('type="terminate" sx:scope="all"')).toMatchObject({ scope: 'all' });
    expect(read('sx:scope="me"')).toMatchObject({ scope: undefined });
    expect(read('sx:attach-only="1"')).toMatchObject({ attachOnly: true });
    expect(read('rid="1" key="no" sx:key="no"')).toBeUndefined();
  });

  it('S3: none in another namespace, or without a prefix', () => {
    const open = `<open xmlns="${SHARED}" key="${KEY}" xmlns:shared="urn:other" shared:key="${KEY}"/>`;
    expect(sharedAttributesOf(Stanza.parse(open))).toBeUndefined();
    expect(sharedAttributesOf(Stanza.parse('<open xml:lang="de"/>'))).toBeUndefined();
  });

  it('S5: are written with their declaration, escaped', () => {
    expect(sharedResult({ result: 'created' })).toBe(` xmlns:shared='${SHARED}' shared:result='created'`);
    expect(sharedResult({ result: 'attached', jid: "a@b/it's" })).toBe(
      ` xmlns:shared='${SHARED}' shared:result='attached' shared:jid='a@b/it&apos;s'`,
    );
    expect(sharedResult('rekeyed')).toBe(` xmlns:shared='${SHARED}' shared:result='rekeyed'`);
  });
});
