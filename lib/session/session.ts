import { randomBytes } from 'node:crypto';
import { Timeout, type Clock } from '../clock.js';
import type {
  StreamHeader,
  UpstreamClient,
  UpstreamEnd,
  UpstreamHandler,
  UpstreamStream,
  XmppUpstream,
} from '../upstream/upstream.js';
import { NS, type Stanza } from '../xml/index.js';
import { bounce } from './bounce.js';
import type { Client, ClientSession, Transport } from './client.js';
import type { EndReason, SessionEnd } from './end.js';
import type { XmppEvents } from './events.js';
import { Negotiation, passableFeatures, type Resumptions } from './negotiation.js';
import { Pace, type PaceLimits } from './pace.js';
import type { UpstreamStates } from './upstream-states.js';

/** Plain numbers, so that counting costs nothing; metrics read them when they are asked. */
export interface Traffic {
  /** From web clients to servers. */
  stanzasIn: number;
  bytesIn: number;
  /** From servers to web clients. */
  stanzasOut: number;
  bytesOut: number;
}

/** A session as the app sees it. */
export interface XmppSession {
  /** Names it in logs and calls. No secret: nobody can take over a session with it. */
  readonly id: string;
  readonly domain: string;
  /** Full JID, by the server's word; undefined until a resource is bound. */
  readonly jid: string | undefined;
  readonly transport: Transport;
  /** Of the client, after trusted proxies. */
  readonly address: string;
  readonly secure: boolean;
  readonly openedAt: Date;
  readonly authenticated: boolean;
  /** The server keeps the stream for resumption when its connection is cut (XEP-0198). */
  readonly resumable: boolean;
  readonly traffic: Readonly<Traffic>;
}

/** Sees what passes, as the web client sends (`in`) and gets (`out`) it, and each stream header. It must not throw. */
export type SessionTap = (direction: 'in' | 'out', what: Stanza | StreamHeader) => void;

/** What the service gives to its sessions. */
export interface SessionContext {
  readonly clock: Clock;
  readonly events: XmppEvents;
  readonly upstreamStates: UpstreamStates;
  readonly resumptions: Resumptions;
  /** Of the process. */
  readonly traffic: Traffic;
  /** Milliseconds. */
  readonly authTimeout: number;
  readonly pace: PaceLimits;
  /** Whether channel binding is offered to clients. */
  readonly channelBinding: 'strip' | 'pass';
  /** The session is over and its upstream stream gone. */
  readonly onGone: (session: Session) => void;
}

/**
 * One XMPP stream to the upstream and the client on it. It passes elements on in both directions
 * and looks only at those that say something about the stream itself.
 */
export class Session implements XmppSession, ClientSession, UpstreamHandler {
  readonly id = randomBytes(9).toString('base64url');
  readonly openedAt = new Date();
  readonly traffic: Traffic = { stanzasIn: 0, bytesIn: 0, stanzasOut: 0, bytesOut: 0 };
  /** There while somebody traces the session. */
  tap: SessionTap | undefined = undefined;

  private readonly negotiation: Negotiation;
  private readonly authTimeout: Timeout;
  private stream!: UpstreamStream;
  private upstream!: XmppUpstream;
  /** Set when the session is over for its client; the upstream stream may still be closing. */
  private over: SessionEnd | undefined;
  private streams = 0;
  private readonly pace: Pace | undefined;
  /** The upstream does not read; known where the client has a pace to keep. */
  private blocked = false;

  constructor(
    readonly domain: string,
    private client: Client,
    private readonly context: SessionContext,
  ) {
    this.negotiation = new Negotiation(domain, context.resumptions);
    this.authTimeout = new Timeout(context.clock, () => {
      context.events.emit('limit.hit', { limit: 'limits.authTimeout', address: this.address });
      this.terminate({ reason: 'auth-timeout', condition: 'policy-violation', text: 'not authenticated in time' });
    });
    this.pace = Pace.of(context.pace, context.clock, () => {
      if (!this.over && !this.blocked) this.client.onDrain();
    });
  }

  get jid(): string | undefined {
    return this.negotiation.jid;
  }
  get transport(): Transport {
    return this.client.transport;
  }
  get address(): string {
    return this.client.address;
  }
  get secure(): boolean {
    return this.client.secure;
  }
  get authenticated(): boolean {
    return this.negotiation.authenticated;
  }
  get resumable(): boolean {
    return this.negotiation.resumable;
  }
  get upstreamSecure(): boolean {
    return this.stream.secure;
  }
  /** Stream management runs: nothing may be added to the stream. */
  get managed(): boolean {
    return this.negotiation.managed;
  }
  /** How it ended; undefined while it lives. */
  get end(): SessionEnd | undefined {
    return this.over;
  }

  /** Whether `sid` is that of its BOSH client, or of one of those that share it. */
  hasSid(sid: string): boolean {
    return this.client.hasSid?.(sid) ?? false;
  }

  /** Opens the stream. */
  start(upstream: XmppUpstream, header: StreamHeader): void {
    this.upstream = upstream;
    const { address, port, secure } = this.client;
    const client: UpstreamClient = { address, port, secure };
    this.stream = upstream.open({ domain: this.domain, header: { ...header, to: this.domain }, client }, this);
    this.authTimeout.start(this.context.authTimeout);
  }

  /** What comes is for another client from now on: the one that {@link start} was called for has logged in for it. */
  handTo(client: Client): void {
    this.client = client;
  }

  // From the client.

