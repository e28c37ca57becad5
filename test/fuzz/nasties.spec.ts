import { readBody, writeBody } from '../../lib/bosh/body.js';
import { ManualClock } from '../../lib/clock.js';
import { Outbox } from '../../lib/upstream/tcp/outbox.js';
import { WebSocketClient } from '../../lib/websocket/client.js';
import { FrameReader } from '../../lib/websocket/frame-reader.js';
import { FrameWriter } from '../../lib/websocket/frame-writer.js';
import * as xml from '../../lib/xml/index.js';
import { BoshSession } from '../support/bosh-client.js';
import { BoshGateway } from '../support/bosh-gateway.js';
import { findCommand } from '../support/tools.mjs';
import { openStream } from '../support/web-client.js';
import { CLOSE, RawWebSocket } from '../support/websocket-client.js';
import { judge } from './judge.mjs';
import { ACCEPTED, ACCEPTED_ALONE, REFUSED, REFUSED_ALONE } from './nasties.mjs';
import { compare, Expat } from './parsers.mjs';
import { passage } from './passage.mjs';

const way = passage({ xml, WebSocketClient, FrameReader, FrameWriter, readBody, writeBody, Outbox, ManualClock });
const HEADER = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='x' version='1.0'>`;
const BODY = `<body xmlns='http://jabber.org/protocol/httpbind' rid='1' sid='s' xmlns:stream='http://etherx.jabber.org/streams'>`;
const within = (start: string, document: string | Buffer, end: string) =>
  Buffer.concat([Buffer.from(start), Buffer.from(document), Buffer.from(end)]);
/** Byte by byte, as a network may bring it. */
const bytesOf = (source: Buffer) => Array.from(source, (_, i) => source.subarray(i, i + 1));

describe('R1, R2, R3, R4: the nasties', () => {
  it.each([...REFUSED, ...REFUSED_ALONE])('%s: refused as a message', (_name, document, condition) => {
    expect(conditionOf(() => xml.Stanza.parse(Buffer.from(document), new xml.Scanner()))).toBe(condition);
    expect(way.frame(Buffer.from(document))).toEqual({ sent: [], open: false });
  });

  it.each(REFUSED)('%s: refused in a body, and in a stream however it was cut', (_name, document) => {
    expect(way.body(within(BODY, document, '</body>'))).toBeUndefined();
    const source = within(`${HEADER}<presence/>`, document, '<presence/>');
    for (const chunks of [[source], bytesOf(source)]) {
      const [elements] = way.stream(chunks);
      expect(elements!.map(String)).toEqual(['<presence xmlns="jabber:client"/>']);
    }
  });

  it.each(ACCEPTED)('%s: passes, and means the same on the other side', (_name, document) => {
    const { root } = judge(document);
    const { sent, open } = way.frame(Buffer.from(document));
    expect(open).toBe(true);
    const bodies = way.body(within(BODY, document, '</body>'))!;
    const [elements] = way.stream(bytesOf(within(HEADER, document, '')));
    const arrived = [way.toServer(sent), way.toServer(bodies), way.toBosh(elements!)];
    for (const whole of arrived) {
      compare(whole);
      expect(judge(whole).root!.children).toEqual([root]);
    }
    expect(way.toWebSocket(elements!).map((message) => judge(message).root)).toEqual([root]);
  });

  it.each(ACCEPTED_ALONE)('%s: passes as a message, and means the same on the other side', (_name, document) => {
    const { sent, open } = way.frame(Buffer.from(document));
    expect(open).toBe(true);
    compare(way.toServer(sent));
    expect(judge(way.toServer(sent)).root!.children).toEqual([judge(document).root]);
  });

  it('R22: as many prefixes as there may be, and no room for the namespace that a stanza without one gets', () => {
    const declarations = (first: number) => Array.from({ length: 15 }, (_, i) => ` xmlns:n${first + i}="u"`).join('');
    const document = `<message${declarations(0)}><a${declarations(15)}><b xmlns:n30="u"/></a></message>`;
    expect(xml.Stanza.parse(document, new xml.Scanner()).namespace).toBe('');
    expect(way.frame(Buffer.from(document))).toEqual({ sent: [], open: false });
  });

  it('R1: expat reads what passes as we do', async () => {
    const expat = new Expat(findCommand('python3')!);
    const documents = [...ACCEPTED, ...ACCEPTED_ALONE].flatMap(([, document]) => [document, way.toServer(way.frame(Buffer.from(document)).sent)]);
    await expat.compare(documents);
    expat.close();
  });

  describe('on the wire', () => {
    let bosh: BoshGateway;
    beforeAll(async () => {
      bosh = await BoshGateway.start('express', 'server', { limits: { maxSessionsPerAddress: 1000 } });
    });
    afterAll(() => bosh.close());

    it('C6, R1: over WebSocket each ends its stream, says why, and nothing reaches the server', async () => {
      for (const [name, document, condition] of [...REFUSED, ...REFUSED_ALONE]) {
        const client = await RawWebSocket.open(bosh.gateway.wsUrl);
        const stream = await bosh.stream();
        client.socket.send(document, { binary: false });
        // ws itself refuses what is no UTF-8, before us.
        const expected = Buffer.from(document).equals(Buffer.from(Buffer.from(document).toString())) ? condition : 'bad-format';
        expect([name, /<([a-z-]+) /.exec((await client.next()).replace(/^<stream:error [^>]*>/, ''))?.[1]]).toEqual([name, expected]);
        expect([name, await client.next()]).toEqual([name, CLOSE]);
        client.socket.terminate();
        expect([name, await stream.seen.take()]).toEqual([name, 'close']);
      }
    });

    it('C6, R1: over BOSH each ends its session with bad-request, and nothing reaches the server', async () => {
      for (const [name, document, condition] of REFUSED) {
        const session = await BoshSession.open(bosh.http);
        const stream = await bosh.stream();
        const answer = await bosh.http.post(within(session.text(1001, ' ').replace('> </body>', '>'), document, '</body>'));
        const expected = condition === 'policy-violation' ? condition : 'bad-request';
        expect([name, answer.type, answer.condition]).toEqual([name, 'terminate', expected]);
        expect([name, await stream.seen.take()]).toEqual([name, 'close']);
      }
    });

    it.each(['websocket', 'bosh'] as const)('R1: over %s what is right arrives', async (transport) => {
      const client = await openStream(transport, bosh.gateway);
      const stream = await bosh.stream();
      await client.next();
      for (const [, document] of ACCEPTED) {
        client.send(document);
        const sent = await stream.seen.take();
        expect(judge(sent).root).toEqual(judge(document).root);
        stream.push(sent);
        expect(judge(await client.next()).root).toEqual(judge(document).root);
      }
      client.cut();
    });
  });
});

function conditionOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return (error as xml.XmlError).condition;
  }
  return 'accepted';
}
