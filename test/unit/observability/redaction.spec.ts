import { redact } from '../../../lib/observability/index.js';
import { NS, Stanza } from '../../../lib/xml/index.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** What is sent, what of it must not be seen, and what has to be. */
interface Case {
  readonly what: string;
  readonly xml: string;
  readonly secrets: readonly string[];
  readonly seen?: readonly string[];
}

const PLAIN = base64('\0romeo\0h4rdly-guessable');
const CLIENT_FIRST = base64('n,,n=romeo,r=fyko+d2lbbFgONRv9qkxdawL');
const SERVER_FIRST = base64('r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1,s=QSXCR+Q6sek8bf92,i=4096');
const CLIENT_FINAL = base64('c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=');
const SERVER_FINAL = base64('v=rmF9pqV8S7suAoZWja4dJRkFsKQ=');
const DIGEST = base64('username="romeo",response=d388dad90d4bbd760a152321f2143af7');
const SASL = `xmlns='${NS.sasl}'`;
const SASL2 = `xmlns='${NS.sasl2}'`;

const LOGINS: readonly Case[] = [
  ...['PLAIN', 'OAUTHBEARER', 'X-OAUTH2', 'EXTERNAL', 'ANONYMOUS', 'LOGIN', 'X-NEVER-HEARD-OF'].map((mechanism) => ({
    what: `SASL ${mechanism}`,
    xml: `<auth ${SASL} mechanism='${mechanism}'>${PLAIN}</auth>`,
    secrets: [PLAIN],
    seen: [`mechanism='${mechanism}'`, '<auth ', NS.sasl],
  })),
  ...['SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'SCRAM-SHA-1-PLUS'].map((mechanism) => ({
    what: `SASL ${mechanism}`,
    xml: `<auth ${SASL} mechanism='${mechanism}'>${CLIENT_FIRST}</auth>`,
    secrets: [CLIENT_FIRST],
    seen: [mechanism],
  })),
  { what: 'the challenge of SCRAM', xml: `<challenge ${SASL}>${SERVER_FIRST}</challenge>`, secrets: [SERVER_FIRST], seen: ['<challenge '] },
  { what: 'the response of SCRAM', xml: `<response ${SASL}>${CLIENT_FINAL}</response>`, secrets: [CLIENT_FINAL], seen: ['<response '] },
  { what: 'the end of SCRAM', xml: `<success ${SASL}>${SERVER_FINAL}</success>`, secrets: [SERVER_FINAL], seen: ['<success '] },
  { what: 'the response of DIGEST-MD5', xml: `<response ${SASL}>${DIGEST}</response>`, secrets: [DIGEST] },
  { what: 'SASL data in CDATA', xml: `<auth ${SASL} mechanism='PLAIN'><![CDATA[${PLAIN}]]></auth>`, secrets: [PLAIN] },
  { what: 'SASL data cut by an element', xml: `<auth ${SASL}>AGp1<x xmlns='a'>bGlldA</x>==</auth>`, secrets: ['AGp1', 'bGlldA'], seen: ['<x '] },
  { what: 'SASL data in an attribute', xml: `<auth ${SASL} mechanism='PLAIN' data='${PLAIN}'/>`, secrets: [PLAIN], seen: ['PLAIN'] },
  { what: 'SASL behind a prefix', xml: `<s:auth xmlns:s='${NS.sasl}' mechanism='PLAIN'>${PLAIN}</s:auth>`, secrets: [PLAIN], seen: ['<s:auth '] },
  { what: 'SASL in the wrong namespace', xml: `<auth xmlns='jabber:client' mechanism='PLAIN'>${PLAIN}</auth>`, secrets: [PLAIN] },
  {
    what: 'the first message of SASL2',
    xml:
      `<authenticate ${SASL2} mechanism='SCRAM-SHA-256'><initial-response>${CLIENT_FIRST}</initial-response>` +
      `<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>Gajim</software><device>Desktop</device></user-agent>` +
      `<bind xmlns='urn:xmpp:bind:0'><tag>web</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind></authenticate>`,
    secrets: [CLIENT_FIRST, 'd4565fa7-4d72-4749-b3d3-740edbf87770'],
    seen: ['SCRAM-SHA-256', 'Gajim', 'Desktop', '<tag>web</tag>', "resume='true'"],
  },
  { what: 'the challenge of SASL2', xml: `<challenge ${SASL2}>${SERVER_FIRST}</challenge>`, secrets: [SERVER_FIRST] },
  { what: 'the response of SASL2', xml: `<response ${SASL2}>${CLIENT_FINAL}</response>`, secrets: [CLIENT_FINAL] },
  {
    what: 'the end of SASL2, with a FAST token and a resumption',
    xml:
      `<success ${SASL2}><additional-data>${SERVER_FINAL}</additional-data><authorization-identifier>romeo@example.org/web` +
      `</authorization-identifier><token xmlns='urn:xmpp:fast:0' token='WXZzciBwYmFmdmZnZiBqdmd1IGp2eXFhcmZm' expiry='2027-01-01T00:00:00Z'/>` +
      `<resumed xmlns='urn:xmpp:sm:3' h='3' previd='some-long-sm-id'/></success>`,
    secrets: [SERVER_FINAL, 'WXZzciBwYmFmdmZnZiBqdmd1IGp2eXFhcmZm', 'some-long-sm-id'],
    seen: ['romeo@example.org/web', "expiry='2027-01-01T00:00:00Z'", "h='3'"],
  },
  {
    what: 'a login with a FAST token',
    xml:
      `<authenticate ${SASL2} mechanism='HT-SHA-256-NONE'><initial-response>${DIGEST}</initial-response>` +
      `<fast xmlns='urn:xmpp:fast:0' count='7'/><resume xmlns='urn:xmpp:sm:3' previd='some-long-sm-id' h='5'/></authenticate>`,
    secrets: [DIGEST, 'some-long-sm-id'],
    seen: ['HT-SHA-256-NONE', "count='7'", "h='5'"],
  },
  {
    what: 'a task of SASL2 that carries a salted password',
    xml: `<next ${SASL2} task='UPGR-SCRAM-SHA-512'><hash xmlns='urn:xmpp:scram-upgrade:0'>BzOnw3Pc5H4bOLlPZ/8JAy6wnTpH05aH21KW2+Xfpaw=</hash></next>`,
    secrets: ['BzOnw3Pc5H4bOLlPZ/8JAy6wnTpH05aH21KW2+Xfpaw='],
    seen: ['<hash '],
  },
  {
    what: 'a legacy login with a password',
    xml: `<iq xmlns='jabber:client' type='set' id='a1'><query xmlns='jabber:iq:auth'><username>romeo</username><password>c4ll1op3</password><resource>web</resource></query></iq>`,
    secrets: ['c4ll1op3'],
    seen: ['romeo', '<resource>web</resource>', "id='a1'"],
  },
  {
    what: 'a legacy login with a digest',
    xml: `<iq xmlns='jabber:client' type='set' id='a1'><query xmlns='jabber:iq:auth'><username>romeo</username><digest>48fc78be9ec8f86d8ce1c39c320c97c21d62334d</digest></query></iq>`,
    secrets: ['48fc78be9ec8f86d8ce1c39c320c97c21d62334d'],
    seen: ['<username>romeo</username>'],
  },
];

