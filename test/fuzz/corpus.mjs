/** Documents that XMPP is made of, and the pieces that mutations put into them. */

const FRAMES = [
  `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="example.org" version="1.0" xml:lang="en"/>`,
  `<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />`,
  `<message xmlns="jabber:client" to='juliet@example.org' type="chat" id="a&amp;1"><body>Hé &lt;b&gt; 😀 &#x41;\r\n</body><active xmlns="http://jabber.org/protocol/chatstates"/></message>`,
  `<message xmlns='jabber:client'><html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><p style="color: &quot;red&quot;">a<em>b</em>c</p></body></html></message>`,
  `<presence xmlns="jabber:client"><c xmlns="http://jabber.org/protocol/caps" hash="sha-1" ver="QgayPKawpkPSDYmwT/WM94uAlu0="/><priority>5</priority></presence>`,
  `<iq xmlns="jabber:client" type="result" id="b"><query xmlns="jabber:iq:roster" ver=''><item jid="a@b"><group>F &amp; F</group></item><item jid='c@d' name=">"/></query></iq>`,
  `<stream:features xmlns:stream="http://etherx.jabber.org/streams"><mechanisms xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><mechanism>PLAIN</mechanism></mechanisms></stream:features>`,
  `<stream:error xmlns:stream="http://etherx.jabber.org/streams"><conflict xmlns="urn:ietf:params:xml:ns:xmpp-streams"/><text xmlns="urn:ietf:params:xml:ns:xmpp-streams" xml:lang="de">nö</text></stream:error>`,
  `<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">AGEAYg==</auth>`,
  `<message xmlns="jabber:client"><sent xmlns="urn:xmpp:carbons:2"><forwarded xmlns="urn:xmpp:forward:0"><message xmlns="jabber:client" from="a@b/c"><body><![CDATA[<x>&]]]]><![CDATA[>]]></body></message></forwarded></sent></message>`,
  `<p:a xmlns:p="u" xmlns:q="v" p:x="1" q:x="2" x="3"><q:b xmlns="w"><c/></q:b><p:d xmlns:p="z"/></p:a>`,
  `<c:message xmlns:c="jabber:client" to="a"><body>x</body><c:body>y</c:body></c:message>`,
  `<message to="a"><body>x</body><q:b xmlns:q="v"><c/></q:b></message>`,
  `<?xml version='1.0' encoding='UTF-8'?>\n<r xmlns='urn:xmpp:sm:3'/>\n`,
];

const HEADERS = [
  `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='x' version='1.0'>`,
  `<stream:stream xmlns="jabber:client" xmlns:stream="http://etherx.jabber.org/streams" xmlns:p="u" xmlns:xml="http://www.w3.org/XML/1998/namespace">`,
  `<s:stream xmlns:s="http://etherx.jabber.org/streams" xmlns:c="jabber:client" xmlns:p="u&amp;v" xmlns:q="w">`,
];

const BODIES = [
  `<body xmlns='http://jabber.org/protocol/httpbind' rid='1' sid='s' xmlns:xmpp='urn:xmpp:xbosh' xmpp:restart="true">`,
  `<body rid="1" xmlns:stream="http://etherx.jabber.org/streams" xmlns="http://jabber.org/protocol/httpbind" xmlns:p="u">`,
  `<b:body rid='7' xmlns:b="http://jabber.org/protocol/httpbind" xmlns="jabber:client" xmlns:p="http://jabber.org/protocol/httpbind">`,
  `<b:body xmlns:b="http://jabber.org/protocol/httpbind" rid="2" sid="s" xmlns:p='u' xmlns:stream="http://etherx.jabber.org/streams">`,
  `<body rid="3" sid="s" xmlns="http://jabber.org/protocol/httpbind" xmlns:xmpp="urn:xmpp:xbosh" xmlns:p="v" xml:lang="en" to="example.org">\n`,
];

