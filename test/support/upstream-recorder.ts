import type {
  StreamHeader,
  UpstreamEnd,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamStream,
  XmppUpstream,
} from '../../lib/upstream/upstream.js';
import type { Stanza } from '../../lib/xml/index.js';
import { Mailbox } from './mailbox.js';

/** A session's side of an upstream stream: notes what flows back, for a test to look at and to wait for. */
export class UpstreamRecorder implements UpstreamHandler {
  readonly stream: UpstreamStream;
  /** Everything, in order: `open`, the name of an element, `drain`, `end`. */
  readonly log: string[] = [];
  onHeader: (() => void) | undefined;
  onElement: ((stanza: Stanza) => void) | undefined;
  private readonly opens = new Mailbox<StreamHeader>();
  private readonly stanzas = new Mailbox<Stanza>();
  private readonly drains = new Mailbox<true>();
  private readonly ends = new Mailbox<UpstreamEnd>();
  private returned = false;

  constructor(upstream: XmppUpstream, request: Partial<UpstreamRequest> = {}) {
    const whole: UpstreamRequest = {
      domain: 'example.org',
      header: {},
      client: { address: '192.0.2.7', port: 4711, secure: true },
      ...request,
    };
    this.stream = upstream.open(whole, this);
    this.returned = true;
  }

  /** The next header of the server. */
  opened(): Promise<StreamHeader> {
    return this.opens.take();
  }

  /** The next element. */
  element(): Promise<Stanza> {
    return this.stanzas.take();
  }

  drained(): Promise<true> {
    return this.drains.take();
  }

  ended(): Promise<UpstreamEnd> {
    return this.ends.take();
  }

  onOpen(header: StreamHeader): void {
    this.note('open');
    this.opens.put(header);
    this.onHeader?.();
  }

  onStanza(stanza: Stanza): void {
    this.note(stanza.name);
    this.stanzas.put(stanza);
    this.onElement?.(stanza);
  }

  onDrain(): void {
    this.note('drain');
    this.drains.put(true);
  }

  onEnd(end: UpstreamEnd): void {
    this.note('end');
    this.ends.put(end);
  }

  private note(what: string): void {
    if (!this.returned) throw new Error(`${what} before open() had returned`);
    if (this.log.at(-1) === 'end') throw new Error(`${what} after the end`);
    this.log.push(what);
  }
}
