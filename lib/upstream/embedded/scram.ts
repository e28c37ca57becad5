import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { xor, type ScramHash, type ScramKeys } from '../../sasl/index.js';

/** Whether the proof belongs to the keys (RFC 5802, section 3). Takes the same time for any proof of the right length. */
export function proofMatches(hash: ScramHash, { storedKey }: Pick<ScramKeys, 'storedKey'>, authMessage: string, proof: Buffer): boolean {
  const signature = createHmac(hash, storedKey).update(authMessage).digest();
  if (proof.length !== signature.length) return false;
  return timingSafeEqual(createHash(hash).update(xor(proof, signature)).digest(), storedKey);
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
