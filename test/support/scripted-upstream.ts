import {
  Stanza,
  type StreamHeader,
  type UpstreamEnd,
  type UpstreamHandler,
  type UpstreamRequest,
  type UpstreamStream,
  type XmppUpstream,
} from 'nestjs-xmpp';
import { Mailbox } from './mailbox.js';

/** A stream whose server is played by the test. */
export class ScriptedStream implements UpstreamStream {
  secure = true;
  /** What the gateway did, in order: stanzas as text, and `restart`, `pause`, `resume`, `close`, `abort`. */
  readonly seen = new Mailbox<string>();
  /** Answer of the next `send()`: false plays a server that does not read. */
  takes = true;
  paused = false;
  ended = false;
  readonly restarts: StreamHeader[] = [];
  /** By hand: how the stream answers `close()`; false: not at all. */
  answersClose = true;

  constructor(
    readonly request: UpstreamRequest,
    readonly handler: UpstreamHandler,
  ) {}

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

  open(id = 'upstream-id', header: StreamHeader = {}): void {
    this.handler.onOpen({ id, from: this.request.domain, version: '1.0', lang: 'en', ...header });
  }
  /** One element, as it would come from the splitter: standing alone. */
  push(xml: string): void {
    this.handler.onStanza(Stanza.parse(xml));
  }
  features(inner = `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>`): void {
    this.push(`<stream:features xmlns:stream='http://etherx.jabber.org/streams'>${inner}</stream:features>`);
  }
  drain(): void {
    this.takes = true;
    this.handler.onDrain();
  }
  finish(end: UpstreamEnd): void {
    if (this.ended) return;
    this.ended = true;
    this.handler.onEnd(end);
  }
  /** SASL, restart and bind, without looking at what the client says. */
  bound(jid: string): void {
    this.push(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`);
    this.push(
      `<iq xmlns='jabber:client' type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>${jid}</jid></bind></iq>`,
    );
  }
}

/** An upstream whose streams are handed to the test as they are opened. */
export class ScriptedUpstream implements XmppUpstream {
  readonly name = 'scripted';
  readonly streams = new Mailbox<ScriptedStream>();
  /** Answers each new stream with a header and features by itself. */
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
