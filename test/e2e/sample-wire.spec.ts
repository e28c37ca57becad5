interface Part {
  kind: string;
  text: string;
}
interface XmlView {
  tokenize(xml: string): { type: string; name: string; parts: Part[] }[];
  title(tokens: ReturnType<XmlView['tokenize']>): string;
}

/** The page's own module: plain JavaScript without types, so it is named where the compiler does not look. */
const path = '../../sample/public/xml-view.js';
const { tokenize, title } = (await import(path)) as XmlView;

const shown = (xml: string): string => tokenize(xml).flatMap(({ parts }) => parts.map(({ text }) => text)).join('');

describe("the demo page's wire pane", () => {
  it.each([
    [`<message to="bob@localhost" type='chat'  id = "a&quot;b"><body>1 &lt; 2 &amp; "x" > y\n</body><x xmlns='a:b'/></message>`],
    ['<stream:features xmlns:stream="http://etherx.jabber.org/streams" ><a b="c>d"/></stream:features>'],
    ['<?xml version="1.0"?><a><![CDATA[<b>]]><!-- c --></a>'],
    ['not XML < at all'],
    ['<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" />'],
  ])('Page: shows %s character for character', (xml) => {
    expect(shown(xml)).toBe(xml);
  });

  it.each([
    ['<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">SECRET</auth>'],
    ['<challenge xmlns="urn:ietf:params:xml:ns:xmpp-sasl">SECRET</challenge>'],
    ['<response xmlns="urn:ietf:params:xml:ns:xmpp-sasl">SECRET</response>'],
    ['<s:success xmlns:s="urn:ietf:params:xml:ns:xmpp-sasl">SECRET</s:success>'],
    ['<auth><![CDATA[SECRET]]></auth>'],
    ['<authenticate xmlns="urn:xmpp:sasl:2"><initial-response>SECRET</initial-response></authenticate>'],
    ['<success xmlns="urn:xmpp:sasl:2"><additional-data>SECRET</additional-data><token xmlns="urn:xmpp:fast:0" token="SECRET"/></success>'],
    [`<body rid='1' sid='SECRET' xmlns='http://jabber.org/protocol/httpbind'><message><body>hello</body></message></body>`],
    ['<body sid="SECRET" key="SECRET" newkey="SECRET" shared:key="SECRET"/>'],
    [`<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="localhost" xmlns:shared="urn:xmpp:tmp:shared-bosh:0" shared:key="SECRET" shared:newkey='SECRET'/>`],
    ['<iq type="set"><query xmlns="jabber:iq:private"><key xmlns="urn:nestjs-xmpp:shared:0">SECRET</key></query></iq>'],
    ['<iq><query xmlns="jabber:iq:auth"><password>SECRET</password><digest>SECRET</digest></query></iq>'],
    ['<enabled xmlns="urn:xmpp:sm:3" id="SECRET"/>'],
    ['<resume xmlns="urn:xmpp:sm:3" previd="SECRET" h="1"/>'],
    ['<body sid="SECRET"><auth>SECRET'],
  ])('Page: masks the secrets of %s', (xml) => {
    expect(shown(xml)).not.toContain('SECRET');
    expect(shown(xml)).toBe(xml.replaceAll(/<!\[CDATA\[SECRET\]\]>|SECRET/g, '••••'));
  });

  it('Page: names a frame by its element, and a body by what is in it', () => {
    expect(title(tokenize('<presence/>'))).toBe('presence');
    expect(title(tokenize('<body rid="1"/>'))).toBe('body');
    expect(title(tokenize('<body rid="1"><iq/></body>'))).toBe('body › iq');
  });
});
