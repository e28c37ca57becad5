import { element, escapeAttribute, escapeText, readElement, Stanza, writeElement, XmlError } from '../../../lib/xml/index.js';

/** Strings that were somebody's trouble. */
const NASTY = [
  '',
  ' ',
  '  two  ',
  '\t',
  'a\tb\nc',
  'line\nline\n',
  'carriage\rreturn\r\n',
  '&',
  '&amp;',
  '&amp;amp;',
  '&amp;lt;',
  '&lt;b&gt;',
  '&quot;',
  '&#65;',
  '&#x41;',
  '&nbsp;',
  '<',
  '>',
  '<b/>',
  '</a>',
  '<![CDATA[x]]>',
  ']]>',
  '<!-- -->',
  '"',
  "'",
  `"'"'`,
  `" onload="x`,
  '$&',
  '$1$$',
  '\\',
  'ü',
  '😀',
  '\u0085\u2028\u00A0',
  '\u{10FFFF}',
  '__proto__',
];

describe('element, writeElement', () => {
  it.each(NASTY)('writes %j so that it reads the same, as text and as an attribute', (value) => {
    const stanza = Stanza.of(element('a', { b: value }, value));
    expect(stanza.attribute('b')).toBe(value);
    expect(stanza.text()).toBe(value);
    const tree = readElement(stanza.toString());
    expect(tree.attributes?.['b']).toBe(value);
    expect((tree.elements ?? []).map((node) => node.text).join('')).toBe(value);
  });

  it('survives ten rounds of writing and reading', () => {
    for (const value of NASTY.filter((text) => text !== '')) {
      let tree = element('a', { b: value }, element('c', {}, value), value);
      for (let i = 0; i < 10; i++) tree = Stanza.of(tree).element;
      const stanza = Stanza.of(tree);
      expect(stanza.attribute('b')).toBe(value);
      expect(stanza.text()).toBe(value);
      expect(stanza.child('c')!.text()).toBe(value);
    }
  });

  it('leaves undefined attributes and children out, and writes numbers', () => {
    expect(writeElement(element('a', { b: undefined, c: 0, d: '' }, undefined, 'x', element('e')))).toBe('<a c="0" d="">x<e/></a>');
  });

  it('leaves the tree that it was given as it was', () => {
    const tree = element('a', { b: '<&amp;' }, '&amp;', element('c', { d: '"' }, '&amp;'));
    const before = structuredClone(tree);
    writeElement(tree);
    expect(tree).toEqual(before);
  });

  it.each([
    ['a control character in text', element('a', {}, '\u0000')],
    ['a control character in an attribute', element('a', { b: '\u0001' })],
    ['U+FFFF', element('a', {}, '\uFFFF')],
    ['an illegal name', element('a b')],
    ['a name that closes the tag', element('a><b')],
    ['an illegal attribute name', element('a', { 'b c': '' })],
    ['an attribute name that closes the tag', element('a', { 'b="/><c d': '' })],
    ['an undeclared prefix', element('p:a')],
    ['no name', element('')],
  ])('Stanza.of refuses %s', (_, tree) => {
    expect(() => Stanza.of(tree)).toThrow(XmlError);
  });
});

describe('readElement', () => {
  it('hands on what every XML parser hands on: line ends and white space in attributes normalised', () => {
    const tree = readElement(`<a\tb="1\t2\r\n3&#10;4"\r\nc='>\n"'>x\r\ny\rz&#13;<d\ne="f"/><![CDATA[<g h="\t">\r\n]]></a>`);
    expect(tree).toEqual({
      type: 'element',
      name: 'a',
      attributes: { b: '1 2 3\n4', c: '> "' },
      elements: [
        { type: 'text', text: 'x\ny\nz\r' },
        { type: 'element', name: 'd', attributes: { e: 'f' } },
        { type: 'cdata', cdata: '<g h="\t">\n' },
      ],
    });
  });

  it('keeps white space between elements', () => {
    const tree = readElement('<a> <b/>\n</a>');
    expect(tree.elements!.map(({ type, text }) => text ?? type)).toEqual([' ', 'element', '\n']);
  });

  it('reads long texts and values', () => {
    const long = 'x'.repeat(200_000);
    const tree = readElement(`<a b="${long}">${long}</a>`);
    expect(tree.attributes!['b']).toBe(long);
    expect(tree.elements!.map(({ text }) => text).join('')).toBe(long);
  });
});

describe('escapeAttribute, escapeText', () => {
  it.each(NASTY)('%j reads the same', (value) => {
    for (const quote of [`"`, `'`]) {
      const stanza = Stanza.parse(`<a b=${quote}${escapeAttribute(value)}${quote}>${escapeText(value)}</a>`);
      expect(stanza.attribute('b')).toBe(value);
      expect(stanza.text()).toBe(value);
    }
  });

  it('hand back the same string where nothing needs it', () => {
    expect(escapeAttribute('romeo@example.org/orchard')).toBe('romeo@example.org/orchard');
    expect(escapeText(`it's "so"`)).toBe(`it's "so"`);
  });
});
