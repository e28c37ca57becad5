import { fingerprint } from '../../../lib/bosh/fingerprint.js';

describe('fingerprint', () => {
  it.each([0, 1, 160, 161, 300, 8191, 8192, 100_000])('B18: tells %d bytes from all that differ in one of them', (size) => {
    const request = Buffer.alloc(size, 'a');
    const own = fingerprint(request);
    expect(fingerprint(Buffer.from(request))).toBe(own);
    expect(own.length).toBeGreaterThanOrEqual(Math.min(size, 22)); // 128 bits
    expect(own.length).toBeLessThanOrEqual(160);
    expect(fingerprint(Buffer.concat([request, Buffer.alloc(1)]))).not.toBe(own);
    for (const at of [0, size >> 1, size - 1].filter((index) => index >= 0 && index < size)) {
      const other = Buffer.from(request);
      other[at]! ^= 1;
      expect(fingerprint(other)).not.toBe(own);
      expect(fingerprint(other.subarray(0, -1))).not.toBe(own);
    }
  });
});
