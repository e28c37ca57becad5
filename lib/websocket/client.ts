import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { fullSecond, Timeout, type Clock } from '../clock.js';
import type { Peer, Unfinished } from '../http/index.js';
import {
  languageOf,
  mayBeAddress,
  SessionRefused,
  unguessable,
  type Client,
  type ClientSession,
  type EndReason,
  type ConnectContext,
  type SessionEnd,
  type SharedOpening,
  type StreamCondition,
  type SessionRegistry,
} from '../session/index.js';
import { sharedAttributesOf, sharedResult, type SharedAttributes, type Sharing } from '../shared/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import { NS, Stanza, XmlError, type Scanner } from '../xml/index.js';
import type { ResolvedOptions } from '../xmpp.options.js';
import { listen, type ClientSocket } from './client-socket.js';
import { EarlyMessages } from './early-messages.js';
import { closeFrame, errorFrame, openFrame } from './framing.js';
import type { TextReceiver } from './frame-reader.js';
import { FrameWriter } from './frame-writer.js';

/** What all WebSocket clients share. */
export interface WebSocketContext {
  readonly options: ResolvedOptions;
  readonly clock: Clock;
  readonly sessions: SessionRegistry;
  readonly sharing: Sharing;
  readonly scanner: Scanner;
  readonly unfinished: Unfinished;
  readonly onGone: (client: WebSocketClient) => void;
  /** A fault of ours. */
  readonly onError: (error: unknown) => void;
}

const enum State {
  /** Before the client's `<open/>`. */
  Opening,
  Open,
  /** We sent `<close/>` and wait for the client's. */
  Closing,
  /** Both sent `<close/>`; the client closes the WebSocket, or we do it soon. */
  Closed,
  /** The WebSocket is closing or gone. */
  Gone,
}

/** Some clients give up when `<open/>` has no answer after two seconds. */
const OPEN_PATIENCE = 900;
/** Milliseconds for the client's `<close/>` after ours: after an error, and in order. */
const CLOSE_PATIENCE_ERROR = 1000;
const CLOSE_PATIENCE = 5000;

/** `1007` Invalid frame payload data. */
const NOT_UTF8 = 1007;
/** `1008` Policy Violation, for a message in too many pieces, and `1009` Message Too Big. */
const TOO_MANY_PIECES = 1008;
const TOO_LARGE = 1009;

/** Bytes that may wait for a client that pings. */
const MAX_UNREAD_PONGS = 16_384;

/** What the codes mean with which ws refuses a message. */
const REFUSALS = new Map<number | undefined, SessionEnd>([
  [NOT_UTF8, { reason: 'error', condition: 'bad-format', text: 'invalid UTF-8' }],
  [TOO_MANY_PIECES, { reason: 'error', condition: 'policy-violation', text: 'frame in too many pieces' }],
  [TOO_LARGE, { reason: 'error', condition: 'policy-violation', text: 'frame too large' }],
]);

/** Ends that are ours alone: the server can still be told something. */
const STREAM_GOES: ReadonlySet<EndReason> = new Set(['shutdown', 'terminated', 'auth-timeout']);

/** `1012` Service Restart. */
const SERVICE_RESTART = 1012;

/** One WebSocket that speaks the `xmpp` subprotocol (RFC 7395). */
export class WebSocketClient implements Client, TextReceiver {
  readonly transport = 'websocket';
  readonly address: string;
  readonly port: number;
  readonly secure: boolean;

  private state = State.Opening;
  private session: ClientSession | undefined;
  private domain: string | undefined;
  /** The domain as the client named it: a guard may have chosen another for it. */
  private asked: string | undefined;
  readonly writer: FrameWriter;
  /** Until a resource is bound. */
  private early: EarlyMessages | undefined;
  /** Open timeout, then pings, then the patience for the client's `<close/>`. */
  private readonly timer: Timeout;
  /** While a stream is being opened. */
  private openTimer: Timeout | undefined;
  /** The client's `<open/>` has no answer yet. */
  private awaitsOpen = false;
  /** An `<open/>` was sent, so that an error can follow. */
  private opened = false;
  private clientFrom: string | undefined;
  /** Something came since the last look. */
  private heard = true;
  private silentLooks = 0;
  private paused = false;
  /** A pong waits for those before it to be read; the next one waits here. */
  private ponging = false;
  private nextPong: Buffer | undefined;
  /** The key of the shared session was replaced: to be told with the next `<open/>`. */
  private rekeyed = false;

