import { createHash } from 'node:crypto';
import { KeySequence } from '../../../lib/bosh/key-sequence.js';

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');
const K1 = sha1('seed');
const K2 = sha1(K1);
const K3 = sha1(K2);

describe('a key sequence', () => {
  it('B32: takes keys from the last to the first, each once', () => {
    const sequence = new KeySequence(K3);
    expect(sequence.accept(K2, undefined)).toBe(true);
    expect(sequence.accept(K2, undefined)).toBe(false);
    expect(sequence.accept(K1, undefined)).toBe(true);
    expect(sequence.accept('seed', undefined)).toBe(false);
  });

  it('B32: reads hexadecimal digits in either case', () => {
    expect(new KeySequence(K3.toUpperCase()).accept(K2, undefined)).toBe(true);
    expect(new KeySequence(K3).accept(K2.toUpperCase(), undefined)).toBe(true);
    // A client that hashes what it writes in upper case.
    const upper = K1.toUpperCase();
    expect(new KeySequence(sha1(upper).toUpperCase()).accept(upper, undefined)).toBe(true);
  });

  it('B32: refuses a wrong key, none, and one that is no SHA-1, and changes nothing', () => {
    const sequence = new KeySequence(K3);
    for (const key of [undefined, '', K1, K3, 'x', `${K2} `]) expect(sequence.accept(key, K1)).toBe(false);
    expect(sequence.accept(K2, undefined)).toBe(true);
  });

  it('B32: goes on with a new sequence', () => {
    const other = sha1('other');
    const sequence = new KeySequence(K3);
    expect(sequence.accept(K2, 'no SHA-1')).toBe(false);
    expect(sequence.accept(K2, sha1(other))).toBe(true);
    expect(sequence.accept(K1, undefined)).toBe(false);
    expect(sequence.accept(other, undefined)).toBe(true);
  });

  it('B32: the known answer of SHA-1', () => {
    // FIPS 180: SHA-1('abc')
    expect(KeySequence.isKey('a9993e364706816aba3e25717850c26c9cd0d89d')).toBe(true);
    expect(new KeySequence(sha1('a9993e364706816aba3e25717850c26c9cd0d89d')).accept(sha1('abc'), undefined)).toBe(true);
  });
});
