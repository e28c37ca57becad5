import { Logger } from '@nestjs/common';
import { Journal } from '../../../lib/observability/index.js';
import { NS, Stanza } from '../../../lib/xml/index.js';
import { resolveOptions, type LogOptions } from '../../../lib/xmpp.options.js';
import { Stage } from '../session/scripted.js';

describe('the log', () => {
  const lines: string[] = [];
  const at = (level: string) => (line: string) => void lines.push(`${level} ${line}`);
  beforeEach(() => {
    lines.length = 0;
    Logger.overrideLogger({ log: at('log'), debug: at('debug'), warn: at('warn'), error: at('error') });
  });
  afterEach(() => Logger.overrideLogger(false));

  function setUp(log: Partial<LogOptions> = {}): { stage: Stage; journal: Journal } {
    const stage = new Stage({ limits: { maxSessions: 1 } });
    const journal = new Journal(stage.service.events, stage.clock, resolveOptions({ domains: ['example.org'], log }));
    return { stage, journal };
  }

  it('R24: has a line for each life, without what passed', () => {
    const { stage } = setUp();
    const { session, stream } = stage.bound();
    session.send(Stanza.parse(`<auth xmlns="${NS.sasl}">SECRET</auth>`));
    stream.says('<message xmlns="jabber:client"><body>SECRET</body></message>');
    stream.handler.onEnd({ reason: 'failed', message: 'connection reset' });
    expect(lines).toEqual([
      'warn upstream of example.org failed: connection reset',
      `debug ${session.id} websocket romeo@example.org/orchard from 192.0.2.1: upstream-failed (remote-connection-failed) after 0 s, 1 in, 3 out`,
    ]);
  });

  it('names the condition of a stream error, whoever said it, and what the app said', () => {
    const { stage } = setUp();
    stage.bound().stream.says(`<stream:error xmlns:stream="${NS.streams}"><conflict xmlns="${NS.streamErrors}"/></stream:error>`);
    stage.bound().session.terminate({ reason: 'terminated', condition: 'policy-violation', text: 'account\nclosed' });
    expect(lines[0]).toContain(': upstream-error (conflict) after');
    expect(lines[1]).toContain(': terminated (policy-violation): account\\u000aclosed after');
  });

  it('has that line at the level that the operator wants, or not at all', () => {
    setUp({ sessions: 'log' }).stage.bound().session.terminate({ reason: 'terminated' });
    setUp({ sessions: 'off' }).stage.bound().session.terminate({ reason: 'terminated' });
    expect(lines.map((line) => line.split(' ', 1)[0])).toEqual(['log']);
  });

  it('warns of a limit and of lost upstreams once a minute, and says how often it happened', () => {
    const { stage } = setUp();
    const place = stage.service.enter('192.0.2.1');
    const knock = (address: string): void => expect(() => stage.service.enter(address)).toThrow();
    for (let i = 1; i <= 5; i++) knock(`192.0.2.${i}`);
    expect(lines).toEqual(['warn limit limits.maxSessions is hit: last by 192.0.2.1']);
    stage.clock.tick(60_000);
    knock('192.0.2.9');
    expect(lines[1]).toBe('warn limit limits.maxSessions is hit: last by 192.0.2.9 (4 times more since it was told last)');
    place.release();
    lines.length = 0;
    for (let i = 0; i < 3; i++) stage.bound().stream.handler.onEnd({ reason: 'failed', message: 'connection reset' });
    expect(lines.filter((line) => line.startsWith('warn'))).toEqual(['warn upstream of example.org failed: connection reset']);
  });

  it('says that an upstream is down, and when it is up again', () => {
    const { stage } = setUp({ sessions: 'off' });
    const { stream } = stage.open();
    stream.handler.onEnd({ reason: 'failed', message: 'ECONNREFUSED' });
    expect(lines.filter((line) => line.includes('scripted'))).toEqual(['warn upstream scripted of example.org is down: ECONNREFUSED']);
    lines.length = 0;
    stage.open().stream.handler.onOpen({});
    stage.open().stream.handler.onOpen({});
    expect(lines).toEqual(['log upstream scripted of example.org is up again']);
  });

  it('ends with the app', () => {
    const { stage, journal } = setUp();
    journal.onApplicationShutdown();
    stage.bound().session.terminate({ reason: 'terminated' });
    expect(lines).toEqual([]);
  });
});
