import { Logger } from '@nestjs/common';
import { XmppTrace, type XmppTraceLine } from '../../../lib/observability/index.js';
import { Stanza } from '../../../lib/xml/index.js';
import { bindResult, ScriptedClient, Stage, SUCCESS } from '../session/scripted.js';

const MESSAGE = `<message xmlns="jabber:client" to="juliet@example.org"><body>hi</body></message>`;
const AUTH = `<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">AHJvbWVvAGNhbGxpb3Bl</auth>`;

/** As a client of the BOSH endpoint is. */
class BoshScript extends ScriptedClient {
  constructor(private readonly sid: string) {
    super('bosh');
  }
  hasSid(sid: string): boolean {
    return sid === this.sid;
  }
}

function setUp() {
  const stage = new Stage();
  const trace = new XmppTrace(stage.service, stage.service.events, stage.clock);
  const lines: XmppTraceLine[] = [];
  const take = (): string[] => lines.splice(0).map(({ direction, text }) => `${direction} ${text}`);
  return { stage, trace, lines, take, sink: (line: XmppTraceLine) => void lines.push(line) };
}

describe('the trace of a session', () => {
  it('shows what passes in both directions, its headers and its end, with its secrets masked', () => {
    const { stage, trace, lines, take, sink } = setUp();
    const { session, stream } = stage.open();
    trace.start(session.id, sink);
    stream.handler.onOpen({ id: 's1', from: 'example.org', version: '1.0' });
    session.send(Stanza.parse(AUTH));
    stream.says(SUCCESS);
    session.restart({ from: 'romeo@example.org' });
    stream.says(bindResult('romeo@example.org/orchard'));
    session.send(Stanza.parse(MESSAGE));
    expect(lines.every((line) => line.session === session.id && line.at instanceof Date)).toBe(true);
    expect(lines.find(({ text }) => text === MESSAGE)?.bytes).toBe(MESSAGE.length);
    expect(take()).toEqual([
      `out stream header from='example.org' version='1.0'`,
      `in ${AUTH.replace('AHJvbWVvAGNhbGxpb3Bl', '***')}`,
      `note authenticated`,
      `out ${SUCCESS}`,
      `in stream header from='romeo@example.org'`,
      `note bound as romeo@example.org/orchard`,
      `out ${bindResult('romeo@example.org/orchard')}`,
      `in ${MESSAGE}`,
    ]);
    session.terminate({ reason: 'terminated', condition: 'policy-violation', text: 'enough' });
    expect(take()).toEqual(['note closed: terminated (policy-violation): enough']);
    expect(trace.list()).toEqual([]);
    expect(session.tap).toBeUndefined();
  });

  it('shows the stream error of a server', () => {
    const { stage, trace, take, sink } = setUp();
    const { session, stream } = stage.bound();
    trace.start(session.id, sink);
    const error = `<stream:error xmlns:stream="http://etherx.jabber.org/streams"><conflict xmlns="urn:ietf:params:xml:ns:xmpp-streams"/></stream:error>`;
    stream.says(error);
    expect(take()).toEqual([`out ${error}`, 'note closed: upstream-error']);
  });

  it('R25: is found by a sid, which it never tells again', () => {
    const { stage, trace, lines, take, sink } = setUp();
    const { session } = stage.bound('romeo@example.org/orchard', new BoshScript('53cr37-51d'));
    expect(trace.start('53cr37-51d', sink)).toMatchObject({ key: session.id, sessions: [session.id] });
    session.send(Stanza.parse(MESSAGE));
    expect(JSON.stringify([lines, trace.list()])).not.toContain('53cr37-51d');
    expect(take()).toEqual([`in ${MESSAGE}`]);
    expect(trace.stop('53cr37-51d')).toBe(true);
    session.send(Stanza.parse(MESSAGE));
    expect(take()).toEqual([]);
  });

  it('throws for the id or sid of no session, and does not repeat it', () => {
    const { trace } = setUp();
    expect(() => trace.start('53cr37-51d')).toThrow(new TypeError('no session of this process has that id or sid'));
    expect(() => trace.start('romeo@example.org', undefined, { seconds: -1 })).toThrow(TypeError);
    expect(() => trace.start('romeo@example.org', undefined, { maxLength: 0 })).toThrow(TypeError);
    expect(trace.list()).toEqual([]);
  });

  it('follows a user, with each resource, those to come too', () => {
    const { stage, trace, take, sink } = setUp();
    const first = stage.bound('romeo@example.org/orchard');
    stage.bound('romeo-2@example.org/orchard');
    expect(trace.start('romeo@example.org', sink).sessions).toEqual([first.session.id]);
    const second = stage.bound('romeo@example.org/balcony');
    expect(trace.list()[0]?.sessions).toEqual([first.session.id, second.session.id]);
    expect(take()).toEqual([`note bound as romeo@example.org/balcony`, `out ${bindResult('romeo@example.org/balcony')}`]);
    first.session.terminate({ reason: 'terminated' });
    expect(take()).toEqual(['note closed: terminated']);
    expect(trace.list()).toHaveLength(1);
    expect(trace.list()[0]?.sessions).toEqual([second.session.id]);
  });

  it('follows an address, from the first word of each of its sessions', () => {
    const { stage, trace, take, sink } = setUp();
    trace.start('192.0.2.7', sink);
    stage.open();
    expect(take()).toEqual([]);
    const { session } = stage.open(new ScriptedClient('bosh', '192.0.2.7'));
    session.send(Stanza.parse(AUTH));
    expect(take()).toEqual(['note opening for 192.0.2.7 over bosh', `in ${AUTH.replace('AHJvbWVvAGNhbGxpb3Bl', '***')}`]);
  });

  it('stops after ten minutes unless told otherwise', () => {
    const { stage, trace, sink } = setUp();
    const { session } = stage.bound();
    trace.start(session.id, sink);
    stage.clock.tick(599_000);
    expect(trace.list()).toHaveLength(1);
    stage.clock.tick(2000);
    expect(trace.list()).toEqual([]);
    expect(session.tap).toBeUndefined();
    trace.start(session.id, sink, { seconds: 0 });
    stage.clock.tick(86_400_000);
    expect(trace.list()).toHaveLength(1);
    trace.onApplicationShutdown();
    expect(trace.list()).toEqual([]);
  });

  it('cuts what is long, and no character in halves', () => {
    const { stage, trace, take, sink } = setUp();
    const { session } = stage.bound();
    trace.start(session.id, sink, { maxLength: MESSAGE.indexOf('hi') + 1 });
    session.send(Stanza.parse(MESSAGE.replace('hi', '🎈🎈')));
    expect(take()).toEqual([`in ${MESSAGE.slice(0, MESSAGE.indexOf('hi'))}…`]);
  });

  it('harms nobody when what takes its lines fails', () => {
    const { stage, trace } = setUp();
    const { session, stream, client } = stage.bound();
    trace.start(session.id, () => {
      throw new Error('disk full');
    });
    stream.take();
    session.send(Stanza.parse(MESSAGE));
    stream.says(MESSAGE);
    expect([stream.take(), client.take()]).toEqual([[MESSAGE], [MESSAGE]]);
  });

  it('lets two look at one session', () => {
    const { stage, trace, take, sink } = setUp();
    const { session } = stage.bound();
    trace.start(session.id, sink);
    trace.start('romeo@example.org', sink);
    session.send(Stanza.parse(MESSAGE));
    expect(take()).toHaveLength(2);
    trace.stop(session.id);
    session.send(Stanza.parse(MESSAGE));
    expect(take()).toHaveLength(1);
    trace.stop('romeo@example.org');
    expect(session.tap).toBeUndefined();
  });

  it('is a line each in the log of Nest, whatever a client puts into its text', () => {
    const { stage, trace } = setUp();
    const { session } = stage.bound();
    const written: unknown[] = [];
    Logger.overrideLogger({ log: (text: unknown) => written.push(text), warn() {}, error() {} });
    try {
      trace.start(session.id);
      const text = MESSAGE.replace('hi', 'a\nforged line\u009b31m');
      session.send(Stanza.parse(text));
      const bytes = Buffer.byteLength(text);
      expect(written).toEqual([`${session.id} > ${MESSAGE.replace('hi', 'a\\u000aforged line\\u009b31m')} (${bytes} bytes)`]);
    } finally {
      Logger.overrideLogger(false);
    }
  });
});
