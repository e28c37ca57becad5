import { Negotiation, passableFeatures, type Progress, type Resumptions } from '../../../lib/session/negotiation.js';
import { NS, Stanza } from '../../../lib/xml/index.js';
import { bindResult, ENABLED, SUCCESS } from './scripted.js';

const JID = 'romeo@example.org/orchard';

class Memory extends Map<string, string> implements Resumptions {
  remember(id: string, jid: string): void {
    this.set(id, jid);
  }
  recall(id: string): string | undefined {
    return this.get(id);
  }
}

function negotiation(memory = new Memory()): { it: Negotiation; memory: Memory; says: (...xml: string[]) => Progress[]; asks: (...xml: string[]) => void } {
  const it = new Negotiation('example.org', memory);
  return {
    it,
    memory,
    says: (...xml) => xml.map((text) => it.incoming(Stanza.parse(text))),
    asks: (...xml) => xml.forEach((text) => it.outgoing(Stanza.parse(text))),
  };
}

function sasl2(...inner: string[]): string {
  return `<success xmlns="urn:xmpp:sasl:2">${inner.join('')}</success>`;
}

describe('Negotiation', () => {
  describe('U5: who the client is, by the server’s word', () => {
    it('SASL and a bound resource', () => {
      const { it, says } = negotiation();
      expect(says(SUCCESS)).toEqual(['authenticated']);
      expect(it.jid).toBeUndefined();
      expect(says(bindResult(JID))).toEqual(['bound']);
      expect([it.authenticated, it.jid, it.managed, it.resumable]).toEqual([true, JID, false, false]);
    });

    it('SASL2 without a resource, then a bound one', () => {
      const { it, says } = negotiation();
      expect(says(sasl2('<authorization-identifier>romeo@example.org</authorization-identifier>'))).toEqual(['authenticated']);
      expect(it.jid).toBeUndefined();
      expect(says(bindResult(JID))).toEqual(['bound']);
      expect(it.jid).toBe(JID);
    });

    it.each(['urn:xmpp:bind:0', 'urn:xmpp:bind2:1'])('SASL2 with an inline resource and stream management (%s)', (bind) => {
      const { it, says, memory } = negotiation();
      const success = sasl2(
        `<authorization-identifier>${JID}</authorization-identifier>`,
        `<bound xmlns="${bind}"><enabled xmlns="urn:xmpp:sm:3" id="sm1" resume="1"/></bound>`,
      );
      expect(says(success)).toEqual(['bound']);
      expect([it.authenticated, it.jid, it.managed, it.resumable]).toEqual([true, JID, true, true]);
      expect(memory.get('sm1')).toBe(JID);
    });

    it('SASL2 with an inline resumption', () => {
      const { it, says } = negotiation(new Memory([['sm0', JID]]) as Memory);
      const success = sasl2(
        '<authorization-identifier>romeo@example.org</authorization-identifier>',
        '<resumed xmlns="urn:xmpp:sm:3" h="3" previd="sm0"/>',
      );
      expect(says(success)).toEqual(['resumed']);
      expect([it.authenticated, it.jid, it.managed, it.resumable]).toEqual([true, JID, true, true]);
    });

    it.each(['urn:xmpp:sm:3', 'urn:xmpp:sm:2'])('a resumed stream has the JID that it had (%s)', (sm) => {
      const first = negotiation();
      first.says(SUCCESS, bindResult(JID), ENABLED.replace('urn:xmpp:sm:3', sm));
      const { it, says } = negotiation(first.memory);
      expect(says(SUCCESS, `<resumed xmlns="${sm}" h="1" previd="sm1"/>`)).toEqual(['authenticated', 'resumed']);
      expect([it.jid, it.managed, it.resumable]).toEqual([JID, true, true]);
    });

    it('a failed resumption leaves everything open', () => {
      const { it, says } = negotiation(new Memory([['sm1', JID]]) as Memory);
      expect(says(SUCCESS, '<failed xmlns="urn:xmpp:sm:3" h="1"><item-not-found xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></failed>')).toEqual([
        'authenticated',
        undefined,
      ]);
      expect([it.jid, it.managed, it.resumable]).toEqual([undefined, false, false]);
      expect(says(bindResult(JID))).toEqual(['bound']);
    });

    it('a stream that is managed but not resumable', () => {
      for (const resume of ['', ' resume="false"', ' resume="0"']) {
        const { it, says } = negotiation();
        says(SUCCESS, bindResult(JID), `<enabled xmlns="urn:xmpp:sm:3"${resume}/>`);
        expect([it.managed, it.resumable]).toEqual([true, false]);
      }
    });

    it('legacy authentication (XEP-0078)', () => {
      const { it, says, asks } = negotiation();
      asks(
        '<iq xmlns="jabber:client" type="get" id="a1"><query xmlns="jabber:iq:auth"><username>romeo</username></query></iq>',
        '<iq xmlns="jabber:client" type="set" id="a2"><query xmlns="jabber:iq:auth"><username>romeo</username><password>x</password><resource>orchard</resource></query></iq>',
      );
      expect(says('<iq xmlns="jabber:client" type="result" id="a1"/>', '<iq xmlns="jabber:client" type="result" id="a2"/>')).toEqual([
        undefined,
        'bound',
      ]);
      expect([it.authenticated, it.jid]).toEqual([true, JID]);
    });
  });

  describe('R11: what proves nothing', () => {
    const login = (id: string, name = 'romeo'): string =>
      `<iq xmlns="jabber:client" type="set" id="${id}"><query xmlns="jabber:iq:auth"><username>${name}</username><password>x</password><resource>orchard</resource></query></iq>`;
    const result = (id: string, attributes = ''): string => `<iq xmlns="jabber:client" type="result" id="${id}"${attributes}/>`;

    it.each([
      ['a refused login', [login('a')], '<iq xmlns="jabber:client" type="error" id="a"/>'],
      ['an answer to something else', [login('a')], result('b')],
      ['an answer to a request before, with the same id', ['<iq xmlns="jabber:client" type="get" id="a"/>', login('a')], result('a')],
      ['an answer to a request behind, with the same id', [login('a'), '<iq xmlns="jabber:client" type="get" id="a"/>'], result('a')],
      ['one of two logins with the same id', [login('a', 'mallory'), login('a')], result('a')],
      ['an answer without id', [login('')], '<iq xmlns="jabber:client" type="result"/>'],
      ['an answer by another client', [login('a')], result('a', ' from="mallory@example.org/x"')],
      ['a name that holds a whole JID', [login('a', 'romeo@example.org/x')], result('a')],
      ['an id as long as a novel', [login('a'.repeat(1000))], result('a'.repeat(1000))],
    ])('%s', (_, requests, answer) => {
      const { it, says, asks } = negotiation();
      asks(...requests);
      expect(says(answer)).toEqual([undefined]);
      expect([it.authenticated, it.jid]).toEqual([false, undefined]);
    });

    it('more requests than anybody needs before a login', () => {
      const { it, says, asks } = negotiation();
      for (let i = 0; i < 100; i++) asks(`<iq xmlns="jabber:client" type="get" id="i${i}"/>`);
      asks(login('i99'));
      expect(says(result('i99'))).toEqual([undefined]);
      expect(it.jid).toBeUndefined();
    });

    it('a login that waits while SASL names somebody else', () => {
      const { it, says, asks } = negotiation();
      asks(login('b1'));
      expect(says(SUCCESS, bindResult('mallory@example.org/x'))).toEqual(['authenticated', 'bound']);
      expect(it.jid).toBe('mallory@example.org/x');
    });

    it('a second result with a JID, and one from a contact', () => {
      const { it, says } = negotiation();
      expect(says(SUCCESS, bindResult('romeo@example.org/x', ' from="mallory@example.org/y"'))).toEqual(['authenticated', undefined]);
      expect(it.jid).toBeUndefined();
      says(bindResult(JID));
      expect(says(bindResult('juliet@example.org/x'))).toEqual([undefined]);
      expect(it.jid).toBe(JID);
    });

    it('a result with a JID on a resumed stream whose JID is not remembered', () => {
      const { it, says } = negotiation();
      expect(says(SUCCESS, '<resumed xmlns="urn:xmpp:sm:3" previd="unknown"/>')).toEqual(['authenticated', 'resumed']);
      expect(says(bindResult('juliet@example.org/x'))).toEqual([undefined]);
      expect([it.jid, it.authenticated, it.resumable]).toEqual([undefined, true, true]);
    });

    it('what looks the same in another namespace or another type', () => {
      const { it, says } = negotiation();
      expect(
        says(
          '<success xmlns="jabber:client"/>',
          '<failure xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>',
          '<success xmlns="urn:xmpp:sasl:1"><authorization-identifier>a@b/c</authorization-identifier></success>',
          '<continue xmlns="urn:xmpp:sasl:2"/>',
          '<enabled xmlns="urn:xmpp:sm:9" resume="true"/>',
          bindResult(JID).replace('"result"', '"set"'),
          bindResult(JID).replace('"result"', '"error"'),
          bindResult(JID).replace('xmpp-bind', 'xmpp-bind2'),
          '<message xmlns="jabber:client"><success xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/></message>',
        ),
      ).toEqual(Array(9).fill(undefined));
      expect([it.authenticated, it.jid, it.managed]).toEqual([false, undefined, false]);
    });

    it('an authorization identifier in another namespace inside success', () => {
      const { it, says } = negotiation();
      says(sasl2('<authorization-identifier xmlns="u">juliet@example.org/x</authorization-identifier>'));
      expect([it.authenticated, it.jid]).toEqual([true, undefined]);
    });
  });
});

