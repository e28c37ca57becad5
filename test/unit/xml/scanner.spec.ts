import { DEFAULT_LIMITS, NS, Scanner, Scope, Stanza, XmlError, type ScanLimits } from '../../../lib/xml/index.js';

/** The condition with which a document is refused; undefined when it is accepted. */
function refusal(document: string | Buffer, limits: Partial<ScanLimits> = {}): string | undefined {
  try {
    Stanza.parse(document, new Scanner({ ...DEFAULT_LIMITS, ...limits }));
    return undefined;
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    return error.condition;
  }
}

function bytes(...parts: (string | number)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));
}

describe('Scanner', () => {
  describe('accepts what XMPP is made of', () => {
    it.each([
      ['an empty element', '<a/>'],
      ['an empty element in two tags', '<a></a>'],
      ['white space inside tags', '<a  b = "1"\n\tc\r\n=\'2\'  ></a \n>'],
      ['both kinds of quotes, each in the other', `<a b='"' c="'"/>`],
      ['> in text and in attribute values', `<a b=">">></a>`],
      [']] and ]> in text, ]]> in an attribute value', `<a b="]]>">]] ]> ] ]</a>`],
      ['the five entities', '<a b="&amp;&lt;&gt;&quot;&apos;">&amp;&lt;&gt;&quot;&apos;</a>'],
      ['references to characters', '<a b="&#9;&#10;&#13;&#x20;">&#xD7FF;&#xE000;&#xFFFD;&#x10000;&#x10FFFF;&#1114111;</a>'],
      ['references with zeros in front', '<a>&#x00000041;&#000000065;</a>'],
      ['CDATA sections', '<a><![CDATA[<b>&nbsp;]]]]><![CDATA[>]]></a>'],
      ['an empty CDATA section', '<a><![CDATA[]]></a>'],
      ['tab, line feed and carriage return in text', '<a>\t\n\r\r\n</a>'],
      ['U+FFFD, and others near the forbidden ones', '<a b="\uFFFD\uFFEF\uFF00">\uFFFD\uFEFF\uFFEF</a>'],
      ['characters beyond the basic plane', '<a b="😀">😀\u{1FFFE}\u{10FFFF}</a>'],
      ['U+007F and C1 controls, which XML 1.0 allows', '<a>\u007F\u0080\u0085\u009F</a>'],
      ['letters beyond ASCII in names', '<é ö="1"><ж/><名前 ñ="2"/><ελ/><한글/></é>'],
      ['digits, hyphens, dots and underscores in names', '<a-1._b _c-2.=""/>'],
      ['the same local name in different namespaces', '<a xmlns:p="u" xmlns:q="v" b="" p:b="" q:b=""/>'],
      ['a prefix declared after its use in the same tag', '<p:a p:b="1" xmlns:p="u"/>'],
      ['an undeclared default namespace', '<a xmlns="u"><b xmlns=""/></a>'],
      ['xml:lang without a declaration', '<a xml:lang="en"/>'],
      ['xml declared as what it is', `<a xmlns:xml="${NS.xml}" xml:lang="en"/>`],
      ['names that start with xml or xmlns', '<xmlfoo xmlnsfoo="1" xml-x="2" xmlns1="3"/>'],
      ['a redeclared prefix', '<p:a xmlns:p="u"><p:a xmlns:p="v"></p:a></p:a>'],
      ['an XML declaration before it', `<?xml version="1.0"?><a/>`],
      ['an XML declaration with everything', `<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<a/>`],
      ['white space behind it', '<a/> \r\n\t'],
    ])('%s', (_, document) => expect(refusal(document)).toBeUndefined());
  });

  describe('R1-R5, C6: refuses what other parsers take', () => {
    const rows: [what: string, document: string | Buffer, condition: string][] = [
      ['an external DTD', '<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>', 'restricted-xml'],
      ['a DTD with an internal entity', '<!DOCTYPE a [<!ENTITY e "boom">]><a>&e;</a>', 'restricted-xml'],
      ['a DTD inside an element', '<a><!DOCTYPE a></a>', 'restricted-xml'],
      ['an entity of HTML', '<a>&nbsp;</a>', 'restricted-xml'],
      ['an entity with a long name', `<a>&${'e'.repeat(100)};</a>`, 'restricted-xml'],
      ['an entity in an attribute value', '<a b="&e;"/>', 'restricted-xml'],
      ['an entity named like a property of every object', '<a>&constructor;</a>', 'restricted-xml'],
      ['an entity named __proto__', '<a>&__proto__;</a>', 'restricted-xml'],
      ['an entity in capitals', '<a>&AMP;</a>', 'restricted-xml'],
      ['a comment inside', '<a><!-- c --></a>', 'restricted-xml'],
      ['a comment before', '<!-- c --><a/>', 'restricted-xml'],
      ['a comment behind', '<a/><!-- c -->', 'not-well-formed'],
      ['a processing instruction inside', '<a><?php ?></a>', 'restricted-xml'],
      ['a processing instruction before', '<?php ?><a/>', 'restricted-xml'],
      ['an XML declaration inside', '<a><?xml version="1.0"?></a>', 'restricted-xml'],
      ['a second XML declaration', '<?xml version="1.0"?><?xml version="1.0"?><a/>', 'restricted-xml'],
      ['an XML declaration of 1.1', '<?xml version="1.1"?><a/>', 'restricted-xml'],
      ['an XML declaration in another encoding', '<?xml version="1.0" encoding="latin1"?><a/>', 'unsupported-encoding'],
      ['an XML declaration without version', '<?xml encoding="utf-8"?><a/>', 'restricted-xml'],
      ['an unfinished XML declaration', '<?xml version="1.0"', 'restricted-xml'],
      ['a style sheet', '<?xml-stylesheet href="x"?><a/>', 'restricted-xml'],
      ['a declaration only', '<?xml version="1.0"?>', 'not-well-formed'],
      ['an undeclared prefix of the element', '<p:a/>', 'not-well-formed'],
      ['an undeclared prefix of a child', '<a><p:b/></a>', 'not-well-formed'],
      ['an undeclared prefix of an attribute', '<a p:b="1"/>', 'not-well-formed'],
      ['a prefix declared by a sibling only', '<a><b xmlns:p="u"/><p:c/></a>', 'not-well-formed'],
      ['a prefix declared by a closed sibling only', '<a><b xmlns:p="u"></b><p:c/></a>', 'not-well-formed'],
      ['a prefix declared by a child only', '<p:a><b xmlns:p="u"/></p:a>', 'not-well-formed'],
      ['an attribute given twice', '<a b="1" b="2"/>', 'not-well-formed'],
      ['a declaration given twice', '<a xmlns="u" xmlns="u"/>', 'not-well-formed'],
      ['an attribute given twice by its expanded name', '<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>', 'not-well-formed'],
      [
        'an attribute given twice by a namespace written differently',
        '<a xmlns:p="a&amp;b" xmlns:q="a&#38;b" p:b="1" q:b="2"/>',
        'not-well-formed',
      ],
      ['an attribute given twice through an outer prefix', '<a xmlns:p="u"><b xmlns:q="u" p:c="" q:c=""/></a>', 'not-well-formed'],
      ['U+0000', '<a>\u0000</a>', 'not-well-formed'],
      ['U+0001', '<a>\u0001</a>', 'not-well-formed'],
      ['U+0001 in an attribute value', '<a b="\u0001"/>', 'not-well-formed'],
      ['U+0001 in a CDATA section', '<a><![CDATA[\u0001]]></a>', 'not-well-formed'],
      ['U+FFFE', '<a>\uFFFE</a>', 'not-well-formed'],
      ['U+FFFF', '<a>\uFFFF</a>', 'not-well-formed'],
      ['U+FFFF in an attribute value', '<a b="\uFFFF"/>', 'not-well-formed'],
      ['U+FFFF in a CDATA section', '<a><![CDATA[\uFFFF]]></a>', 'not-well-formed'],
      ['a lone surrogate', bytes('<a>', 0xed, 0xa0, 0x80, '</a>'), 'bad-format'],
      ['a surrogate pair in six bytes', bytes('<a>', 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80, '</a>'), 'bad-format'],
      ['an overlong form of <', bytes('<a>', 0xc0, 0xbc, 'b/></a>'), 'bad-format'],
      ['an overlong form in an attribute value', bytes('<a b="', 0xe0, 0x80, 0xa2, '"/>'), 'bad-format'],
      ['a code point beyond U+10FFFF', bytes('<a>', 0xf4, 0x90, 0x80, 0x80, '</a>'), 'bad-format'],
      ['a lone continuation byte', bytes('<a>', 0x80, '</a>'), 'bad-format'],
      ['a character cut short by a tag', bytes('<a>', 0xc3, '</a>'), 'bad-format'],
      ['a character cut short by a quote', bytes('<a b="', 0xf0, 0x9f, 0x98, '"/>'), 'bad-format'],
      ['invalid UTF-8 in a CDATA section', bytes('<a><![CDATA[', 0xff, ']]></a>'), 'bad-format'],
      ['U+FFFE cut short', bytes('<a>', 0xef, 0xbf, '</a>'), 'bad-format'],
      ['invalid UTF-8 in a name', bytes('<a', 0xc3, '/>'), 'not-well-formed'],
      ['an overlong form of a letter in a name', bytes('<a', 0xe0, 0x83, 0x80, '/>'), 'bad-format'],
      ['a reference to U+0000', '<a>&#0;</a>', 'not-well-formed'],
      ['a reference to U+0001', '<a>&#x1;</a>', 'not-well-formed'],
      ['a reference to U+FFFE', '<a>&#xFFFE;</a>', 'not-well-formed'],
      ['a reference to a surrogate', '<a>&#xD800;</a>', 'not-well-formed'],
      ['a reference beyond U+10FFFF', '<a>&#x110000;</a>', 'not-well-formed'],
      ['a reference that overflows', '<a>&#x100000041;</a>', 'not-well-formed'],
      ['a reference with a capital X', '<a>&#X41;</a>', 'not-well-formed'],
      ['an empty reference', '<a>&#;</a>', 'not-well-formed'],
      ['a hexadecimal digit in a decimal reference', '<a>&#4A;</a>', 'not-well-formed'],
      ['an unclosed root', '<a><b></b>', 'not-well-formed'],
      ['elements closed crosswise', '<a><b></a></b>', 'not-well-formed'],
      ['an unclosed child', '<a><b></a>', 'not-well-formed'],
      ['an end tag only', '</a>', 'not-well-formed'],
      ['an end tag with a longer name', '<a></ab>', 'not-well-formed'],
      ['an end tag with a shorter name', '<ab></a>', 'not-well-formed'],
      ['an end tag in another case', '<a></A>', 'not-well-formed'],
      ['an end tag with another prefix of the same namespace', '<p:a xmlns:p="u" xmlns:q="u"></q:a>', 'not-well-formed'],
      ['an end tag with an attribute', '<a></a b="1">', 'not-well-formed'],
      ['an end tag with a space in front', '<a></ a>', 'not-well-formed'],
      ['an end tag that is empty too', '<a></a/>', 'not-well-formed'],
      ['two roots', '<a/><b/>', 'not-well-formed'],
      ['text behind the root', '<a/>b', 'not-well-formed'],
      ['text before the root', 'b<a/>', 'not-well-formed'],
      ['a byte order mark', '\uFEFF<a/>', 'not-well-formed'],
      ['white space behind only in Unicode', '<a/>\u00A0', 'not-well-formed'],
      ['< in an attribute value', '<a b="<"/>', 'not-well-formed'],
      ['a bare & in text', '<a>& </a>', 'not-well-formed'],
      ['a bare & at the end of text', '<a>&</a>', 'not-well-formed'],
      ['a bare & in an attribute value', '<a b="&"/>', 'not-well-formed'],
      ['a reference without its semicolon', '<a>&#65</a>', 'not-well-formed'],
      [']]> in text', '<a>]]></a>', 'not-well-formed'],
      [']]]> in text', '<a>]]]></a>', 'not-well-formed'],
      ['an unclosed CDATA section', '<a><![CDATA[</a>', 'not-well-formed'],
      ['cdata in small letters', '<a><![cdata[]]></a>', 'restricted-xml'],
      ['a CDATA section outside', '<![CDATA[]]><a/>', 'restricted-xml'],
      ['no name', '<>', 'not-well-formed'],
      ['a name that starts with a digit', '<1a/>', 'not-well-formed'],
      ['a name that starts with a hyphen', '<-a/>', 'not-well-formed'],
      ['a name with two colons', '<p:q:a xmlns:p="u"/>', 'not-well-formed'],
      ['a name that ends with a colon', '<p: xmlns:p="u"/>', 'not-well-formed'],
      ['a name that starts with a colon', '<:a/>', 'not-well-formed'],
      ['a name with a multiplication sign', '<a×/>', 'not-well-formed'],
      ['a name with an emoji', '<a😀/>', 'not-well-formed'],
      ['a local name that starts with a digit', '<p:1 xmlns:p="u"/>', 'not-well-formed'],
      ['an attribute without value', '<a b/>', 'not-well-formed'],
      ['an attribute value without quotes', '<a b=1/>', 'not-well-formed'],
      ['an attribute value in unlike quotes', `<a b="1'/>`, 'not-well-formed'],
      ['attributes without space between', '<a b="1"c="2"/>', 'not-well-formed'],
      ['a slash inside a tag', '<a / b="1">', 'not-well-formed'],
      ['space between slash and >', '<a/ >', 'not-well-formed'],
      ['a tag inside a tag', '<a <b/>', 'not-well-formed'],
      ['an unclosed tag', '<a b="1"', 'not-well-formed'],
      ['a tag of one byte', '<', 'not-well-formed'],
      ['nothing', '', 'not-well-formed'],
      ['a prefix bound to nothing', '<a xmlns:p=""/>', 'not-well-formed'],
      ['the prefix xmlns declared', `<a xmlns:xmlns="u"/>`, 'not-well-formed'],
      ['the prefix xmlns declared as what it is', `<a xmlns:xmlns="${NS.xmlns}"/>`, 'not-well-formed'],
      ['the prefix xmlns used by an element', '<xmlns:a/>', 'not-well-formed'],
      ['the prefix xml declared as something else', '<a xmlns:xml="u"/>', 'not-well-formed'],
      ['another prefix for the namespace of xml', `<a xmlns:p="${NS.xml}"/>`, 'not-well-formed'],
      ['the namespace of xml as the default', `<a xmlns="${NS.xml}"/>`, 'not-well-formed'],
      ['the namespace of xmlns as the default', `<a xmlns="${NS.xmlns}"/>`, 'not-well-formed'],
      ['the namespace of xml behind a reference', `<a xmlns:p="${NS.xml.replace('h', '&#104;')}"/>`, 'not-well-formed'],
      ['white space in a namespace', '<a xmlns="u v"/>', 'not-well-formed'],
      ['white space of Unicode at the start of a namespace', '<a xmlns="\uFEFFu"/>', 'not-well-formed'],
      ['white space of Unicode at the end of a namespace', '<a xmlns:p="u&#xA0;"/>', 'not-well-formed'],
      ['a line feed behind a reference in a namespace', '<a xmlns="u&#10;v"/>', 'not-well-formed'],
      ['the separator of expat in an undeclared prefix (CVE-2022-25236)', '<a xmlns:p="u&#10;v"/>', 'not-well-formed'],
    ];
    it.each(rows)('%s', (_, document, condition) => expect(refusal(document)).toBe(condition));

    it('C5: leading white space is bad-format, nothing but white space too', () => {
      expect(refusal(' <a/>')).toBe('bad-format');
      expect(refusal('\n')).toBe('bad-format');
    });

    it('names no byte of the input in its errors', () => {
      for (const [, document] of rows) {
        try {
          Stanza.parse(document.toString().replaceAll('b', 'SECRET'));
        } catch (error) {
          expect((error as Error).message).not.toContain('SECRET');
        }
      }
    });
  });

  describe('R1-R5, C6: reads a long text as it reads a short one', () => {
    // A text is looked at in larger and larger pieces: what is wrong in it may lie at any place of one.
    const places = [0, 500, 511, 512, 513, 527, 528, 1535, 1536, 1540, 3583, 3600, 50_000, 99_990];
    it.each<[what: string, piece: Buffer, condition: string | undefined]>([
      ['a control character', bytes(0x01), 'not-well-formed'],
      ['NUL', bytes(0x00), 'not-well-formed'],
      [']]>', bytes(']]>'), 'not-well-formed'],
      ['U+FFFE', bytes(0xef, 0xbf, 0xbe), 'not-well-formed'],
      ['an overlong /', bytes(0xc0, 0xaf), 'bad-format'],
      ['half a surrogate pair', bytes(0xed, 0xa0, 0x80), 'bad-format'],
      ['a byte that nothing in UTF-8 has', bytes(0xff), 'bad-format'],
      ['an entity', bytes('&e;'), 'restricted-xml'],
      ['a comment', bytes('<!---->'), 'restricted-xml'],
      ['an end tag of another element', bytes('</b>'), 'not-well-formed'],
      ['another text', bytes('жб名前\u{1F600}\uFF0C'), undefined],
      ['lines', bytes('\r\n\t ]] \x7f'), undefined],
      ['an element', bytes('<b>&amp;</b>'), undefined],
    ])('%s', (_, piece, condition) => {
      for (const place of places) {
        for (const letter of ['x', 'ö']) {
          const text = Buffer.from(letter.repeat(50_000));
          const at = place & -2; // between letters
          const document = Buffer.concat([Buffer.from('<a>'), text.subarray(0, at), piece, text.subarray(at), Buffer.from('</a>')]);
          expect(refusal(document)).toBe(condition);
        }
      }
    });
  });

  describe('R22: limits', () => {
    const nested = (levels: number): string => '<a>'.repeat(levels) + '</a>'.repeat(levels);
    const attributes = (count: number): string =>
      `<a ${Array.from({ length: count }, (_, i) => `a${i}=""`).join(' ')}/>`;
    const declarations = (count: number, name = 'p'): string =>
      Array.from({ length: count }, (_, i) => ` xmlns:${name}${i}="u${i}"`).join('');

    it('nests as deep as allowed, the outermost element counted', () => {
      expect(refusal(nested(64))).toBeUndefined();
      expect(refusal(nested(65))).toBe('policy-violation');
      expect(refusal(nested(8), { maxDepth: 8 })).toBeUndefined();
      expect(refusal('<a><a><a/></a></a>', { maxDepth: 2 })).toBe('policy-violation');
    });

    it('takes as many attributes as allowed', () => {
      expect(refusal(attributes(100))).toBeUndefined();
      expect(refusal(attributes(101))).toBe('policy-violation');
    });

    it('takes as many declarations on one element as allowed', () => {
      expect(refusal(`<a${declarations(15)}/>`)).toBeUndefined();
      expect(refusal(`<a${declarations(16)}/>`)).toBe('policy-violation');
      expect(refusal(`<a${declarations(14)} xmlns="u"><b${declarations(15)}/></a>`)).toBeUndefined();
    });

    it('takes no more than 31 different prefixes in force, and any number one after the other', () => {
      const levels = (count: number): string => {
        let text = '';
        for (let i = 0; i < count; i++) text += `<a${declarations(10, `p${i}x`)}>`;
        return text + '</a>'.repeat(count);
      };
      expect(refusal(levels(3))).toBeUndefined();
      expect(refusal(levels(4))).toBe('policy-violation');
      expect(refusal(`<a>${levels(3).repeat(20)}</a>`)).toBeUndefined();
      // The same prefix over and over is one prefix.
      let deep = '<a/>';
      for (let i = 0; i < 60; i++) deep = `<a xmlns="u${i}" xmlns:p="v${i}">${deep}</a>`;
      expect(refusal(deep, { maxAttributes: 200 })).toBeUndefined();
    });

    it('counts the prefixes of the surroundings', () => {
      const scope = new Scope(Array.from({ length: 20 }, (_, i) => [`p${i}`, `u${i}`] as const));
      const scan = (count: number, name: string) => () => {
        const source = Buffer.from(`<a${declarations(count, name)}/>`);
        return new Scanner().element(source, 0, source.length, scope);
      };
      expect(scan(11, 'q')).not.toThrow();
      expect(scan(12, 'q')).toThrow('too many namespaces');
      expect(scan(15, 'p')).not.toThrow();
    });

    it('takes names as long as allowed', () => {
      expect(refusal(`<${'a'.repeat(256)}/>`)).toBeUndefined();
      expect(refusal(`<${'a'.repeat(257)}/>`)).toBe('policy-violation');
      expect(refusal(`<a ${'b'.repeat(257)}=""/>`)).toBe('policy-violation');
      expect(refusal(`<a xmlns:${'b'.repeat(251)}="u"/>`)).toBe('policy-violation');
    });
  });

  describe('looks only at what it was given', () => {
    it.each(['<a/>', '<a></a>', '<a b="c"/>', '<a>&amp;</a>', '<a><![CDATA[x]]></a>', '<a>\uFF00</a>', '<é></é>'])(
      'never reads on behind the end: %s',
      (document) => {
        const source = bytes(document, document, '</a>>;]]>"\'/>');
        const length = Buffer.byteLength(document);
        const scanner = new Scanner();
        for (let end = 0; end < length; end++) {
          expect(() => scanner.element(source, 0, end)).toThrow(XmlError);
          expect(scanner.tryElement(source, 0, end)).toBe(-1);
        }
        expect(scanner.element(source, 0, length)).toBe(length);
        expect(scanner.tryElement(source, 0, source.length)).toBe(length);
      },
    );

    it('reads no declaration beyond its end', () => {
      const declaration = `<?xml version='1.0'?>`;
      const source = Buffer.from(declaration);
      const scanner = new Scanner();
      for (let end = 2; end < source.length; end++) {
        expect(() => scanner.declaration(source, 0, end)).toThrow(XmlError);
        // A buffer of its own, so that there is nothing behind it to read.
        const alone = Buffer.from(new Uint8Array(source.subarray(0, end)).buffer);
        expect(() => scanner.declaration(alone, 0, end)).toThrow(XmlError);
      }
      expect(scanner.declaration(source, 0, source.length)).toBe(source.length);
    });

    it('works on any kind of bytes', () => {
      const source = new TextEncoder().encode('xx<a b="ü"/>');
      expect(new Scanner().element(source.subarray(2), 0, source.length - 2)).toBe(source.length - 2);
    });

    it('is as new after an error', () => {
      const scanner = new Scanner();
      for (const bad of ['<p:a xmlns:p="u"><b', '<a xmlns="u"><b>', '<a>\uFFFF', '<a b="1" b="2"/>', '<a>é&x']) {
        const source = Buffer.from(bad);
        expect(() => scanner.element(source, 0, source.length)).toThrow(XmlError);
        const good = Buffer.from('<p:a/>');
        expect(() => scanner.element(good, 0, good.length)).toThrow('undeclared prefix');
        const plain = Buffer.from('<a/>');
        expect(scanner.element(plain, 0, plain.length)).toBe(4);
        expect(scanner.namespace).toBe('');
      }
    });
  });

  it('tells name, namespace and attributes of a start tag as they mean', () => {
    const source = Buffer.from(
      `<s:stream xmlns='jabber:client' xmlns:s="a&amp;b" to='x&#x20;y' xml:lang="de" s:e="1\r\n2\t3&#10;4"> <rest`,
    );
    const scanner = new Scanner();
    const end = scanner.tag(source, 0, source.length);
    expect(source.toString('utf8', end)).toBe(' <rest');
    expect(source.toString('utf8', scanner.localStart, scanner.nameEnd)).toBe('stream');
    expect(scanner.namespace).toBe('a&b');
    expect(scanner.empty).toBe(false);
    expect([...scanner.attributesOf()]).toEqual([
      ['to', 'x y'],
      ['xml:lang', 'de'],
      ['s:e', '1 2 3\n4'],
    ]);
    expect(scanner.declarationsOf()).toEqual([
      ['', 'jabber:client'],
      ['s', 'a&b'],
    ]);
  });

  describe('work', () => {
    /** How many bytes a scan reads, by a buffer that counts. */
    function reads(document: string, limits: Partial<ScanLimits> = {}): number {
      let count = 0;
      const target = Buffer.from(document);
      const counting = new Proxy(target, {
        get(buffer, property) {
          if (typeof property === 'string' && /^\d+$/.test(property)) count++;
          const value: unknown = Reflect.get(buffer, property, buffer);
          return typeof value === 'function' ? value.bind(buffer) : value;
        },
      });
      const scanner = new Scanner({ ...DEFAULT_LIMITS, ...limits });
      try {
        scanner.element(counting, 0, target.length);
      } catch (error) {
        if (!(error instanceof XmlError)) throw error;
      }
      return count;
    }

    const prefixes = Array.from({ length: 15 }, (_, i) => String.fromCharCode(97 + i));
    const shapes: [name: string, make: (size: number) => string, perByte: number][] = [
      ['one long text', (size) => `<a>${'x'.repeat(size)}</a>`, 2],
      ['nothing but <', (size) => '<'.repeat(size), 2],
      ['nothing but & in text', (size) => `<a>${'&amp;'.repeat(size / 5)}</a>`, 4],
      ['brackets', (size) => `<a>${']'.repeat(size)}</a>`, 8],
      ['bytes that look forbidden', (size) => `<a>${'\uFF00'.repeat(size / 3)}</a>`, 4],
      ['an attribute value of references', (size) => `<a b="${'&amp;'.repeat(size / 5)}"/>`, 4],
      ['brackets in a CDATA section', (size) => `<a><![CDATA[${']'.repeat(size)}]]></a>`, 4],
      ['CDATA sections', (size) => `<a>${'<![CDATA[]]>'.repeat(size / 12)}</a>`, 4],
      ['tiny elements', (size) => `<a>${'<b/>'.repeat(size / 4)}</a>`, 6],
      ['nested elements', (size) => many(size, '<b>'.repeat(60) + '</b>'.repeat(60)), 6],
      ['white space in a tag', (size) => `<a${' '.repeat(size)}/>`, 3],
      ['a hundred attributes each', (size) => many(size, `<b ${Array.from({ length: 100 }, (_, i) => `a${i}=""`).join(' ')}/>`), 40],
      [
        'many prefixes in force, the first one used',
        (size) => `<a ${prefixes.map((p) => `xmlns:${p}="u"`).join(' ')}>${'<a:b/>'.repeat(size / 6)}</a>`,
        20,
      ],
      ['declarations', (size) => many(size, `<b xmlns="u"/>`), 6],
    ];

    function many(size: number, element: string): string {
      return `<a>${element.repeat(size / element.length)}</a>`;
    }

    it.each(shapes)('grows no faster than the input: %s', (_, make, perByte) => {
      const small = reads(make(4200));
      const large = reads(make(33_600));
      expect(large).toBeLessThan(perByte * 33_600);
      expect(large).toBeLessThan(small * 8 * 1.25 + 1000);
    });
  });
});