  /**
   * One top-level element from the client.
   * @returns false when the upstream is slow: the transport stops reading until {@link Client.onDrain}
   */
  send(stanza: Stanza): boolean {
    if (this.over) return true;
    if (this.tap) this.tap('in', stanza);
    const { traffic } = this.context;
    traffic.stanzasIn++;
    traffic.bytesIn += stanza.byteLength;
    this.traffic.stanzasIn++;
    this.traffic.bytesIn += stanza.byteLength;
    if (!this.negotiation.authenticated) this.negotiation.outgoing(stanza);
    const taken = this.stream.send(stanza);
    if (!this.pace) return taken;
    this.blocked = !taken;
    const limit = this.pace.count(stanza.byteLength);
    if (limit) this.context.events.emit('limit.hit', { limit: `limits.${limit}`, address: this.address });
    return taken && !this.pace.resting;
  }

  /** A new stream on the same connection, after SASL (RFC 7395, section 3.7; XEP-0206, section 5). */
  restart(header: StreamHeader): void {
    if (this.over) return;
    if (this.tap) this.tap('in', header);
    this.stream.restart({ ...header, to: this.domain });
  }

  /** The client takes stanzas again. */
  drained(): void {
    if (!this.over) this.stream.resume();
  }

  /**
   * The client is gone, or was told to go by its transport. A clean end closes the upstream stream;
   * after an unclean one a stream that can be resumed is only cut (XEP-0198, section 5).
   * @param undelivered what the client never got, in order; its senders are told
   */
  leave(end: SessionEnd, undelivered: readonly Stanza[] = []): void {
    if (this.over) return;
    this.finish(end);
    if (UNCLEAN.has(end.reason) && this.resumable) return this.stream.abort();
    this.bounceAll(undelivered);
    this.stream.close();
  }

  // From the app or this process.

  /** Ends the session and tells the client why. */
  terminate(end: SessionEnd): void {
    if (this.over) return;
    this.finish(end);
    this.client.onEnd(end);
    // One that moves can go on with its stream elsewhere.
    if (end.resumable || (end.uri && this.resumable)) this.stream.abort();
    else this.stream.close();
  }

  /** Gives a stanza to the client as if the server had sent it. */
  deliver(stanza: Stanza): void {
    if (!this.over) this.pass(stanza);
  }

  /** The senders of stanzas that the client never got learn of it (XEP-0206, section 7). */
  bounceAll(undelivered: readonly Stanza[]): void {
    if (this.managed) return; // they were never acknowledged: the server knows
    for (const stanza of undelivered) {
      const answer = bounce(stanza);
      if (answer) this.stream.send(answer);
    }
  }

  // From the upstream.

  onOpen(header: StreamHeader): void {
    if (this.streams++ === 0) this.onFirstOpen();
    if (this.over) return;
    if (this.tap) this.tap('out', header);
    this.client.onOpen(header);
  }

  onStanza(stanza: Stanza): void {
    if (this.over) return;
    if (stanza.kind === undefined || this.negotiation.jid === undefined) {
      if (stanza.namespace === NS.streams) {
        if (stanza.name === 'error') {
          if (this.tap) this.tap('out', stanza);
          const end: SessionEnd = { reason: 'upstream-error', error: stanza };
          this.finish(end);
          this.client.onEnd(end);
          return this.stream.close();
        }
        if (stanza.name === 'features') stanza = passableFeatures(stanza, this.context.channelBinding);
      } else {
        this.progress(stanza);
      }
    }
    this.pass(stanza);
  }

  onDrain(): void {
    this.blocked = false;
    if (!this.over && !this.pace?.resting) this.client.onDrain();
  }

  onEnd(end: UpstreamEnd): void {
    if (end.reason === 'failed' && this.streams === 0) {
      this.context.upstreamStates.down(this.domain, this.upstream.name, end.message ?? 'connection lost');
    }
    if (!this.over) {
      const told: SessionEnd =
        end.reason === 'failed'
          ? { reason: 'upstream-failed', condition: 'remote-connection-failed', ...(this.resumable && { resumable: true }) }
          : { reason: 'upstream-closed' };
      if (end.reason === 'failed') {
        const message = end.message ?? 'connection lost';
        this.context.events.emit('upstream.failed', { session: this, message });
      }
      this.finish(told);
      this.client.onEnd(told);
    }
    this.context.onGone(this);
  }

  private onFirstOpen(): void {
    this.context.upstreamStates.up(this.domain, this.upstream.name);
    if (!this.over) this.context.events.emit('session.opened', { session: this });
  }

  private pass(stanza: Stanza): void {
    const { traffic } = this.context;
    traffic.stanzasOut++;
    traffic.bytesOut += stanza.byteLength;
    this.traffic.stanzasOut++;
    this.traffic.bytesOut += stanza.byteLength;
    if (this.tap) this.tap('out', stanza);
    if (!this.client.onStanza(stanza)) this.stream.pause();
  }

  private progress(stanza: Stanza): void {
    const before = this.negotiation.authenticated;
    const progress = this.negotiation.incoming(stanza);
    if (!progress) return;
    this.authTimeout.stop();
    if (!before) this.context.events.emit('session.authenticated', { session: this });
    if (progress !== 'authenticated') this.context.events.emit(`session.${progress}`, { session: this });
  }

  private finish(end: SessionEnd): void {
    this.over = end;
    this.authTimeout.stop();
    this.pace?.stop();
    this.context.events.emit('session.closed', { session: this, end });
  }
}

/** Ends at which the client said nothing: it may want to resume. */
const UNCLEAN: ReadonlySet<EndReason> = new Set(['lost', 'inactivity']);
