/**
 * Stanzas that somebody once got past somebody: through a parser that recovers, that is older or newer than its
 * neighbour, that expands, that reads bytes where others read characters. Each is one top-level element, or should
 * be; `stanza()` is what surrounds the fault.
 */
const stanza = (inside, attributes = '') => `<message xmlns="jabber:client" to="bob@example.org"${attributes}>${inside}</message>`;
const bytes = (...pieces) => Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
const around = (fault) => bytes('<message xmlns="jabber:client"><body>', fault, '</body></message>');
const named = (name) => bytes('<message xmlns="jabber:client"><', name, '/></message>');
const nested = (depth) => '<message xmlns="jabber:client">' + '<a>'.repeat(depth - 1) + '</a>'.repeat(depth - 1) + '</message>';
const attributes = (count) => Array.from({ length: count }, (_, i) => ` a${i}=""`).join('');
const namespaces = (count) => Array.from({ length: count }, (_, i) => ` xmlns:n${i}="u"`).join('');

const LAUGHS =
  '<!DOCTYPE m [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>' + stanza('&c;');

/** What is refused: the fault, the element, and the condition of RFC 6120, section 4.9.3. */
export const REFUSED = [
  // What XMPP forbids of XML (RFC 6120, section 11.1).
  ['billion laughs', LAUGHS, 'restricted-xml'],
  ['an external entity', `<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]>${stanza('&x;')}`, 'restricted-xml'],
  ['a parameter entity', `<!DOCTYPE m [<!ENTITY % x SYSTEM "http://example.org/x"> %x;]>${stanza('')}`, 'restricted-xml'],
  ['a DTD without anything', `<!DOCTYPE message>${stanza('')}`, 'restricted-xml'],
  ['a DTD inside', stanza('<!DOCTYPE a>'), 'restricted-xml'],
  ['an entity that nobody declared', stanza('&lol;'), 'restricted-xml'],
  ['an entity of HTML', stanza('&nbsp;'), 'restricted-xml'],
  ['an entity in an attribute', stanza('', ' id="&lol;"'), 'restricted-xml'],
  ['a comment', stanza('<!-- x -->'), 'restricted-xml'],
  ['a comment that hides an end', stanza('<!-- </message><iq> -->'), 'restricted-xml'],
  ['a comment in front', `<!-- x -->${stanza('')}`, 'restricted-xml'],
  ['a processing instruction', stanza('<?php x ?>'), 'restricted-xml'],
  ['a processing instruction in front', `<?xml-stylesheet href="x"?>${stanza('')}`, 'restricted-xml'],
  ['an XML declaration inside', stanza('<?xml version="1.0"?>'), 'restricted-xml'],
  ['a conditional section', stanza('<![INCLUDE[<a/>]]>'), 'restricted-xml'],
  ['a CDATA section in small letters', stanza('<![cdata[x]]>'), 'restricted-xml'],
  // Structure.
  ['no end', '<message xmlns="jabber:client"><body>', 'not-well-formed'],
  ['an end tag too many', stanza('</a>'), 'not-well-formed'],
  ['elements that overlap', stanza('<a><b></a></b>'), 'not-well-formed'],
  ['the end of the stream inside', stanza('</stream:stream>'), 'not-well-formed'],
  ['the end of a body inside', stanza('</body>'), 'not-well-formed'],
  ['an end tag in capitals', stanza('<a></A>'), 'not-well-formed'],
  ['an end tag with an attribute', stanza('<a></a b="c">'), 'not-well-formed'],
  ['an end tag with a space in front of the name', stanza('<a></ a>'), 'not-well-formed'],
  ['an end tag of the same name with another prefix', stanza('<p:a xmlns:p="u" xmlns:q="u"></q:a>'), 'not-well-formed'],
  ['a tag that begins with a space', stanza('< a/>'), 'not-well-formed'],
  ['a tag without a name', stanza('<>'), 'not-well-formed'],
  ['a name without a prefix before its colon', stanza('<:a/>'), 'not-well-formed'],
  ['a name with nothing behind its colon', stanza('<p: xmlns:p="u"/>'), 'not-well-formed'],
  ['a name with two colons', stanza('<p:a:b xmlns:p="u"/>'), 'not-well-formed'],
  ['a name that begins with a digit', stanza('<1a/>'), 'not-well-formed'],
  ['a slash inside a tag', stanza('<a / b="c">'), 'not-well-formed'],
  ['a tag inside a tag', stanza('<a <b/>>'), 'not-well-formed'],
  [']]> in text', stanza(']]>'), 'not-well-formed'],
  ['a CDATA section without an end', stanza('<![CDATA[x'), 'not-well-formed'],
  // Attributes.
  ['an attribute given twice', stanza('', ' id="a" id="b"'), 'not-well-formed'],
  ['an attribute given twice by two prefixes', stanza('<a xmlns:p="u" xmlns:q="u" p:b="" q:b=""/>'), 'not-well-formed'],
  ['and whose namespaces are written in two ways', stanza('<a xmlns:p="u&amp;v" xmlns:q="u&#38;v" p:b="" q:b=""/>'), 'not-well-formed'],
  ['an attribute without quotes', stanza('<a b=c/>'), 'not-well-formed'],
  ['an attribute without a value', stanza('<a b/>'), 'not-well-formed'],
  ['attributes without a space between them', stanza('<a b="c"d="e"/>'), 'not-well-formed'],
  ['quotes that do not match', stanza(`<a b="c'/>`), 'not-well-formed'],
  ['< in an attribute', stanza('<a b="<c/>"/>'), 'not-well-formed'],
  // Namespaces.
  ['an undeclared prefix', stanza('<p:a/>'), 'not-well-formed'],
  ['an undeclared prefix of an attribute', stanza('<a p:b=""/>'), 'not-well-formed'],
  ['a prefix that only a neighbour declared', stanza('<a xmlns:p="u"/><p:b/>'), 'not-well-formed'],
  ['a prefix that is taken back', stanza('<a xmlns:p="u"><b xmlns:p=""/></a>'), 'not-well-formed'],
  ['xml bound to something else', stanza('<a xmlns:xml="u"/>'), 'not-well-formed'],
  ['something else bound to the namespace of xml', stanza('<a xmlns:p="http://www.w3.org/XML/1998/namespace"/>'), 'not-well-formed'],
  ['the namespace of xml as the default', stanza('<a xmlns="http://www.w3.org/XML/1998/namespace"/>'), 'not-well-formed'],
  ['xmlns bound', stanza('<a xmlns:xmlns="u"/>'), 'not-well-formed'],
  ['a prefix bound to the namespace of xmlns', stanza('<a xmlns:p="http://www.w3.org/2000/xmlns/"/>'), 'not-well-formed'],
  ['a namespace with a separator of expat in it (CVE-2022-25236)', stanza('<p:a xmlns:p="u&#10;v"/>'), 'not-well-formed'],
  ['a namespace with white space', stanza('<p:a xmlns:p=" u"/>'), 'not-well-formed'],
  // Characters.
  ['NUL', around(Buffer.from([0])), 'not-well-formed'],
  ['a control character', around(Buffer.from([0x0b])), 'not-well-formed'],
  ['U+FFFE', around('\ufffe'), 'not-well-formed'],
  ['U+FFFF in an attribute', stanza('', ' id="\uffff"'), 'not-well-formed'],
  ['a reference to NUL', stanza('&#0;'), 'not-well-formed'],
  ['a reference to a surrogate', stanza('&#xD83D;&#xDE00;'), 'not-well-formed'],
  ['a reference to U+FFFF', stanza('&#xFFFF;'), 'not-well-formed'],
  ['a reference beyond Unicode', stanza('&#x110000;'), 'not-well-formed'],
  ['a reference that wraps around 32 bits', stanza('&#x10000003C;'), 'not-well-formed'],
  ['a reference without a number', stanza('&#;'), 'not-well-formed'],
  ['a reference with a sign', stanza('&#+60;'), 'not-well-formed'],
  ['an entity without its semicolon', stanza('&amp x'), 'restricted-xml'],
  ['& alone', stanza('a & b'), 'not-well-formed'],
  ['a letter of the fifth edition alone', named('\u{10000}a'), 'not-well-formed'],
  ['a letter of the fourth edition alone', named('\u06d6a'), 'not-well-formed'],
  ['a name that begins with a combining character', named('\u0300a'), 'not-well-formed'],
  // Bytes (CVE-2022-25235 and its kin).
  ['< in two bytes', around(Buffer.from([0xc0, 0xbc])), 'bad-format'],
  ['NUL in two bytes', around(Buffer.from([0xc0, 0x80])), 'bad-format'],
  ['a surrogate in three bytes', around(Buffer.from([0xed, 0xa0, 0x80])), 'bad-format'],
  ['a character beyond Unicode', around(Buffer.from([0xf4, 0x90, 0x80, 0x80])), 'bad-format'],
  ['half a character in front of a tag', around(bytes(Buffer.from([0xf0, 0x9f, 0x98]), '<a/>')), 'bad-format'],
  ['half a character at the end of a tag name', named(Buffer.from([0x61, 0xe0, 0xa0])), 'not-well-formed'],
  ['a name of bytes that are no characters', named(Buffer.from([0x61, 0xf8, 0x80])), 'not-well-formed'],
  ['a continuation alone', around(Buffer.from([0x80])), 'bad-format'],
  ['Latin-1', around(Buffer.from([0xe9])), 'bad-format'],
  ['half a character inside a CDATA section', around(bytes('<![CDATA[', Buffer.from([0xc3]), ']]>')), 'bad-format'],
  // Size.
  ['65 levels', nested(65), 'policy-violation'],
  ['101 attributes', stanza(`<a${attributes(101)}/>`), 'policy-violation'],
  ['16 namespaces on an element', stanza(`<a${namespaces(16)}/>`), 'policy-violation'],
  ['a name of 257 bytes', stanza(`<${'a'.repeat(257)}/>`), 'policy-violation'],
];

