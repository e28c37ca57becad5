import { setImmediate as turn } from 'node:timers/promises';
import { Login } from '../../../lib/prebind/login.js';
import { PrebindError } from '../../../lib/session/index.js';
import { bindResult, Stage, SUCCESS, type ScriptedStream } from '../session/scripted.js';

const FEATURES = (inner: string) => `<features xmlns='http://etherx.jabber.org/streams'>${inner}</features>`;
const offer = (...names: string[]) =>
  FEATURES(`<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${names.map((name) => `<mechanism>${name}</mechanism>`).join('')}</mechanisms>`);
const BIND = `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>`;
const JID = 'romeo@example.org/orchard';
const failure = (condition: string) => `<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><${condition}/><text>x</text></failure>`;

interface Scene {
  readonly login: Login;
  readonly stream: ScriptedStream;
  readonly stage: Stage;
  /** The outcome: undefined when it is done. */
  readonly outcome: Promise<Error | undefined>;
  /** The id of the request that was sent last. */
  id(): string;
}

function start(more: { mechanism?: 'PLAIN'; password?: string; secure?: boolean } = {}, resource?: string): Scene {
  const { password = 'secret', mechanism, secure } = more;
  const stage = new Stage();
  const login = new Login({ address: '192.0.2.7', secure: true }, { username: 'romeo', password, ...(mechanism && { mechanism }) }, resource, stage.clock);
  const session = stage.service.open('example.org', {}, login);
  const stream = stage.streams.at(-1)!;
  if (secure === false) Object.assign(stream, { secure });
  const outcome = login.run(session, 30_000).then(
    () => undefined,
    (error: Error) => error,
  );
  stream.handler.onOpen({ id: 's1' });
  const id = () => /id=["']([^"']+)/.exec(stream.calls.at(-1)!)![1]!;
  return { login, stream, stage, outcome, id };
}

/** As far as to the answer of the server to `<bind/>`. */
function startBinding(inner = BIND, resource?: string): Scene {
  const scene = start({ mechanism: 'PLAIN' }, resource);
  scene.stream.says(offer('PLAIN'), SUCCESS, FEATURES(inner));
  return scene;
}

const bound = (id: string) => bindResult(JID).replace('id="b1"', `id="${id}"`);
const result = (id: string) => `<iq xmlns='jabber:client' type='result' id='${id}'/>`;

async function failureOf(scene: Scene): Promise<PrebindError> {
  const error = await scene.outcome;
  expect(error).toBeInstanceOf(PrebindError);
  expect(String(error)).not.toContain('secret');
  return error as PrebindError;
}

describe('a login on the server', () => {
  it('P7: authenticates, restarts the stream and binds', async () => {
    const scene = start({ mechanism: 'PLAIN' }, 'balcony');
    scene.stream.says(offer('SCRAM-SHA-1', 'PLAIN'));
    expect(scene.stream.take()).toEqual([
      `<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">${Buffer.from('\0romeo\0secret').toString('base64')}</auth>`,
    ]);
    scene.stream.says(SUCCESS);
    expect(scene.stream.take()).toEqual([expect.stringContaining('restart')]);
    scene.stream.says(FEATURES(BIND));
    expect(scene.stream.calls).toEqual([expect.stringContaining('<resource>balcony</resource>')]);
    scene.stream.says(bound(scene.id()));
    expect(await scene.outcome).toBeUndefined();
    expect(scene.login.end).toBeUndefined();
  });

  it.each([
    ['must be there', '', true],
    ['is optional', '<optional/>', false],
  ])('RFC 3921, section 3: asks for a session where it %s', async (_, inner, asks) => {
    const scene = startBinding(`${BIND}<session xmlns='urn:ietf:params:xml:ns:xmpp-session'>${inner}</session>`);
    const bind = scene.id();
    scene.stream.says(bound(bind));
    expect(scene.id() !== bind).toBe(asks);
    if (asks) {
      expect(scene.stream.calls.at(-1)).toContain('urn:ietf:params:xml:ns:xmpp-session');
      scene.stream.says(result(scene.id()));
    }
    expect(await scene.outcome).toBeUndefined();
  });

  it('S24: keeps what comes after the resource was bound, and answers nothing in the name of the client', async () => {
    const scene = startBinding();
    const { length } = scene.stream.calls;
    scene.stream.says(bound(scene.id()), `<message xmlns='jabber:client' id='m1'/>`, `<iq xmlns='jabber:client' type='get' id='q1'/>`);
    await scene.outcome;
    scene.stream.says(`<presence xmlns='jabber:client' id='p1'/>`);
    expect(scene.login.undelivered.map((stanza) => stanza.attribute('id'))).toEqual(['m1', 'q1', 'p1']);
    expect(scene.stream.calls).toHaveLength(length); // P6: no presence either
  });

  it('SCRAM: trusts no success without the proof of the server', async () => {
    const scene = start();
    scene.stream.says(offer('SCRAM-SHA-256'), SUCCESS);
    expect((await failureOf(scene)).reason).toBe('untrusted');
    expect(scene.stream.calls.at(-1)).toBe('close');
  });

  it('SCRAM: ends the stream at a challenge that is none', async () => {
    const scene = start();
    scene.stream.says(offer('SCRAM-SHA-256'), `<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>cj14</challenge>`);
    expect((await failureOf(scene)).reason).toBe('untrusted');
    expect(scene.stream.calls.at(-1)).toBe('close');
  });

  it.each([
    ['not-authorized', 'not-authorized'],
    ['account-disabled', 'not-authorized'],
    ['mechanism-too-weak', 'no-mechanism'],
    ['temporary-auth-failure', 'refused'],
  ])('tells what %s of SASL means', async (condition, reason) => {
    const scene = start();
    scene.stream.says(offer('SCRAM-SHA-256'), failure(condition));
    expect(await failureOf(scene)).toMatchObject({ reason, condition });
    expect(scene.stream.calls.at(-1)).toBe('close');
  });

  it('finds no mechanism where none is known, or only PLAIN on an open way', async () => {
    for (const [features, secure] of [[offer('EXTERNAL'), true], [offer('PLAIN'), false], [FEATURES(''), true]] as const) {
      const scene = start({ secure });
      scene.stream.says(features);
      expect((await failureOf(scene)).reason).toBe('no-mechanism');
      expect(scene.stream.calls).toEqual(['close']);
    }
  });

  it('tells that the resource is refused', async () => {
    const scene = startBinding();
    scene.stream.says(
      `<iq xmlns='jabber:client' type='error' id='${scene.id()}'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
    );
    expect(await failureOf(scene)).toMatchObject({ reason: 'refused', condition: 'conflict' });
  });

  it('tells that there is no binding', async () => {
    expect((await failureOf(startBinding(''))).reason).toBe('untrusted');
  });

  it('tells that the upstream failed, closed, or said why', async () => {
    const failed = start();
    failed.stream.handler.onEnd({ reason: 'failed', message: 'ECONNREFUSED' });
    expect(await failureOf(failed)).toMatchObject({ reason: 'upstream-failed', condition: 'remote-connection-failed' });
    const closed = start();
    closed.stream.handler.onEnd({ reason: 'closed' });
    expect((await failureOf(closed)).reason).toBe('upstream-failed');
    const said = start();
    said.stream.says(
      `<error xmlns='http://etherx.jabber.org/streams'><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>`,
    );
    expect(await failureOf(said)).toMatchObject({ reason: 'upstream-failed', condition: 'host-unknown' });
  });

  it('gives up when it takes too long, wherever it hangs', async () => {
    for (const scene of [start(), startBinding()]) {
      scene.stage.clock.tick(29_999);
      await turn();
      expect(scene.stream.calls.at(-1)).not.toBe('close');
      scene.stage.clock.tick(1);
      expect((await failureOf(scene)).reason).toBe('timeout');
      expect(scene.stream.calls.at(-1)).toBe('close');
    }
  });

  it('is ended by the app, or by the end of the process', async () => {
    const scene = start();
    void scene.stage.service.shutdown(0);
    expect(await failureOf(scene)).toMatchObject({ reason: 'refused', condition: 'system-shutdown' });
  });
});