  constructor(
    private readonly socket: ClientSocket,
    /** The handshake; not kept longer than until the stream is open. */
    private request: IncomingMessage | undefined,
    peer: Peer,
    private readonly context: WebSocketContext,
  ) {
    const raw = request!.socket;
    this.address = peer.address;
    this.port = peer.port;
    this.secure = peer.secure;
    this.writer = new FrameWriter(raw, context.options.limits.maxBufferedBytes, () => this.session?.drained());
    this.timer = new Timeout(context.clock, () => this.onTimer());
    this.timer.start(context.options.websocket.openTimeout * 1000);
    listen(socket, this);
  }

  // The session's side.

  onOpen(header: StreamHeader, opening?: SharedOpening): void {
    if (this.state === State.Open) this.answerOpen(header, opening);
  }

  onStanza(stanza: Stanza): boolean {
    if (this.awaitsOpen) this.answerOpen({});
    if (this.early && this.session?.jid !== undefined) {
      this.early.stop();
      this.early = undefined;
    }
    return this.writer.write(stanza);
  }

  onDrain(): void {
    if (this.paused) {
      this.paused = false;
      this.socket.resume();
    }
  }

  onEnd(end: SessionEnd): void {
    if (end.resumable) return this.cut();
    // It does not read, and will hardly begin to: while the stream still goes, the senders can be told.
    if (this.writer.isFull && STREAM_GOES.has(end.reason)) this.session?.bounceAll(this.writer.unsent);
    this.bye(end);
  }

  // The gateway's side.

  /** This process goes down; a client without a session is told here, the others by their sessions. */
  shutdown(): void {
    if (this.state === State.Opening) this.bye({ reason: 'shutdown', condition: 'system-shutdown' });
    else if (this.state === State.Closing || this.state === State.Closed) this.closeSocket();
  }

  /** Ends the connection without any handshake. */
  terminate(): void {
    this.socket.terminate();
  }

  /**
   * Our close frame is about to be sent: nothing can follow it. After a faulty message, 1007 (not
   * UTF-8) or 1009 (too large), the client is told in XMPP's own words first (RFC 7395, section 3.5).
   */
  onClosing(code?: number): void {
    if (this.state < State.Closing) {
      const end = REFUSALS.get(code) ?? { reason: 'lost' };
      if (code === TOO_LARGE || code === TOO_MANY_PIECES) this.noteLimit('websocket.maxFrameBytes');
      this.session?.leave(end);
      if (end.condition) this.sayEnd(end);
    }
    this.state = State.Gone;
    this.writer.end();
  }

  // From the client.

  get isReceiving(): boolean {
    return this.state < State.Closed;
  }

  onBinary(): void {
    this.heard = true;
    this.early?.done();
    if (!this.isReceiving) return;
    this.leave({ reason: 'error', condition: 'bad-format', text: 'binary message' });
    this.closeSocket(1003);
  }

  onText(data: Buffer, start: number, end: number): void {
    this.heard = true;
    this.early?.done();
    if (!this.isReceiving || isBlank(data, start, end)) return;
    try {
      const stanza = this.read(data, start, end);
      if (stanza) this.onElement(stanza);
    } catch (error) {
      this.context.onError(error);
      this.fail('internal-server-error');
    }
  }

  private read(data: Buffer, start: number, end: number): Stanza | undefined {
    try {
      const stanza = Stanza.parse(data, this.context.scanner, start, end);
      return stanza.namespace === '' ? stanza.with({ xmlns: NS.client }) : stanza;
    } catch (error) {
      if (!(error instanceof XmlError)) throw error;
      if (error.limit !== undefined) this.noteLimit(`limits.${error.limit}`);
      this.refuse(error, data.subarray(start, end));
      return undefined;
    }
  }

  /** What the scanner takes is UTF-8; what it does not may not even be that (RFC 6455, section 8.1). */
  private refuse(error: XmlError, data: Buffer): void {
    if (isUtf8(data)) return this.fail(error.condition, error.message);
    this.onClosing(NOT_UTF8);
    this.socket.close(NOT_UTF8);
  }

  private onElement(stanza: Stanza): void {
    if (stanza.namespace === NS.framing) return this.onFraming(stanza);
    if (this.state === State.Closing) return; // said too late
    if (this.state === State.Opening) return this.fail('invalid-namespace');
    if (stanza.namespace === NS.streams && stanza.name !== 'error') return this.fail('unsupported-stanza-type');
    if (!this.session!.send(stanza) && this.state === State.Open) {
      this.paused = true;
      this.socket.pause();
    }
  }

