import { Stanza } from '../../lib/xml/index.js';
import { BoshLink, openLink, type BoshSession, type Gate, type Link, type LinkHandler } from './link.js';
import type { Ledger, Life, Reader } from './ledger.js';
import { mark, type StreamRecord } from './tape.js';
import type { LossyConnection } from '../support/lossy-proxy.js';

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';
const BIND = 'urn:ietf:params:xml:ns:xmpp-bind';
const SM = 'urn:xmpp:sm:3';
/** Milliseconds in which whatever was asked for is answered, also through a proxy that stalls. */
const PATIENCE = 40_000;
/** Milliseconds after which a server has heard of an end that the gateway has confirmed. */
const HEARD_AFTER = 2000;
/** Milliseconds after which a server has noticed that somebody is gone. */
const NOTICED_AFTER = 20_000;

export interface ClientOptions {
  readonly gate: Gate;
  readonly ledger: Ledger;
  /** Where what it sees of its streams is written down besides. */
  readonly streams?: StreamRecord[];
  readonly user: string;
  readonly password: string;
  readonly transport: Link['transport'];
  /** Stream management, with a stream that can be resumed. */
  readonly managed: boolean;
  /** Of a shared session. */
  readonly key?: string;
  /** A session that the web app opened. */
  readonly prebound?: BoshSession & { readonly jid: string };
  /** Another one on the stream of this one. */
  readonly joins?: SoakClient;
}

/** An XMPP client that numbers what it sends and writes down what it gets. */
export class SoakClient implements LinkHandler {
  /** Ids of the messages that came, in order. */
  readonly got: string[] = [];
  /** Why its stream is over; undefined while it lives. */
  gone: string | undefined;
  /** Something was done to it that it may not survive. */
  doomed = false;
  life!: Life;
  onGoneForGood: (() => void) | undefined;
  private link!: Link;
  private record!: StreamRecord;
  private readonly inbox: Stanza[] = [];
  private wake: (() => void) | undefined;
  private ready = false;
  private ids = 0;
  private readonly onLoss = new Set<() => void>();
  private readonly pongs = new Map<string, { resolve: () => void; count: number }>();
  private full: string;

  // Stream management.
  private smId: string | undefined;
  private handled = 0;
  private counting = false;
  /** Sent and not acknowledged; `count`: the messages of this life up to it. */
  private unacknowledged: { xml: string; count: number }[] = [];
  private acknowledged = 0;

  private readonly reader: Reader;

  constructor(
    readonly options: ClientOptions,
    /** The same for all lives of a user who is alone on his stream. */
    reader?: Reader,
  ) {
    const { user, key, joins, gate, prebound } = options;
    this.full = prebound?.jid ?? `${user}@${gate.domain}/r`;
    this.reader = reader ?? { user, ...(key !== undefined && { stream: joins ?? this }) };
  }

  get alive(): boolean {
    return this.ready && this.gone === undefined;
  }

  get resumable(): boolean {
    return this.smId !== undefined;
  }

  /** Logs in, or attaches, and is available. */
  async login(): Promise<void> {
    const { gate, ledger, user, transport, key, prebound, managed } = this.options;
    this.life = this.options.joins ? ledger.beginSender(user) : ledger.begin(user, this.full);
    this.beginStream();
    if (prebound) {
      this.link = BoshLink.attach(gate, this, prebound);
    } else {
      this.link = await openLink(transport, gate, this, key);
      this.record.id = this.options.joins ? this.options.joins.record.id : this.link.id;
      await this.take((element) => element.name === 'features');
    }
    if (!prebound && this.link.shared !== 'attached') {
      await this.authenticate();
      this.send(`<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='${BIND}'><resource>r</resource></bind></iq>`);
      const bound = await this.take((element) => element.kind === 'iq' && element.attribute('id') === 'bind');
      this.full = bound.child('bind', BIND)?.child('jid')?.text() ?? '';
      if (this.full === '') throw new Error(`${user} was not bound: ${bound}`);
      ledger.replace(this.life);
    }
    if (managed) {
      this.send(`<enable xmlns='${SM}' resume='true' max='25'/>`);
      const enabled = await this.take((element) => element.is('enabled', SM));
      this.smId = enabled.attribute('id');
    }
    this.becomeReady();
    ledger.note(user, `life ${this.life.number} over ${transport}${managed ? ', managed' : ''}${prebound ? ', prebound' : ''}${key === undefined ? '' : `, ${this.link.shared}`}`);
    if (this.link.shared !== 'attached') this.stanza(`<presence xmlns='jabber:client'/>`);
  }

