import { setImmediate as nextTurn } from 'node:timers/promises';
import { WebLogin, type WebLoginContext } from '../../../lib/login/web-login.js';
import type { XmppLogin } from '../../../lib/login/index.js';
import type { StreamHeader } from '../../../lib/upstream/upstream.js';
import { NS, Stanza } from '../../../lib/xml/index.js';
import { ScriptedClient, Stage } from '../session/scripted.js';

const PLAIN: XmppLogin = { username: 'romeo', password: 'secret' };
const base64 = (text: string) => Buffer.from(text).toString('base64');
const mechanisms = (...names: string[]) => `<mechanisms xmlns="${NS.sasl}">${names.map((name) => `<mechanism>${name}</mechanism>`).join('')}</mechanisms>`;
const features = (inner: string) => `<stream:features xmlns:stream="${NS.streams}">${inner}</stream:features>`;
const auth = (data = '=', mechanism = 'EXTERNAL') => `<auth xmlns="${NS.sasl}" mechanism="${mechanism}">${data}</auth>`;
const SUCCESS = `<success xmlns="${NS.sasl}"/>`;
const failure = (condition: string) => `<failure xmlns="${NS.sasl}"><${condition}/></failure>`;

type Credentials = () => XmppLogin | undefined | Promise<XmppLogin | undefined>;

function open(credentials: Credentials = () => PLAIN, context: Partial<WebLoginContext> = {}, header: StreamHeader = {}) {
  const stage = new Stage();
  const client = new ScriptedClient();
  const told: string[] = [];
  const session = stage.service.open('example.org', header, client, undefined, {
    login: (stream) =>
      new WebLogin(stream, credentials, {
        clock: stage.clock,
        timeout: 10_000,
        offer: 'only',
        anonymous: false,
        onFailed: (domain, why) => void told.push(`${domain}: ${why}`),
        onError: (error) => void told.push(String(error)),
        ...context,
      }),
  });
  const stream = stage.streams.at(-1)!;
  stream.handler.onOpen({ id: '1' });
  stage.names();
  return { stage, client, session, stream, told, say: (xml: string) => session.send(Stanza.parse(xml)) };
}

/** The server has offered PLAIN. */
function offered(...args: Parameters<typeof open>) {
  const all = open(...args);
  all.stream.says(features(mechanisms('SCRAM-SHA-1-PLUS', 'PLAIN')));
  all.client.take();
  return all;
}

