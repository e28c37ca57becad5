import { randomBytes, timingSafeEqual } from 'node:crypto';
import { clientProof, saslPrepare, scramKeys, serverSignature, type ScramHash } from './scram.js';

/** The mechanisms that we log in with, the best first. */
export const CLIENT_MECHANISMS = ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN'] as const;
/** @publicApi SASL mechanisms that the gateway logs users in with, when the app gives it their credentials. */
export type ClientMechanism = (typeof CLIENT_MECHANISMS)[number];

/** The server broke the rules of the mechanism, or does not know the password. The message holds no secret. */
export class SaslError extends Error {
  override readonly name = 'SaslError';
}

/** The client's side of one SASL negotiation (RFC 6120, section 6). Messages are text, not yet base64. */
export interface SaslClient {
  readonly mechanism: ClientMechanism;
  /** The initial response. */
  readonly initial: string;
  /**
   * @returns the response to a challenge
   * @throws {SaslError}
   */
  respond(challenge: string): Promise<string>;
  /**
   * The server says that it is done.
   * @param data what came with it; undefined for nothing
   * @throws {SaslError} when it has not shown that it knows the password
   */
  finish(data: string | undefined): void;
}

export interface SaslLogin {
  readonly username: string;
  readonly password: string;
  /** Bare JID of whom to act for; default: the user's own. */
  readonly authzid?: string | undefined;
}

/**
 * @param offered by the server
 * @param secure whether the password may go over the stream as it is
 * @param wanted no other mechanism than this
 * @returns undefined when there is none that both know, or none that is safe
 */
export function chooseMechanism(offered: ReadonlySet<string>, secure: boolean, wanted?: ClientMechanism): ClientMechanism | undefined {
  return CLIENT_MECHANISMS.find(
    (mechanism) => offered.has(mechanism) && (wanted ?? mechanism) === mechanism && (secure || mechanism !== 'PLAIN'),
  );
}

/** @param nonce for tests; otherwise random */
export function saslClient(mechanism: ClientMechanism, login: SaslLogin, nonce?: string): SaslClient {
  switch (mechanism) {
    case 'PLAIN':
      return new PlainClient(login);
    case 'SCRAM-SHA-1':
      return new ScramClient(mechanism, 'sha1', login, nonce);
    case 'SCRAM-SHA-256':
      return new ScramClient(mechanism, 'sha256', login, nonce);
  }
}

/** RFC 4616. */
class PlainClient implements SaslClient {
  readonly mechanism = 'PLAIN';
  readonly initial: string;

  constructor({ username, password, authzid = '' }: SaslLogin) {
    if (/\0/.test(username + password + authzid)) throw new SaslError('a user name or password with NUL');
    this.initial = `${authzid}\0${username}\0${password}`;
  }

  async respond(challenge: string): Promise<string> {
    // A server that does not take initial responses asks for it (RFC 6120, section 6.4.2).
    if (challenge !== '') throw new SaslError('a challenge where PLAIN has none');
    return this.initial;
  }

  finish(): void {}
}

/** So that no server can take us for a calculator. RFC 7677 asks for 4096 at least. */
const MIN_ITERATIONS = 4096;
const MAX_ITERATIONS = 5_000_000;
const SERVER_FIRST = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9][0-9]{0,9})(?:,[a-zA-Z]=[^,]*)*$/;
const SERVER_FINAL = /^v=([A-Za-z0-9+/]+={0,2})(?:,[a-zA-Z]=[^,]*)*$/;

/** RFC 5802 and RFC 7677, without channel binding. */
class ScramClient implements SaslClient {
  private readonly bare: string;
  /** No channel binding, and whom to act for. */
  private readonly header: string;
  private signature: Buffer | undefined;
  private verified = false;

  constructor(
    readonly mechanism: ClientMechanism,
    private readonly hash: ScramHash,
    private readonly login: SaslLogin,
    private readonly nonce = randomBytes(24).toString('base64'),
  ) {
    const { authzid } = login;
    this.header = authzid ? `n,a=${saslName(authzid)},` : 'n,,';
    this.bare = `n=${saslName(saslPrepare(login.username))},r=${nonce}`;
  }

  get initial(): string {
    return this.header + this.bare;
  }

  async respond(challenge: string): Promise<string> {
    if (challenge === '' && !this.signature) return this.initial;
    if (!this.signature) return await this.prove(challenge);
    // Some say it before they say that they are done.
    this.verify(challenge);
    return '';
  }

  finish(data: string | undefined): void {
    if (!this.verified) this.verify(data ?? '');
  }

  private async prove(serverFirst: string): Promise<string> {
    const [, nonce, salt, count] = SERVER_FIRST.exec(serverFirst) ?? [];
    if (nonce === undefined || salt === undefined) throw new SaslError("the server's first message is none of SCRAM");
    if (!nonce.startsWith(this.nonce) || nonce.length === this.nonce.length) throw new SaslError('the server answered with a foreign nonce');
    const iterations = Number(count);
    if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) throw new SaslError(`the server asks for ${iterations} iterations`);
    const withoutProof = `c=${Buffer.from(this.header).toString('base64')},r=${nonce}`;
    const authMessage = `${this.bare},${serverFirst},${withoutProof}`;
    const keys = await scramKeys(this.hash, this.login.password, Buffer.from(salt, 'base64'), iterations);
    this.signature = Buffer.from(serverSignature(this.hash, keys, authMessage), 'base64');
    return `${withoutProof},p=${clientProof(this.hash, keys, authMessage).toString('base64')}`;
  }

  private verify(serverFinal: string): void {
    const given = Buffer.from(SERVER_FINAL.exec(serverFinal)?.[1] ?? '', 'base64');
    const { signature } = this;
    if (signature?.length !== given.length || !timingSafeEqual(signature, given)) {
      throw new SaslError('the server has not shown that it knows the password');
    }
    this.verified = true;
  }
}

/** RFC 5802, section 5.1. */
function saslName(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C');
}

/** A message as it stands in an element; nothing is a single equals sign (RFC 6120, section 6.4.2). */
export function encodeSasl(message: string): string {
  return message === '' ? '=' : Buffer.from(message).toString('base64');
}

export function decodeSasl(data: string): string {
  const text = data.trim();
  return text === '=' ? '' : Buffer.from(text, 'base64').toString();
}
