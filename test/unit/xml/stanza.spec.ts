import { element, NS, Scanner, Scope, Stanza, XmlError } from '../../../lib/xml/index.js';

const SCOPE = new Scope([
  ['', 'jabber:client'],
  ['stream', NS.streams],
  ['p', 'a&b"<'],
]);

/** As a stanza cut out of something else, with what it inherits there. */
function inScope(text: string, scope = SCOPE): Stanza {
  const source = Buffer.from(`<before/>${text}<after/>`);
  const scanner = new Scanner();
  const end = scanner.element(source, 9, source.length, scope);
  expect(end).toBe(9 + Buffer.byteLength(text));
  return Stanza.scanned(scanner, source, end, scope);
}

describe('Stanza', () => {
  it('knows the three stanzas, in their namespace only', () => {
    expect(Stanza.parse('<message xmlns="jabber:client"/>').kind).toBe('message');
    expect(Stanza.parse('<presence xmlns="jabber:client"/>').kind).toBe('presence');
    expect(Stanza.parse('<iq xmlns="jabber:client"/>').kind).toBe('iq');
    expect(Stanza.parse('<p:iq xmlns:p="jabber:client"/>').kind).toBe('iq');
    expect(Stanza.parse('<iq xmlns="jabber&#58;client"/>').kind).toBe('iq');
    for (const other of [
      '<message/>',
      '<message xmlns="jabber:server"/>',
      '<massage xmlns="jabber:client"/>',
      '<Message xmlns="jabber:client"/>',
      '<messages xmlns="jabber:client"/>',
      '<i xmlns="jabber:client"/>',
      '<iQ xmlns="jabber:client"/>',
      '<presencf xmlns="jabber:client"/>',
      '<iq xmlns="" xmlns:p="jabber:client"/>',
    ]) {
      expect(Stanza.parse(other).kind).toBeUndefined();
    }
  });

  it('has a local name and a namespace', () => {
    const stanza = Stanza.parse(`<stream:features xmlns:stream="${NS.streams}"/>`);
    expect([stanza.name, stanza.namespace]).toEqual(['features', NS.streams]);
    expect(stanza.is('features', NS.streams)).toBe(true);
    expect(stanza.is('error', NS.streams)).toBe(false);
    expect(stanza.is('features', '')).toBe(false);
    expect(Stanza.parse('<é/>').name).toBe('é');
    expect(Stanza.parse('<a xmlns="u&amp;v"/>').namespace).toBe('u&v');
    expect(Stanza.parse('<a xmlns=""/>').namespace).toBe('');
  });

  it('knows whether it has attributes with a prefix', () => {
    const qualified = (text: string): boolean => Stanza.parse(text).qualified;
    expect(qualified('<a b="c:d"/>')).toBe(false);
    expect(qualified('<a xmlns:p="u" xmlns="v"/>')).toBe(false);
    expect(qualified('<p:a xmlns:p="u"><b p:c=""/></p:a>')).toBe(false);
    expect(qualified('<a xmlns:p="u" p:b=""><c/></a>')).toBe(true);
    expect(qualified('<a xml:lang="en"/>')).toBe(true);
    expect(inScope('<a p:b=""><c d=""/></a>').qualified).toBe(true);
  });

  describe('parse', () => {
    it('takes an XML declaration before and white space behind (W5)', () => {
      expect(Stanza.parse(`<?xml version='1.0'?> \n<a/>\r\n `).toString()).toBe('<a/>');
    });

    it('reads buffers inside larger ones', () => {
      const pool = Buffer.from('<x/><a b="1"/><y/>');
      expect(Stanza.parse(pool.subarray(4, 14)).toString()).toBe('<a b="1"/>');
    });

    it('R1: reads a part of a buffer as if nothing lay around it', () => {
      const documents = ['<a/>', '<a', '<', '', ' ', '<a></a', '<a>&am', '<a>]]', '<a b="1', '<a/', '<a b', '<?xml version="1.0"?><a/>', '<?xml', '<a>ж</a>', '<a/> ', '<a>\xd0'];
      const around = ['>', 'p;', '</a>', '/>', '"/>', '=""/>', ' version="1.0"?><a/>', '<b/>', ' ', '\xb6</a>', '>x'];
      const read = (parse: () => Stanza): string => {
        try {
          return parse().toString();
        } catch (error) {
          return (error as XmlError).condition;
        }
      };
      for (const document of documents) {
        const alone = Buffer.from(document, 'latin1');
        const expected = read(() => Stanza.parse(alone));
        for (const other of around) {
          const padding = Buffer.from(other, 'latin1');
          const whole = Buffer.concat([padding, alone, padding]);
          const [from, to] = [padding.length, padding.length + alone.length];
          expect([document, other, read(() => Stanza.parse(whole, undefined, from, to))]).toEqual([document, other, expected]);
        }
      }
    });

    it('R3: takes one root only', () => {
      expect(() => Stanza.parse('<a/><b/>')).toThrow(XmlError);
      expect(() => Stanza.parse('<a/>\0')).toThrow(XmlError);
    });
  });

  describe('attributes', () => {
    const stanza = Stanza.parse(
      `<a xmlns="u" xmlns:q='v'  to = "a&amp;b" q:to='"' from="" xml:lang='de'\n text=">&#x1F600;\t/>" eq="x='1'"></a>`,
    );

    it('reads values as they mean, by names as written', () => {
      expect(stanza.attribute('to')).toBe('a&b');
      expect(stanza.attribute('q:to')).toBe('"');
      expect(stanza.attribute('from')).toBe('');
      expect(stanza.attribute('xml:lang')).toBe('de');
      expect(stanza.attribute('text')).toBe('>😀 />');
      expect(stanza.attribute('eq')).toBe(`x='1'`);
      expect(stanza.attribute('none')).toBeUndefined();
      expect(stanza.attribute('constructor')).toBeUndefined();
    });

    it('leaves declarations out', () => {
      expect([...stanza.attributes.keys()]).toEqual(['to', 'q:to', 'from', 'xml:lang', 'text', 'eq']);
      expect(stanza.attribute('xmlns')).toBeUndefined();
    });

    it('normalises white space as XML says: a line end is one space', () => {
      const value = Stanza.parse(`<a b="1\r\n2\r3\n4\t5&#13;&#10;6  7"/>`).attribute('b');
      expect(value).toBe('1 2 3 4 5\r\n6  7');
    });
  });

  describe('standing alone (W6, P25)', () => {
    it('declares what it inherits, and nothing else', () => {
      expect(inScope('<message/>').toString()).toBe('<message xmlns="jabber:client"/>');
      expect(inScope('<message to="a">x</message>').toString()).toBe('<message xmlns="jabber:client" to="a">x</message>');
      expect(inScope('<stream:features/>').toString()).toBe(`<stream:features xmlns:stream="${NS.streams}"/>`);
      expect(inScope('<r xmlns="urn:xmpp:sm:3"/>').toString()).toBe('<r xmlns="urn:xmpp:sm:3"/>');
      expect(inScope('<a xmlns="" b=""/>').toString()).toBe('<a xmlns="" b=""/>');
    });

    it('declares what only its content or its attributes inherit', () => {
      expect(inScope('<stream:error><x/></stream:error>').toString()).toBe(
        `<stream:error xmlns="jabber:client" xmlns:stream="${NS.streams}"><x/></stream:error>`,
      );
      expect(inScope('<a xmlns="u"><p:b/></a>').toString()).toBe('<a xmlns:p="a&amp;b&quot;&lt;" xmlns="u"><p:b/></a>');
      expect(inScope('<a xmlns="u"><b p:c=""/></a>').toString()).toBe('<a xmlns:p="a&amp;b&quot;&lt;" xmlns="u"><b p:c=""/></a>');
      expect(inScope('<a xmlns="u" p:c=""/>').toString()).toBe('<a xmlns:p="a&amp;b&quot;&lt;" xmlns="u" p:c=""/>');
    });

    it('declares nothing that is declared nearer by', () => {
      expect(inScope('<a xmlns="u"><b xmlns:p="w"><p:b/></b></a>').toString()).toBe('<a xmlns="u"><b xmlns:p="w"><p:b/></b></a>');
      expect(inScope('<p:a xmlns:p="w"><p:b xmlns="v"/></p:a>').toString()).toBe('<p:a xmlns:p="w"><p:b xmlns="v"/></p:a>');
      expect(inScope(`<stream:a xmlns:stream="w" xml:lang="de"/>`).toString()).toBe(`<stream:a xmlns:stream="w" xml:lang="de"/>`);
    });

    it('declares what is inherited again behind a nearer declaration', () => {
      expect(inScope('<a xmlns="u"><b xmlns:p="w"><p:b/></b><p:c/></a>').toString()).toBe(
        '<a xmlns:p="a&amp;b&quot;&lt;" xmlns="u"><b xmlns:p="w"><p:b/></b><p:c/></a>',
      );
    });

    it('R1: declares that what has no prefix is in no namespace, where its prefixed root would be lent one', () => {
      const document = '<c:message xmlns:c="jabber:client"><body/></c:message>';
      expect(Stanza.parse(document).toString()).toBe('<c:message xmlns="" xmlns:c="jabber:client"><body/></c:message>');
      expect(Stanza.parse(document).with({ xmlns: 'u' }).toString()).toBe('<c:message xmlns:c="jabber:client" xmlns="u"><body/></c:message>');
      const scope = new Scope([['c', 'u']]);
      expect(inScope('<c:a><b/></c:a>', scope).toString()).toBe('<c:a xmlns:c="u" xmlns=""><b/></c:a>');
      for (const whole of ['<c:a xmlns:c="u"><c:b/></c:a>', '<c:a xmlns:c="u"><b xmlns="v"><d/></b></c:a>', '<a><b/></a>']) {
        expect(Stanza.parse(whole).toString()).toBe(whole);
      }
    });

    it('never declares xml, even where its surroundings did', () => {
      const scope = new Scope([['xml', NS.xml]]);
      expect(inScope('<a xml:lang="de"/>', scope).toString()).toBe('<a xml:lang="de"/>');
    });

    it('means the last one where a scope has a prefix twice', () => {
      const scope = new Scope([
        ['p', 'u'],
        ['p', 'v'],
      ]);
      expect(inScope('<p:a/>', scope).toString()).toBe('<p:a xmlns:p="v"/>');
    });

    it('has one length and one sequence of bytes, however it is asked', () => {
      for (const text of ['<message to="é"><a/></message>', '<a xmlns="u"/>', '<stream:error><x/></stream:error>']) {
        const stanza = inScope(text);
        const { bytes } = stanza;
        expect(stanza.byteLength).toBe(bytes.length);
        const target = Buffer.alloc(bytes.length + 4, '.');
        expect(stanza.writeTo(target, 2)).toBe(bytes.length + 2);
        expect(target.toString()).toBe(`..${bytes.toString()}..`);
        const chunks: Buffer[] = [];
        stanza.pushTo(chunks);
        expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
        expect(stanza.toString()).toBe(bytes.toString());
        // And it is what it was.
        const again = Stanza.parse(bytes);
        expect([again.name, again.namespace, again.kind]).toEqual([stanza.name, stanza.namespace, stanza.kind]);
        expect([...again.attributes]).toEqual([...stanza.attributes]);
      }
    });

    it('is a slice of the input where nothing is spliced in', () => {
      const source = Buffer.from('<a xmlns="u"/>');
      expect(Stanza.parse(source).bytes.buffer).toBe(source.buffer);
    });
  });

  describe('children', () => {
    it('finds them in order, past text, CDATA sections and everything nested', () => {
      const stanza = Stanza.parse('<a>x<b><b/></b>y<![CDATA[<c/>]]]]><![CDATA[>]]> &lt;<d e=">"/>\n<b/></a>');
      expect(stanza.children().map(String)).toEqual(['<b><b/></b>', '<d e=">"/>', '<b/>']);
      expect(Stanza.parse('<a/>').children()).toEqual([]);
      expect(Stanza.parse('<a></a>').children()).toEqual([]);
      expect(Stanza.parse('<a>x</a>').children()).toEqual([]);
    });

    it('gives them the namespaces that they inherit, also from around the stanza', () => {
      const stanza = inScope('<message><body>hi</body><p:x><y/></p:x><z xmlns="w"><stream:q/></z></message>');
      expect(stanza.children().map(String)).toEqual([
        '<body xmlns="jabber:client">hi</body>',
        '<p:x xmlns="jabber:client" xmlns:p="a&amp;b&quot;&lt;"><y/></p:x>',
        `<z xmlns:stream="${NS.streams}" xmlns="w"><stream:q/></z>`,
      ]);
      expect(stanza.child('body')!.namespace).toBe('jabber:client');
      expect(stanza.child('x')!.child('y')!.toString()).toBe('<y xmlns="jabber:client"/>');
    });

    it('finds the first by name, and by namespace where given', () => {
      const stanza = Stanza.parse('<a xmlns="u"><b xmlns="v" c="1"/><b c="2"/><b c="3"/></a>');
      expect(stanza.child('b')!.attribute('c')).toBe('1');
      expect(stanza.child('b', 'u')!.attribute('c')).toBe('2');
      expect(stanza.child('b', 'w')).toBeUndefined();
      expect(stanza.child('B')).toBeUndefined();
    });

    it('can be asked for at any depth of what the scanner takes, with as many namespaces as it takes', () => {
      const declarations = (name: string, count: number): string =>
        Array.from({ length: count }, (_, i) => ` xmlns:${name}${i}="u${i}"`).join('');
      const uses = (name: string, count: number): string => Array.from({ length: count }, (_, i) => `<${name}${i}:x/>`).join('');
      const stanza = Stanza.parse(
        `<a${declarations('p', 15)}><b${declarations('q', 15)}><c xmlns="w">${uses('p', 15)}${uses('q', 15)}</c></b></a>`,
        new Scanner(),
      );
      const inner = stanza.child('b')!.child('c')!;
      expect(inner.children()).toHaveLength(30);
      expect(inner.children()[29]!.toString()).toBe('<q14:x xmlns:q14="u14"/>');
      let deep = Stanza.parse('<a xmlns="u">'.repeat(64) + '</a>'.repeat(64), new Scanner());
      for (let level = 1; level < 64; level++) deep = deep.children()[0]!;
      expect(deep.toString()).toBe('<a xmlns="u"></a>');
    });
  });

  describe('text', () => {
    it.each([
      ['<a/>', ''],
      ['<a></a>', ''],
      ['<a>x</a>', 'x'],
      ['<a>x</a\n>', 'x'],
      ['<a> &lt;&amp;amp;&#x41;&#10; </a>', ' <&amp;A\n '],
      ['<a>1\r\n2\r3\n4&#13;</a>', '1\n2\n3\n4\r'],
      ['<a>é<b>not</b>😀<c/> &gt;</a>', 'é😀 >'],
      ['<a><![CDATA[<&amp;\r\n]]>]]&gt;</a>', '<&amp;\n]]>'],
      ['<a><b/><![CDATA[1]]><b>no<![CDATA[no]]></b><![CDATA[]]>2</a>', '12'],
      ['<a b="<"/>'.replace('<"', '>"'), ''],
    ])('%s', (xml, text) => expect(Stanza.parse(xml).text()).toBe(text));

    it('reads that of a stanza with inherited namespaces', () => {
      expect(inScope('<body>1<p:b>no</p:b>2</body>').text()).toBe('12');
    });
  });

  describe('with', () => {
    it('sets, adds and removes attributes and leaves every other byte', () => {
      const stanza = inScope(`<message  to='a'\tfrom = "b&quot;" p:x=">"  ><body> &#65; </body></message >`);
      expect(stanza.with({ to: 'c"&<', from: undefined, id: '1' }).toString()).toBe(
        `<message xmlns="jabber:client" xmlns:p="a&amp;b&quot;&lt;" to="c&quot;&amp;&lt;" p:x=">" id="1"><body> &#65; </body></message >`,
      );
      expect(stanza.with({}).toString()).toBe(
        `<message xmlns="jabber:client" xmlns:p="a&amp;b&quot;&lt;" to='a' from = "b&quot;" p:x=">"><body> &#65; </body></message >`,
      );
      expect(Stanza.parse('<a b="1"/>').with({ b: '2', c: undefined }).toString()).toBe('<a b="2"/>');
      expect(Stanza.parse('<a/>').with({ b: '' }).toString()).toBe('<a b=""/>');
      expect(stanza.attribute('to')).toBe('a');
    });

    it('reads the same as it was told', () => {
      for (const value of ['', ' ', '\t\r\n', `"'<>&`, '&amp;', '😀', '$&']) {
        expect(Stanza.parse('<a b="x" c="y"/>').with({ b: value }).attribute('b')).toBe(value);
      }
    });

    it('keeps a value that means the same as it was written, and replaces one that only looks the same', () => {
      expect(Stanza.parse(`<a b='&#65;'/>`).with({ b: 'A' }).attribute('b')).toBe('A');
      expect(Stanza.parse(`<a b='&amp;'/>`).with({ b: '&amp;' }).attribute('b')).toBe('&amp;');
    });

    it('R21: takes no value and no name that makes other XML', () => {
      const stanza = Stanza.parse('<a b="1">x</a>');
      expect(stanza.with({ b: '"/><c d="' }).children()).toEqual([]);
      expect(() => stanza.with({ 'b c': '1' })).toThrow(XmlError);
      expect(() => stanza.with({ b: '\0' })).toThrow(XmlError);
      expect(() => stanza.with({ 'p:b': '1' })).toThrow(XmlError);
    });
  });

  describe('mapChildren', () => {
    it('R1: leaves two line ends two, when what was between them is gone', () => {
      const stanza = Stanza.parse('<a>\r<b/><b/>\n</a>').mapChildren(() => undefined);
      expect(stanza.text()).toBe('\n\n');
    });

    const stanza = inScope('<message> 1 <a/><![CDATA[<a/>]]><p:b>2</p:b> <c x="3"/></message >');

    it('is the same stanza when nothing changed', () => {
      expect(stanza.mapChildren((child) => child)).toBe(stanza);
      expect(Stanza.parse('<a/>').mapChildren(() => undefined).toString()).toBe('<a/>');
    });

    it('leaves every other byte as it is', () => {
      expect(stanza.mapChildren((child) => (child.name === 'b' ? undefined : child)).toString()).toBe(
        '<message xmlns="jabber:client" xmlns:p="a&amp;b&quot;&lt;"> 1 <a/><![CDATA[<a/>]]> <c x="3"/></message >',
      );
      expect(stanza.mapChildren(() => undefined).toString()).toBe(
        '<message xmlns="jabber:client" xmlns:p="a&amp;b&quot;&lt;"> 1 <![CDATA[<a/>]]> </message >',
      );
      expect(
        stanza.mapChildren((child) => (child.name === 'c' ? Stanza.of(element('d', { xmlns: 'u' }, '&')) : child)).toString(),
      ).toBe(
        '<message xmlns="jabber:client" xmlns:p="a&amp;b&quot;&lt;"> 1 <a/><![CDATA[<a/>]]><p:b>2</p:b> <d xmlns="u">&amp;</d></message >',
      );
    });

    it('works at any depth', () => {
      const outer = Stanza.parse('<a xmlns="u"><b><c/><d/></b><e/></a>');
      const mapped = outer.mapChildren((b) => b.mapChildren((c) => (c.name === 'c' ? undefined : c)));
      expect(mapped.toString()).toBe('<a xmlns="u"><b xmlns="u"><d/></b><e/></a>');
    });
  });

  describe('withContent', () => {
    it('puts elements and text in place of what was inside, and keeps the tag', () => {
      const stanza = inScope(`<message to='a&amp;b' ><body>x</body></message>`);
      expect(stanza.withContent(['1 < 2', Stanza.parse('<b/>')]).toString()).toBe(
        `<message xmlns="jabber:client" to='a&amp;b' >1 &lt; 2<b/></message>`,
      );
      expect(Stanza.parse(`<p:a xmlns:p='u' />`).withContent(['x']).toString()).toBe(`<p:a xmlns:p='u' >x</p:a>`);
      expect(stanza.withContent([]).children()).toEqual([]);
    });
  });

  it('is a tree of xml-js when somebody asks', () => {
    expect(inScope('<message to="a&amp;b"><body>x</body></message>').element).toEqual(
      element('message', { xmlns: 'jabber:client', to: 'a&b' }, { type: 'element', name: 'body', elements: [{ type: 'text', text: 'x' }] }),
    );
  });
});
