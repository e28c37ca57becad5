import type {
  StreamHeader,
  UpstreamEnd,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamStream,
  XmppUpstream,
} from '../upstream/upstream.js';
import { Stanza } from '../xml/index.js';
import { Mailbox } from './mailbox.js';

/** One stream to the XMPP server, whose part is played by the test. */
export class ScriptedStream implements UpstreamStream {
  /** Whether the server's side counts as protected by TLS. */
  secure = true;
  /** What the gateway did, in order: stanzas as text, and `restart`, `pause`, `resume`, `close`, `abort`. */
  readonly seen = new Mailbox<string>();
  /** Answer of the next {@link send}: false plays a server that does not read, until {@link drain}. */
  takes = true;
  /** The gateway asked the server to wait. */
  paused = false;
  /** By the gateway, or by {@link finish}. */
  ended = false;
  /** The header that came with each restart. */
  readonly restarts: StreamHeader[] = [];
  /** Whether {@link close} is answered; false plays a server that hangs. */
  answersClose = true;

  constructor(
    /** The domain, the header and the address of the client. */
    readonly request: UpstreamRequest,
    /** The gateway's side, for what the methods of this class cannot say. */
    readonly handler: UpstreamHandler,
  ) {}

  // The gateway's side.

  send(stanza: Stanza): boolean {
    this.seen.put(stanza.toString());
    return this.takes;
  }

  restart(header: StreamHeader): void {
    this.restarts.push(header);
    this.seen.put('restart');
  }

  pause(): void {
    this.paused = true;
    this.seen.put('pause');
  }

  resume(): void {
    this.paused = false;
    this.seen.put('resume');
  }

  close(): void {
    this.seen.put('close');
    if (this.answersClose) queueMicrotask(() => this.finish({ reason: 'closed' }));
  }

  abort(): void {
    this.seen.put('abort');
    queueMicrotask(() => this.finish({ reason: 'aborted' }));
  }

  // The server's side.

  /** The server's stream header. */
  open(id = 'upstream-id', header: StreamHeader = {}): void {
    this.handler.onOpen({ id, from: this.request.domain, version: '1.0', lang: 'en', ...header });
  }

  /**
   * One element from the server; it declares the namespaces that it uses.
   *
   * @throws XmlError for what is not XML
   */
  push(xml: string): void {
    this.handler.onStanza(Stanza.parse(xml));
  }

  /** `<stream:features/>`; SASL `PLAIN` unless told otherwise. */
  features(inner = `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>`): void {
    this.push(`<stream:features xmlns:stream='http://etherx.jabber.org/streams'>${inner}</stream:features>`);
  }

  /** The server reads again. */
  drain(): void {
    this.takes = true;
    this.handler.onDrain();
  }

  /** The stream is over; once. */
  finish(end: UpstreamEnd): void {
    if (this.ended) return;
    this.ended = true;
    this.handler.onEnd(end);
  }

  /** Success of SASL and the result of binding, whatever the client said: two elements for the client. */
  bound(jid: string): void {
    this.push(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`);
    this.push(
      `<iq xmlns='jabber:client' type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>${jid}</jid></bind></iq>`,
    );
  }
}

/** An XMPP server in memory that says what the test makes it say: its streams are handed out as they are opened. */
export class ScriptedUpstream implements XmppUpstream {
  readonly name = 'scripted';
  /** As they were opened; {@link Mailbox.take} waits for the next. */
  readonly streams = new Mailbox<ScriptedStream>();

  /** @param eager answers each new stream with a header and features by itself */
  constructor(private readonly eager = true) {}

  open(request: UpstreamRequest, handler: UpstreamHandler): UpstreamStream {
    const stream = new ScriptedStream(request, handler);
    if (this.eager) {
      queueMicrotask(() => {
        if (stream.ended) return;
        stream.open();
        stream.features();
      });
    }
    this.streams.put(stream);
    return stream;
  }
}