/** What is refused as a whole message: in a stream or a body it is more than one element, or none. */
export const REFUSED_ALONE = [
  ['two elements', stanza('') + stanza(''), 'not-well-formed'],
  ['an element and text', `${stanza('')}x`, 'not-well-formed'],
  ['an element and half another', `${stanza('')}<iq`, 'not-well-formed'],
  ['an end behind the element', `${stanza('')}</message>`, 'not-well-formed'],
  ['a comment behind the element', `${stanza('')}<!-- -->`, 'not-well-formed'],
  ['text in front', `x${stanza('')}`, 'not-well-formed'],
  ['white space in front', ` ${stanza('')}`, 'bad-format'],
  ['a byte order mark', `\ufeff${stanza('')}`, 'not-well-formed'],
  ['UTF-16', Buffer.from(stanza(''), 'utf16le'), 'not-well-formed'],
  ['another encoding', `<?xml version="1.0" encoding="UTF-7"?>${stanza('')}`, 'unsupported-encoding'],
  ['another encoding whose name begins alike', `<?xml version="1.0" encoding="utf-8-bom"?>${stanza('')}`, 'unsupported-encoding'],
  ['two declarations', `<?xml version="1.0"?><?xml version="1.0"?>${stanza('')}`, 'restricted-xml'],
  ['XML 1.1', `<?xml version="1.1"?>${stanza('')}`, 'restricted-xml'],
  ['a CDATA section alone', '<![CDATA[x]]>', 'restricted-xml'],
  ['a stream header', `<stream:stream xmlns="jabber:client" xmlns:stream="http://etherx.jabber.org/streams" to="example.org">`, 'not-well-formed'],
  ['the end of a stream', '</stream:stream>', 'not-well-formed'],
];

