import { randomFillSync } from 'node:crypto';

/** Each call into the system's generator costs as much as thousands of bytes of it. */
const pool = Buffer.allocUnsafeSlow(4096);
let used = pool.length;

/** An identifier of `bytes` random bytes, in the alphabet of base64url. No two have a byte in common. */
export function randomIdentifier(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const start = used;
  used += bytes;
  const identifier = pool.toString('base64url', start, used);
  pool.fill(0, start, used); // told once, and found nowhere afterwards
  return identifier;
}

/** An identifier that nobody can guess: 160 bits. */
export function unguessable(): string {
  return randomIdentifier(20);
}
