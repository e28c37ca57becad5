import type { StreamHeader } from '../upstream/upstream.js';
import type { Stanza } from '../xml/index.js';
import type { Client, ClientSession } from './client.js';
import type { SessionEnd } from './end.js';

/** A client may not send more before it is known whether it may send at all; bytes. */
const MAX_WAITING = 65_536;

/** A session of which it is not known yet whether there will be one: what the client sends waits. */
export class PendingSession implements ClientSession {
  private session: ClientSession | undefined;
  private waiting: Stanza[] = [];
  private waitingBytes = 0;
  private gone = false;

  constructor(private readonly client: Client) {}

  get undecided(): boolean {
    return this.session === undefined && !this.gone;
  }
  get domain(): string {
    return this.session?.domain ?? '';
  }
  get jid(): string | undefined {
    return this.session?.jid;
  }
  get resumable(): boolean {
    return this.session?.resumable ?? false;
  }
  get upstreamSecure(): boolean {
    return this.session?.upstreamSecure ?? false;
  }

  send(stanza: Stanza): boolean {
    if (this.session) return this.session.send(stanza);
    if (this.gone) return true;
    this.waiting.push(stanza);
    this.waitingBytes += stanza.byteLength;
    return this.waitingBytes <= MAX_WAITING;
  }

  restart(header: StreamHeader): void {
    this.session?.restart(header);
  }

  drained(): void {
    this.session?.drained();
  }

  leave(end: SessionEnd, undelivered?: readonly Stanza[], scope?: 'all'): void {
    this.gone = true;
    this.waiting = [];
    this.session?.leave(end, undelivered, scope);
  }

  bounceAll(undelivered: readonly Stanza[]): void {
    this.session?.bounceAll(undelivered);
  }

  get rekey(): ((key: string) => void) | undefined {
    const { session } = this;
    return session?.rekey && ((key) => session.rekey!(key));
  }

  // The entrance's side.

  /** The client may have its session. */
  begin(open: () => ClientSession): void {
    if (this.gone) return;
    const { waiting } = this;
    const full = this.waitingBytes > MAX_WAITING;
    this.session = open();
    this.waiting = [];
    let takes = true;
    for (const stanza of waiting) takes = this.session.send(stanza);
    if (full && takes) this.client.onDrain();
  }

  /** It may not. */
  refuse(end: SessionEnd): void {
    if (this.gone || this.session) return;
    this.gone = true;
    this.waiting = [];
    this.client.onEnd(end);
  }
}
