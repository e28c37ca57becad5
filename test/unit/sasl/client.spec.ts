import { chooseMechanism, saslClient, SaslError } from '../../../lib/sasl/index.js';

const LOGIN = { username: 'user', password: 'pencil' };

describe('the client of SCRAM', () => {
  it('RFC 5802, section 5: says what the example of SCRAM-SHA-1 says', async () => {
    const client = saslClient('SCRAM-SHA-1', LOGIN, 'fyko+d2lbbFgONRv9qkxdawL');
    expect(client.initial).toBe('n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL');
    expect(await client.respond('r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096')).toBe(
      'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    );
    expect(() => client.finish('v=rmF9pqV8S7suAoZWja4dJRkFsKQ=')).not.toThrow();
  });

  const NONCE = 'rOprNGfwEbeRWgbNEkqO';
  const FIRST = `r=${NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;
  const VERIFIER = 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=';

  it('RFC 7677, section 3: says what the example of SCRAM-SHA-256 says', async () => {
    const client = saslClient('SCRAM-SHA-256', LOGIN, NONCE);
    expect(client.initial).toBe(`n,,n=user,r=${NONCE}`);
    expect(await client.respond(FIRST)).toBe(
      `c=biws,r=${NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
    );
    expect(() => client.finish(VERIFIER)).not.toThrow();
  });

  it('RFC 5802, section 7; RFC 4616: acts for another where it is told to', async () => {
    const acting = { ...LOGIN, authzid: 'a,b=c@example.org' };
    const client = saslClient('SCRAM-SHA-256', acting, NONCE);
    expect(client.initial).toBe(`n,a=a=2Cb=3Dc@example.org,n=user,r=${NONCE}`);
    const header = Buffer.from('n,a=a=2Cb=3Dc@example.org,').toString('base64');
    expect(await client.respond(FIRST)).toMatch(new RegExp(`^c=${header},r=`));
    expect(saslClient('PLAIN', acting).initial).toBe('a,b=c@example.org\0user\0pencil');
  });

  it('takes the last word of the server also as a challenge (RFC 6120, section 6.4.6)', async () => {
    const client = saslClient('SCRAM-SHA-256', LOGIN, NONCE);
    await client.respond(FIRST);
    expect(await client.respond(VERIFIER)).toBe('');
    expect(() => client.finish(undefined)).not.toThrow();
  });

  it('says its first message again where the server takes no initial response', async () => {
    const client = saslClient('SCRAM-SHA-256', LOGIN, NONCE);
    expect(await client.respond('')).toBe(client.initial);
  });

  it('trusts no server that does not know the password', async () => {
    for (const last of [VERIFIER.replace('6rri', '6rrj'), 'v=AAAA', 'e=other-error', '', undefined]) {
      const client = saslClient('SCRAM-SHA-256', LOGIN, NONCE);
      await client.respond(FIRST);
      expect(() => client.finish(last)).toThrow(SaslError);
    }
    expect(() => saslClient('SCRAM-SHA-256', LOGIN).finish(VERIFIER)).toThrow(SaslError);
  });

  it.each([
    ['a foreign nonce', FIRST.replace(NONCE, NONCE.replace('r', 's'))],
    ['a nonce without a part of its own', `r=${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`],
    ['fewer iterations than RFC 7677 allows', FIRST.replace('4096', '4095')],
    ['more iterations than anybody needs', FIRST.replace('4096', '2000000000')],
    ['a mandatory extension', `m=x,${FIRST}`],
    ['no salt', FIRST.replace(/s=[^,]*/, 's=')],
    ['nonsense', 'nonsense'],
  ])('refuses a server that sends %s', async (_, challenge) => {
    await expect(saslClient('SCRAM-SHA-256', LOGIN, NONCE).respond(challenge)).rejects.toThrow(SaslError);
  });

  it('RFC 5802, section 5.1: escapes what would end the name, and prepares it', () => {
    expect(saslClient('SCRAM-SHA-1', { ...LOGIN, username: 'a=b,c\u00ad' }, 'x').initial).toBe('n,,n=a=3Db=2Cc,r=x');
  });

  it('makes another nonce each time', () => {
    expect(saslClient('SCRAM-SHA-1', LOGIN).initial).not.toBe(saslClient('SCRAM-SHA-1', LOGIN).initial);
  });
});

describe('the client of PLAIN', () => {
  it('RFC 4616: says name and password, also when it is asked', async () => {
    const client = saslClient('PLAIN', LOGIN);
    expect(client.initial).toBe('\0user\0pencil');
    expect(await client.respond('')).toBe(client.initial);
    await expect(client.respond('more')).rejects.toThrow(SaslError);
    expect(() => client.finish(undefined)).not.toThrow();
    expect(() => saslClient('PLAIN', { ...LOGIN, password: 'a\0b' })).toThrow(SaslError);
  });
});

describe('the choice of a mechanism', () => {
  const all = new Set(['PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'EXTERNAL']);

  it('takes the best that both know', () => {
    expect(chooseMechanism(all, true)).toBe('SCRAM-SHA-256');
    expect(chooseMechanism(new Set(['PLAIN', 'SCRAM-SHA-1']), true)).toBe('SCRAM-SHA-1');
    expect(chooseMechanism(new Set(['EXTERNAL', 'ANONYMOUS']), true)).toBeUndefined();
  });

  it('takes PLAIN only where it is protected', () => {
    expect(chooseMechanism(new Set(['PLAIN']), true)).toBe('PLAIN');
    expect(chooseMechanism(new Set(['PLAIN']), false)).toBeUndefined();
    expect(chooseMechanism(all, false, 'PLAIN')).toBeUndefined();
  });

  it('takes nothing but what is wanted', () => {
    expect(chooseMechanism(all, true, 'PLAIN')).toBe('PLAIN');
    expect(chooseMechanism(new Set(['PLAIN']), true, 'SCRAM-SHA-256')).toBeUndefined();
  });
});
