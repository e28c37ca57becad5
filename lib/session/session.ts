import { Timeout, type Clock } from '../clock.js';
import type { StreamHeader, UpstreamEnd, UpstreamHandler, UpstreamStream, XmppUpstream } from '../upstream/upstream.js';
import { NS, type Stanza } from '../xml/index.js';
import type { LimitOptions } from '../xmpp.options.js';
import { bounce } from './bounce.js';
import { Carriers } from './carriers.js';
import type { Client, ClientSession, Transport } from './client.js';
import type { EndReason, SessionEnd } from './end.js';
import type { StanzaDirection, XmppEvents } from './events.js';
import type { FeatureFilter } from './features.js';
import { addressed } from './header.js';
import { randomIdentifier } from './identifiers.js';
import type { StanzaInterceptors } from './interceptors.js';
import { Lane, type LaneContext, type LaneEnds } from './lane.js';
import type { LoginStream, SessionLogin, StartLogin } from './login.js';
import { Negotiation, type Resumptions } from './negotiation.js';
import { Pace, type PaceLimits } from './pace.js';
import type { UpstreamStates } from './upstream-states.js';

/** Plain numbers, so that counting costs nothing; metrics read them when they are asked. */
export interface Traffic {
  /** From web clients to servers. */
  stanzasIn: number;
  /** Of XML, as forwarded; frames, HTTP and TLS do not count. */
  bytesIn: number;
  /** From servers to web clients. */
  stanzasOut: number;
  /** Of XML, as forwarded; frames, HTTP and TLS do not count. */
  bytesOut: number;
}

/** A session as the app sees it. */
export interface XmppSession {
  /** Names it in logs and calls. No secret: nobody can take over a session with it. */
  readonly id: string;
  /** XMPP domain; never another one as long as the session lives. */
  readonly domain: string;
  /** Full JID, by the server's word; undefined until a resource is bound. */
  readonly jid: string | undefined;
  /** Over which its client came; of a shared session, its creator. */
  readonly transport: Transport;
  /** IP address of the client, after trusted proxies. */
  readonly address: string;
  /** Whether the client came over TLS, by the word of trusted proxies too. */
  readonly secure: boolean;
  /** When the client asked for it. */
  readonly openedAt: Date;
  /** Whether the server has said that the client is who it says. */
  readonly authenticated: boolean;
  /** The server keeps the stream for resumption when its connection is cut (XEP-0198). */
  readonly resumable: boolean;
  /** Counts since it was opened; they go on. */
  readonly traffic: Readonly<Traffic>;
  /** What the node is called that has it, where it is another one: what is said here was so when it was asked. */
  readonly node?: string;
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
  /** Makes an identifier one that says which node has the session. */
  readonly mint: (id: string) => string;
  /** Milliseconds. */
  readonly authTimeout: number;
  readonly pace: PaceLimits;
  readonly interceptors: StanzaInterceptors;
  /** Milliseconds that the app's hooks may take. */
  readonly hookTimeout: number;
  /** Bytes that may wait for an interceptor. */
  readonly maxBufferedBytes: number;
  /** Of what servers offer. */
  readonly features: FeatureFilter;
  /** The session is over and its upstream stream gone. */
  readonly onGone: (session: Session) => void;
}

/**
 * One XMPP stream to the upstream and the client on it. It passes elements on in both directions
 * and looks only at those that say something about the stream itself.
 */
export class Session implements XmppSession, ClientSession, UpstreamHandler {
  readonly id: string;
  private readonly openedTime = Date.now();
  readonly traffic: Traffic = { stanzasIn: 0, bytesIn: 0, stanzasOut: 0, bytesOut: 0 };
  /** There while somebody traces the session. */
  tap: SessionTap | undefined = undefined;

  private readonly negotiation: Negotiation;
  /** Until the client's user is known. */
  private authTimeout: Timeout | undefined;
  private stream!: UpstreamStream;
  private upstream!: XmppUpstream;
  /** Set when the session is over for its client; the upstream stream may still be closing. */
  private over: SessionEnd | undefined;
  private streams = 0;
  /** Of the client, as it opened the stream last; for {@link login}. */
  private header: StreamHeader | undefined;
  /** The client's user is logged in here. */
  private login: SessionLogin | undefined;
  private readonly pace: Pace | undefined;
  /** The upstream does not read. */
  private blocked = false;
  /** The client does not read. */
  private clientFull = false;
  /** What interceptors see, when a resource is bound and if there are any. */
  private laneContext: LaneContext | undefined;
  private outbound: Lane | undefined;
  private inbound: Lane | undefined;
  /** All lanes to the server; of a stream that is shared, each client has its own. */
  private inboundLanes: Set<Lane> | undefined;

  constructor(
    readonly domain: string,
    private client: Client,
    private readonly context: SessionContext,
  ) {
    this.id = context.mint(randomIdentifier(9));
    this.negotiation = new Negotiation(domain, context.resumptions);
    this.authTimeout = new Timeout(context.clock, () => {
      this.noteLimit('authTimeout');
      this.terminate({ reason: 'auth-timeout', condition: 'policy-violation', text: 'not authenticated in time' });
    });
    this.pace = Pace.of(context.pace, context.clock, () => this.release());
  }