describe('passableFeatures (W16, X6, U7)', () => {
  const features = (...inner: string[]): Stanza => Stanza.parse(`<stream:features xmlns:stream="${NS.streams}">${inner.join('')}</stream:features>`);
  const list = (namespace: string, ...mechanisms: string[]): string =>
    `<mechanisms xmlns="${namespace}">${mechanisms.map((name) => `<mechanism>${name}</mechanism>`).join('')}</mechanisms>`;
  const KEPT = [
    `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>`,
    `<sm  xmlns = "urn:xmpp:sm:3" ><optional/></sm >`,
    `<ver xmlns="urn:xmpp:features:rosterver">&lt;![CDATA[</ver>`,
    `<c xmlns='http://jabber.org/protocol/caps' ver='a&amp;b='/>`,
  ];

  it('takes TLS, compression and channel binding out and leaves every other byte', () => {
    const before = features(
      `<starttls xmlns="${NS.tls}"><required/></starttls>`,
      KEPT[0]!,
      ` \n`,
      `<compression xmlns="${NS.compressFeature}"><method>zlib</method></compression>`,
      KEPT[1]!,
      `<sasl-channel-binding xmlns="${NS.saslChannelBinding}"><channel-binding type="tls-exporter"/></sasl-channel-binding>`,
      KEPT[2]!,
      KEPT[3]!,
    );
    expect(passableFeatures(before).toString()).toBe(features(KEPT[0]!, ' \n', ...KEPT.slice(1)).toString());
  });

  it('is the same stanza where there is nothing to take out', () => {
    const before = features(...KEPT, list(NS.sasl, 'PLAIN', 'SCRAM-SHA-1', 'X-PLUSH'));
    expect(passableFeatures(before)).toBe(before);
    const empty = features();
    expect(passableFeatures(empty)).toBe(empty);
  });

  it('takes -PLUS and EXTERNAL out of the mechanisms of SASL and SASL2', () => {
    const names = ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1', 'EXTERNAL', 'PLAIN', ' SCRAM-SHA-256-PLUS\n', 'EXTERNALLY'];
    const left = passableFeatures(features(list(NS.sasl, ...names), list(NS.sasl2, ...names).replaceAll('mechanisms', 'authentication')));
    for (const [name, namespace] of [
      ['mechanisms', NS.sasl],
      ['authentication', NS.sasl2],
    ] as const) {
      expect(left.child(name, namespace)!.children().map((child) => child.text())).toEqual(['SCRAM-SHA-1', 'PLAIN', 'EXTERNALLY']);
    }
  });

  it('takes channel binding out of FAST inside SASL2 and leaves its other offers', () => {
    const inline = `<inline><bind xmlns="urn:xmpp:bind:0"><inline><feature var="urn:xmpp:sm:3"/></inline></bind>`;
    const authentication = (...fast: string[]): string =>
      `<authentication xmlns="${NS.sasl2}"><mechanism>PLAIN</mechanism>${inline}` +
      `<fast xmlns="urn:xmpp:fast:0">${fast.map((name) => `<mechanism>${name}</mechanism>`).join('')}</fast></inline></authentication>`;
    const left = passableFeatures(features(authentication('HT-SHA-256-ENDP', 'HT-SHA-256-NONE', 'HT-SHA-256-EXPR', 'HT-SHA-512-UNIQ')));
    const offered = left.child('authentication')!.child('inline')!;
    expect(offered.child('fast')!.children().map((child) => child.text())).toEqual(['HT-SHA-256-NONE']);
    expect(offered.child('bind')!.child('inline')!.child('feature')!.attribute('var')).toBe('urn:xmpp:sm:3');
  });

  it('leaves channel binding to clients where the app says so, but nothing else', () => {
    const before = features(
      list(NS.sasl, 'SCRAM-SHA-1-PLUS', 'EXTERNAL'),
      `<sasl-channel-binding xmlns="${NS.saslChannelBinding}"/>`,
      `<starttls xmlns="${NS.tls}"/>`,
    );
    const left = passableFeatures(before, 'pass');
    expect(left.children().map((child) => child.name)).toEqual(['mechanisms', 'sasl-channel-binding']);
    expect(left.child('mechanisms')!.children().map((child) => child.text())).toEqual(['SCRAM-SHA-1-PLUS']);
  });
});