const ACCOUNTS: readonly Case[] = [
  {
    what: 'a registration',
    xml: `<iq xmlns='jabber:client' type='set' id='r1'><query xmlns='jabber:iq:register'><username>bill</username><password>Calliope</password><email>bard@shakespeare.lit</email></query></iq>`,
    secrets: ['Calliope', 'bard@shakespeare.lit'],
    seen: ['<username>bill</username>'],
  },
  {
    what: 'a registration by form',
    xml:
      `<iq xmlns='jabber:client' type='set'><query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>` +
      `<field var='username'><value>juliet</value></field><field var='password'><value>m1cro$oft</value></field></x></query></iq>`,
    secrets: ['m1cro$oft'],
    seen: ["var='password'"],
  },
  {
    what: 'a form of a command that changes a password',
    xml:
      `<iq xmlns='jabber:client' type='set'><command xmlns='http://jabber.org/protocol/commands' node='x'><x xmlns='jabber:x:data' type='submit'>` +
      `<field var='accountjid'><value>bill@shakespeare.lit</value></field><field var='password-verify'><value>7h3-0th3r</value></field>` +
      `<field var='why' type='text-private'><value>b3c4us3</value></field></x></command></iq>`,
    secrets: ['7h3-0th3r', 'b3c4us3'],
    seen: ['bill@shakespeare.lit', "var='password-verify'", "type='text-private'"],
  },
  {
    what: 'an invitation to register',
    xml: `<iq xmlns='jabber:client' type='set'><preauth xmlns='urn:xmpp:pars:0' token='1tMFqYDdKhfe2pwp'/></iq>`,
    secrets: ['1tMFqYDdKhfe2pwp'],
    seen: ['<preauth '],
  },
  {
    what: 'the password of a room',
    xml: `<presence xmlns='jabber:client' to='room@muc/romeo'><x xmlns='http://jabber.org/protocol/muc'><password>cauldronburn</password></x></presence>`,
    secrets: ['cauldronburn'],
    seen: ["to='room@muc/romeo'", '<password'],
  },
  {
    what: 'the password of a room in an invitation',
    xml: `<message xmlns='jabber:client'><x xmlns='jabber:x:conference' jid='room@muc' password='cauldronburn'/></message>`,
    secrets: ['cauldronburn'],
    seen: ["jid='room@muc'"],
  },
  {
    what: 'the credentials of a relay for media',
    xml: `<iq xmlns='jabber:client' type='result'><services xmlns='urn:xmpp:extdisco:2'><service type='turn' host='turn.example.org' username='u' password='jj929jkj5sadjfj93v3n'/></services></iq>`,
    secrets: ['jj929jkj5sadjfj93v3n'],
    seen: ['turn.example.org'],
  },
  {
    what: 'the permission to upload a file',
    xml:
      `<iq xmlns='jabber:client' type='result'><slot xmlns='urn:xmpp:http:upload:0'><put url='https://up.example.org/1?v=5ecr37'>` +
      `<header name='Authorization'>Basic Base64String==</header></put><get url='https://up.example.org/1'/></slot></iq>`,
    secrets: ['5ecr37', 'Base64String=='],
    seen: ["<get url='https://up.example.org/1'/>"],
  },
  {
    what: 'private storage',
    xml: `<iq xmlns='jabber:client' type='result'><query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs' nick='5hy'><defaultnick>H4ml37</defaultnick></exodus></query></iq>`,
    secrets: ['5hy', 'H4ml37'],
    seen: ['exodus:prefs'],
  },
  {
    what: 'the key of a shared session that a client keeps in PEP',
    xml:
      `<iq xmlns='jabber:client' type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:nestjs-xmpp:shared:0'>` +
      `<item id='current'><key xmlns='urn:nestjs-xmpp:shared:0'>0123456789abcdef</key></item></publish></pubsub></iq>`,
    secrets: ['0123456789abcdef'],
    seen: ["id='current'"],
  },
  {
    what: 'the secret of push',
    xml:
      `<iq xmlns='jabber:client' type='set'><enable xmlns='urn:xmpp:push:0' jid='push.example.org'><x xmlns='jabber:x:data' type='submit'>` +
      `<field var='secret'><value>eruio234vzxc2kla</value></field></x></enable></iq>`,
    secrets: ['eruio234vzxc2kla'],
    seen: ['push.example.org'],
  },
  {
    what: 'a password in a copy of a message that was forwarded',
    xml:
      `<message xmlns='jabber:client'><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>` +
      `<x xmlns='jabber:x:conference' password='cauldronburn'/><body>hello</body></message></forwarded></received></message>`,
    secrets: ['cauldronburn'],
    seen: ['<body>hello</body>'],
  },
];

