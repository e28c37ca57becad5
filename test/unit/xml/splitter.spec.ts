import { DEFAULT_LIMITS, NS, Scanner, StreamSplitter, XmlError, type SplitterHandler } from '../../../lib/xml/index.js';

const HEADER = `<stream:stream xmlns='jabber:client' xmlns:stream='${NS.streams}' id="a>b" version='1.0'>`;

/** Writes down what a splitter finds. */
class Recorder implements SplitterHandler {
  readonly events: string[] = [];
  onHeader({ name, namespace, attributes }: Parameters<SplitterHandler['onHeader']>[0]): void {
    this.events.push(`header ${name} ${namespace} ${JSON.stringify([...attributes])}`);
  }
  onElement(stanza: Parameters<SplitterHandler['onElement']>[0]): void {
    this.events.push(`element ${stanza.kind ?? '-'} ${stanza.namespace} ${stanza.toString()}`);
  }
  onClose(): void {
    this.events.push('close');
  }
}

/** What a stream makes, cut into chunks as told; ends with the condition of the error, if there was one. */
function split(chunks: readonly (string | Buffer)[], maxBytes = 10_000): string[] {
  const recorder = new Recorder();
  const splitter = new StreamSplitter(recorder, maxBytes);
  try {
    for (const chunk of chunks) splitter.push(Buffer.from(chunk));
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    recorder.events.push(`error ${error.condition}`);
  }
  return recorder.events;
}

/** Every way to cut once, every chunk size up to 9, and every byte alone. */
function cuts(document: Buffer): Buffer[][] {
  const ways: Buffer[][] = [];
  for (let at = 0; at <= document.length; at++) ways.push([document.subarray(0, at), document.subarray(at)]);
  for (let size = 1; size < 10; size++) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < document.length; at += size) chunks.push(document.subarray(at, at + size));
    ways.push(chunks);
  }
  return ways;
}

const SPLICED = `xmlns="jabber:client"`;