  /** To be called when whoever reads the socket listens to it. */
  countUnfinished(raw: Socket): void {
    this.early = new EarlyMessages(raw, this.context.unfinished, () => {
      this.noteLimit('limits.maxUnfinishedBytes');
      this.terminate();
    });
  }

  /** Answered in order; of those that come while many answers wait to be read only the last (RFC 6455, section 5.5.3). */
  onPing(data: Buffer): void {
    this.heard = true;
    if (this.ponging) this.nextPong = data;
    else this.pong(data);
  }

  onPong(): void {
    this.heard = true;
  }

  private pong(data: Buffer): void {
    if (this.state === State.Gone) return;
    this.writer.flush();
    this.ponging = this.writer.bytes > MAX_UNREAD_PONGS;
    this.socket.pong(data, false, this.ponging ? () => this.onPonged() : undefined);
  }

  private onPonged(): void {
    const next = this.nextPong;
    this.ponging = false;
    this.nextPong = undefined;
    if (next) this.pong(next);
  }

  private onFraming(stanza: Stanza): void {
    switch (stanza.name) {
      case 'open':
        if (this.state === State.Closing) return;
        return this.onOpenFrame(stanza);
      case 'close':
        return this.onCloseFrame(stanza);
      default:
        return this.fail('unsupported-stanza-type');
    }
  }

  private onOpenFrame(stanza: Stanza): void {
    const { sessions } = this.context;
    const to = stanza.attribute('to');
    this.clientFrom = stanza.attribute('from');
    const header: StreamHeader = { from: this.clientFrom, lang: languageOf(stanza.attribute('xml:lang')), version: '1.0' };
    if (this.awaitsOpen) return this.fail('policy-violation', 'a stream is being opened');
    if (!mayBeAddress(this.clientFrom)) {
      this.clientFrom = undefined;
      return this.fail('invalid-from');
    }
    try {
      if (this.session && to !== undefined && to !== this.asked && sessions.domainOf(to) !== this.domain) {
        return this.fail('improper-addressing', 'another domain than at first');
      }
      if (!/^[1-9]\d*\.\d+$/.test(stanza.attribute('version') ?? '')) return this.fail('unsupported-version');
      this.awaitsOpen = true;
      const shared = this.sharedAttributes(stanza);
      if (this.session) {
        this.expectOpen();
        if (shared?.newKey !== undefined && this.session.rekey) {
          this.session.rekey(shared.newKey);
          this.rekeyed = true;
        }
        return this.session.restart(header);
      }
      this.asked = to;
      this.state = State.Open;
      this.timer.stop();
      this.startPings();
      this.session = this.enter(this.request!, header, shared);
      this.request = undefined;
    } catch (error) {
      if (!(error instanceof SessionRefused)) throw error;
      // Instead of the first `<open/>`: some clients obey it only there.
      if (error.uri) return this.bye({ reason: 'moved', uri: error.uri });
      return this.fail(error.condition, error.message);
    }
  }

  private enter(http: IncomingMessage, header: StreamHeader, shared: SharedAttributes | undefined): ClientSession {
    const { sessions, sharing } = this.context;
    const { transport, address, secure, asked: to } = this;
    const wish = shared?.attachOnly ? 'attach' : shared?.key !== undefined && 'create';
    const context: ConnectContext = { transport, request: http, address, secure, to, from: header.from, shared: wish };
    return sessions.entrance.enter(context, this, (admittance) => {
      const domain = (this.domain = sessions.domainOf(admittance.domain ?? to));
      if (shared?.key !== undefined) {
        // The answer says what became of the key: it may have to wait until another client has logged in.
        const { key, attachOnly } = shared;
        return sharing.attach(domain, header, this, { key, attachOnly, http, admittance });
      }
      if (shared?.attachOnly) throw new SessionRefused('item-not-found', 'no key to attach with', 400);
      this.expectOpen();
      return sessions.open(domain, header, this, http, admittance);
    });
  }

  private sharedAttributes(stanza: Stanza): SharedAttributes | undefined {
    return this.context.sharing.enabled ? sharedAttributesOf(stanza) : undefined;
  }

  private onCloseFrame(stanza: Stanza): void {
    if (this.state === State.Closing) return this.closeSocket();
    this.session?.leave({ reason: 'closed' }, [], this.sharedAttributes(stanza)?.scope);
    this.writer.write(closeFrame(undefined));
    this.awaitClose(State.Closed, CLOSE_PATIENCE);
  }