  /** Goes on with its stream, over another connection. */
  async resume(transport: Link['transport']): Promise<boolean> {
    this.gone = undefined;
    this.counting = false;
    this.beginStream();
    this.link = await openLink(transport, this.options.gate, this);
    this.record.id = this.link.id;
    await this.take((element) => element.name === 'features');
    await this.authenticate();
    this.send(`<resume xmlns='${SM}' previd='${this.smId}' h='${this.handled}'/>`);
    const answer = await this.take((element) => element.namespace === SM);
    if (answer.name !== 'resumed') return false;
    this.options.ledger.note(this.options.user, `resumed over ${transport} with h ${this.handled}: h ${answer.attribute('h')}, ${this.unacknowledged.length} to be sent again`);
    this.onAcknowledgement(answer);
    for (const { xml } of this.unacknowledged) this.send(xml);
    this.becomeReady();
    this.doomed = false;
    return true;
  }

  /** A numbered message. */
  message(to: string, padding: number): void {
    const id = this.options.ledger.send(this.life, to);
    const body = padding === 0 ? id : `${id} ${'x'.repeat(padding)}`;
    this.stanza(`<message xmlns='jabber:client' type='chat' id='${id}' to='${to}@${this.options.gate.domain}/r'><body>${body}</body></message>`);
  }

