import { DEFAULT_LIMITS, NS, readEnvelope, Scanner, XmlError, type Envelope, type ScanLimits } from '../../../lib/xml/index.js';

function read(document: string | Buffer, limits: Partial<ScanLimits> = {}): Envelope {
  return readEnvelope(Buffer.from(document), new Scanner({ ...DEFAULT_LIMITS, ...limits }), NS.client);
}

function refusal(document: string | Buffer, limits: Partial<ScanLimits> = {}): string {
  try {
    read(document, limits);
  } catch (error) {
    if (error instanceof XmlError) return error.condition;
    throw error;
  }
  return 'accepted';
}

const BODY = `<body xmlns="${NS.httpbind}" xmlns:stream="${NS.streams}" xmlns:xmpp="${NS.xbosh}" rid="1" xmpp:restart="true">`;

describe('readEnvelope', () => {
  it('reads the root and what it wraps', () => {
    const envelope = read(`${BODY}<message xmlns="jabber:client"/><presence/>\n<stream:x xml:lang="de"/></body >\n`);
    expect([envelope.name, envelope.namespace]).toEqual(['body', NS.httpbind]);
    expect(Object.fromEntries(envelope.attributes)).toEqual({ 'rid': '1', 'xmpp:restart': 'true' });
    expect(envelope.declarations).toEqual([
      ['', NS.httpbind],
      ['stream', NS.streams],
      ['xmpp', NS.xbosh],
    ]);
    expect(envelope.children.map(String)).toEqual([
      '<message xmlns="jabber:client"/>',
      '<presence xmlns="jabber:client"/>',
      `<stream:x xmlns:stream="${NS.streams}" xml:lang="de"/>`,
    ]);
  });

  it.each([
    [`<body xmlns='${NS.httpbind}'/>`],
    [`<body xmlns='${NS.httpbind}'></body>`],
    [`<body xmlns='${NS.httpbind}'> \r\n\t</body>`],
    [`<?xml version='1.0'?>\n<body xmlns='${NS.httpbind}'/> `],
    [`\n<body xmlns='${NS.httpbind}'/>`],
    [`<b:body xmlns:b='${NS.httpbind}'></b:body>`],
    [`<b:body xmlns:b='${NS.httpbind}'/>`],
  ])('reads an empty one: %s', (document) => {
    const { name, namespace, children } = read(document);
    expect([name, namespace, children]).toEqual(['body', NS.httpbind, []]);
  });

  describe('X1: what a child inherits', () => {
    it('the namespace of the envelope is none for what it carries', () => {
      const { children } = read(`${BODY}<message><body>x</body></message></body>`);
      expect(children[0]!.kind).toBe('message');
      expect(children[0]!.toString()).toBe('<message xmlns="jabber:client"><body>x</body></message>');
      expect(children[0]!.child('body')!.namespace).toBe(NS.client);
    });

    it('also behind a prefix', () => {
      const { children } = read(`<b:body xmlns:b='${NS.httpbind}'><b:message/></b:body>`);
      expect(children[0]!.toString()).toBe('<b:message xmlns:b="jabber:client"/>');
      expect(children[0]!.kind).toBe('message');
    });

    it('a child without a namespace is in none', () => {
      const { children } = read(`<b:body xmlns:b='${NS.httpbind}'><message/></b:body>`);
      expect([children[0]!.namespace, children[0]!.kind, children[0]!.toString()]).toEqual(['', undefined, '<message/>']);
    });

    it('a namespace that the child declares itself stays', () => {
      const { children } = read(`${BODY}<message xmlns="${NS.httpbind}"/></body>`);
      expect(children[0]!.namespace).toBe(NS.httpbind);
    });

    it('another default namespace of the root is inherited', () => {
      const { children } = read(`<b:body xmlns:b='${NS.httpbind}' xmlns='jabber:client'><iq/></b:body>`);
      expect(children[0]!.toString()).toBe('<iq xmlns="jabber:client"/>');
    });

    it('no attribute is there twice after the namespaces have become one', () => {
      expect(
        refusal(`<b:body xmlns:b='${NS.httpbind}' xmlns:c='jabber:client'><b:iq b:x='1' c:x='2'/></b:body>`),
      ).toBe('not-well-formed');
    });
  });

  describe('R2, R3, B2: nothing is smuggled in', () => {
    const wrap = (content: string): string => `${BODY}${content}</body>`;
    it.each([
      ['the end of the envelope inside a child', wrap('<message></body><message/>'), 'not-well-formed'],
      ['the envelope closed and opened again', wrap(`</body>${BODY}`), 'not-well-formed'],
      ['an element behind the envelope', `${wrap('')}<message/>`, 'not-well-formed'],
      ['an element behind an empty envelope', `<body xmlns='${NS.httpbind}'/><message/>`, 'not-well-formed'],
      ['an end tag behind an empty envelope', `<body xmlns='${NS.httpbind}'/></body>`, 'not-well-formed'],
      ['text behind the envelope', `${wrap('')}x`, 'not-well-formed'],
      ['text in front', `x${wrap('')}`, 'not-well-formed'],
      ['text between', wrap('<message/>x<message/>'), 'not-well-formed'],
      ['text only', wrap('x'), 'not-well-formed'],
      ['a character reference between', wrap('&#32;<message/>'), 'not-well-formed'],
      ['white space of Unicode between', wrap('\u00A0'), 'not-well-formed'],
      ['a control character between', wrap('\u0001'), 'not-well-formed'],
      ['invalid UTF-8 between', Buffer.concat([Buffer.from(BODY), Buffer.from([0xc3, 0x28]), Buffer.from('</body>')]), 'not-well-formed'],
      ['invalid UTF-8 in an attribute', Buffer.from(wrap('').replace('rid="1"', 'rid="\u00e9"'), 'latin1'), 'bad-format'],
      ['invalid UTF-8 in a child', Buffer.from(wrap('<a>\u00e9</a>'), 'latin1'), 'bad-format'],
      ['a comment between', wrap('<!-- c -->'), 'restricted-xml'],
      ['a comment in a child', wrap('<a><!-- c --></a>'), 'restricted-xml'],
      ['a comment in front', `<!-- c -->${wrap('')}`, 'restricted-xml'],
      ['a comment behind', `${wrap('')}<!-- c -->`, 'not-well-formed'],
      ['a CDATA section between', wrap('<![CDATA[<message/>]]>'), 'restricted-xml'],
      ['a processing instruction between', wrap('<?php ?>'), 'restricted-xml'],
      ['a second XML declaration', wrap(`<?xml version='1.0'?>`), 'restricted-xml'],
      ['a DTD', `<!DOCTYPE body>${wrap('')}`, 'restricted-xml'],
      ['a DTD behind the declaration', `<?xml version='1.0'?><!DOCTYPE body>${wrap('')}`, 'restricted-xml'],
      ['an undeclared prefix', wrap('<q:message/>'), 'not-well-formed'],
      ['a prefix declared by a sibling', wrap('<a xmlns:q="u"/><q:b/>'), 'not-well-formed'],
      ['a child cut short', `${BODY}<message></body>`, 'not-well-formed'],
      ['half an element', wrap('<message'), 'not-well-formed'],
      ['half an end tag', wrap('</message>'), 'not-well-formed'],
      ['an end tag in another case', `${BODY}</Body>`, 'not-well-formed'],
      ['an end tag that is longer', `${BODY}</bodyx>`, 'not-well-formed'],
      ['an end tag with another prefix', `<b:body xmlns:b='${NS.httpbind}' xmlns:c='${NS.httpbind}'></c:body>`, 'not-well-formed'],
      ['an end tag with an attribute', `${BODY}</body a="1">`, 'not-well-formed'],
      ['a byte order mark', `\uFEFF${wrap('')}`, 'not-well-formed'],
      ['nothing', '', 'not-well-formed'],
      ['white space', ' \n', 'not-well-formed'],
      ['another encoding', `<?xml version='1.0' encoding='utf-16'?>${wrap('')}`, 'unsupported-encoding'],
    ])('%s', (_, document, condition) => {
      expect(refusal(document)).toBe(condition);
    });
  });

  it('refuses a document that is cut short at any byte', () => {
    for (const document of [`${BODY}<message><a/></message></body>`, `<b:body xmlns:b='u'/>`, `<?xml version='1.0'?>${BODY}</body>`]) {
      const source = Buffer.from(document);
      for (let end = 0; end < source.length; end++) {
        // Alone in memory, so that nothing can be read behind its end.
        expect(refusal(Buffer.from(new Uint8Array(source.subarray(0, end)).buffer))).not.toBe('accepted');
        // And in the middle of the rest.
        expect(() => readEnvelope(source.subarray(0, end), new Scanner(), NS.client)).toThrow(XmlError);
      }
      expect(refusal(source)).toBe('accepted');
    }
  });

  describe('R22: limits', () => {
    const declarations = (count: number): string => Array.from({ length: count }, (_, i) => ` xmlns:p${i}="u"`).join('');

    it('of declarations', () => {
      expect(refusal(`<b:body xmlns:b="u"${declarations(14)}><p0:a/></b:body>`)).toBe('accepted');
      expect(refusal(`<b:body xmlns:b="u"${declarations(15)}/>`)).toBe('policy-violation');
    });

    it('of depth, counted in each child', () => {
      const nested = (levels: number): string => '<a>'.repeat(levels) + '</a>'.repeat(levels);
      expect(refusal(`<b>${nested(64)}${nested(64)}</b>`)).toBe('accepted');
      expect(refusal(`<b>${nested(65)}</b>`)).toBe('policy-violation');
    });

    it('lets the app ask for the children of a child, whatever the root declared', () => {
      const { children } = read(
        `<b:body xmlns:b="u"${declarations(14)}><p0:a><q:b${declarations(3).replaceAll('p', 'q')} xmlns:q="w">` +
          `${Array.from({ length: 14 }, (_, i) => `<p${i}:c><d/></p${i}:c>`).join('')}</q:b></p0:a></b:body>`,
      );
      const [inner] = children[0]!.children();
      expect(inner!.children()).toHaveLength(14);
      expect(inner!.children()[13]!.children()).toHaveLength(1);
    });
  });
});