describe('WebLogin', () => {
  it('U7: offers EXTERNAL instead of what the server has, where there is something to log in with', () => {
    const { client, stream } = open();
    stream.says(features(`<starttls xmlns="${NS.tls}"/>${mechanisms('SCRAM-SHA-1', 'PLAIN')}<sub xmlns="x"/>`));
    expect(client.take()[1]).toBe(features(`${mechanisms('EXTERNAL').replaceAll('<mechanism>', `<mechanism xmlns="${NS.sasl}">`)}<sub xmlns="x"/>`));
    const foreign = features(mechanisms('GSSAPI'));
    stream.says(foreign);
    expect(client.take()).toEqual([foreign]);
  });

  it('offers it before what the server has, and ANONYMOUS beside it, where the app says so', () => {
    const names = (context: Partial<WebLoginContext>) => {
      const { client, stream } = open(undefined, context);
      stream.says(features(mechanisms('SCRAM-SHA-1', 'ANONYMOUS', 'EXTERNAL')));
      return [...client.take()[1]!.matchAll(/>([A-Z0-9-]+)<\/mechanism>/g)].map(([, name]) => name);
    };
    expect(names({})).toEqual(['EXTERNAL']);
    expect(names({ anonymous: true })).toEqual(['EXTERNAL', 'ANONYMOUS']);
    expect(names({ offer: 'beside' })).toEqual(['EXTERNAL', 'SCRAM-SHA-1', 'ANONYMOUS']);
    expect(names({ offer: 'beside', anonymous: true })).toEqual(['EXTERNAL', 'ANONYMOUS', 'SCRAM-SHA-1']);
  });

  it.each([
    ['nobody in particular', '='],
    ['the user', base64('romeo@example.org')],
    ['the user, as it writes it', base64('Romeo@Example.org/tab')],
  ])('logs in for a client that would be %s, and tells it what the server says', async (_name, data) => {
    const { client, stream, say, session, stage } = offered();
    say(auth(data));
    await nextTurn();
    expect(stream.take()).toEqual([`<auth xmlns="${NS.sasl}" mechanism="PLAIN">${base64('\0romeo\0secret')}</auth>`]);
    stream.says(SUCCESS);
    expect(client.take()).toEqual([SUCCESS]);
    expect(session.authenticated).toBe(true);
    expect(stage.names()).toEqual(['session.authenticated']);
    session.restart({ from: 'romeo@example.org' });
    stream.says(features('<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/>'));
    expect(client.take()).toEqual([features('<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/>')]);
  });

  it('asks a client that sent nothing for whom it would be (RFC 6120, section 6.4.2)', async () => {
    const { client, stream, say } = offered();
    say(`<auth xmlns="${NS.sasl}" mechanism="EXTERNAL"/>`);
    expect(client.take()).toEqual([`<challenge xmlns="${NS.sasl}"/>`]);
    say(`<response xmlns="${NS.sasl}"/>`);
    await nextTurn();
    expect(stream.take()).toHaveLength(1);
  });

  it('takes ANONYMOUS for the same, where it is offered', async () => {
    const { stream, say } = offered(undefined, { anonymous: true });
    say(`<auth xmlns="${NS.sasl}" mechanism="ANONYMOUS"/>`);
    await nextTurn();
    expect(stream.take().join()).toContain('mechanism="PLAIN"');
  });

  it('acts for the user with an account of its own, where the server allows it', async () => {
    const { stream, say } = offered(() => ({ username: 'romeo', actor: 'gateway', password: 'secret' }));
    say(auth());
    await nextTurn();
    expect(stream.take().join()).toContain(base64('romeo@example.org\0gateway\0secret'));
  });

  it.each([
    ['another user', base64('juliet@example.org'), {}, 'invalid-authzid'],
    ['the user elsewhere', base64('romeo@example.net'), {}, 'invalid-authzid'],
    ['what is no base64', '%%%', {}, 'incorrect-encoding'],
    ['another by the header of its stream (X5)', '=', { from: 'juliet@example.org' }, 'invalid-authzid'],
  ] as const)('refuses a client that would be %s', async (_name, data, header, condition) => {
    const { client, stream, say } = offered(undefined, {}, header);
    say(auth(data));
    await nextTurn();
    expect(client.take()).toEqual([failure(condition)]);
    expect(stream.take()).toEqual([]);
  });

  it('X5: ends a stream that is opened anew for somebody else', async () => {
    const { client, stream, say, session } = offered();
    say(auth());
    await nextTurn();
    stream.says(SUCCESS);
    session.restart({ from: 'juliet@example.org' });
    expect(client.ends).toEqual([{ reason: 'error', condition: 'invalid-from' }]);
  });

  it('tells a client that the app has nothing for its user, or fails, or takes too long', async () => {
    const none = offered(() => undefined);
    none.say(auth());
    await nextTurn();
    expect(none.client.take()).toEqual([failure('not-authorized')]);
    const faulty = offered(() => Promise.reject(new Error('no database')));
    faulty.say(auth());
    await nextTurn();
    expect(faulty.client.take()).toEqual([failure('temporary-auth-failure')]);
    expect(faulty.told).toEqual(['Error: no database']);
    let late!: (login: XmppLogin) => void;
    const slow = offered(() => new Promise((resolve) => (late = resolve)));
    slow.say(auth());
    await nextTurn();
    slow.stage.clock.tick(10_000);
    expect(slow.client.take()).toEqual([failure('temporary-auth-failure')]);
    late(PLAIN);
    await nextTurn();
    expect(slow.stream.take()).toEqual([]);
  });

  it('tells it, and the log, that the server does not take what the app has; it may try again, three times', async () => {
    const { client, stream, say, told } = offered();
    for (let i = 0; i < 3; i++) {
      say(auth());
      await nextTurn();
      stream.says(failure('account-disabled'));
      expect(client.take()).toEqual([failure('not-authorized')]);
    }
    expect(told[0]).toBe("example.org: the server refused the app's credentials: account-disabled");
    expect(told.join()).not.toContain('secret');
    say(auth());
    expect(client.ends).toMatchObject([{ condition: 'policy-violation' }]);
  });

  it('never sends a password to a server that has not shown that it knows it, and ends the stream of one that lies', async () => {
    const { client, stream, say } = open();
    stream.says(features(mechanisms('SCRAM-SHA-256')));
    client.take();
    say(auth());
    await nextTurn();
    const [first] = stream.take();
    const nonce = /r=(.*)$/.exec(Buffer.from(/>(.*)</.exec(first!)![1]!, 'base64').toString())![1]!;
    stream.says(`<challenge xmlns="${NS.sasl}">${base64(`r=${nonce}x,s=${base64('salt')},i=4096`)}</challenge>`);
    while (stream.calls.length === 0) await nextTurn();
    expect(client.take()).toEqual([]);
    stream.take();
    stream.says(`<success xmlns="${NS.sasl}">${base64(`v=${base64('wrong')}`)}</success>`);
    expect(client.ends).toMatchObject([{ condition: 'remote-connection-failed' }]);
    expect(stream.take()).toEqual(['close']);
  });

  it('leaves the mechanisms of the server to the client where they are offered, and nothing where they are not', async () => {
    const beside = offered(undefined, { offer: 'beside' });
    beside.say(auth('AAA=', 'PLAIN'));
    beside.stream.says(failure('not-authorized'));
    expect([beside.stream.take(), beside.client.take()]).toEqual([[auth('AAA=', 'PLAIN')], [failure('not-authorized')]]);
    beside.say(auth());
    await nextTurn();
    expect(beside.stream.take()).toHaveLength(1);
    const only = offered();
    only.say(auth('AAA=', 'PLAIN'));
    expect([only.stream.take(), only.client.take()]).toEqual([[], [failure('invalid-mechanism')]]);
  });

  it('lets a client think better of it', async () => {
    const abort = `<abort xmlns="${NS.sasl}"/>`;
    const { client, stream, say } = offered();
    say(`<auth xmlns="${NS.sasl}" mechanism="EXTERNAL"/>`);
    say(abort);
    expect(client.take()).toEqual([`<challenge xmlns="${NS.sasl}"/>`, failure('aborted')]);
    say(auth());
    say(abort);
    await nextTurn();
    expect([client.take(), stream.take()]).toEqual([[failure('aborted')], []]);
  });

  it('ends the stream of a client that authenticates while it is being authenticated', () => {
    const { client, say } = offered();
    say(auth());
    say(auth());
    expect(client.ends).toMatchObject([{ reason: 'error', condition: 'policy-violation' }]);
  });

  describe('with SASL2 (XEP-0388)', () => {
    const sasl2 = `<authentication xmlns="${NS.sasl2}"><mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism><inline><bind xmlns="urn:xmpp:bind:0"/><fast xmlns="urn:xmpp:fast:0"><mechanism>HT-SHA-256-NONE</mechanism></fast></inline></authentication>`;

    it('U4: offers EXTERNAL, passes on what the client asks for with it, and the answer without the proof', async () => {
      const { client, stream, say, session } = open(() => ({ ...PLAIN, mechanism: 'PLAIN' }));
      stream.says(features(sasl2));
      expect(client.take()[1]).toBe(
        features(`<authentication xmlns="${NS.sasl2}"><mechanism xmlns="${NS.sasl2}">EXTERNAL</mechanism><inline xmlns="${NS.sasl2}"><bind xmlns="urn:xmpp:bind:0"/></inline></authentication>`),
      );
      say(
        `<authenticate xmlns="${NS.sasl2}" mechanism="EXTERNAL"><initial-response>${base64('romeo@example.org')}</initial-response><user-agent id="u"/><bind xmlns="urn:xmpp:bind:0"/></authenticate>`,
      );
      await nextTurn();
      expect(stream.take()).toEqual([
        `<authenticate xmlns="${NS.sasl2}" mechanism="PLAIN"><initial-response>${base64('\0romeo\0secret')}</initial-response><user-agent xmlns="${NS.sasl2}" id="u"/><bind xmlns="urn:xmpp:bind:0"/></authenticate>`,
      ]);
      stream.says(
        `<success xmlns="${NS.sasl2}"><additional-data>AAAA</additional-data><authorization-identifier>romeo@example.org/tab</authorization-identifier></success>`,
      );
      expect(client.take()).toEqual([`<success xmlns="${NS.sasl2}"><authorization-identifier>romeo@example.org/tab</authorization-identifier></success>`]);
      expect(session.jid).toBe('romeo@example.org/tab');
    });

    it('tells of failures in its own words', async () => {
      const { client, stream, say } = open();
      stream.says(features(sasl2));
      client.take();
      say(`<authenticate xmlns="${NS.sasl2}" mechanism="EXTERNAL"><initial-response>${base64('juliet@example.org')}</initial-response></authenticate>`);
      await nextTurn();
      expect(client.take()).toEqual([`<failure xmlns="${NS.sasl2}"><invalid-authzid xmlns="${NS.sasl}"/></failure>`]);
    });
  });
});