describe('StreamSplitter', () => {
  it('finds header, elements and end, and makes each element stand alone (W6)', () => {
    const document = `<?xml version='1.0'?>\n${HEADER}<stream:features><a xmlns="u"/></stream:features> <message/>\n<iq></iq></stream:stream>`;
    expect(split([document])).toEqual([
      `header stream ${NS.streams} [["id","a>b"],["version","1.0"]]`,
      `element - ${NS.streams} <stream:features xmlns:stream="${NS.streams}"><a xmlns="u"/></stream:features>`,
      `element message jabber:client <message ${SPLICED}/>`,
      `element iq jabber:client <iq ${SPLICED}></iq>`,
      'close',
    ]);
  });

  const inner = [
    `<message to="a"><body>Hé&amp;llo 😀 ]] > </body></message>`,
    `<message a='>' b=">/>" c='"/>'><b d="'>"/></message>`,
    `<iq><![CDATA[</iq><x>]]]]><![CDATA[>]]></iq>`,
    `<iq><a/><b></b ><c><d/></c></iq >`,
    `<stream:error><x xmlns="u"/></stream:error>`,
    `<p:a xmlns:p="u"/>`,
    `<a xmlns=""/>`,
    `<r xmlns='urn:xmpp:sm:3'/>`,
    `<a  xmlns:s="u"  s:b = '/'  xmlns = ''/>`,
  ];

  it.each([
    ['a whole stream', `<?xml version='1.0'?>${HEADER}${inner.join('')}</stream:stream>`],
    ['with white space between', `\n<?xml version='1.0' ?>\n${HEADER}\n${inner.join(' \r\n\t')} </stream:stream \n> ignored`],
    ['with an undeclared prefix', `${HEADER}<message/><q:a/><message/>`],
    ['with a comment', `${HEADER}<message/><message><!-- c --></message>`],
    ['with a comment between', `${HEADER}<message/><!-- c -->`],
    ['with a processing instruction', `${HEADER}<message/><?php ?>`],
    ['with a declaration of a DTD', `<!DOCTYPE a>${HEADER}<message/>`],
    ['with elements closed crosswise', `${HEADER}<message/><a><b></a></b><message/>`],
    ['with text between', `${HEADER}<message/> x <message/>`],
    ['with invalid UTF-8', Buffer.concat([Buffer.from(`${HEADER}<a/><b>`), Buffer.from([0xc3, 0x28]), Buffer.from('</b><c/>')])],
    ['with another root closed', `${HEADER}<message/></stream:features><message/>`],
    ['with an empty header', `<stream:stream xmlns:stream='u'/><message/>`],
    ['with a CDATA section between', `${HEADER}<message/><![CDATA[ ]]><message/>`],
    ['with quotes in text', `${HEADER}<message>"it's" 'so"</message><message/>`],
    ['with a slash before other bytes', `${HEADER}<a b="/"></a><a>/</a><a b='c'/><a/ ></a>`],
    ['with a header inside', `${HEADER}${HEADER}<message/></stream:stream></stream:stream>`],
  ])('makes the same of it wherever it is cut: %s', (_, text) => {
    const document = Buffer.from(text);
    const whole = split([document]);
    for (const chunks of cuts(document)) expect(split(chunks)).toEqual(whole);
  });

  it('finds what is in the stream above', () => {
    const found = split([`${HEADER}${inner.join('')}</stream:stream>`]);
    expect(found).toHaveLength(inner.length + 2);
    expect(found.slice(1, -1).map((event) => event.slice(event.indexOf('<')).replace(/ xmlns(:stream)?="(jabber:client|[^"]*streams)"/, ''))).toEqual(inner);
  });

  it('R1: an element in no namespace says so, whatever it will stand in', () => {
    const header = `<s:stream xmlns:s='${NS.streams}' xmlns:c='jabber:client'>`;
    expect(split([`${header}<a><b/></a><c:message><body/></c:message>`]).slice(1)).toEqual([
      'element -  <a xmlns=""><b/></a>',
      'element message jabber:client <c:message xmlns:c="jabber:client" xmlns=""><body/></c:message>',
    ]);
  });

  describe('R1-R3: ends the stream at the first thing that is not proven', () => {
    it.each([
      ['text before the header', 'x', 'not-well-formed'],
      ['an element that is left open when the root is closed', `${HEADER}<a></stream:stream>`, 'not-well-formed'],
      ['an end tag before the header', '</stream:stream>', 'not-well-formed'],
      ['a second XML declaration', `<?xml version='1.0'?><?xml version='1.0'?>${HEADER}`, 'restricted-xml'],
      ['an XML declaration behind the header', `${HEADER}<?xml version='1.0'?>`, 'restricted-xml'],
      ['an instruction before the header', `<?php ?>${HEADER}`, 'restricted-xml'],
      ['another encoding', `<?xml version='1.0' encoding='latin1'?>${HEADER}`, 'unsupported-encoding'],
      ['a header with an undeclared prefix', `<stream:stream>`, 'not-well-formed'],
      ['an end tag of another name', `${HEADER}</stream:streamx>`, 'not-well-formed'],
      ['an end tag of a shorter name', `${HEADER}</stream:strea>`, 'not-well-formed'],
      ['an end tag with more in it', `${HEADER}</stream:stream x>`, 'not-well-formed'],
      ['a DTD inside an element', `${HEADER}<a><!DOCTYPE b></a>`, 'restricted-xml'],
      ['an entity', `${HEADER}<a>&nbsp;</a>`, 'restricted-xml'],
    ])('%s', (_, document, condition) => {
      const events = split([document, '<after/>', `${HEADER}<after/>`]);
      expect(events.at(-1)).toBe(`error ${condition}`);
      expect(events.filter((event) => event.startsWith('element'))).toEqual([]);
    });

    it('takes nothing more after an error or the end', () => {
      for (const document of [`${HEADER}<a><!-- -->`, `${HEADER}</stream:stream>`]) {
        const recorder = new Recorder();
        const splitter = new StreamSplitter(recorder, 1000);
        try {
          splitter.push(Buffer.from(document));
        } catch (error) {
          expect(error).toBeInstanceOf(XmlError);
        }
        const before = [...recorder.events];
        splitter.push(Buffer.from('<message/>'));
        splitter.push(Buffer.from(`${HEADER}<message/></stream:stream>`));
        expect(recorder.events).toEqual(before);
        expect(splitter.incomplete).toBe(false);
      }
    });
  });

  describe('limits', () => {
    const element = (bytes: number): string => `<a>${'x'.repeat(bytes - 7)}</a>`;

    it.each([1, 7, 100, 499, 500, 501, 1000, 4096, 100_000])('counts the bytes of an element, in chunks of %i bytes', (size) => {
      const run = (bytes: number): string[] => {
        const document = Buffer.from(HEADER + element(bytes) + element(20));
        const chunks: Buffer[] = [];
        for (let at = 0; at < document.length; at += size) chunks.push(document.subarray(at, at + size));
        return split(chunks, 500).map((event) => event.split(' ')[0] + (event.startsWith('error') ? event.slice(5) : ''));
      };
      expect(run(500)).toEqual(['header', 'element', 'element']);
      expect(run(501)).toEqual(['header', 'error policy-violation']);
      expect(run(20_000)).toEqual(['header', 'error policy-violation']);
    });

    it('counts bytes of what never ends: a header, a declaration, a tag, an end tag, a CDATA section', () => {
      for (const start of ['<stream:stream a="', '<?xml ', `${HEADER}<a b="`, `${HEADER}<a><![CDATA[`, `${HEADER}</stream:stream`, `${HEADER}<a></a`]) {
        const recorder = new Recorder();
        const splitter = new StreamSplitter(recorder, 500);
        splitter.push(Buffer.from(start));
        expect(() => {
          for (let i = 0; i < 501; i++) splitter.push(Buffer.from(' '));
        }).toThrow(expect.objectContaining({ condition: 'policy-violation' }));
      }
    });

    it('does not count white space between elements', () => {
      expect(split([HEADER, ...Array.from({ length: 100 }, () => ' '.repeat(1000)), '<message/>'], 500)).toHaveLength(2);
    });

    it('passes the limits of the scanner on', () => {
      const splitter = new StreamSplitter(new Recorder(), 10_000, new Scanner({ ...DEFAULT_LIMITS, maxDepth: 8 }));
      splitter.push(Buffer.from(HEADER));
      splitter.push(Buffer.from('<a>'.repeat(8) + '</a>'.repeat(8)));
      expect(() => splitter.push(Buffer.from('<a>'.repeat(9) + '</a>'.repeat(9)))).toThrow('nested too deeply');
    });
  });

  describe('a handler that', () => {
    const two = Buffer.from(`<message id="1"/><message id="2"/>`);
    const inPieces = [[two], [two.subarray(0, 5), two.subarray(5)]];

    function run(chunks: readonly Buffer[], act: (splitter: StreamSplitter) => void): [string[], StreamSplitter] {
      const seen: string[] = [];
      const splitter: StreamSplitter = new StreamSplitter(
        {
          onHeader: () => seen.push('header'),
          onElement: (stanza) => {
            seen.push(stanza.attribute('id')!);
            act(splitter);
          },
          onClose: () => seen.push('close'),
        },
        1000,
      );
      splitter.push(Buffer.from(HEADER));
      for (const chunk of chunks) splitter.push(chunk);
      return [seen, splitter];
    }

    it.each(inPieces)('stops gets nothing more of the chunk at hand', (...chunks) => {
      const [seen, splitter] = run(chunks, (it) => it.stop());
      expect(seen).toEqual(['header', '1']);
      splitter.push(two);
      expect(seen).toEqual(['header', '1']);
    });

    it.each(inPieces)('resets gets nothing more of the chunk at hand, and a new header from the next one', (...chunks) => {
      const [seen, splitter] = run(chunks, (it) => it.reset());
      expect(seen).toEqual(['header', '1']);
      splitter.push(Buffer.from(`\n<?xml version='1.0'?>${HEADER}<message id="3"/>`));
      expect(seen).toEqual(['header', '1', 'header', '3']);
    });

    it('resets between chunks drops what was incomplete', () => {
      const [seen, splitter] = run([Buffer.from('<message id="0">')], () => {});
      expect(splitter.incomplete).toBe(true);
      splitter.reset();
      expect(splitter.incomplete).toBe(false);
      splitter.push(Buffer.from(`${HEADER}<message id="1"/>`));
      expect(seen).toEqual(['header', 'header', '1']);
    });

    it('stops in the header gets no element', () => {
      const seen: string[] = [];
      const splitter: StreamSplitter = new StreamSplitter(
        { onHeader: () => splitter.stop(), onElement: () => seen.push('element'), onClose: () => seen.push('close') },
        1000,
      );
      splitter.push(Buffer.from(`${HEADER}<message/></stream:stream>`));
      expect(seen).toEqual([]);
    });

    it('starts anew at the end of a stream reads the next one', () => {
      const seen: string[] = [];
      const splitter: StreamSplitter = new StreamSplitter(
        {
          onHeader: () => seen.push('header'),
          onElement: () => seen.push('element'),
          onClose: () => {
            seen.push('close');
            splitter.reset();
          },
        },
        1000,
      );
      splitter.push(Buffer.from(`${HEADER}<message/></stream:stream>`));
      splitter.push(Buffer.from(`${HEADER}<message/></stream:stream>`));
      expect(seen).toEqual(['header', 'element', 'close', 'header', 'element', 'close']);
    });

    it('throws ends the stream, and its error comes out', () => {
      const splitter = new StreamSplitter(
        {
          onHeader() {},
          onElement() {
            throw new Error('of the handler');
          },
          onClose() {},
        },
        1000,
      );
      splitter.push(Buffer.from(HEADER));
      expect(() => splitter.push(two)).toThrow('of the handler');
      expect(() => splitter.push(two)).not.toThrow();
    });
  });

  it('keeps what it found when the chunk it came in was in one piece: no copy', () => {
    const chunk = Buffer.from(`${HEADER}<p:a xmlns:p="u">x</p:a>`);
    const recorder: Buffer[] = [];
    const splitter = new StreamSplitter({ onHeader() {}, onElement: (stanza) => recorder.push(stanza.bytes), onClose() {} }, 1000);
    splitter.push(chunk);
    expect(recorder[0]!.buffer).toBe(chunk.buffer);
  });

  it('takes a stanza in a hundred thousand chunks of one byte', () => {
    const document = Buffer.from(`${HEADER}<message><body>${'x'.repeat(100_000)}</body></message>`);
    let found = 0;
    const splitter = new StreamSplitter(
      { onHeader() {}, onElement: (stanza) => (found = stanza.child('body')!.text().length), onClose() {} },
      200_000,
    );
    for (let i = 0; i < document.length; i++) splitter.push(document.subarray(i, i + 1));
    expect(found).toBe(100_000);
  });
});
