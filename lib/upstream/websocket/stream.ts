import type { Socket } from 'node:net';
import { Logger } from '@nestjs/common';
import type { ClientOptions, WebSocket } from 'ws';
import { Timeout } from '../../clock.js';
import { defer, type Deferred } from '../../turn.js';
import { loadWebSocket } from '../../ws.js';
import { escapeAttribute, NS, Stanza, XmlError } from '../../xml/index.js';
import { CLOSE_TIMEOUT, MAX_EARLY_BYTES, MAX_WAITING_BYTES } from '../connection.js';
import { describeFailure } from '../failure.js';
import { seeOtherHost, streamError } from '../stream-error.js';
import { readStreamHeader } from '../stream-header.js';
import type { StreamHeader, UpstreamEnd, UpstreamHandler, UpstreamRequest, UpstreamStream } from '../upstream.js';
import { connectBehindHeader } from './connect.js';
import type { WebSocketSettings } from './upstream.js';

const enum Phase {
  /** TCP, TLS and the handshake of the WebSocket. */
  Connecting,
  /** Our `<open/>` is sent, the server's is awaited. */
  Opening,
  Open,
  /** Our `<close/>` is sent, the server's is awaited. */
  Closing,
  /** The connection is being cut; `onEnd` is still to come. */
  Cutting,
  Ended,
}

const CLOSE = `<close xmlns="${NS.framing}" />`;
const TEXT = { binary: false };
const NORMAL = 1000;
const UNSUPPORTED_DATA = 1003;

let webSocketClass: typeof WebSocket | undefined;

/** One stream to an RFC 7395 server. */
export class WebSocketStream implements UpstreamStream, Deferred {
  readonly secure: boolean;

  private phase = Phase.Connecting;
  private readonly ws: WebSocket;
  /** Under the WebSocket; there once the handshake is done. */
  private socket: Socket | undefined;
  /** The handshake is done: frames can be sent. */
  private established = false;
  private header: StreamHeader;
  private waiting: Stanza[] = [];
  private waitingBytes = 0;
  /** Frames of this tick are held back, to make one write. */
  private corked = false;
  private paused = false;
  /** `send()` returned false. */
  private blocked = false;
  private closeWhenOpen = false;
  /** What the server did wrong, for which the stream was ended. */
  private violation: Pick<UpstreamEnd, 'violation' | 'tooLarge'> | undefined;
  /** How a stream ends that was given up before it was open. */
  private fate: UpstreamEnd | undefined;
  private waitingFor = '';
  private readonly patience: Timeout;