/** Elements that inherit, for streams and bodies. */
const CHILDREN = [
  `<message to="a"><body>x</body></message>`,
  `<iq type='set' id="1"><p:query p:a="1" xml:lang="en"><b xmlns="n"><p:c/></b></p:query></iq>`,
  `<presence/>`,
  `<stream:features><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></stream:features>`,
  `<r xmlns='urn:xmpp:sm:3'/>`,
  `<p:x xmlns:p="own"><p:y/><z/></p:x>`,
  `<m xmlns=""><n p:o="&#65;"/></m>`,
  `<x>1<![CDATA[</x>]]>2<y q="'"/>3</x>`,
  `<s:m xmlns:s="jabber:client"><body>y</body><s:x><z xmlns=""/></s:x></s:m>`,
  `<message xmlns="http://jabber.org/protocol/httpbind"><body>x</body></message>`,
  `<p:message><body p:a="&quot;">x</body></p:message>`,
  `<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`,
];

const TOKENS = [
  '<', '>', '/', '&', '=', '"', "'", ' ', '\t', '\n', '\r\n', '\r', ';', ':', ']', ']]>', '<![CDATA[', '<!--', '-->', '<?x ?>', '<!DOCTYPE a>',
  '&amp;', '&lt;', '&quot;', '&apos;', '&gt;', '&nbsp;', '&#0;', '&#9;', '&#10;', '&#13;', '&#x1;', '&#xD800;', '&#xFFFF;', '&#x10FFFF;', '&#x110000;', '&#65;',
  'é', '×', '·', '😀', '\u0000', '\u0001', '\u000b', '\u001f', '\u007f', '\u0085', '\u00a0', '\u2028', '\u3000', '\ud7ff', '\ue000', '\ufeff', '\ufffd', '\ufffe', '\uffff', '\uff00',
  '<a>', '</a>', '<a/>', '<p:a/>', '</body>', '</message>', '</stream:stream>', '<message/>', '<?xml version="1.0"?>',
  ' a="1"', " b='2'", ' p:a="1"', ' q:a="2"', ' xml:lang="x"', ' xml:a=""', ' xmlns=""', ' xmlns="u"', ' xmlns:p="u"', ' xmlns:q="u"', ' xmlns:p=""', ' xmlns:p="v w"',
  ' xmlns:stream="u"', ' xmlns:xml="http://www.w3.org/XML/1998/namespace"', ' xmlns:xmlns="u"', ' xmlns:p="http://www.w3.org/2000/xmlns/"', ' xmlns:p="u&#38;v"', ' xmlns:p="&#x75;"',
  'p:', 'q:', 'xmlns:', 'xml:', 'stream:', 'xmlns', 'jabber:client', 'http://jabber.org/protocol/httpbind',
].map((token) => Buffer.from(token));
for (const bytes of [[0x80], [0xc3], [0xc0, 0xbc], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xef, 0xbf], [0xf0, 0x9f, 0x98], [0xf4, 0x90, 0x80, 0x80], [0xff]]) {
  TOKENS.push(Buffer.from(bytes));
}

/** A generator of numbers from 0 up to, but without, 1: the same for the same seed (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const below = (rng, count) => Math.floor(rng() * count);
const pick = (rng, list) => list[below(rng, list.length)];

/** An element with random prefixes, declarations, attributes and content; well-formed, or nearly. */
function generate(rng, depth, prefixes) {
  const own = [];
  const inScope = new Set(prefixes);
  const attributes = new Map();
  while (rng() < 0.3) {
    const prefix = pick(rng, ['', 'p', 'q', 'stream', 'ä', 'b']);
    if (own.includes(prefix)) continue;
    own.push(prefix);
    inScope.add(prefix);
    attributes.set(prefix ? `xmlns:${prefix}` : 'xmlns', pick(rng, ['u', 'v', 'jabber:client', 'w&amp;x', 'w&#38;x', ...(prefix ? [] : [''])]));
  }
  const name = () => {
    const prefix = pick(rng, [...inScope, '']);
    return (prefix && `${prefix}:`) + pick(rng, ['a', 'b', 'message', 'body', 'ü']);
  };
  const tag = name();
  while (rng() < 0.4) attributes.set(rng() < 0.1 ? 'xml:lang' : name(), pick(rng, ['', '1', '&quot;', ' a\tb\r\nc ', '>', 'é&#10;', ']]>', '/']));
  const entries = [...attributes].sort(() => rng() - 0.5).map(([key, value]) => {
    const quote = pick(rng, [`"`, `'`]);
    return `${pick(rng, [' ', ' ', '\n', '  '])}${key}${pick(rng, ['=', '=', ' = '])}${quote}${value}${quote}`;
  });
  const head = `<${tag}${entries.join('')}`;
  if (rng() < 0.3) return `${head}${pick(rng, ['', ' '])}/>`;
  let content = '';
  while (rng() < 0.6) {
    content += depth > 0 && rng() < 0.6 ? generate(rng, depth - 1, inScope) : pick(rng, ['x', ' ', '&amp;', '\r\n', '<![CDATA[</a>]]>', ']]', '😀', '&#x1F600;', 'ﻁ']);
  }
  return `${head}>${content}</${tag}${pick(rng, ['', '', ' '])}>`;
}

