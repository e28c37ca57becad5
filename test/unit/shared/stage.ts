import { Logger } from '@nestjs/common';
import { ManualClock } from '../../../lib/clock.js';
import { Cluster } from '../../../lib/cluster/index.js';
import {
  XmppEvents,
  SessionRegistry,
  StanzaInterceptors,
  type Client,
  type ClientSession,
  type SessionEnd,
  type SharedOpening,
  type XmppEventName,
} from '../../../lib/session/index.js';
import { Sharing, XmppSharedKeyService, type SharedKeyStore, type SharedRequest, type XmppSharedGuard } from '../../../lib/shared/index.js';
import type { StreamHeader, UpstreamEnd, UpstreamHandler, UpstreamRequest, UpstreamStream, XmppUpstream } from '../../../lib/upstream/upstream.js';
import { Upstreams } from '../../../lib/upstream/upstreams.js';
import { Stanza } from '../../../lib/xml/index.js';
import { resolveOptions, type LimitOptions, type SharedOptions } from '../../../lib/xmpp.options.js';
import { ScriptedStream } from '../../support/scripted-upstream.js';

Logger.overrideLogger(false);

export const KEY = '3c1d69981b65bfbd641dcb64c82bb613';
export const JID = 'alice@example.org/r1';
export const SM_FEATURE = "<sm xmlns='urn:xmpp:sm:3'/>";
export const BIND_FEATURES =
  `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>${SM_FEATURE}` +
  `<csi xmlns='urn:xmpp:csi:0'/><ver xmlns='urn:xmpp:features:rosterver'/>`;
export const BIND = `<iq xmlns="jabber:client" type="set" id="bind"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>`;

/** A server's side of a stream, whose deeds are seen at once. */
export class Line extends ScriptedStream {
  private log: string[] = [];

  override send(stanza: Stanza): boolean {
    this.log.push(stanza.toString());
    return this.takes;
  }
  override restart(): void {
    this.log.push('restart');
  }
  override pause(): void {
    this.paused = true;
    this.log.push('pause');
  }
  override resume(): void {
    this.paused = false;
    this.log.push('resume');
  }
  override close(): void {
    this.log.push('close');
  }
  override abort(): void {
    this.log.push('abort');
  }
  /** What the gateway did since the last look. */
  take(): string[] {
    return this.log.splice(0);
  }
  end(end: UpstreamEnd = { reason: 'closed' }): void {
    this.finish(end);
  }
}

class Lines implements XmppUpstream {
  readonly name = 'lines';
  readonly streams: Line[] = [];
  /** The server cannot be dialled. */
  broken = false;

  open(request: UpstreamRequest, handler: UpstreamHandler): UpstreamStream {
    if (this.broken) throw new Error('no server');
    const line = new Line(request, handler);
    this.streams.push(line);
    return line;
  }
}

/** A web client, whose part is played by the test. */
export class Tab implements Client {
  readonly port = 4711;
  transport: 'bosh' | 'websocket' = 'bosh';
  /** What it got: stanzas as text, `open …`, `drain`, `end …`. */
  private log: string[] = [];
  readonly stanzas: Stanza[] = [];
  readonly headers: StreamHeader[] = [];
  /** Whether it reads. */
  reads = true;
  /** What it does when a stanza comes, before anything else happens. */
  reacts: ((stanza: Stanza) => void) | undefined;
  session!: ClientSession;

  constructor(
    readonly address = '192.0.2.1',
    readonly secure = true,
  ) {}

  onOpen(header: StreamHeader, opening?: SharedOpening): void {
    this.headers.push(header);
    this.log.push(`open${opening ? ` ${opening.result}${opening.jid ? ` ${opening.jid}` : ''}` : ''}`);
  }
  onStanza(stanza: Stanza): boolean {
    this.stanzas.push(stanza);
    this.log.push(stanza.toString());
    this.reacts?.(stanza);
    return this.reads;
  }
  onDrain(): void {
    this.log.push('drain');
  }
  onEnd({ reason, condition, uri }: SessionEnd): void {
    this.log.push(['end', reason, condition, uri].filter(Boolean).join(' '));
  }

  /** What it got since the last look. */
  take(): string[] {
    return this.log.splice(0);
  }
  send(xml: string): boolean {
    return this.session.send(Stanza.parse(xml));
  }
}

