import { Logger } from '@nestjs/common';
import { ManualClock } from '../../../lib/clock.js';
import type { Client, SessionEnd, Transport } from '../../../lib/session/index.js';
import { Cluster } from '../../../lib/cluster/index.js';
import { StanzaInterceptors, XmppEvents, SessionRegistry, type Session, type XmppEventMap, type XmppEventName } from '../../../lib/session/index.js';
import type {
  StreamHeader,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamStream,
  XmppUpstream,
} from '../../../lib/upstream/upstream.js';
import { Upstreams } from '../../../lib/upstream/upstreams.js';
import { Stanza } from '../../../lib/xml/index.js';
import { resolveOptions, type XmppModuleOptions } from '../../../lib/xmpp.options.js';

// What sessions log is looked at in the one test that asks for it.
Logger.overrideLogger(false);

/** An upstream stream that writes down what it is told. */
export class ScriptedStream implements UpstreamStream {
  readonly secure = true;
  readonly calls: string[] = [];
  /** What {@link send} answers. */
  ready = true;

  constructor(
    readonly request: UpstreamRequest,
    readonly handler: UpstreamHandler,
  ) {}

  send(stanza: Stanza): boolean {
    this.calls.push(stanza.toString());
    return this.ready;
  }
  restart(header: StreamHeader): void {
    this.calls.push(`restart ${JSON.stringify(header)}`);
  }
  pause(): void {
    this.calls.push('pause');
  }
  resume(): void {
    this.calls.push('resume');
  }
  close(): void {
    this.calls.push('close');
  }
  abort(): void {
    this.calls.push('abort');
  }

  /** The server says this. */
  says(...xml: string[]): void {
    for (const text of xml) this.handler.onStanza(Stanza.parse(text));
  }
  take(): string[] {
    return this.calls.splice(0);
  }
}

/** A web client that writes down what it is told. */
export class ScriptedClient implements Client {
  readonly told: string[] = [];
  readonly ends: SessionEnd[] = [];
  /** What {@link onStanza} answers. */
  ready = true;
  readonly port = 4711;
  readonly secure = true;

  constructor(
    readonly transport: Transport = 'websocket',
    readonly address = '192.0.2.1',
  ) {}

  onOpen(header: StreamHeader): void {
    this.told.push(`open ${JSON.stringify(header)}`);
  }
  onStanza(stanza: Stanza): boolean {
    this.told.push(stanza.toString());
    return this.ready;
  }
  onDrain(): void {
    this.told.push('drain');
  }
  onEnd(end: SessionEnd): void {
    this.told.push('end');
    this.ends.push(end);
  }
  take(): string[] {
    return this.told.splice(0);
  }
}

/** A session service on a scripted upstream and a clock that stands still. */
export class Stage {
  readonly clock = new ManualClock();
  readonly streams: ScriptedStream[] = [];
  readonly events: [XmppEventName, XmppEventMap[XmppEventName]][] = [];
  readonly errors: unknown[] = [];
  readonly interceptors = new StanzaInterceptors((error) => this.errors.push(error));
  readonly service: SessionRegistry;
  /** Thrown when the next stream is opened. */
  refuse: Error | undefined;

  constructor(options: Partial<XmppModuleOptions> = {}) {
    const upstream: XmppUpstream = {
      name: 'scripted',
      open: (request, handler) => {
        if (this.refuse) throw this.refuse;
        const stream = new ScriptedStream(request, handler);
        this.streams.push(stream);
        return stream;
      },
    };
    const events = new XmppEvents((_, error) => this.errors.push(error));
    for (const name of EVENTS) events.on(name, (event) => this.events.push([name, event]));
    const resolved = resolveOptions({ domains: ['example.org', 'example.net'], upstream, ...options });
    this.service = new SessionRegistry(resolved, this.clock, events, new Upstreams(resolved, this.clock), new Cluster(resolved, this.clock), this.interceptors);
  }

  open(client = new ScriptedClient(), header: StreamHeader = {}): { client: ScriptedClient; session: Session; stream: ScriptedStream } {
    const session = this.service.open('example.org', header, client);
    return { client, session, stream: this.streams.at(-1)! };
  }

  /** A session whose client logged in and bound a resource. */
  bound(jid = 'romeo@example.org/orchard', client = new ScriptedClient()): ReturnType<Stage['open']> {
    const opened = this.open(client);
    opened.stream.handler.onOpen({ id: 's1' });
    opened.stream.says(SUCCESS, bindResult(jid));
    opened.client.take();
    return opened;
  }

  /** The names of the events so far. */
  names(): string[] {
    return this.events.splice(0).map(([name]) => name);
  }
}

const EVENTS = [
  'session.opened',
  'session.authenticated',
  'session.bound',
  'session.resumed',
  'session.closed',
  'stanza.refused',
  'limit.hit',
  'upstream.failed',
] as const;

export const SUCCESS = `<success xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>`;
export const ENABLED = `<enabled xmlns="urn:xmpp:sm:3" id="sm1" resume="true"/>`;

export function bindResult(jid: string, attributes = ''): string {
  return `<iq xmlns="jabber:client" type="result" id="b1"${attributes}><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"><jid>${jid}</jid></bind></iq>`;
}