const WAYS = [
  (rng, source) => cut(source, ...range(rng, source), Buffer.alloc(0)),
  (rng, source) => {
    const [from, to] = range(rng, source);
    return cut(source, to, to, source.subarray(from, to));
  },
  (rng, source) => {
    const at = below(rng, source.length + 1);
    return cut(source, at, at, pick(rng, TOKENS));
  },
  (rng, source) => {
    // In front of the end of a tag, or behind one: where most things are allowed.
    const at = source.indexOf(pick(rng, ['>', '<', '"', '/>']), below(rng, source.length + 1));
    return at < 0 ? source : cut(source, at + (rng() < 0.5 ? 0 : 1), at + (rng() < 0.5 ? 0 : 1), pick(rng, TOKENS));
  },
  (rng, source) => {
    const at = source.indexOf(' ', below(rng, source.length + 1));
    return at < 0 ? source : cut(source, at, at, pick(rng, TOKENS));
  },
  (rng, source) => {
    const at = below(rng, source.length);
    return cut(source, at, at + 1, Buffer.from([below(rng, 256)]));
  },
  (rng, source) => {
    const [from, to] = range(rng, source);
    const other = Buffer.from(pick(rng, [...FRAMES, ...CHILDREN]));
    return cut(source, from, to, other.subarray(...range(rng, other)));
  },
  (rng, source) => {
    const at = source.indexOf('<', below(rng, source.length));
    return at < 0 ? source : cut(source, at, at, Buffer.from(generate(rng, 2, ['p'])));
  },
];

function range(rng, source) {
  const from = below(rng, source.length + 1);
  return [from, Math.min(source.length, from + below(rng, rng() < 0.7 ? 6 : 60))];
}

function cut(source, from, to, instead) {
  return Buffer.concat([source.subarray(0, from), instead, source.subarray(Math.max(from, to))]);
}

/**
 * The next case: what kind of document, and its bytes.
 * @returns {{ kind: 'frame' | 'stream' | 'body', source: Buffer, next?: Buffer }} `next`: of a stream, what
 * follows when it is opened anew
 */
export function nextCase(rng) {
  const kind = pick(rng, ['frame', 'stream', 'body']);
  const children = () => {
    let text = '';
    while (rng() < 0.72) text += (rng() < 0.5 ? pick(rng, CHILDREN) : generate(rng, 3, ['p'])) + pick(rng, ['', '', '\n']);
    return text;
  };
  let text;
  if (kind === 'frame') text = rng() < 0.5 ? pick(rng, FRAMES) : generate(rng, 4, []);
  else if (kind === 'stream') text = pick(rng, HEADERS) + children() + pick(rng, ['', '</stream:stream>', '</s:stream >']);
  else {
    const head = pick(rng, BODIES);
    text = `${head}${children()}</${head.slice(1, head.indexOf(' '))}>`;
  }
  const source = mutated(rng, text);
  if (kind !== 'stream' || rng() < 0.7) return { kind, source };
  return { kind, source, next: mutated(rng, pick(rng, HEADERS) + children()) };
}

function mutated(rng, text) {
  let source = Buffer.from(text);
  for (let left = pick(rng, [0, 1, 1, 1, 2, 3, 8]); left > 0 && source.length > 0; left--) source = pick(rng, WAYS)(rng, source);
  return source;
}

/** Cuts bytes into chunks at random. */
export function chunksOf(rng, source) {
  const chunks = [];
  const largest = pick(rng, [1, 3, 20, 1000]);
  for (let at = 0; at < source.length; ) {
    const size = 1 + below(rng, largest);
    chunks.push(source.subarray(at, at + size));
    at += size;
  }
  return chunks;
}