  onSocketClose(): void {
    this.state = State.Gone;
    this.early?.done();
    this.timer.stop();
    this.openTimer?.stop();
    this.session?.leave({ reason: 'lost' }, this.writer.unsent);
    this.context.onGone(this);
  }

  // Opening and ending.

  private expectOpen(): void {
    this.openTimer ??= new Timeout(this.context.clock, () => this.answerOpen({}));
    this.openTimer.start(OPEN_PATIENCE);
  }

  private answerOpen(header: StreamHeader, opening?: SharedOpening): void {
    if (!this.awaitsOpen || this.state !== State.Open) return;
    this.awaitsOpen = false;
    this.openTimer?.stop();
    this.openTimer = undefined;
    const result = opening ?? (this.rekeyed ? 'rekeyed' : undefined);
    this.rekeyed = false;
    this.sayOpen(header, result && sharedResult(result));
  }

  /** @param more attributes as they stand in the tag, with a space before each */
  private sayOpen({ id, lang }: StreamHeader, more?: string): void {
    this.opened = true;
    const from = this.domain ?? this.context.options.domains[0]!;
    this.writer.write(openFrame({ from, to: this.clientFrom, id: id ?? unguessable(), lang: lang ?? 'en' }, more));
  }

  /** The client broke a rule: it is told, and its session ends. */
  private fail(condition: StreamCondition, text?: string): void {
    const end: SessionEnd = text === undefined ? { reason: 'error', condition } : { reason: 'error', condition, text };
    this.leave(end);
    this.bye(end);
  }

  private noteLimit(limit: string): void {
    this.context.sessions.events.emit('limit.hit', { limit, address: this.address });
  }

  private leave(end: SessionEnd): void {
    this.session?.leave(end);
  }

  /** Says why, then `<close/>`; the WebSocket is closed when the client has answered, or soon. */
  private bye(end: SessionEnd): void {
    if (this.state >= State.Closing) return;
    this.sayEnd(end);
    this.awaitClose(State.Closing, end.condition || end.error ? CLOSE_PATIENCE_ERROR : CLOSE_PATIENCE);
  }

  private sayEnd(end: SessionEnd): void {
    const error = errorFrame(end);
    // An error while the stream is being opened stands behind an `<open/>` (RFC 7395, section 3.5).
    if (error && (this.awaitsOpen || !this.opened)) this.sayOpen({});
    if (error) this.writer.write(error);
    this.writer.write(closeFrame(end.uri));
  }

  private awaitClose(state: State, patience: number): void {
    this.state = state;
    this.awaitsOpen = false;
    this.openTimer?.stop();
    this.timer.start(patience);
    if (this.paused) {
      this.paused = false;
      this.socket.resume(); // to see its `<close/>`
    }
  }

  /** The stream can be resumed elsewhere: no `<close/>`, which would end it. */
  private cut(): void {
    this.closeSocket(SERVICE_RESTART);
  }

  private closeSocket(code = 1000): void {
    this.state = State.Gone;
    this.openTimer?.stop();
    this.timer.start(CLOSE_PATIENCE_ERROR); // then the socket is destroyed
    this.socket.close(code);
  }

  // Time.

  /** Looks twice an interval, so that an idle connection is pinged before an interval is over. */
  private startPings(): void {
    const { pingInterval } = this.context.options.websocket;
    const now = this.context.clock.now();
    if (pingInterval > 0) this.timer.start(fullSecond(now, pingInterval * 500) - now);
  }

  private onTimer(): void {
    switch (this.state) {
      case State.Opening:
        this.noteLimit('websocket.openTimeout');
        return this.fail('connection-timeout');
      case State.Open:
        return this.ping();
      case State.Closing:
      case State.Closed:
        return this.closeSocket();
      case State.Gone:
        return this.socket.terminate();
    }
  }

  /** Browsers answer pings but cannot send them. Dead is who sent nothing, no PONG either, after two of them. */
  private ping(): void {
    // Of one that we do not read now, nothing could be heard.
    this.silentLooks = this.heard || this.paused ? 0 : this.silentLooks + 1;
    this.heard = false;
    if (this.silentLooks === 5) return this.socket.terminate();
    if (this.silentLooks % 2 === 1) {
      this.writer.ping();
    }
    this.startPings();
  }
}

function isBlank(data: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = data[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return false;
  }
  return true;
}
