import { ByteFinder, xorWords } from '../../lib/simd.js';

/** Deterministic bytes. */
function* randomBytes(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state >>> 24;
  }
}

const WANTED = (byte: number): boolean => byte < 0x09 || byte === 0x26 || byte === 0x3c || byte === 0x5d || byte === 0xef;
const finder = new ByteFinder(WANTED);
const BLOCK = 16;

describe('ByteFinder', () => {
  it.each(Array.from({ length: 256 }, (_, byte) => byte))('stops at byte %i where it is wanted, and passes it where it is not', (byte) => {
    for (const at of [0, 7, 15, 16, 1023, 1024, 3000]) {
      const source = Buffer.alloc(4096, 'x');
      source[at] = byte;
      const stop = finder.skip(source, 0, source.length);
      expect(stop).toBe(WANTED(byte) ? at & -BLOCK : 4096);
      expect(finder.seen > 0x7f).toBe(byte > 0x7f && !WANTED(byte));
    }
  });

  it('passes nothing that is wanted and little less than it may, wherever it starts and ends', () => {
    const bytes = randomBytes(1);
    const source = Buffer.from(Array.from({ length: 200_000 }, () => bytes.next().value)).map((byte) => (byte % 251 === 0 ? byte : 0x61 + (byte % 26)));
    for (let i = 0; i < 200; i++) {
      const start = (bytes.next().value * 701) % source.length;
      const end = Math.min(source.length, start + bytes.next().value * 300);
      let next = start;
      while (next < end && !WANTED(source[next]!)) next++;
      const stop = finder.skip(source, start, end);
      expect(stop).toBeLessThanOrEqual(next);
      expect(next - stop).toBeLessThan(BLOCK);
    }
  });

  it('looks at nothing behind the end, nor at what another call left there', () => {
    finder.skip(Buffer.alloc(2048, '<'), 0, 2048);
    const source = Buffer.alloc(2048, 'x').fill('<', 1008);
    expect(finder.skip(source, 3, 1008)).toBe(995);
  });

  it('refuses a set whose bytes it cannot tell apart', () => {
    expect(() => new ByteFinder((byte) => byte >> 4 === (byte & 0x0f))).toThrow('too many');
  });
});

describe('xorWords', () => {
  it('changes whole words from the start on, and nothing else', () => {
    const word = new Int32Array(Uint8Array.from([1, 2, 3, 0xf4]).buffer)[0]!;
    for (const [start, end] of [[0, 16], [4, 3000], [12, 32_768 + 12], [8, 100_008], [0, 15]] as const) {
      const bytes = randomBytes(end);
      const before = Uint8Array.from({ length: end + 20 }, () => bytes.next().value);
      const after = Uint8Array.from(before);
      const done = xorWords(after, start, end, word);
      expect(done).toBe(start + ((end - start) & -BLOCK));
      expect(Buffer.from(after)).toEqual(Buffer.from(before.map((byte, i) => (i < start || i >= done ? byte : byte ^ [1, 2, 3, 0xf4][(i - start) % 4]!))));
    }
  });
});
