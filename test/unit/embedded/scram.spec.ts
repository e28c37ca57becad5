import { saslPrepare, scramKeys, serverSignature } from '../../../lib/sasl/index.js';
import { parseClientFinal, parseClientFirst, proofMatches } from '../../../lib/upstream/embedded/scram.js';

describe('SCRAM', () => {
  it('RFC 5802, section 5: agrees with the example of SCRAM-SHA-1', async () => {
    const keys = await scramKeys('sha1', 'pencil', Buffer.from('QSXCR+Q6sek8bf92', 'base64'), 4096);
    const message =
      'n=user,r=fyko+d2lbbFgONRv9qkxdawL,' +
      'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,' +
      'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j';
    expect(proofMatches('sha1', keys, message, Buffer.from('v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=', 'base64'))).toBe(true);
    expect(serverSignature('sha1', keys, message)).toBe('rmF9pqV8S7suAoZWja4dJRkFsKQ=');
  });

  it('RFC 7677, section 3: agrees with the example of SCRAM-SHA-256', async () => {
    const keys = await scramKeys('sha256', 'pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096);
    const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
    const message = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=${nonce}`;
    const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64');
    expect(proofMatches('sha256', keys, message, proof)).toBe(true);
    expect(serverSignature('sha256', keys, message)).toBe('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
    proof[0]! ^= 1;
    expect(proofMatches('sha256', keys, message, proof)).toBe(false);
    expect(proofMatches('sha256', keys, message, proof.subarray(1))).toBe(false);
  });

  it('reads the first message of a client', () => {
    expect(parseClientFirst('n,,n=user,r=abc')).toEqual({
      gs2Header: 'n,,',
      bare: 'n=user,r=abc',
      authzid: '',
      username: 'user',
      nonce: 'abc',
    });
    expect(parseClientFirst('y,a=a=2Cb,n=us=3Der,r=abc,x=1')).toMatchObject({
      gs2Header: 'y,a=a=2Cb,',
      authzid: 'a,b',
      username: 'us=er',
    });
  });

  it.each(['', 'n,,n=user', 'p=tls-unique,,n=user,r=abc', 'n,,m=ext,n=user,r=abc', 'n,,n=us=er,r=abc', 'n,,n=,r=a'])(
    'refuses %j as a first message',
    (message) => {
      expect(parseClientFirst(message)).toBeUndefined();
    },
  );

  it('reads the final message of a client', () => {
    expect(parseClientFinal('c=biws,r=abc,x=1,p=AAAA')).toEqual({
      binding: 'n,,',
      nonce: 'abc',
      proof: Buffer.from([0, 0, 0]),
      withoutProof: 'c=biws,r=abc,x=1',
    });
    expect(parseClientFinal('c=biws,r=abc')).toBeUndefined();
  });

  it('RFC 4013: prepares passwords', () => {
    expect(saslPrepare('I\u00adX')).toBe('IX');
    expect(saslPrepare('\u2168\u00a0\u00aa')).toBe('IX a');
    expect(saslPrepare('USER')).toBe('USER');
  });
});
