import { BodyError, EMPTY_BODY, readBody, sidOf, writeBody, writeTermination } from '../../../lib/bosh/body.js';
import { NS, Scanner, Stanza } from '../../../lib/xml/index.js';

const scanner = new Scanner();
const read = (text: string) => readBody(Buffer.from(text), scanner);
const failure = (text: string): BodyError => {
  try {
    read(text);
  } catch (error) {
    if (error instanceof BodyError) return error;
    throw error;
  }
  throw new Error('was read');
};
const wrap = (attributes: string, inner = '') => `<body xmlns='${NS.httpbind}' ${attributes}>${inner}</body>`;

describe('reading a body', () => {
  it('reads what every request may have', () => {
    expect(read(wrap(`sid='s' rid='9007199254740991' pause='7' ack='5' key='k' newkey='n' type='terminate'`))).toMatchObject({
      sid: 's',
      rid: Number.MAX_SAFE_INTEGER,
      pause: 7,
      ack: 5,
      key: 'k',
      newKey: 'n',
      terminate: true,
      restart: false,
      stanzas: [],
    });
  });

  it('B16: refuses a rid that is no whole number of at most 2^53-1', () => {
    for (const rid of ['', '-1', '+1', '1.0', '1e3', '0x1', ' 1', '9007199254740992', '99999999999999999999']) {
      expect(failure(wrap(`sid='s' rid='${rid}'`))).toMatchObject({ condition: 'bad-request', sid: 's', legacy: false });
    }
    expect(failure(wrap(''))).toMatchObject({ condition: 'bad-request', sid: undefined, legacy: true });
    expect(failure(wrap(`ver='1.6'`))).toMatchObject({ legacy: false });
  });

  it('X4: takes attributes of XEP-0206 by their namespace', () => {
    expect(read(`<body xmlns='${NS.httpbind}' xmlns:p='${NS.xbosh}' rid='1' p:restart='true' p:version='1.0'/>`)).toMatchObject({
      restart: true,
      version: '1.0',
    });
    expect(read(`<body xmlns='${NS.httpbind}' xmlns:xmpp='urn:other' rid='1' xmpp:restart='true' xmpp:version='1.0'/>`)).toMatchObject({
      restart: false,
      version: undefined,
    });
    expect(failure(`<body xmlns='${NS.httpbind}' rid='1' xmpp:restart='true'/>`).condition).toBe('bad-request');
  });

  it('X4: a restart is `true` or `1`', () => {
    for (const [value, restart] of [['true', true], ['1', true], ['false', false], ['0', false], ['', false]] as const) {
      expect(read(`<body xmlns='${NS.httpbind}' xmlns:p='${NS.xbosh}' rid='1' p:restart='${value}'/>`).restart).toBe(restart);
    }
  });

  it('X1: gives stanzas of the body, prefixed ones too, their own namespace', () => {
    const { stanzas } = read(
      `<b:body xmlns:b='${NS.httpbind}' rid='1'><b:message id='1'/><message xmlns='${NS.client}' id='2'/><message xmlns='${NS.httpbind}' id='3'/></b:body>`,
    );
    expect(stanzas.map(({ namespace, kind }) => [namespace, kind])).toEqual(Array(3).fill([NS.client, 'message']));
  });

  it('X1: takes a stanza in no namespace for one of the stream, and leaves what has a prefix where it is', () => {
    const text = `<b:body xmlns:b='${NS.httpbind}' rid='1'><iq><a/></iq><q:m xmlns:q='${NS.httpbind}'/></b:body>`;
    expect(read(text).stanzas.map(String)).toEqual([`<iq xmlns="jabber:client"><a/></iq>`, `<q:m xmlns:q='${NS.httpbind}'/>`]);
  });

  it('R2, R3: finds what hides behind a wrong end', () => {
    for (const inner of ['</body><a>', '</stream:stream>', '<a></body></a>', '<a/></a>']) {
      expect(failure(wrap(`sid='s' rid='1'`, inner))).toMatchObject({ condition: 'bad-request', sid: 's' });
    }
  });

  it('R22: a limit that is crossed is policy-violation', () => {
    expect(failure(wrap(`sid='s' rid='1'`, '<a>'.repeat(100) + '</a>'.repeat(100)))).toMatchObject({
      condition: 'policy-violation',
      sid: 's',
    });
  });

  it('finds the sid of a body that did not come whole', () => {
    expect(sidOf(Buffer.from(`<?xml version='1.0'?> <body xmlns='${NS.httpbind}' rid='1' sid='s'><mess`), scanner)).toBe('s');
    expect(sidOf(Buffer.from(`<body xmlns='${NS.httpbind}' rid='1' sid='s`), scanner)).toBeUndefined();
    expect(sidOf(Buffer.from(`<body sid='s'>`), scanner)).toBeUndefined();
    expect(sidOf(Buffer.from('nothing'), scanner)).toBeUndefined();
  });
});

describe('writing a body', () => {
  const stanza = Stanza.parse(`<message xmlns='jabber:client'><body>é</body></message>`);

  it('B15: puts stanzas one after the other, as they are', () => {
    const written = writeBody('', [stanza, stanza]).toString();
    expect(written).toBe(`<body xmlns='${NS.httpbind}' xmlns:stream='${NS.streams}'>${stanza}${stanza}</body>`);
    expect(read(written.replace('<body', `<body rid='1'`)).stanzas).toHaveLength(2);
  });

  it('needs no memory for an answer that says nothing', () => {
    expect(writeBody('', [])).toBe(EMPTY_BODY);
    expect(EMPTY_BODY.toString()).toBe(`<body xmlns='${NS.httpbind}'/>`);
  });

  it('B27: writes the end of a session', () => {
    expect(writeTermination({}).toString()).toBe(`<body xmlns='${NS.httpbind}' type='terminate'/>`);
    expect(writeTermination({ condition: 'remote-stream-error', detail: stanza }, [stanza]).toString()).toBe(
      `<body xmlns='${NS.httpbind}' xmlns:stream='${NS.streams}' type='terminate' condition='remote-stream-error'>${stanza}${stanza}</body>`,
    );
  });
});
