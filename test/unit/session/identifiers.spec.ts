import { randomIdentifier, unguessable } from '../../../lib/session/identifiers.js';

describe('identifiers', () => {
  it('are never the same twice, of the length that was asked for, and of letters that need no escaping', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 5000; i++) {
      const bytes = 9 + (i % 12);
      const identifier = randomIdentifier(bytes);
      expect(identifier).toMatch(/^[\w-]+$/);
      expect(identifier).toHaveLength(Math.ceil((bytes * 4) / 3));
      seen.add(identifier);
    }
    expect(seen.size).toBe(5000);
  });

  it('have 160 bits of their own where nobody may guess them', () => {
    const [one, other] = [Buffer.from(unguessable(), 'base64url'), Buffer.from(unguessable(), 'base64url')];
    expect([one.length, other.length]).toEqual([20, 20]);
    for (let at = 0; at + 4 <= 20; at += 4) expect(other.includes(one.subarray(at, at + 4))).toBe(false);
  });
});