  constructor(
    private readonly request: UpstreamRequest,
    private readonly handler: UpstreamHandler,
    private readonly settings: WebSocketSettings,
  ) {
    const { url, proxyProtocol, secureContext } = settings;
    this.secure = url.protocol === 'wss:';
    this.header = request.header;
    this.patience = new Timeout(settings.clock, () => this.timedOut());
    // Node passes all of it on to its TLS client and its HTTP client, more than the type knows.
    const options = {
      perMessageDeflate: false,
      followRedirects: false,
      maxPayload: settings.maxStanzaBytes,
      rejectUnauthorized: settings.verify,
      ...(secureContext && { secureContext }),
      ...(proxyProtocol && { createConnection: connectBehindHeader(proxyProtocol, request.client, this.secure) }),
    } as ClientOptions;
    webSocketClass ??= loadWebSocket();
    const ws = new webSocketClass(url, ['xmpp'], options);
    this.ws = ws;
    this.wait('a connection', settings.connectTimeout + settings.handshakeTimeout);
    ws.once('upgrade', ({ socket }) => {
      this.socket = socket;
      socket.on('drain', () => this.drained());
    });
    ws.once('open', () => this.connected());
    ws.on('message', (data, isBinary) => this.received(data as Buffer, isBinary));
    ws.on('error', (error) => {
      if ((error as NodeJS.ErrnoException).code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.violation = { violation: true, tooLarge: true };
      this.lost(describeFailure(error));
    });
    ws.on('close', (code) => this.lost(`the server closed the WebSocket (${code})`));
  }

  // From the session.

  send(stanza: Stanza): boolean {
    if (this.phase > Phase.Open) return true;
    if (this.phase === Phase.Open) {
      this.write(stanza.bytes);
    } else {
      if (this.waitingBytes > MAX_WAITING_BYTES) {
        this.cut('failed', 'too much was sent before the stream was open');
        return true;
      }
      this.waiting.push(stanza);
      this.waitingBytes += stanza.byteLength;
    }
    const most = this.phase === Phase.Open ? this.settings.highWaterMark : MAX_EARLY_BYTES;
    if (this.waitingBytes + this.ws.bufferedAmount <= most) return true;
    this.blocked = true;
    return false;
  }

  /** Before the stream is open, this only replaces the header that it will be opened with. */
  restart(header: StreamHeader): void {
    this.header = header;
    if (this.phase !== Phase.Open) return;
    this.wait('the new stream header', this.settings.openTimeout);
    this.write(this.openingFrame());
  }

  pause(): void {
    this.paused = true;
    if (this.phase === Phase.Open) this.ws.pause();
  }

  resume(): void {
    this.paused = false;
    if (this.phase === Phase.Open) this.ws.resume();
  }

  /** What the server still sends until it has closed the stream, too, is passed on. */
  close(): void {
    if (this.phase === Phase.Open) {
      this.phase = Phase.Closing;
      this.ws.resume();
      this.wait('', CLOSE_TIMEOUT);
      this.write(CLOSE);
    } else if (this.phase < Phase.Open) {
      if (this.waiting.length === 0) this.cut('closed');
      else this.closeWhenOpen = true;
    }
  }

  /** Without `<close/>`, and without a close frame. */
  abort(): void {
    if (this.phase < Phase.Open) return this.cut('aborted');
    if (this.phase > Phase.Closing) return;
    this.phase = Phase.Cutting;
    this.wait('', CLOSE_TIMEOUT);
    this.ws.resume();
    this.socket!.end(); // with all that waits, corked or not
  }

  // From the connection.

  private connected(): void {
    if (this.phase !== Phase.Connecting) return;
    this.phase = Phase.Opening;
    this.established = true;
    this.wait('the stream to open', this.settings.openTimeout);
    this.write(this.openingFrame());
  }

  private openingFrame(): string {
    const { from, lang } = this.header;
    let tag = `<open xmlns='${NS.framing}' to='${escapeAttribute(this.request.domain)}'`;
    if (from) tag += ` from='${escapeAttribute(from)}'`;
    tag += ` version='1.0'`;
    if (lang) tag += ` xml:lang='${escapeAttribute(lang)}'`;
    return `${tag}/>`;
  }

  private received(data: Buffer, isBinary: boolean): void {
    if (this.phase >= Phase.Cutting) return;
    if (isBinary) {
      this.ws.close(UNSUPPORTED_DATA);
      return this.lost('the server sent a binary message');
    }
    try {
      const stanza = Stanza.parse(data, this.settings.scanner);
      if (stanza.namespace === NS.framing) this.framing(stanza);
      else if (this.phase < Phase.Open) this.violated('invalid-namespace', 'the first element is not <open/>');
      else if (seeOtherHostAnnounced(stanza)) this.violated(undefined, 'the server redirects the stream to another host');
      else this.handler.onStanza(stanza);
    } catch (error) {
      if (error instanceof XmlError) return this.violated(error.condition, error.message);
      // A fault of ours must not end the process, and thereby all other streams.
      new Logger('XmppUpstream').error(error);
      this.violated('undefined-condition', 'internal error');
    }
  }

  private framing(element: Stanza): void {
    if (element.name === 'close') return this.closedByServer(element);
    if (element.name !== 'open') return this.violated('unsupported-stanza-type', 'neither <open/> nor <close/>');
    const header = readStreamHeader(element.attributes);
    this.patience.stop();
    if (this.phase === Phase.Opening) this.opened(header);
    else if (this.phase === Phase.Open) this.handler.onOpen(header);
  }

  private opened(header: StreamHeader): void {
    this.phase = Phase.Open;
    if (this.paused) this.ws.pause();
    const { waiting } = this;
    this.waiting = [];
    this.waitingBytes = 0;
    for (const stanza of waiting) this.write(stanza.bytes);
    this.handler.onOpen(header);
    if (this.closeWhenOpen) this.close();
  }

  private closedByServer(element: Stanza): void {
    const elsewhere = element.attribute('see-other-uri') !== undefined;
    if (this.phase === Phase.Closing) {
      this.ws.close(NORMAL);
      return this.end('closed');
    }
    this.write(CLOSE);
    if (this.phase === Phase.Open) return this.end('closed', elsewhere ? 'the server refers to another address' : undefined);
    this.lost(elsewhere ? 'the server refers to another address' : 'the server closed the stream');
  }

  private drained(): void {
    if (!this.blocked || this.phase !== Phase.Open || this.ws.bufferedAmount > this.settings.highWaterMark) return;
    this.blocked = false;
    this.handler.onDrain();
  }

  private lost(message: string): void {
    const flushed = this.ws.bufferedAmount === 0;
    if (this.fate) this.end(this.fate.reason, this.fate.message);
    else if (this.phase === Phase.Cutting) this.end('aborted', flushed ? undefined : message);
    else if (this.phase === Phase.Closing && flushed) this.end('closed', message);
    else this.end('failed', message);
  }

  private timedOut(): void {
    if (this.phase === Phase.Closing || this.phase === Phase.Cutting) return this.lost('the server did not close the connection');
    // We do not read: the server is not to blame.
    if (this.phase === Phase.Open && this.paused) return this.wait(this.waitingFor, this.settings.openTimeout);
    this.lost(`waited too long for ${this.waitingFor}`);
  }

  private wait(what: string, ms: number): void {
    this.waitingFor = what;
    this.patience.start(ms);
  }

  private write(frame: Buffer | string): void {
    if (!this.corked) {
      this.corked = true;
      this.socket!.cork();
      defer(this);
    }
    this.ws.send(frame, TEXT);
  }

  /** @internal */
  endOfTurn(): void {
    if (!this.corked) return;
    this.corked = false;
    this.socket!.uncork();
  }

  // The end.

  /** The server broke a rule: it is told, and the stream is over. */
  private violated(condition: string | undefined, message: string): void {
    if (condition !== undefined) this.write(streamError(condition));
    this.write(CLOSE);
    this.ws.close(NORMAL);
    this.violation = { violation: true };
    this.lost(condition === undefined ? message : `${condition}: ${message}`);
  }

  /** Ends a stream of which nothing is to be kept; the session learns of it in the next tick. */
  private cut(reason: UpstreamEnd['reason'], message?: string): void {
    this.phase = Phase.Cutting;
    this.fate = message === undefined ? { reason } : { reason, message };
    this.patience.stop();
    // Tells of an error and of its close in the next tick.
    this.ws.terminate();
  }

  private end(reason: UpstreamEnd['reason'], message?: string): void {
    if (this.phase === Phase.Ended) return;
    this.phase = Phase.Ended;
    this.waiting = [];
    this.waitingBytes = 0;
    this.hangUp();
    this.handler.onEnd({ reason, ...(message !== undefined && { message }), ...this.violation });
  }

  /** The server closes the WebSocket when it closed the stream; we do it if it does not (RFC 7395, section 3.6). */
  private hangUp(): void {
    const { ws } = this;
    this.patience.stop();
    if (ws.readyState === ws.CLOSED) return;
    if (!this.established) return ws.terminate();
    let asked = false;
    const patience = new Timeout(this.settings.clock, () => {
      if (asked) return ws.terminate();
      asked = true;
      ws.close(NORMAL);
      patience.start(CLOSE_TIMEOUT);
    });
    patience.start(CLOSE_TIMEOUT);
    ws.once('close', () => patience.stop());
    ws.resume();
  }
}

/** To be followed by nobody: the client must not hear of the server's own hosts. */
function seeOtherHostAnnounced(stanza: Stanza): boolean {
  return stanza.namespace === NS.streams && seeOtherHost(stanza) !== undefined;
}
