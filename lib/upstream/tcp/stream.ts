import { connect, isIP, type Socket } from 'node:net';
import { Logger } from '@nestjs/common';
import { Timeout } from '../../clock.js';
import { escapeAttribute, NS, StreamSplitter, XmlError, type SplitterHandler, type SplitterHeader, type Stanza } from '../../xml/index.js';
import { CLOSE_TIMEOUT, MAX_EARLY_BYTES, MAX_WAITING_BYTES } from '../connection.js';
import { describeFailure } from '../failure.js';
import { seeOtherHost, streamError, streamErrorCondition } from '../stream-error.js';
import { hasFeatures, readStreamHeader } from '../stream-header.js';
import type { StreamHeader, UpstreamClient, UpstreamEnd, UpstreamHandler, UpstreamRequest, UpstreamStream } from '../upstream.js';
import type { TcpSettings } from './options.js';
import { cautiousLookup, mayDial } from './addresses.js';
import { Outbox } from './outbox.js';
import { proxyHeader } from './proxy-protocol.js';
import { hangUp } from './hang-up.js';
import { STARTTLS, StartTls } from './starttls.js';
import { DEFAULT_PORT, defaultStartTls, parseHost, showTarget, type StartTlsPolicy, type Target } from './target.js';
import type { TlsClient } from './tls.js';

const enum Phase {
  /** No connection that XML could be sent on: name look-up, TCP, TLS handshake. */
  Dialing,
  /** Our header is sent; the server's header and its first element are awaited. */
  Opening,
  Open,
  /** Our `</stream:stream>` is sent, the server's is awaited. */
  Closing,
  /** The connection is being cut; `onEnd` is still to come. */
  Cutting,
  Ended,
}

const MAX_HOPS = 3;
const KEEP_ALIVE_DELAY = 60_000;
const FOOTER = '</stream:stream>';
/** What a socket has read, until it is handled: for all of them, since one is handled after the other. */
const READ_BUFFER = Buffer.allocUnsafeSlow(65_536);

/** What is of use until the stream is open, and forgotten then. */
interface Dialing {
  readonly client: UpstreamClient;
  targets: Target[];
  /** At hand; none while they are looked up. */
  target: Target | undefined;
  starttls: StartTls | undefined;
  /** Nothing of the stream may be done without TLS. */
  mustSecure: boolean;
  hops: number;
  readonly failures: string[];
  /** The client's. */
  header: StreamHeader;
  /** The server's, until its first element shows that the stream is of use. */
  answer: StreamHeader;
}

const STREAM = Symbol('stream');
/** The listeners are the same for all sockets: closures of its own would cost each stream half a kilobyte. */
type StreamSocket = Socket & {
  /** Whose connection it is; of one that was given up nothing is heard. */
  [STREAM]?: TcpStream | undefined;
};

/** Node calls it as a method of the socket. */
function onRead(this: StreamSocket, length: number): boolean {
  this[STREAM]?.received(copyOf(length));
  return true;
}

function onData(this: StreamSocket, chunk: Buffer): void {
  this[STREAM]?.received(chunk);
}

function onDrain(this: StreamSocket): void {
  this[STREAM]?.drained();
}

function onError(this: StreamSocket, error: unknown): void {
  this[STREAM]?.lost(describeFailure(error));
}

function onEnd(this: StreamSocket): void {
  this[STREAM]?.closedByServer();
}

function onClose(this: StreamSocket): void {
  this[STREAM]?.lost('the connection is closed');
}

/** One stream to an XMPP server over TCP, from the first look for the server on. */
export class TcpStream implements UpstreamStream, SplitterHandler {
  secure = false;

  private phase = Phase.Dialing;
  private socket: StreamSocket | undefined;
  /** The connection, with TLS where it is due, stands: XML was sent on it. */
  private established = false;
  private dialing: Dialing | undefined;
  private paused = false;
  /** `send()` returned false. */
  private blocked = false;
  private closeWhenOpen = false;
  /** What the server did wrong, for which the stream was ended. */
  private violation: Pick<UpstreamEnd, 'violation' | 'tooLarge'> | undefined;
  private waitingFor = '';
  private patience: Timeout | undefined;
  private readonly domain: string;
  private readonly splitter: StreamSplitter;
  private readonly outbox = new Outbox(this);