const STREAMS: readonly Case[] = [
  { what: 'R25: the id of a resumable stream', xml: `<enabled xmlns='urn:xmpp:sm:3' id='5om3-1d' resume='true' max='600' location='10.0.0.7:5222'/>`, secrets: ['5om3-1d', '10.0.0.7'], seen: ["max='600'"] },
  { what: 'R25: a resumption', xml: `<resume xmlns='urn:xmpp:sm:3' h='42' previd='5om3-1d'/>`, secrets: ['5om3-1d'], seen: ["h='42'"] },
  { what: 'R25: the answer to a resumption', xml: `<resumed xmlns='urn:xmpp:sm:3' h='42' previd='5om3-1d'/>`, secrets: ['5om3-1d'], seen: ["h='42'"] },
  { what: 'R25: the id of a resumable stream, in the version before', xml: `<enabled xmlns='urn:xmpp:sm:2' id='5om3-1d'/>`, secrets: ['5om3-1d'] },
  {
    what: 'a sid and a key of a BOSH request, and what it wraps',
    xml:
      `<body xmlns='${NS.httpbind}' rid='1573741820' sid='50m3-51d' key='ca393b51b682f61f98e7877d61146407f3d0a770' newkey='6f825e81f4532b2c5fa2d12457d8a1f22e8f838e'>` +
      `<auth ${SASL} mechanism='PLAIN'>${PLAIN}</auth><auth mechanism='PLAIN'>A${PLAIN}</auth></body>`,
    secrets: ['50m3-51d', 'ca393b51', '6f825e81', PLAIN],
    seen: ["rid='1573741820'", 'PLAIN'],
  },
  {
    what: 'the id of a stream for a legacy login, in the answer that makes a BOSH session',
    xml: `<body xmlns='${NS.httpbind}' sid='50m3-51d' authid='4u7h1d' wait='60'/>`,
    secrets: ['50m3-51d', '4u7h1d'],
    seen: ["wait='60'"],
  },
  {
    what: 'the key of a shared session over BOSH, under any prefix',
    xml: `<body xmlns='${NS.httpbind}' xmlns:any='urn:xmpp:tmp:shared-bosh:0' to='example.org' any:key='0123456789abcdef' any:newkey='fedcba9876543210'/>`,
    secrets: ['0123456789abcdef', 'fedcba9876543210'],
    seen: ["to='example.org'"],
  },
  {
    what: 'a ticket on a WebSocket',
    xml: `<open xmlns='${NS.framing}' xmlns:shared='urn:xmpp:tmp:shared-bosh:0' to='example.org' version='1.0' shared:key='t1ck37-0123456789abcdef'/>`,
    secrets: ['t1ck37-0123456789abcdef'],
    seen: ["to='example.org'", "version='1.0'"],
  },
];