export interface StageOptions {
  shared?: Partial<SharedOptions>;
  limits?: Partial<LimitOptions>;
  store?: SharedKeyStore;
  guard?: XmppSharedGuard;
  /** Instead of one whose server is played by the test. */
  upstream?: XmppUpstream;
}

export class Stage {
  readonly clock = new ManualClock();
  readonly upstream = new Lines();
  readonly interceptors = new StanzaInterceptors((error) => {
    throw error;
  });
  readonly sessions: SessionRegistry;
  readonly sharing: Sharing;
  readonly keys: XmppSharedKeyService;
  /** Events as `name detail`. */
  private readonly log: string[] = [];

  constructor({ shared, limits, store, guard, upstream }: StageOptions = {}) {
    const options = resolveOptions({
      domains: ['example.org', 'example.net'],
      upstream: upstream ?? this.upstream,
      ...(shared && { shared }),
      ...(limits && { limits }),
    });
    const events = new XmppEvents((_name, error) => {
      throw error;
    });
    const cluster = new Cluster(options, this.clock);
    this.sessions = new SessionRegistry(options, this.clock, events, new Upstreams(options, this.clock), cluster, this.interceptors);
    this.sharing = new Sharing(options, this.clock, events, this.sessions, cluster, store, guard);
    this.keys = new XmppSharedKeyService(this.sharing);
    events.on('shared.attached', ({ client }) => this.log.push(`attached ${client}`));
    events.on('shared.detached', ({ client, end }) => this.log.push(`detached ${client} ${end.reason}`));
    events.on('shared.refused', ({ reason, address }) => this.log.push(`refused ${reason} ${address}`));
    events.on('limit.hit', ({ limit, address }) => this.log.push(`limit ${limit} ${address}`));
    for (const name of ['session.closed'] as XmppEventName[]) events.on(name, () => this.log.push(name));
  }

  get line(): Line {
    return this.upstream.streams.at(-1)!;
  }

  events(): string[] {
    return this.log.splice(0);
  }

  /** Asks for a shared session. */
  open(tab = new Tab(), request: Partial<SharedRequest> = {}, header: StreamHeader = {}, domain = 'example.org'): Tab {
    tab.session = this.sharing.open(domain, header, tab, { key: KEY, attachOnly: false, ...request });
    return tab;
  }

  /** What the client is told when it asks: the condition. */
  refused(tab = new Tab(), request: Partial<SharedRequest> = {}, header: StreamHeader = {}, domain?: string): string {
    try {
      this.open(tab, request, header, domain);
    } catch (error) {
      return (error as { condition: string }).condition;
    }
    return 'not refused';
  }

  /** The server and the creator bind a resource. */
  bind(creator: Tab, jid = JID): void {
    const { line } = this;
    line.open();
    line.features();
    creator.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYQ==</auth>`);
    line.push(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`);
    creator.session.restart({});
    line.open('upstream-id-2');
    line.features(BIND_FEATURES);
    creator.send(BIND);
    line.push(
      `<iq xmlns="jabber:client" type="result" id="bind"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"><jid>${jid}</jid></bind></iq>`,
    );
  }

  /** A session with a resource and so many clients; what happened on the way is forgotten. */
  async tabs(count: number): Promise<Tab[]> {
    const tabs = [this.open()];
    this.bind(tabs[0]!);
    for (let i = 1; i < count; i++) tabs.push(await this.attach());
    for (const tab of tabs) {
      tab.take();
      tab.stanzas.length = 0;
    }
    this.line.take();
    this.events();
    return tabs;
  }

  async attach(tab = new Tab(), request: Partial<SharedRequest> = {}, header: StreamHeader = {}): Promise<Tab> {
    this.open(tab, request, header);
    await settled();
    return tab;
  }
}

/** What was put off to the next microtask has happened. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

export const message = (id: string, attributes = ''): string =>
  `<message xmlns="jabber:client" to="bob@example.org" id="${id}"${attributes}><body>hi</body></message>`;

/** The copy of a stanza that the first client sent, as others get it. */
export const copy = (xml: string, sender: number, jid = JID): string =>
  xml.replace(/(\/?>)/, ` from="${jid}" xmlns:shared="urn:xmpp:tmp:shared-bosh:0" shared:sent="${sender}"$1`);