  constructor(
    { domain, header, client }: UpstreamRequest,
    private readonly handler: UpstreamHandler,
    private readonly settings: TcpSettings,
    private readonly tls: TlsClient,
  ) {
    this.domain = domain;
    this.dialing = { client, targets: [], target: undefined, starttls: undefined, mustSecure: false, hops: 0, failures: [], header, answer: {} };
    this.splitter = new StreamSplitter(this, settings.maxStanzaBytes, settings.scanner);
  }

  /** Tries the targets one after the other until the stream is open. */
  start(targets: Target[] | Promise<Target[]>): void {
    if (Array.isArray(targets)) {
      this.dialing!.targets = targets;
      return this.dialNext();
    }
    this.wait('the SRV records', this.settings.connectTimeout);
    targets.then(
      (found) => {
        if (this.phase !== Phase.Dialing) return;
        this.dialing!.targets = found;
        this.dialNext();
      },
      (error: unknown) => {
        if (this.phase === Phase.Dialing) this.end('failed', describeFailure(error));
      },
    );
  }

  // From the session.

  send(stanza: Stanza): boolean {
    if (this.phase > Phase.Open) return true;
    const { outbox } = this;
    if (this.phase !== Phase.Open && outbox.bytes > MAX_WAITING_BYTES) {
      this.cut('failed', 'too much was sent before the stream was open');
      return true;
    }
    outbox.push(stanza);
    if (outbox.bytes <= (this.phase === Phase.Open ? this.settings.highWaterMark : MAX_EARLY_BYTES)) return true;
    this.blocked = true;
    return false;
  }

  /** Before the stream is open, this only replaces the header that it will be opened with. */
  restart(header: StreamHeader): void {
    if (this.dialing) this.dialing.header = header;
    if (this.phase !== Phase.Open) return;
    this.splitter.reset();
    this.wait('the new stream header', this.settings.openTimeout);
    this.outbox.finish(this.openingTag(header));
  }

  pause(): void {
    this.paused = true;
    if (this.phase === Phase.Open) this.socket!.pause();
  }

  resume(): void {
    this.paused = false;
    if (this.phase === Phase.Open) this.socket!.resume();
  }

  /** What the server still sends until it has closed the stream, too, is passed on. */
  close(): void {
    if (this.phase === Phase.Open) {
      this.phase = Phase.Closing;
      this.socket!.resume();
      this.wait('the server to take what was sent', CLOSE_TIMEOUT);
      // The connection stays open in both directions: a server may drop what it has to say when it sees it half closed.
      this.outbox.finish(FOOTER, () => {
        if (this.phase === Phase.Closing) this.wait('', CLOSE_TIMEOUT);
      });
    } else if (this.phase < Phase.Open) {
      if (this.outbox.empty) this.cut('closed');
      else this.closeWhenOpen = true;
    }
  }

  abort(): void {
    if (this.phase < Phase.Open) return this.cut('aborted');
    if (this.phase > Phase.Closing) return;
    this.phase = Phase.Cutting;
    this.splitter.stop();
    this.outbox.finish();
    this.wait('', CLOSE_TIMEOUT);
    // Reading on, and dropping what comes: closing with unread data would reset the connection, and lose what was sent.
    this.socket!.resume();
    this.socket!.end();
  }

  // From the connection.

  private dialNext(): void {
    const { targets, failures } = this.dialing!;
    const target = targets.shift();
    if (target) return this.dial(target);
    this.end('failed', failures.join('; '));
  }

