import { Timeout } from '../../clock.js';
import type { Stanza } from '../../xml/index.js';
import type { Account } from './account.js';
import { delayed } from './delay.js';
import type { Jid } from './jid.js';
import type { EmbeddedServer } from './server.js';
import type { EmbeddedResource } from './service.js';
import { ACK_REQUEST, type StreamManagement } from './stream-management.js';
import type { EmbeddedStream } from './stream.js';

/** How long something sent may go without an acknowledgement being asked for, in milliseconds. */
const REQUEST_AFTER = 1000;

/** A bound resource. Its stream can break and be resumed (XEP-0198); in between it hibernates. */
export class Resource implements EmbeddedResource {
  /** {@link jid} as a string. */
  readonly full: string;
  interested = false;
  carbons = false;
  priority = 0;
  presence: Stanza | undefined;
  /** Whom available presence was sent to directly (RFC 6121, section 4.6), by address. */
  readonly directed = new Map<string, Jid>();
  management: StreamManagement | undefined;
  /** Whether it is still bound. */
  bound = true;

  /** Asks for acknowledgements while there is a stream, ends the session while there is none. */
  private readonly timeout: Timeout;

  constructor(
    private readonly server: EmbeddedServer,
    readonly account: Account,
    readonly jid: Jid,
    /** undefined while it hibernates. */
    private stream: EmbeddedStream | undefined,
  ) {
    this.full = jid.toString();
    this.timeout = new Timeout(server.clock, () => this.onTimeout());
  }

  get available(): boolean {
    return this.presence !== undefined;
  }

  deliver(stanza: Stanza): void {
    const { management, stream } = this;
    if (!this.bound) return;
    if (!management) {
      stream?.push(stanza);
      return;
    }
    if (!stream && stanza.kind === 'message') {
      stanza = delayed(stanza, this.jid.domain, this.server.wallClock());
    }
    const request = management.push(stanza);
    if (management.bytes > this.server.limits.maxQueuedBytes) {
      this.overflow();
      return;
    }
    if (!stream) return;
    stream.push(stanza);
    if (request) this.requestAcknowledgement();
    else if (!this.timeout.running) this.timeout.start(REQUEST_AFTER);
  }

  /** Too much waits for a client that reads nothing, or acknowledges nothing. */
  private overflow(): void {
    if (this.stream) this.stream.overflow();
    else this.timeout.start(0);
  }

  private requestAcknowledgement(): void {
    this.management!.request();
    this.stream!.push(ACK_REQUEST);
  }

  private onTimeout(): void {
    if (!this.stream) this.server.unbind(this);
    else if (this.management?.wantsRequest) this.requestAcknowledgement();
  }

  /** The stream is lost; the session waits for another one. */
  hibernate(): void {
    const management = this.management!;
    this.stream = undefined;
    const now = this.server.wallClock();
    management.rewrite((stanza) => (stanza.kind === 'message' ? delayed(stanza, this.jid.domain, now) : stanza));
    this.timeout.start(management.max * 1000);
  }

  /** Goes on with another stream. @returns the one that it had, if it still had one */
  resume(stream: EmbeddedStream): EmbeddedStream | undefined {
    const old = this.stream;
    this.stream = stream;
    this.timeout.stop();
    return old;
  }

  /** Sends again what was not acknowledged, in order. */
  resend(): void {
    const management = this.management!;
    management.resumed();
    for (const stanza of management.unacknowledged()) this.stream!.push(stanza);
    if (management.wantsRequest) this.requestAcknowledgement();
  }

  /** No stanza reaches it from now on. @returns its stream, if it has one */
  release(): EmbeddedStream | undefined {
    const { stream } = this;
    this.bound = false;
    this.stream = undefined;
    this.timeout.stop();
    return stream;
  }
}
