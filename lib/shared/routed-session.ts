import type { Client, ClientSession, SessionEnd } from '../session/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import type { Stanza } from '../xml/index.js';
import { endOf } from './refusal.js';

/** The session of a client of which it is not known yet on which node it is. */
export class RoutedSession implements ClientSession {
  readonly resumable = false;
  private session: ClientSession | undefined;
  private pending: Stanza[] = [];
  private pendingBytes = 0;
  private over = false;

  constructor(
    readonly domain: string,
    private readonly client: Client,
    /** Bytes that may wait. */
    private readonly maxPending: number,
  ) {}

  get jid(): string | undefined {
    return this.session?.jid;
  }
  get upstreamSecure(): boolean {
    return this.session?.upstreamSecure ?? false;
  }

  /**
   * It is known now.
   * @param open opens the session, here or there
   */
  settle(open: () => ClientSession): void {
    if (this.over) return;
    try {
      this.session = open();
    } catch (error) {
      this.over = true;
      return this.client.onEnd(endOf(error));
    }
    let takes = true;
    for (const stanza of this.pending) takes = this.session.send(stanza);
    if (takes && this.pendingBytes > this.maxPending) this.client.onDrain();
    this.pending = [];
  }

  /** Whether the client left before it was known. */
  get isOver(): boolean {
    return this.over;
  }

  send(stanza: Stanza): boolean {
    if (this.session) return this.session.send(stanza);
    if (this.over) return true;
    this.pending.push(stanza);
    this.pendingBytes += stanza.byteLength;
    return this.pendingBytes <= this.maxPending;
  }

  /** One that waits is told of its stream soon, and needs no other. */
  restart(header: StreamHeader): void {
    this.session?.restart(header);
  }

  drained(): void {
    this.session?.drained();
  }

  leave(end: SessionEnd, undelivered?: readonly Stanza[], scope?: 'all'): void {
    this.over = true;
    this.pending = [];
    this.session?.leave(end, undelivered, scope);
  }

  bounceAll(undelivered: readonly Stanza[]): void {
    this.session?.bounceAll(undelivered);
  }

  rekey(key: string): void {
    this.session?.rekey?.(key);
  }
}