  private dial(target: Target): void {
    const { host, port } = target;
    const dialing = this.dialing!;
    dialing.target = target;
    this.phase = Phase.Dialing;
    this.secure = false;
    this.established = false;
    const policy: StartTlsPolicy = this.settings.starttls ?? defaultStartTls(host);
    dialing.starttls = new StartTls(policy);
    dialing.mustSecure = target.tls === 'direct' || policy === 'required';
    this.wait('a connection', this.settings.connectTimeout);
    const { privateTargets } = this.settings;
    if (privateTargets && isIP(host) > 0 && !mayDial(host, privateTargets)) return this.giveUp('an address that must not be dialled');
    const socket: StreamSocket = connect({
      ...(privateTargets && { lookup: cautiousLookup(privateTargets) }),
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY,
      // Otherwise each read gets 64 KiB of its own, of which it mostly needs some hundred bytes, and goes through a stream.
      onread: { buffer: READ_BUFFER, callback: onRead },
    });
    socket.once('connect', () => {
      if (this.socket !== socket) return;
      const { proxyProtocol } = this.settings;
      if (proxyProtocol) {
        const server = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? port };
        socket.write(proxyHeader(proxyProtocol, dialing.client, server));
      }
      if (target.tls === 'direct') this.beginTls(socket);
      else this.openStream();
    });
    this.attach(socket);
  }

  private beginTls(clear: StreamSocket): void {
    clear[STREAM] = undefined;
    this.phase = Phase.Dialing;
    this.established = false;
    this.splitter.stop();
    this.wait('the TLS handshake', this.settings.handshakeTimeout);
    const socket = this.tls.start(clear, this.domain, this.dialing!.target!.tls === 'direct');
    socket.on('data', onData);
    socket.once('secureConnect', () => {
      if (this.socket !== socket) return;
      this.secure = true;
      this.openStream();
    });
    this.attach(socket);
  }

  private openStream(): void {
    this.phase = Phase.Opening;
    this.established = true;
    this.splitter.reset();
    this.wait('the stream to open', this.settings.openTimeout);
    // Who the client is, is nobody's business before TLS (RFC 6120, section 4.7.1).
    const { header, mustSecure } = this.dialing!;
    this.socket!.write(this.openingTag(mustSecure && !this.secure ? { lang: header.lang } : header));
  }

  private openingTag({ from, lang }: StreamHeader): string {
    let tag = `<?xml version='1.0'?><stream:stream xmlns='${NS.client}' xmlns:stream='${NS.streams}'`;
    tag += ` to='${escapeAttribute(this.domain)}'`;
    if (from) tag += ` from='${escapeAttribute(from)}'`;
    tag += ` version='1.0'`;
    if (lang) tag += ` xml:lang='${escapeAttribute(lang)}'`;
    return `${tag}>`;
  }

  /** From now on this is the connection; what the one before still says goes unheard. */
  private attach(socket: StreamSocket): void {
    this.socket = socket;
    socket[STREAM] = this;
    socket.on('drain', onDrain).on('error', onError).on('end', onEnd).on('close', onClose);
  }

  /** @internal */
  received(chunk: Buffer): void {
    try {
      this.splitter.push(chunk);
    } catch (error) {
      if (error instanceof XmlError) return this.violated(error.condition, error.message, error.limit === 'maxBytes');
      // A fault of ours must not end the process, and thereby all other streams.
      new Logger('XmppUpstream').error(error);
      this.violated('undefined-condition', 'internal error');
    }
  }

  /** @internal Of the socket, or of what waits for it. */
  drained(): void {
    if (!this.blocked || this.phase !== Phase.Open || this.outbox.bytes > this.settings.highWaterMark) return;
    this.blocked = false;
    this.handler.onDrain();
  }

  /** @internal */
  closedByServer(): void {
    this.lost(`the server closed the connection${this.splitter.incomplete ? ' in the middle of an element' : ''}`);
  }

  /** @internal */
  lost(message: string): void {
    switch (this.phase) {
      case Phase.Dialing:
      case Phase.Opening:
        return this.giveUp(message);
      case Phase.Closing:
        // The stream is over either way, if only what was sent has left.
        return this.end(this.outbox.bytes === 0 ? 'closed' : 'failed', message);
      case Phase.Cutting:
        return this.end('aborted', this.outbox.bytes === 0 ? undefined : message);
      default:
        return this.end('failed', message);
    }
  }

  private timedOut(): void {
    if (this.phase === Phase.Closing || this.phase === Phase.Cutting) return this.lost('the server did not close the connection');
    // We do not read: the server is not to blame.
    if (this.phase === Phase.Open && this.paused) return this.wait(this.waitingFor, this.settings.openTimeout);
    this.lost(`waited too long for ${this.waitingFor}`);
  }

  private wait(what: string, ms: number): void {
    this.waitingFor = what;
    this.patience ??= new Timeout(this.settings.clock, () => this.timedOut());
    this.patience.start(ms);
  }

  /** Nothing is waited for, mostly for long. */
  private rest(): void {
    this.patience?.stop();
    this.patience = undefined;
  }

  // From the splitter.

  onHeader({ name, namespace, attributes }: SplitterHeader): void {
    if (name !== 'stream' || namespace !== NS.streams) return this.violated('invalid-namespace', 'no stream header');
    const header = readStreamHeader(attributes);
    if (this.phase === Phase.Open) {
      this.rest();
      this.handler.onOpen(header);
    } else if (this.phase === Phase.Opening) {
      const dialing = this.dialing!;
      dialing.answer = header;
      if (hasFeatures(header)) return;
      if (dialing.mustSecure && !this.secure) return this.giveUp('the server does not know STARTTLS, which is required');
      this.opened();
    }
  }

  onElement(stanza: Stanza): void {
    if (this.phase < Phase.Open) return this.negotiate(stanza);
    if (stanza.namespace === NS.streams && seeOtherHost(stanza) !== undefined) {
      // To be followed by us alone, and it is too late for that: what the client sent is gone.
      return this.violated(undefined, 'the server redirects a stream that is already open');
    }
    this.handler.onStanza(stanza);
  }

  onClose(): void {
    if (this.phase < Phase.Open) return this.giveUp('the server closed the stream');
    if (this.phase === Phase.Open) this.outbox.finish(FOOTER);
    this.end('closed');
  }

  /** The first elements of a connection, up to the stream that the session gets to see. */
  private negotiate(element: Stanza): void {
    const { starttls, mustSecure } = this.dialing!;
    if (element.is('error', NS.streams)) {
      const other = seeOtherHost(element);
      if (other !== undefined) return this.redirect(other);
      if (mustSecure && !this.secure) return this.giveUp(`stream error ${streamErrorCondition(element)} before TLS`);
      return this.opened(element);
    }
    const step = this.secure ? 'clear' : starttls!.next(element);
    if (step === 'clear') return this.opened(element);
    if (step === 'begin') return this.beginTls(this.socket!);
    if (step !== 'request') return this.giveUp(step.failure);
    this.wait('an answer to STARTTLS', this.settings.openTimeout);
    this.socket!.write(STARTTLS);
  }

  private opened(first?: Stanza): void {
    const socket = this.socket!;
    const { answer } = this.dialing!;
    this.dialing = undefined;
    this.phase = Phase.Open;
    this.rest();
    this.outbox.attach(socket);
    if (this.paused) socket.pause();
    this.handler.onOpen(answer);
    if (first && this.phase < Phase.Cutting) this.handler.onStanza(first);
    if (this.closeWhenOpen) this.close();
  }

  /** `see-other-host` (RFC 6120, section 4.9.3.19): nothing of the session was sent yet, so we follow, if we may. */
  private redirect(where: string): void {
    const other = parseHost(where);
    const dialing = this.dialing!;
    const { tls } = dialing.target!;
    const port = other?.port ?? DEFAULT_PORT[tls];
    const allowed = this.settings.redirects.some((may) => may.host === other?.host && (may.port ?? port) === port);
    if (!other || !allowed) return this.giveUp('the server redirects to a host that is not allowed');
    if (++dialing.hops > MAX_HOPS) return this.giveUp(`the server redirects more than ${MAX_HOPS} times`);
    this.drop();
    this.dial({ host: other.host, port, tls });
  }

  // The end.

  /** This target is of no use: the next one. */
  private giveUp(message: string): void {
    const { failures, target } = this.dialing!;
    failures.push(target ? `${showTarget(target)}: ${message}` : message);
    this.drop();
    this.dialNext();
  }

  /** The server broke a rule: it is told, and the stream is over. */
  private violated(condition: string | undefined, message: string, tooLarge = false): void {
    const { socket } = this;
    const farewell = (condition === undefined ? '' : streamError(condition)) + FOOTER;
    if (this.phase === Phase.Open) this.outbox.finish(farewell);
    else if (this.phase === Phase.Opening) socket!.write(farewell);
    this.violation = { violation: true, ...(tooLarge && { tooLarge }) };
    this.lost(condition === undefined ? message : `${condition}: ${message}`);
  }

  /** Ends a stream of which nothing is to be kept; the session learns of it in the next tick. */
  private cut(reason: UpstreamEnd['reason'], message?: string): void {
    this.phase = Phase.Cutting;
    this.drop();
    process.nextTick(() => this.end(reason, message));
  }

  private drop(): void {
    const { socket } = this;
    this.rest();
    this.splitter.stop();
    this.socket = undefined;
    if (socket) socket[STREAM] = undefined;
    if (!this.established) socket?.destroy();
    else if (socket) hangUp(socket, this.settings.clock);
  }

  private end(reason: UpstreamEnd['reason'], message?: string): void {
    if (this.phase === Phase.Ended) return;
    this.phase = Phase.Ended;
    this.drop();
    this.outbox.detach();
    this.handler.onEnd({ reason, ...(message !== undefined && { message }), ...this.violation });
  }
}

/** What lies in {@link READ_BUFFER}, to be kept. */
function copyOf(length: number): Buffer {
  const chunk = Buffer.allocUnsafe(length);
  READ_BUFFER.copy(chunk, 0, 0, length);
  return chunk;
}