const HARMLESS: readonly string[] = [
  `<message xmlns='jabber:client' to='juliet@example.org' type='chat' id='m1'><body>my password is none of your business</body></message>`,
  `<presence xmlns='jabber:client'><show>away</show></presence>`,
  `<iq xmlns='jabber:client' type='get' id='i1'><query xmlns='jabber:iq:roster'/></iq>`,
  `<stream:features xmlns:stream='${NS.streams}'><mechanisms xmlns='${NS.sasl}'><mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism></mechanisms>` +
    `<authentication xmlns='${NS.sasl2}'><mechanism>SCRAM-SHA-1</mechanism><inline><fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-NONE</mechanism></fast>` +
    `<bind xmlns='urn:xmpp:bind:0'><inline><feature var='urn:xmpp:sm:3'/></inline></bind></inline></authentication><sm xmlns='urn:xmpp:sm:3'/></stream:features>`,
  `<failure xmlns='${NS.sasl}'><not-authorized/><text xml:lang='en'>no such user, or wrong password</text></failure>`,
  `<abort xmlns='${NS.sasl}'/>`,
  `<a xmlns='urn:xmpp:sm:3' h='7'/>`,
  `<iq xmlns='jabber:client' type='get'><query xmlns='jabber:iq:auth'><username>romeo</username></query></iq>`,
  `<stream:error xmlns:stream='${NS.streams}'><conflict xmlns='${NS.streamErrors}'/></stream:error>`,
];

describe('what may be logged of an element', () => {
  it.each([...LOGINS, ...ACCOUNTS, ...STREAMS])('R24: holds nothing that is secret: $what', ({ xml, secrets, seen = [] }) => {
    const before = Stanza.parse(xml);
    const text = redact(before).toString();
    for (const secret of secrets) {
      expect(xml).toContain(secret);
      expect(text).not.toContain(secret);
    }
    for (const part of seen) expect(text).toContain(part);
    expect(text).toContain('***');
    expect(before.toString()).toBe(xml);
  });

  it.each(HARMLESS)('R24: is the element itself where nothing is secret: %s', (xml) => {
    const stanza = Stanza.parse(xml);
    expect(redact(stanza)).toBe(stanza);
  });

  it('R24: says nothing of the length of a secret, but whether there is one', () => {
    const masked = (data: string): string => redact(Stanza.parse(`<auth ${SASL} mechanism='PLAIN'>${data}</auth>`)).toString();
    expect(masked('A'.repeat(8))).toBe(masked('A'.repeat(800)));
    expect(masked('')).not.toContain('***');
  });

  it('R24: shows nothing of what stands too deep to be looked at', () => {
    const deep = `${'<a>'.repeat(60)}<password>c4ll1op3</password>${'</a>'.repeat(60)}`;
    expect(redact(Stanza.parse(`<message xmlns='jabber:client'>${deep}</message>`)).toString()).not.toContain('c4ll1op3');
    const auth = `<auth ${SASL}>${'<a>'.repeat(60)}c4ll1op3${'</a>'.repeat(60)}</auth>`;
    expect(redact(Stanza.parse(auth)).toString()).not.toContain('c4ll1op3');
  });

  it('R24: masks what a stanza wraps whose namespaces are declared around it', () => {
    const body = Stanza.parse(`<b:body xmlns:b='${NS.httpbind}' xmlns:s='${NS.sasl}' xmlns=''><s:auth>${PLAIN}</s:auth></b:body>`);
    const [auth] = body.children();
    expect(redact(auth!).toString()).toBe(`<s:auth xmlns:s="${NS.sasl}">***</s:auth>`);
    expect(redact(body).toString()).not.toContain(PLAIN);
  });
});
