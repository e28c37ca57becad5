import { hash, timingSafeEqual } from 'node:crypto';

const SHA1 = /^[0-9a-fA-F]{40}$/;

/**
 * Proof that each request comes from whoever made the session, where it is sent in the clear: every
 * key is the SHA-1 of the next one (XEP-0124, section 15). Checked in the order of `rid`.
 */
export class KeySequence {
  private expected: Buffer;

  /** @param newKey of the request that made the session; see {@link isKey} */
  constructor(newKey: string) {
    this.expected = Buffer.from(newKey, 'hex');
  }

  static isKey(value: string): boolean {
    return SHA1.test(value);
  }

  /**
   * @param newKey begins the next sequence
   * @returns whether the key is the right one; if not, nothing changes
   */
  accept(key: string | undefined, newKey: string | undefined): boolean {
    if (key === undefined || !SHA1.test(key)) return false;
    // Hexadecimal digits are the same in either case; which one the client hashed, it alone knows.
    if (!this.isExpected(key) && !this.isExpected(key.toLowerCase())) return false;
    if (newKey !== undefined && !SHA1.test(newKey)) return false;
    this.expected = Buffer.from(newKey ?? key, 'hex');
    return true;
  }

  private isExpected(key: string): boolean {
    return timingSafeEqual(hash('sha1', key, 'buffer'), this.expected);
  }
}
