import { createHash, createHmac, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(pbkdf2);

export type ScramHash = 'sha1' | 'sha256';

/** What a password becomes (RFC 5802, section 3). A server keeps all but the first. */
export interface ScramKeys {
  readonly clientKey: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** Derives the keys of RFC 5802, section 3, off the main thread. */
export async function scramKeys(hash: ScramHash, password: string, salt: Buffer, iterations: number): Promise<ScramKeys> {
  const size = createHash(hash).digest().length;
  const salted = await derive(saslPrepare(password), salt, iterations, size, hash);
  const clientKey = createHmac(hash, salted).update('Client Key').digest();
  return {
    clientKey,
    storedKey: createHash(hash).update(clientKey).digest(),
    serverKey: createHmac(hash, salted).update('Server Key').digest(),
  };
}

/** By which the client shows that it knows the password: `p=` (RFC 5802, section 3). */
export function clientProof(hash: ScramHash, { clientKey, storedKey }: ScramKeys, authMessage: string): Buffer {
  return xor(clientKey, createHmac(hash, storedKey).update(authMessage).digest());
}

/** By which the server shows that it knows the password too: `v=` (RFC 5802, section 3). */
export function serverSignature(hash: ScramHash, { serverKey }: Pick<ScramKeys, 'serverKey'>, authMessage: string): string {
  return createHmac(hash, serverKey).update(authMessage).digest('base64');
}

/** Of two buffers of one length. */
export function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ b[index]!));
}

/** Spaces and invisible characters as SASLprep maps them, then NFKC (RFC 4013, section 2). */
export function saslPrepare(text: string): string {
  return text
    .replaceAll(/[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/gu, ' ')
    .replaceAll(/\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200b-\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff/gu, '')
    .normalize('NFKC');
}