  /**
   * Everything that was sent before is with the server when it answers, and everything that it sent before is here.
   * @returns false when the stream was lost before
   */
  async fence(): Promise<boolean> {
    const id = `p${this.life.number}-${++this.ids}`;
    const answered = new Promise<boolean>((resolve) => {
      this.pongs.set(id, { resolve: () => resolve(true), count: this.life.entries.length });
      this.onLoss.add(() => resolve(false));
    });
    this.stanza(`<iq xmlns='jabber:client' type='get' id='${id}' to='${this.options.gate.domain}'><ping xmlns='urn:xmpp:ping'/></iq>`);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      for (const tell of this.onLoss) tell();
    }, PATIENCE);
    const done = await answered;
    clearTimeout(timer);
    if (late && !done && this.gone === undefined) {
      this.options.ledger.fault(`${this.options.user} was not answered over ${this.link.transport}`);
      this.drop();
    }
    return done;
  }

  /**
   * Leaves in order: what is on its way arrives before.
   * @returns false when the stream was lost before
   */
  async leave(): Promise<boolean> {
    if (this.gone !== undefined) return false;
    if (!this.counting) this.life.leavingAt = Date.now();
    if (!this.options.joins) this.stanza(`<presence xmlns='jabber:client' type='unavailable'/>`);
    if (!(await this.fence()) || this.gone !== undefined) return false;
    this.ready = false;
    this.gone = 'left';
    if (this.counting) this.send(`<a xmlns='${SM}' h='${this.handled}'/>`);
    await this.link.close();
    this.options.ledger.note(this.options.user, `life ${this.life.number} left`);
    // Its server hears of it a little later.
    this.life.goneAt = Date.now() + HEARD_AFTER;
    return true;
  }

  /** Is gone without a word, and does not come back to its stream. */
  drop(): void {
    this.options.ledger.note(this.options.user, `life ${this.life?.number} dropped`);
    this.link?.drop();
    this.die();
  }

  /** Loses its connections only. */
  lose(): void {
    this.link.drop();
    this.onGone('dropped');
  }

  sleep(ms: number): void {
    this.link.sleep(ms);
  }

  /** Over BOSH, or with stream management, none of it harms. */
  connections(): LossyConnection[] {
    return this.link.connections();
  }

  get transport(): Link['transport'] {
    return this.link.transport;
  }

  die(): void {
    this.ready = false;
    this.gone ??= 'left';
    if (this.life && this.life.diedAt === undefined) this.options.ledger.died(this.life, NOTICED_AFTER);
    this.onGoneForGood?.();
  }

  // From the link.

  onElement(element: Stanza): void {
    if (this.life) this.life.aliveAt = Date.now();
    // Copies of what others on the stream sent did not come from the server.
    const marked = element.attribute('from') === this.full && element.kind === 'message' ? undefined : mark(element.name, (name) => element.attribute(name));
    if (marked !== undefined) this.record.came.push(marked);
    // It was told how much arrived before: what comes now comes again.
    if (this.gone === 'left' && this.counting) return;
    // What follows in the same breath counts.
    if (element.is('enabled', SM) || element.is('resumed', SM)) this.counting = true;
    else if (element.namespace === SM && this.counting) return this.onManagement(element);
    if (this.counting && element.kind !== undefined) this.handled++;
    if (!this.ready && element.kind !== 'message') {
      if (this.gone === 'left') return;
      this.inbox.push(element);
      this.wake?.();
      return;
    }
    this.stanzaCame(element);
  }

  note(text: string): void {
    this.options.ledger.note(this.options.user, `${this.life.number}: ${text}`);
  }

  onGone(reason: string): void {
    if (this.gone === 'left') return;
    this.options.ledger.note(this.options.user, `life ${this.life?.number}: gone: ${reason}`);
    this.gone = reason;
    this.ready = false;
    for (const tell of this.onLoss) tell();
    this.onLoss.clear();
    this.wake?.();
    if (!this.resumable) this.die();
  }

  private becomeReady(): void {
    this.ready = true;
    for (const element of this.inbox.splice(0)) this.stanzaCame(element);
  }

  private stanzaCame(element: Stanza): void {
    const id = element.attribute('id') ?? '';
    const type = element.attribute('type');
    const { ledger, user, joins } = this.options;
    if (element.kind === 'message' && element.attribute('from') !== this.full) {
      if (type === 'error') {
        if (!joins) ledger.bounced(user, id);
        return;
      }
      const body = element.child('body')?.text() ?? '';
      if (body.split(' ', 1)[0] !== id) return ledger.fault(`${user} got ${id} with the text of another: ${body.slice(0, 40)}`);
      this.got.push(id);
      this.note(id);
      // Prosody stamps what it sends again at a resumption too, with the address of the user.
      const stored = element.children().some((child) => child.is('delay', 'urn:xmpp:delay') && child.attribute('from') === this.options.gate.domain);
      ledger.received(this.reader, this.life, id, stored);
    } else if (element.kind === 'iq' && (type === 'result' || type === 'error')) {
      const pong = this.pongs.get(id);
      if (!pong) return;
      this.pongs.delete(id);
      this.life.confirm(pong.count);
      pong.resolve();
    } else if (element.kind === 'iq') {
      const from = element.attribute('from');
      this.stanza(
        `<iq xmlns='jabber:client' type='error' id='${id}'${from === undefined ? '' : ` to='${from}'`}><error type='cancel'>` +
          `<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
      );
    }
  }

  private onManagement(element: Stanza): void {
    if (element.name === 'r') this.send(`<a xmlns='${SM}' h='${this.handled}'/>`);
    else if (element.name === 'a') this.onAcknowledgement(element);
  }

  private onAcknowledgement(element: Stanza): void {
    const h = Number(element.attribute('h'));
    const taken = this.unacknowledged.splice(0, h - this.acknowledged);
    this.acknowledged = h;
    const last = taken.at(-1);
    if (last) this.life.confirm(last.count);
  }

  private stanza(xml: string): void {
    if (this.smId !== undefined) {
      this.unacknowledged.push({ xml, count: this.life.entries.length });
      if (this.unacknowledged.length % 20 === 0) this.send(`<r xmlns='${SM}'/>`);
    }
    if (this.gone === undefined) this.send(xml);
  }

  private beginStream(): void {
    const { user, key, joins, streams } = this.options;
    this.record = { user, life: this.life.number, id: undefined, shared: key !== undefined, attached: joins !== undefined, sent: [], came: [] };
    streams?.push(this.record);
  }

  private send(xml: string): void {
    const marked = mark(/^<([a-z]+)/.exec(xml)![1]!, (name) => new RegExp(` ${name}='([^']*)`).exec(xml)?.[1]);
    if (marked !== undefined) this.record.sent.push(marked);
    this.link.send(xml);
  }

  private async authenticate(): Promise<void> {
    const { user, password } = this.options;
    const data = Buffer.from(`\0${user}\0${password}`).toString('base64');
    this.send(`<auth xmlns='${SASL}' mechanism='PLAIN'>${data}</auth>`);
    const answer = await this.take((element) => element.namespace === SASL);
    if (answer.name !== 'success') throw new Error(`${user} was refused: ${answer}`);
    this.link.restart();
    await this.take((element) => element.name === 'features');
  }

  private async take(fits: (element: Stanza) => boolean): Promise<Stanza> {
    const until = Date.now() + PATIENCE;
    const timer = setTimeout(() => this.wake?.(), PATIENCE + 1);
    try {
      for (;;) {
        const index = this.inbox.findIndex(fits);
        if (index >= 0) return this.inbox.splice(index, 1)[0]!;
        if (this.gone !== undefined) throw new Error(`the stream of ${this.options.user} is over: ${this.gone}`);
        if (Date.now() > until) throw new Error(`${this.options.user} waits in vain, over ${this.link.transport}; came: ${this.inbox.map(String).join(' ')}`);
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
