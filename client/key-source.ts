/** A key, or a ticket, that opens a shared stream. Whoever has it is logged in: a secret like a password. */
export interface SharedKey {
  /** What becomes `shared:key`. */
  readonly key: string;
  /** Whose stream it opens, where that is known. */
  readonly jid?: string;
}

/** A stream that is logged in, for a source that keeps keys in the XMPP server. */
export interface StreamLink {
  /** Full JID. */
  readonly jid: string;
  /**
   * Sends an iq.
   * @param iq its XML, without an id
   * @returns its result
   * @throws {IqError} for an error, or when there is no answer within 10 seconds
   */
  request(iq: string): Promise<Element>;
}

/** An iq was answered with an error, or not at all. */
export class IqError extends Error {
  /** Tells it from other errors also where `instanceof` cannot: when an app has loaded two copies of the package. */
  override readonly name = 'IqError';

  constructor(
    /** Of the stanza error, such as `item-not-found` (RFC 6120, section 8.3.3); `timeout` without an answer. */
    readonly condition: string,
  ) {
    super(`the server answered with ${condition}`);
  }
}

/**
 * Where tabs find the key that they share. All methods are optional; sources can be combined, those that are
 * asked first come first.
 */
export interface SharedKeySource {
  /**
   * Before a stream opens.
   * @param account bare JID, or a domain, or undefined when only the source can know
   * @param create make and keep a new key when there is none
   */
  acquire?(account: string | undefined, create: boolean): Promise<SharedKey | undefined>;
  /**
   * A stream was created with a key, and is logged in.
   * @param stale the key that it replaces: one that opens nothing any more
   * @returns the key that counts: this one, kept from now on, or that of another stream to move to
   */
  settle?(account: string, key: string, link: StreamLink, stale: string | undefined): Promise<string>;
  /**
   * A key opens nothing any more, or must not.
   * @param link there only at a logout
   */
  discard?(account: string, key: string, link: StreamLink | undefined): Promise<void>;
}

/** A key that nobody can guess: 128 random bits, in hexadecimal. */
export function generateKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