  get openedAt(): Date {
    return new Date(this.openedTime);
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
  start(upstream: XmppUpstream, header: StreamHeader, startLogin?: StartLogin): void {
    this.login = startLogin?.(this.loginStream());
    if (this.login) this.header = header;
    this.upstream = upstream;
    const { domain } = this;
    const { address, port, secure } = this.client;
    this.stream = upstream.open({ domain, header: addressed(header, domain), client: { address, port, secure } }, this);
    this.authTimeout!.start(this.context.authTimeout);
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
    if (!this.laneContext) return this.forward(stanza);
    this.inbound ??= this.newInboundLane({
      forward: (element) => void this.forward(element),
      answer: (error) => {
        if (!this.over) this.pass(error);
      },
      onDrain: () => this.release(),
    });
    this.inbound!.take(stanza);
    return this.takes();
  }

  /**
   * The same, past the app's interceptors: what they have seen, or is none of their business.
   * @returns false when the upstream is slow
   */
  forward(stanza: Stanza): boolean {
    if (this.over && !this.inboundLanes) return true;
    if (this.tap) this.tap('in', stanza);
    const { traffic } = this.context;
    traffic.stanzasIn++;
    traffic.bytesIn += stanza.byteLength;
    this.traffic.stanzasIn++;
    this.traffic.bytesIn += stanza.byteLength;
    if (!this.negotiation.authenticated) {
      if (this.login?.fromClient(stanza)) return true;
      this.negotiation.outgoing(stanza);
    }
    this.blocked = !this.stream.send(stanza);
    if (!this.pace) return !this.blocked;
    const limit = this.pace.count(stanza.byteLength);
    if (limit) this.noteLimit(limit);
    if (this.pace.exhausted) this.terminate({ reason: 'error', condition: 'policy-violation', text: 'too much at once' });
    return !this.blocked && !this.pace.resting;
  }

  /**
   * A way to the server on which interceptors see what passes; undefined where there is nothing to see. The stream
   * is not closed before everything on it has gone on.
   */
  newInboundLane(ends: LaneEnds): Lane | undefined {
    if (!this.laneContext) return undefined;
    const lane = new Lane({ session: this, direction: 'in' }, ends, this.laneContext);
    (this.inboundLanes ??= new Set()).add(lane);
    return lane;
  }

  /** Nothing more comes on it. */
  endInboundLane(lane: Lane): void {
    lane.whenIdle(() => this.inboundLanes?.delete(lane));
  }

  /** A new stream on the same connection, after SASL (RFC 7395, section 3.7; XEP-0206, section 5). */
  restart(header: StreamHeader): void {
    if (this.over) return;
    if (this.tap) this.tap('in', header);
    if (this.login && !this.login.accepts(header)) return this.terminate({ reason: 'error', condition: 'invalid-from' });
    if (this.login) this.header = header;
    this.stream.restart(addressed(header, this.domain));
  }

  /** The client takes stanzas again. */
  drained(): void {
    this.clientFull = false;
    if (!this.over && !this.outbound?.full) this.stream.resume();
  }

  /**
   * The client is gone, or was told to go by its transport. A clean end closes the upstream stream;
   * after an unclean one a stream that can be resumed is only cut (XEP-0198, section 5).
   * @param undelivered what the client never got, in order; its senders are told
   */
  leave(end: SessionEnd, undelivered: readonly Stanza[] = []): void {
    if (this.over) return;
    const unseen = this.finish(end);
    if (UNCLEAN.has(end.reason) && this.resumable) return this.abort();
    this.bounceAll(undelivered);
    this.bounceAll(unseen);
    this.close();
  }

  // From the app or this process.

  /** Ends the session and tells the client why. */
  terminate(end: SessionEnd): void {
    if (this.over) return;
    const unseen = this.finish(end);
    this.client.onEnd(end);
    // One that moves can go on with its stream elsewhere.
    if (end.resumable || (end.uri && this.resumable)) return this.abort();
    this.bounceAll(unseen);
    this.close();
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
    if (!this.outbound) return this.receive(stanza);
    if (this.over) return;
    this.outbound.take(stanza);
    if (this.outbound.full) this.stream.pause();
  }

  private receive(stanza: Stanza): void {
    if (this.over) return;
    if (stanza.kind === undefined || this.negotiation.jid === undefined) {
      if (stanza.namespace === NS.streams) {
        if (stanza.name === 'error') {
          if (this.tap) this.tap('out', stanza);
          const end: SessionEnd = { reason: 'upstream-error', error: stanza };
          this.finish(end);
          this.client.onEnd(end);
          return this.close();
        }
        if (stanza.name === 'features') stanza = this.offered(stanza);
      } else {
        const shown = this.login && !this.authenticated ? this.shown(this.login, stanza) : stanza;
        if (!shown) return;
        this.progress(stanza);
        stanza = shown;
      }
    }
    this.pass(stanza);
  }

  onDrain(): void {
    this.blocked = false;
    this.release();
  }

  onEnd(end: UpstreamEnd): void {
    // What came before it comes first.
    if (this.outbound?.busy) return this.outbound.whenIdle(() => this.onEnd(end));
    if (end.reason === 'failed' && this.streams === 0) {
      this.context.upstreamStates.down(this.domain, this.upstream.name, end.message ?? 'connection lost');
    }
    if (!this.over) {
      const told: SessionEnd =
        end.reason === 'failed'
          ? { reason: 'upstream-failed', condition: 'remote-connection-failed', ...(this.resumable && !end.violation && { resumable: true }) }
          : { reason: 'upstream-closed' };
      if (end.reason === 'failed') {
        const message = end.message ?? 'connection lost';
        this.context.events.emit('upstream.failed', { session: this, message });
        if (end.tooLarge) this.noteLimit('maxUpstreamStanzaBytes');
      }
      this.finish(told);
      this.client.onEnd(told);
    }
    this.abandonInbound();
    this.context.onGone(this);
  }

  private offered(features: Stanza): Stanza {
    const passable = this.context.features.passable(features);
    return this.login && !this.authenticated ? this.login.features(features, passable) : passable;
  }

  /** What the client gets of an element while it is logged in here. */
  private shown(login: SessionLogin, stanza: Stanza): Stanza | undefined {
    return stanza.namespace === NS.sasl || stanza.namespace === NS.sasl2 ? login.fromServer(stanza) : stanza;
  }

  private loginStream(): LoginStream {
    return {
      domain: this.domain,
      header: () => this.header!,
      secure: () => this.stream.secure,
      toServer: (stanza) => {
        if (!this.over) this.stream.send(stanza);
      },
      toClient: (stanza) => {
        if (!this.over) this.pass(stanza);
      },
      end: (end) => this.terminate(end),
    };
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
    if (this.client.onStanza(stanza)) return;
    this.stream.pause();
    if (this.clientFull) return;
    this.clientFull = true;
    this.noteLimit('maxBufferedBytes');
  }

  /** @param limit one of `limits` */
  private noteLimit(limit: keyof LimitOptions): void {
    this.context.events.emit('limit.hit', { limit: `limits.${limit}`, address: this.address });
  }

  /** Whether the client may go on. */
  private takes(): boolean {
    return !this.blocked && !this.pace?.resting && !this.inbound?.full;
  }

  private release(): void {
    if (!this.over && this.takes()) this.client.onDrain();
  }

  private progress(stanza: Stanza): void {
    const before = this.negotiation.authenticated;
    const progress = this.negotiation.incoming(stanza);
    if (!progress) return;
    this.authTimeout?.stop();
    this.authTimeout = undefined;
    if (!before) this.context.events.emit('session.authenticated', { session: this });
    if (progress === 'authenticated') return;
    this.openLanes();
    this.context.events.emit(`session.${progress}`, { session: this });
  }

  /** From now on the app's interceptors see what passes. What names the JID has passed them. */
  private openLanes(): void {
    const { clock, events, interceptors, hookTimeout, maxBufferedBytes } = this.context;
    if (interceptors.isEmpty || this.laneContext) return;
    const context = (direction: StanzaDirection): LaneContext => ({
      clock,
      interceptors,
      carriers,
      timeout: hookTimeout,
      maxBytes: maxBufferedBytes,
      managed: () => this.managed,
      onRefused: (stanza, reason) => events.emit('stanza.refused', { session: this, stanza, direction, reason }),
    });
    const carriers = new Carriers(this.domain, this.jid ?? '');
    this.laneContext = context('in');
    const ends: LaneEnds = {
      forward: (stanza) => this.receive(stanza),
      answer: (error) => void this.stream.send(error),
      onDrain: () => {
        if (!this.over && !this.clientFull) this.stream.resume();
      },
    };
    this.outbound = new Lane({ session: this, direction: 'out' }, ends, context('out'));
  }

  /** @returns what interceptors had yet to see on its way to the client */
  private finish(end: SessionEnd): Stanza[] {
    this.over = end;
    this.authTimeout?.stop();
    this.pace?.stop();
    this.context.events.emit('session.closed', { session: this, end });
    return this.outbound?.abandon() ?? [];
  }

  /** Ends the stream when everything that the client sent has gone on. */
  private close(): void {
    for (const lane of this.inboundLanes ?? []) {
      if (lane.busy) return lane.whenIdle(() => this.close());
    }
    this.inboundLanes = undefined;
    this.stream.close();
  }

  /** What the server has not acknowledged comes again. */
  private abort(): void {
    this.abandonInbound();
    this.stream.abort();
  }

  private abandonInbound(): void {
    const lanes = [...(this.inboundLanes ?? [])];
    this.inboundLanes = undefined;
    for (const lane of lanes) lane.abandon();
  }
}

/** Ends at which the client said nothing: it may want to resume. */
const UNCLEAN: ReadonlySet<EndReason> = new Set(['lost', 'inactivity']);

