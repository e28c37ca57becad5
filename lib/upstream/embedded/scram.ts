import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(pbkdf2);

export type ScramHash = 'sha1' | 'sha256';

/** What a server keeps of a password (RFC 5802, section 3). */
export interface ScramKeys {
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** Derives the keys of RFC 5802, section 3, off the main thread. */
export async function scramKeys(
  hash: ScramHash,
  password: string,
  salt: Buffer,
  iterations: number,
): Promise<ScramKeys> {
  const size = createHash(hash).digest().length;
  const salted = await derive(saslPrepare(password), salt, iterations, size, hash);
  const clientKey = createHmac(hash, salted).update('Client Key').digest();
  return {
    storedKey: createHash(hash).update(clientKey).digest(),
    serverKey: createHmac(hash, salted).update('Server Key').digest(),
  };
}

/** Whether the proof belongs to the keys (RFC 5802, section 3). Takes the same time for any proof of the right length. */
export function proofMatches(hash: ScramHash, keys: ScramKeys, authMessage: string, proof: Buffer): boolean {
  const signature = createHmac(hash, keys.storedKey).update(authMessage).digest();
  if (proof.length !== signature.length) return false;
  const clientKey = Buffer.alloc(signature.length);
  for (let i = 0; i < signature.length; i++) clientKey[i] = proof[i]! ^ signature[i]!;
  return timingSafeEqual(createHash(hash).update(clientKey).digest(), keys.storedKey);
}

/** By which the server shows that it knows the password too: `v=` (RFC 5802, section 3). */
export function serverSignature(hash: ScramHash, keys: ScramKeys, authMessage: string): string {
  return createHmac(hash, keys.serverKey).update(authMessage).digest('base64');
}

/** The client's first message (RFC 5802, section 7). */
export interface ClientFirst {
  /** As written, with both commas: what the final message's `c=` repeats. */
  readonly gs2Header: string;
  /** The rest, as written. */
  readonly bare: string;
  readonly authzid: string;
  readonly username: string;
  readonly nonce: string;
}

const CLIENT_FIRST = /^((?:n|y),(?:a=([^,]*))?,)(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[a-zA-Z]=[^,]*)*)$/;

/** @returns undefined for a message that is none, that asks for channel binding, or for a mandatory extension */
export function parseClientFirst(message: string): ClientFirst | undefined {
  const match = CLIENT_FIRST.exec(message);
  if (!match) return undefined;
  const authzid = saslName(match[2] ?? '');
  const username = saslName(match[4]!);
  if (authzid === undefined || username === undefined) return undefined;
  return { gs2Header: match[1]!, bare: match[3]!, authzid, username, nonce: match[5]! };
}

/** The client's final message (RFC 5802, section 7). */
export interface ClientFinal {
  /** `c=`, decoded. */
  readonly binding: string;
  readonly nonce: string;
  readonly proof: Buffer;
  /** As written, up to the proof. */
  readonly withoutProof: string;
}

const CLIENT_FINAL = /^(c=([A-Za-z0-9+/=]+),r=([^,]+)(?:,[a-zA-Z]=[^,]*)*?),p=([A-Za-z0-9+/=]+)$/;

/** @returns undefined for a message that is none */
export function parseClientFinal(message: string): ClientFinal | undefined {
  const match = CLIENT_FINAL.exec(message);
  if (!match) return undefined;
  return {
    binding: Buffer.from(match[2]!, 'base64').toString(),
    nonce: match[3]!,
    proof: Buffer.from(match[4]!, 'base64'),
    withoutProof: match[1]!,
  };
}

/** `=2C` and `=3D` stand for a comma and an equals sign (RFC 5802, section 5.1). */
function saslName(text: string): string | undefined {
  if (/=(?!2C|3D)/.test(text)) return undefined;
  return text.replaceAll('=2C', ',').replaceAll('=3D', '=');
}

/** Spaces and invisible characters as SASLprep maps them, then NFKC (RFC 4013, section 2). */
export function saslPrepare(text: string): string {
  return text
    .replaceAll(/[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/gu, ' ')
    .replaceAll(/\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200b-\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff/gu, '')
    .normalize('NFKC');
}
