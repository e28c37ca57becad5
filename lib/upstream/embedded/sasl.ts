import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { saslPrepare, scramKeys, serverSignature, type ScramHash, type ScramKeys } from '../../sasl/index.js';
import { Jid } from './jid.js';
import { parseClientFinal, parseClientFirst, proofMatches, type ClientFirst } from './scram.js';

/** SASL mechanisms that the embedded server knows (RFC 5802, RFC 7677, RFC 4616, RFC 4505). */
export type SaslMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-1' | 'PLAIN' | 'ANONYMOUS';

/** The failures of RFC 6120, section 6.5, that this server gives. */
export type SaslCondition =
  'aborted' | 'incorrect-encoding' | 'invalid-authzid' | 'invalid-mechanism' | 'malformed-request' | 'not-authorized';

/** What the server answers to one message of the client; data is base64, undefined for none. */
export type SaslStep =
  | { readonly type: 'challenge'; readonly data: string }
  | { readonly type: 'success'; readonly data: string | undefined; readonly jid: Jid; readonly anonymous: boolean }
  | { readonly type: 'failure'; readonly condition: SaslCondition };

const SCRAM_HASHES: Partial<Record<SaslMechanism, ScramHash>> = { 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-1': 'sha1' };
/** The least that RFC 5802 and RFC 7677 allow; the passwords lie in the same memory anyway. */
const ITERATIONS = 4096;
/** Keys made up for accounts that do not exist, so that asking twice takes as long as for one that does. */
const MAX_DECOYS = 1024;

/** Names and passwords; the same on every domain. */
export class Credentials {
  private readonly passwords = new Map<string, string>();
  private readonly keys = new Map<string, ScramKeys>();
  private readonly decoys = new Map<string, ScramKeys>();
  /** Salts and comparisons hang on it; new in every process. */
  private readonly secret = randomBytes(32);

  /** @throws {RangeError} for a name that is no localpart */
  constructor(users: Iterable<readonly [name: string, password: string]>) {
    for (const [name, password] of users) {
      const local = Jid.of(name, 'domain')?.local;
      if (!local) throw new RangeError(`not a localpart of an XMPP address: ${JSON.stringify(name)}`);
      this.passwords.set(local, saslPrepare(password));
    }
  }

  /** Whether nobody can log in by name. */
  get empty(): boolean {
    return this.passwords.size === 0;
  }

  /** @param local normalised */
  has(local: string): boolean {
    return this.passwords.has(local);
  }

  /** Takes the same time for a wrong password and for an unknown name. */
  verify(local: string, password: string): boolean {
    const expected = this.passwords.get(local);
    const given = this.digest(saslPrepare(password));
    return timingSafeEqual(given, this.digest(expected ?? '')) && expected !== undefined && expected !== '';
  }

  private digest(text: string): Buffer {
    return createHmac('sha256', this.secret).update(text).digest();
  }

  /** The same for a name each time it is asked for, whether there is such an account or not. */
  salt(hash: ScramHash, local: string): Buffer {
    return createHmac('sha256', this.secret).update(`salt\0${hash}\0${local}`).digest().subarray(0, 16);
  }

  /** Keys of a name; made up, and never matched by any password, where there is no such account. */
  async scramKeys(hash: ScramHash, local: string): Promise<ScramKeys> {
    const password = this.passwords.get(local);
    const known = password !== undefined && password !== '';
    const cache = known ? this.keys : this.decoys;
    const name = `${hash} ${local}`;
    const cached = cache.get(name);
    if (cached) return cached;
    const keys = await scramKeys(
      hash,
      known ? password : randomBytes(16).toString('hex'),
      this.salt(hash, local),
      ITERATIONS,
    );
    if (cache === this.decoys && cache.size >= MAX_DECOYS) cache.delete(cache.keys().next().value!);
    cache.set(name, keys);
    return keys;
  }
}

/** One SASL negotiation (RFC 6120, section 6), from `<auth/>` to its outcome. */
export class SaslExchange {
  private first: ClientFirst | undefined;
  private local = '';
  private serverFirst = '';
  private nonce = '';
  private started = false;

  constructor(
    private readonly mechanism: SaslMechanism,
    private readonly credentials: Credentials,
    private readonly domain: string,
  ) {}

  /** @param data what the element held: base64, `=` for an empty message, '' for none */
  async step(data: string): Promise<SaslStep> {
    const text = data.trim();
    // RFC 6120, section 6.4.2: no initial response; the client is asked for it.
    if (text === '' && !this.started) {
      this.started = true;
      if (this.mechanism === 'ANONYMOUS') return this.anonymous();
      return { type: 'challenge', data: '' };
    }
    this.started = true;
    const message = decode(text);
    if (message === undefined) return failure('incorrect-encoding');
    switch (this.mechanism) {
      case 'PLAIN':
        return this.plain(message);
      case 'ANONYMOUS':
        return this.anonymous();
      default:
        return this.first ? this.scramFinal(message, this.first) : this.scramFirst(message);
    }
  }

  private plain(message: string): SaslStep {
    const parts = message.split('\0');
    if (parts.length !== 3 || parts[1] === '' || parts[2] === '') return failure('malformed-request');
    const [authzid, authcid, password] = parts as [string, string, string];
    const jid = this.account(authcid);
    if (!this.credentials.verify(jid?.local ?? '', password) || !jid) return failure('not-authorized');
    return this.success(jid, authzid);
  }

  private anonymous(): SaslStep {
    const jid = Jid.of(randomBytes(16).toString('hex'), this.domain)!;
    return { type: 'success', data: undefined, jid, anonymous: true };
  }

  private scramFirst(message: string): SaslStep {
    const first = parseClientFirst(message);
    if (!first) return failure('malformed-request');
    this.first = first;
    // A name that cannot exist goes the same way as one that does not.
    this.local = this.account(first.username)?.local ?? `:${first.username}`;
    this.nonce = first.nonce + randomBytes(18).toString('base64');
    const salt = this.credentials.salt(SCRAM_HASHES[this.mechanism]!, this.local).toString('base64');
    this.serverFirst = `r=${this.nonce},s=${salt},i=${ITERATIONS}`;
    return { type: 'challenge', data: Buffer.from(this.serverFirst).toString('base64') };
  }

  private async scramFinal(message: string, first: ClientFirst): Promise<SaslStep> {
    const final = parseClientFinal(message);
    if (!final || final.binding !== first.gs2Header) return failure('malformed-request');
    const hash = SCRAM_HASHES[this.mechanism]!;
    const keys = await this.credentials.scramKeys(hash, this.local);
    const authMessage = `${first.bare},${this.serverFirst},${final.withoutProof}`;
    const jid = Jid.of(this.local, this.domain);
    if (!proofMatches(hash, keys, authMessage, final.proof) || final.nonce !== this.nonce || !jid) {
      return failure('not-authorized');
    }
    const signature = `v=${serverSignature(hash, keys, authMessage)}`;
    return this.success(jid, first.authzid, Buffer.from(signature).toString('base64'));
  }

  private success(jid: Jid, authzid: string, data?: string): SaslStep {
    // Nobody acts for another: the authorization identity is the own address or none.
    if (authzid !== '' && Jid.parse(authzid)?.toString() !== jid.bare) return failure('invalid-authzid');
    return { type: 'success', data, jid, anonymous: false };
  }

  /** A user name is a localpart (RFC 6120, section 6.3.7); some clients send the whole bare address. */
  private account(username: string): Jid | undefined {
    const own = `@${this.domain}`;
    return Jid.of(username.endsWith(own) ? username.slice(0, -own.length) : username, this.domain);
  }
}

function failure(condition: SaslCondition): SaslStep {
  return { type: 'failure', condition };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @returns undefined for what is no base64 (RFC 6120, section 6.5.5), or holds no UTF-8 */
function decode(text: string): string | undefined {
  if (text === '=') return '';
  if (!BASE64.test(text)) return undefined;
  try {
    return UTF8.decode(Buffer.from(text, 'base64'));
  } catch {
    return undefined;
  }
}
