import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.js';
import type { SharedKeyStore } from './key-store.js';

/** Tickets look unlike keys, so that a used one never creates a session. */
const TICKET_PREFIX = 'ticket.';
/** Of a key; longer ones are refused unread. */
export const MAX_KEY_LENGTH = 256;
/** Tickets at once; beyond, the oldest is forgotten. */
const MAX_TICKETS = 10_000;

interface Entry<S> {
  readonly digest: Buffer;
  readonly stream: S;
  /** On the clock. */
  readonly expires: number;
}

interface Ticket<S> extends Entry<S> {
  readonly boundTo: Buffer | undefined;
}

/**
 * The keys of the shared streams of this process, as digests under a secret: they are found by a value
 * that nobody outside can compute, and nothing here tells what they were.
 */
export class KeyRing<S> {
  private readonly secret: Buffer;
  private readonly keys = new Map<string, Entry<S>>();
  private readonly tickets = new Map<string, Ticket<S>>();

  constructor(
    private readonly store: SharedKeyStore,
    private readonly clock: Clock,
    /** Milliseconds that a key is good for; 0: as long as its stream. */
    private readonly keyTtl: number,
    /** Told what goes wrong with the store in the background. */
    private readonly onError: (error: unknown) => void,
  ) {
    this.secret = store.secret ?? randomBytes(32);
  }

  /** A key that nobody can guess: 128 bits. */
  static generate(): string {
    return randomBytes(16).toString('hex');
  }

  static isTicket(key: string): boolean {
    return key.startsWith(TICKET_PREFIX);
  }

  /** A key belongs to a domain: the same one elsewhere is another. */
  digest(domain: string, key: string): string {
    return this.hash(`${domain}\0${key}`).toString('base64url');
  }

  find(digest: string): S | undefined {
    const entry = matching(this.keys.get(digest), digest);
    if (!entry) return undefined;
    if (entry.expires > this.clock.now()) return entry.stream;
    this.release(digest, entry.stream);
    return undefined;
  }

  /**
   * Gives a stream a key. It can be found by it from now on, and no longer if the claim fails.
   * @param claimed what the store said, where it was asked before
   * @returns whether it has the key
   */
  claim(digest: string, stream: S, claimed = this.reserve(digest)): boolean | Promise<boolean> {
    const ttl = this.keyTtl || undefined;
    if (claimed === false) return false;
    const entry = { digest: Buffer.from(digest), stream, expires: ttl ? this.clock.now() + ttl : Infinity };
    this.keys.set(digest, entry);
    if (claimed === true) return true;
    const failed = (): boolean => {
      if (this.keys.get(digest) === entry) this.keys.delete(digest);
      return false;
    };
    return claimed.then(
      (done) => {
        if (!done) return failed();
        if (this.keys.get(digest) === entry) return true;
        this.giveUp(digest); // its stream is over
        return false;
      },
      (error: unknown) => {
        this.onError(error);
        return failed();
      },
    );
  }

  /** Its key is another's now, by the store's word. */
  forget(digest: string): S | undefined {
    const stream = this.keys.get(digest)?.stream;
    this.keys.delete(digest);
    return stream;
  }

  /** Asks the store for a key that no stream has yet. */
  reserve(digest: string): boolean | Promise<boolean> {
    return this.store.claim(digest, this.keyTtl || undefined);
  }

  /** Gives it back, where no stream has got it. */
  unreserve(digest: string): void {
    if (!this.keys.has(digest)) this.giveUp(digest);
  }

  /** Whether a ticket was issued here. */
  hasTicket(digest: string): boolean {
    return this.tickets.has(digest);
  }

  /** Takes a key from a stream, if it still is that stream's. */
  release(digest: string, stream: S): void {
    if (this.keys.get(digest)?.stream !== stream) return;
    this.keys.delete(digest);
    this.giveUp(digest);
  }

  /** A one-time alias of the key of a stream, good for `ttl` milliseconds. */
  issue(stream: S, domain: string, ttl: number, boundTo: string | undefined): string {
    this.sweepTickets();
    const ticket = TICKET_PREFIX + randomBytes(20).toString('base64url');
    const digest = this.digest(domain, ticket);
    this.tickets.set(digest, {
      digest: Buffer.from(digest),
      stream,
      expires: this.clock.now() + ttl,
      boundTo: boundTo === undefined ? undefined : this.hash(boundTo),
    });
    this.background(this.store.claim(digest, ttl));
    return ticket;
  }

  /** The stream of a ticket, which is used up; undefined when it is no good, or is somebody else's. */
  redeem(digest: string, bearer: string | undefined): S | undefined {
    const ticket = matching(this.tickets.get(digest), digest);
    if (!ticket) return undefined;
    if (ticket.expires <= this.clock.now()) {
      this.dropTicket(digest);
      return undefined;
    }
    if (ticket.boundTo && (bearer === undefined || !timingSafeEqual(ticket.boundTo, this.hash(bearer)))) return undefined;
    this.dropTicket(digest);
    return ticket.stream;
  }

  /** The stream is over, with its tickets. */
  dropTickets(stream: S): void {
    for (const [digest, ticket] of this.tickets) if (ticket.stream === stream) this.dropTicket(digest);
  }

  private sweepTickets(): void {
    const now = this.clock.now();
    for (const [digest, { expires }] of this.tickets) {
      if (expires <= now || this.tickets.size >= MAX_TICKETS) this.dropTicket(digest);
    }
  }

  private dropTicket(digest: string): void {
    this.tickets.delete(digest);
    this.giveUp(digest);
  }

  private giveUp(digest: string): void {
    this.background(this.store.release(digest));
  }

  private background(done: unknown): void {
    if (done instanceof Promise) done.catch(this.onError);
  }

  private hash(text: string): Buffer {
    return createHmac('sha256', this.secret).update(text).digest();
  }
}

function matching<E extends { readonly digest: Buffer }>(entry: E | undefined, digest: string): E | undefined {
  return entry && timingSafeEqual(entry.digest, Buffer.from(digest)) ? entry : undefined;
}
