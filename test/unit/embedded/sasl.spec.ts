import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { embedded, SASL, TestStream } from '../../support/embedded.js';

const b64 = (text: string) => Buffer.from(text).toString('base64');
const auth = (mechanism: string, data: string) => `<auth xmlns='${SASL}' mechanism='${mechanism}'>${data}</auth>`;
const response = (data: string) => `<response xmlns='${SASL}'>${data}</response>`;

async function start(options = {}) {
  const server = embedded(options);
  const stream = new TestStream(server.upstream);
  await stream.next();
  return { ...server, stream };
}

/** The client's part of RFC 5802. */
async function scram(
  stream: TestStream,
  mechanism: string,
  user: string,
  password: string,
  options: { authzid?: string; binding?: string; nonce?: string } = {},
) {
  const hash = mechanism === 'SCRAM-SHA-1' ? 'sha1' : 'sha256';
  const gs2 = `n,${options.authzid ? `a=${options.authzid}` : ''},`;
  const first = `n=${user},r=rOprNGfwEbeRWgbNEkqO`;
  stream.send(auth(mechanism, b64(gs2 + first)));
  const challenge = await stream.next();
  const serverFirst = Buffer.from(challenge.text(), 'base64').toString();
  const [, nonce, salt, iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst)!;
  const salted = pbkdf2Sync(password, Buffer.from(salt!, 'base64'), Number(iterations), hash === 'sha1' ? 20 : 32, hash);
  const clientKey = createHmac(hash, salted).update('Client Key').digest();
  const storedKey = createHash(hash).update(clientKey).digest();
  const withoutProof = `c=${b64(options.binding ?? gs2)},r=${options.nonce ?? nonce}`;
  const message = `${first},${serverFirst},${withoutProof}`;
  const signature = createHmac(hash, storedKey).update(message).digest();
  const proof = clientKey.map((byte, i) => byte ^ signature[i]!);
  stream.send(response(b64(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`)));
  const outcome = await stream.next();
  const serverKey = createHmac(hash, salted).update('Server Key').digest();
  return { outcome, serverFirst, nonce: nonce!, salt, verifier: createHmac(hash, serverKey).update(message).digest('base64') };
}

describe('SASL of the embedded server', () => {
  it('offers SCRAM-SHA-256, SCRAM-SHA-1 and PLAIN, in this order, and no ANONYMOUS where there are users', async () => {
    const { upstream } = embedded();
    const features = await new TestStream(upstream).next();
    const offered = features.child('mechanisms', SASL)!.children();
    expect(offered.map((child) => child.text())).toEqual(['SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN']);
  });

  it.each(['SCRAM-SHA-1', 'SCRAM-SHA-256'])('%s: succeeds and proves that the server knows the password', async (name) => {
    const { stream } = await start();
    const { outcome, verifier, nonce } = await scram(stream, name, 'alice', 'wonderland');
    expect(outcome.is('success', SASL)).toBe(true);
    expect(Buffer.from(outcome.text(), 'base64').toString()).toBe(`v=${verifier}`);
    expect(nonce).toMatch(/^rOprNGfwEbeRWgbNEkqO.{24,}$/);
  });

  it.each(['SCRAM-SHA-1', 'SCRAM-SHA-256'])('%s: refuses a wrong password', async (name) => {
    const { stream } = await start();
    const { outcome } = await scram(stream, name, 'alice', 'looking-glass');
    expect(outcome.child('not-authorized', SASL)).toBeDefined();
  });

  it('SCRAM: an unknown user is told nothing else than a known one with a wrong password', async () => {
    const { stream } = await start();
    const first = await scram(stream, 'SCRAM-SHA-1', 'nobody', 'x');
    const second = await scram(stream, 'SCRAM-SHA-1', 'nobody', 'y');
    expect(first.serverFirst).toMatch(/^r=[^,]+,s=[A-Za-z0-9+/]{22}==,i=4096$/);
    expect(first.outcome.child('not-authorized', SASL)).toBeDefined();
    expect(second.salt).toBe(first.salt);
  });

  it('SCRAM: salt and iterations stay the same for a user, and differ between users', async () => {
    const { upstream } = embedded();
    const salts: unknown[] = [];
    for (const user of ['alice', 'alice', 'bob']) {
      const stream = new TestStream(upstream);
      await stream.next();
      salts.push((await scram(stream, 'SCRAM-SHA-1', user, 'wonderland')).salt);
    }
    expect(salts[1]).toBe(salts[0]);
    expect(salts[2]).not.toBe(salts[0]);
  });

  it('SCRAM: refuses a nonce that is not ours and a changed channel binding header', async () => {
    const { stream } = await start();
    const replayed = await scram(stream, 'SCRAM-SHA-1', 'alice', 'wonderland', { nonce: 'rOprNGfwEbeRWgbNEkqOstale' });
    expect(replayed.outcome.child('not-authorized', SASL)).toBeDefined();
    const changed = await scram(stream, 'SCRAM-SHA-1', 'alice', 'wonderland', { binding: 'y,,' });
    expect(changed.outcome.child('malformed-request', SASL)).toBeDefined();
  });

  it('R11: an authorization identity has to be the own address', async () => {
    const { stream } = await start();
    const foreign = await scram(stream, 'SCRAM-SHA-1', 'alice', 'wonderland', { authzid: 'bob@example.org' });
    expect(foreign.outcome.child('invalid-authzid', SASL)).toBeDefined();
    const plain = await stream.plain('alice', 'wonderland', 'bob@example.org');
    expect(plain.child('invalid-authzid', SASL)).toBeDefined();
    const own = await stream.plain('alice', 'wonderland', 'Alice@example.org');
    expect(own.is('success', SASL)).toBe(true);
  });

  it('R11: an authorization identity on another domain, or with a resource, is refused', async () => {
    const { stream } = await start();
    expect((await stream.plain('alice', 'wonderland', 'alice@example.net')).child('invalid-authzid')).toBeDefined();
    expect((await stream.plain('alice', 'wonderland', 'alice@example.org/x')).child('invalid-authzid')).toBeDefined();
  });

  it('PLAIN: succeeds with an empty success', async () => {
    const { stream } = await start();
    const outcome = await stream.plain('alice', 'wonderland');
    expect(outcome.toString()).toBe(`<success xmlns="${SASL}"/>`);
  });

  it('PLAIN: asks for the response when the client gave none at first', async () => {
    const { stream } = await start();
    stream.send(`<auth xmlns='${SASL}' mechanism='PLAIN'/>`);
    expect((await stream.next()).toString()).toBe(`<challenge xmlns="${SASL}"/>`);
    stream.send(response(b64('\0alice\0wonderland')));
    expect((await stream.next()).name).toBe('success');
  });

  it.each([
    ['a wrong password', '\0alice\0builder', 'not-authorized'],
    ['an unknown user', '\0nobody\0builder', 'not-authorized'],
    ['a name that is none', '\0a b\0builder', 'not-authorized'],
    ['too few parts', 'alice\0builder', 'malformed-request'],
    ['an empty password', '\0alice\0', 'malformed-request'],
    ['an empty name', '\0\0builder', 'malformed-request'],
  ])('PLAIN: refuses %s', async (_what, message, condition) => {
    const { stream } = await start();
    stream.send(auth('PLAIN', b64(message)));
    expect((await stream.next()).child(condition, SASL)).toBeDefined();
  });

  it.each(['not base64!', 'YQ', 'YQ=a', Buffer.from([0, 0xff, 0, 0x61]).toString('base64')])(
    'RFC 6120, section 6.5.5: answers data %j with incorrect-encoding',
    async (data) => {
      const { stream } = await start();
      stream.send(auth('PLAIN', data));
      expect((await stream.next()).child('incorrect-encoding', SASL)).toBeDefined();
    },
  );

  it.each(['EXTERNAL', 'ANONYMOUS', 'SCRAM-SHA-1-PLUS', '', 'plain'])(
    'RFC 6120, section 6.5.7: answers the mechanism %j with invalid-mechanism',
    async (mechanism) => {
      const { stream } = await start();
      stream.send(auth(mechanism, '='));
      expect((await stream.next()).child('invalid-mechanism', SASL)).toBeDefined();
    },
  );

  it('RFC 6120, section 6.5.1: answers an abort with aborted, and the client may begin again', async () => {
    const { stream } = await start();
    stream.send(auth('SCRAM-SHA-1', b64('n,,n=alice,r=abc')));
    await stream.next();
    stream.send(`<abort xmlns='${SASL}'/>`);
    expect((await stream.next()).child('aborted', SASL)).toBeDefined();
    expect((await stream.plain('alice', 'wonderland')).name).toBe('success');
  });

  it('answers a response without a negotiation with malformed-request', async () => {
    const { stream } = await start();
    stream.send(response('='));
    expect((await stream.next()).child('malformed-request', SASL)).toBeDefined();
  });

  it('RFC 6120, section 6.4.5: ends the stream with policy-violation after three failures', async () => {
    const { stream } = await start();
    for (let i = 0; i < 3; i++) expect((await stream.plain('alice', `wrong${i}`)).name).toBe('failure');
    expect((await stream.next()).toString()).toContain('<policy-violation xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>');
    await stream.rest();
    expect(stream.end?.reason).toBe('closed');
  });

  it('ends the stream with policy-violation when the client authenticates twice', async () => {
    const { stream } = await start();
    await stream.plain('alice', 'wonderland');
    stream.send(auth('PLAIN', b64('\0bob\0builder')));
    expect((await stream.next()).toString()).toContain('<policy-violation');
  });

  it('ANONYMOUS: is what a server without users offers, with a new account each time', async () => {
    const { upstream } = embedded({ users: {} });
    const jids: string[] = [];
    for (let i = 0; i < 2; i++) {
      const stream = new TestStream(upstream);
      const features = await stream.next();
      expect(features.child('mechanisms')!.children().map((child) => child.text())).toEqual(['ANONYMOUS']);
      stream.send(`<auth xmlns='${SASL}' mechanism='ANONYMOUS'/>`);
      expect((await stream.next()).name).toBe('success');
      stream.stream.restart({ version: '1.0' });
      await stream.next();
      jids.push(await stream.bind('web'));
    }
    expect(jids[0]).toMatch(/^[0-9a-f]{32}@example\.org\/web$/);
    expect(jids[1]).not.toBe(jids[0]);
  });

  it('a user without a password cannot log in', async () => {
    const { stream } = await start({ users: { ghost: '' } });
    expect((await stream.plain('ghost', 'x')).child('not-authorized')).toBeDefined();
    const { outcome } = await scram(stream, 'SCRAM-SHA-1', 'ghost', '');
    expect(outcome.child('not-authorized')).toBeDefined();
  });

  it('refuses a user name that is no localpart at the start', () => {
    expect(() => embedded({ users: { 'a@b': 'x' } })).toThrow(RangeError);
  });
});