/** What looks nasty and is right: it passes, and everybody reads it alike. */
export const ACCEPTED = [
  ['tags in attributes', stanza('<a b=\'>"/>\' c="/>\'"/>')],
  ['tags in a CDATA section', stanza('<![CDATA[</message><iq/><!-- &lol; -->]]>')],
  ['brackets at the ends of CDATA sections', stanza('<![CDATA[]]]]><![CDATA[>]]>')],
  ['brackets in text', stanza(']] ]]&gt; ]>')],
  ['every way to write a character', stanza(`&lt;&#60;&#x3c;&#x03C;&amp;amp;&quot;&apos;&gt;&#9;&#13;&#x1F600;`)],
  ['white space in every place', `<message\n xmlns\t=\r\n'jabber:client'\n><a\n/\u003e</message\n>`],
  ['line ends of all kinds', stanza('a\r\nb\rc\nd', ' id="a\r\nb\rc\nd\te"')],
  ['a prefix that changes its meaning', stanza('<p:a xmlns:p="u"><p:a xmlns:p="v"><p:a/></p:a><p:a/></p:a>')],
  ['a stanza out of its namespace and back', stanza('<message xmlns=""><message xmlns="jabber:client"/></message>')],
  ['attributes of the same local name', stanza('<a xmlns:p="u" xmlns:q="v" b="" p:b="" q:b="" xml:b=""/>')],
  ['names that begin with xml', stanza('<xmlish xmlnsx="1" xml="2"/>')],
  ['a stanza inside a stanza', stanza(`<forwarded xmlns="urn:xmpp:forward:0">${stanza('<body>x</body>', ' from="admin@example.org"')}</forwarded>`)],
  ['an error of the stream inside a stanza', stanza('<stream:error xmlns:stream="http://etherx.jabber.org/streams"/>')],
  ['letters of many scripts in names', stanza('<é ünï="ж"><日本 語=""/></é>')],
  ['characters at the borders', stanza('\ud7ff\ue000\ufffd\u{10000}\u{10ffff}\u0085\u2028\u007f')],
  ['64 levels', nested(64)],
  ['100 attributes', stanza(`<a${attributes(100)}/>`)],
  ['15 namespaces on an element', stanza(`<a${namespaces(15)}/>`)],
  ['a name of 256 bytes', stanza(`<${'a'.repeat(256)}/>`)],
];

/** The same of whole messages, in which nothing is inherited. */
export const ACCEPTED_ALONE = [
  ['a prefix around what has none', `<c:message xmlns:c="jabber:client"><body>x</body><c:body>y</c:body></c:message>`],
  ['a declaration in front and white space behind', `<?xml version='1.0' encoding="utf-8" standalone='yes' ?>\n${stanza('')}\n`],
];
