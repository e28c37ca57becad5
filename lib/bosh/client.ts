import { fullSecond, Timeout, type Clock } from '../clock.js';
import { mayBeAddress, SessionRefused, type Client, type ClientSession, type Place, type SessionEnd, type SharedOpening } from '../session/index.js';
import { sharedResult, type Sharing } from '../shared/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import { NS, type Stanza } from '../xml/index.js';
import type { ResolvedOptions } from '../xmpp.options.js';
import { AnswerOrder } from './answer-order.js';
import { attribute, ERROR_BODY, writeBody, writeTermination, type RequestBody } from './body.js';
import { statusOf, streamConditionOf, terminationOf, type BoshCondition, type Termination } from './conditions.js';
import { creationAttributes, headerOf, type Grant } from './creation.js';
import type { Exchange, ExchangeOwner, Fate, StoredResponse } from './exchange.js';
import { HeldRequests, holdRequest, type HeldRequest } from './held-requests.js';
import { KeySequence } from './key-sequence.js';
import type { Origination } from './origination.js';
import { Overactivity } from './overactivity.js';
import { Outbox } from './outbox.js';
import { MAX_REPEATS, StoredResponses } from './responses.js';
import { RidWindow } from './rid-window.js';
import { Tombstone } from './tombstones.js';

/** What a client needs of the endpoint. */
export interface ClientContext {
  readonly clock: Clock;
  readonly options: ResolvedOptions;
  readonly sharing: Sharing;
  /** Whether a name that a client gave is that of a domain. */
  isDomain(name: string, domain: string): boolean;
  /** Calls {@link BoshClient.flush} when what happens now has happened. */
  schedule(client: BoshClient): void;
  /** The session is over. `awaited`: so is the process, and the client, which is between two requests, is to be told before. */
  remove(client: BoshClient, tombstone?: Tombstone, awaited?: boolean): void;
}

/** Milliseconds that an answer is early, so that it is never late. */
const EARLY = 100;
/** Milliseconds of patience beyond the inactivity that the client knows. */
const PATIENCE = 1000;
/** Longest that the first answer waits for the stream's features; milliseconds. */
const FEATURES_WAIT = 10_000;
const NOTHING: readonly Stanza[] = [];

/**
 * A BOSH session (XEP-0124): turns requests into one ordered stream of stanzas, and stanzas into the
 * answers of requests that are held for them.
 */
export class BoshClient implements Client, ExchangeOwner {
  readonly transport = 'bosh';

  private session!: ClientSession;
  private readonly window: RidWindow<HeldRequest>;
  readonly held = new HeldRequests();
  readonly outbox: Outbox;
  private readonly order: AnswerOrder;
  private readonly keys: KeySequence | undefined;
  private readonly overactivity: Overactivity;
  /** While a request is open, for its `wait`; while none is, for the inactivity. */
  private readonly timeout: Timeout;
  private slowTimeout: Timeout | undefined;
  /** Milliseconds. */
  private readonly wait: number;
  private readonly hold: number;

  private state: 'creating' | 'open' | 'over' = 'creating';
  /** The first answer waits for the features no longer. */
  private ready = false;
  /** What came with the request that made the session: it follows the features. */
  private early = NOTHING;
  private opened = false;
  /** What became of the wish to share the session, for the first answer. */
  private opening: SharedOpening | undefined;
  /** Id of the upstream's stream, until the client was told (XEP-0206, section 4). */
  private authid: string | undefined;
  /** Connections with a request of this session on them. */
  private connections = 0;
  /** Seconds, until the next request. */
  private pausedFor: number | undefined;
  /** Every request up to this `rid` is to be answered now. */
  private answerUpTo: number;
  /** The upstream does not read: requests are not answered only because another came. */
  private congested = false;
  /** The same for a client that asks too often. */
  private slowed = false;
  private scheduled = false;
  private answeredEmpty = false;
  /** The session is over, and its last answers are still to be given. */
  private farewell: (() => void) | undefined;

  constructor(
    readonly sid: string,
    readonly origination: Origination,
    private readonly granted: Grant,
    private readonly place: Place,
    private readonly context: ClientContext,
  ) {
    const { clock, options } = context;
    const { bosh, limits } = options;
    this.window = new RidWindow(granted.rid, granted.requests);
    this.outbox = new Outbox(new StoredResponses(granted.requests, granted.acks, limits.maxBufferedBytes), limits.maxBufferedBytes, this);
    this.order = new AnswerOrder(granted.requests, clock, this);
    this.keys = granted.newKey === undefined ? undefined : new KeySequence(granted.newKey);
    this.overactivity = new Overactivity(granted.requests, bosh.polling * 1000, bosh.overactivity === 'strict');
    this.wait = (granted.wait || bosh.wait) * 1000 - EARLY;
    this.hold = granted.polling ? 0 : granted.hold;
    this.answerUpTo = granted.rid - 1;
    this.timeout = new Timeout(clock, () => (this.connections > 0 ? this.onWait() : this.abandon('inactivity')));
  }

  get address(): string {
    return this.origination.address;
  }
  get port(): number {
    return this.origination.port;
  }
  get secure(): boolean {
    return this.origination.secure;
  }
  hasSid(sid: string): boolean {
    return sid === this.sid;
  }

  /** Milliseconds that the first answer may wait for another client to log in, whose session this one is to share. */
  get patience(): number {
    return this.granted.polling ? FEATURES_WAIT : this.wait;
  }

  /** The session is there; `exchange` made it, and is answered when the stream's features are there. */
  start(session: ClientSession, exchange: Exchange, body: RequestBody, hash: string): void {
    this.session = session;
    if (!body.restart && body.stanzas.length > 0) this.early = body.stanzas;
    this.claim(exchange);
    this.held.push(holdRequest(exchange, body, hash));
    if (exchange.gone) return this.abandon('lost');
    if (session.undecided || (this.context.sharing.enabled && body.shared?.key !== undefined)) {
      this.timeout.start(this.patience); // the answer tells what became of the client, or of its key
    } else if (this.granted.polling) {
      this.ready = true;
      this.schedule();
    } else {
      this.timeout.start(Math.min(this.wait, FEATURES_WAIT - EARLY));
    }
  }

  /**
   * The session is open, and its resource bound, without the client: it comes within `ttl` milliseconds, with the
   * `rid` that follows the granted one.
   * @param undelivered what came for it since
   */
  adopt(session: ClientSession, undelivered: readonly Stanza[], ttl: number): void {
    this.session = session;
    this.state = 'open';
    this.ready = this.opened = true;
    for (const stanza of undelivered) this.outbox.push(stanza);
    this.timeout.start(ttl);
  }

  // From the client.

  /** A request of this session, in whatever order they come. */
  request(exchange: Exchange, body: RequestBody, hash: string): void {
    const { rid } = body;
    this.claim(exchange);
    switch (this.window.place(rid)) {
      case 'beyond':
        return this.violate(exchange, 'item-not-found', 'rid beyond the window');
      case 'past':
        return this.repeat(exchange, rid, hash);
      case 'ahead': {
        const parked = this.window.get(rid);
        if (parked) return this.replace(parked, exchange, hash);
        this.window.park(rid, holdRequest(exchange, body, hash));
        return this.proceed();
      }
    }
  }

  /** A request that named this session and cannot be read. */
  refuse(exchange: Exchange, condition: BoshCondition): void {
    this.claim(exchange);
    this.violate(exchange, condition, 'unreadable request');
  }

  closed(exchange: Exchange, fate: Fate): void {
    this.connections--;
    this.outbox.settle(exchange, fate);
    if (exchange.response) this.order.left(exchange.response.rid);
    if (this.state === 'over') return;
    if (!exchange.answered) {
      const entry = this.held.of(exchange) ?? this.window.waiting().find((parked) => parked.exchange === exchange);
      if (entry) entry.exchange = undefined;
    }
    // Whoever made the session does not know its sid: nobody does.
    const first = this.state === 'creating' || exchange.response?.rid === this.granted.rid;
    if (first && fate === 'lost') return this.abandon('lost');
    if (this.connections === 0) {
      this.timeout.start((this.pausedFor ?? this.granted.inactivity) * 1000 + PATIENCE);
    } else if (!this.outbox.isEmpty) {
      this.schedule();
    }
  }

  release(exchange: Exchange): void {
    const entry = this.held.of(exchange);
    if (!entry) return;
    this.answerUpTo = Math.max(this.answerUpTo, entry.rid);
    this.schedule();
  }

  private claim(exchange: Exchange): void {
    if (exchange.gone) return;
    exchange.owner = this;
    if (this.connections++ === 0) this.timeout.stop();
    this.pausedFor = undefined;
  }

  /** Serves what has come, in order. */
  private proceed(): void {
    for (;;) {
      const { next } = this.window;
      if (!next) break;
      // Its payload would only be heaped up.
      if (this.congested && next.body!.stanzas.length > 0 && !next.body!.terminate) break;
      this.window.advance();
      this.serve(next);
      if (this.isOver()) return;
    }
    this.schedule();
  }

  private serve(entry: HeldRequest): void {
    const { exchange } = entry;
    const body = entry.body!;
    entry.body = undefined;
    const { maxpause } = this.context.options.bosh;
    if (this.keys && !this.keys.accept(body.key, body.newKey)) {
      return this.violate(exchange, 'item-not-found', 'wrong key');
    }
    const pause = maxpause > 0 ? body.pause : undefined;
    if (pause !== undefined && pause > maxpause) return this.violate(exchange, 'policy-violation', 'pause too long');
    const empty = body.stanzas.length === 0 && !body.restart && !body.terminate && pause === undefined;
    this.order.came(entry.rid, exchange?.connection, empty && this.held.length === 0);
    this.held.push(entry);
    if (!this.isModest(empty)) return this.violate(exchange, 'policy-violation', 'requests come too fast');
    if (this.granted.acks) this.acknowledge(entry, body.ack);
    if (body.shared?.newKey !== undefined && !this.rekey(entry, body.shared.newKey)) return;
    if (body.restart) this.restart(body, exchange);
    else this.forward(body.stanzas);
    if (this.isOver()) return;
    if (body.terminate) return this.leave(body.shared?.scope);
    if (pause !== undefined) {
      this.pausedFor = pause;
      entry.silent = true;
      this.answerUpTo = entry.rid;
    }
  }

  /** @returns whether the session goes on */
  private rekey(entry: HeldRequest, key: string): boolean {
    if (!this.session.rekey) return true; // not shared: the attribute means nothing
    try {
      this.session.rekey(key);
    } catch (error) {
      if (!(error instanceof SessionRefused)) throw error;
      this.violate(entry.exchange, 'policy-violation', error.message);
      return false;
    }
    entry.attributes += sharedResult('rekeyed');
    this.answerUpTo = entry.rid;
    return true;
  }

  private isModest(empty: boolean): boolean {
    const now = this.context.clock.now();
    const verdict = this.granted.polling
      ? this.overactivity.polled(empty, this.answeredEmpty, now)
      : this.overactivity.holding(empty, this.held.liveCount, now);
    if (verdict === 'slow' && !this.slowed) {
      this.slowed = true;
      this.slowTimeout ??= new Timeout(this.context.clock, () => {
        this.slowed = false;
        this.schedule();
      });
      this.slowTimeout.start(this.overactivity.delay(now));
    }
    return verdict !== 'violation';
  }

  private acknowledge(entry: HeldRequest, ack: number | undefined): void {
    const { rid } = entry;
    // Without the attribute the client has all answers; the last ones stay, in case that it only says so.
    this.outbox.acknowledge(ack === undefined || ack >= rid ? rid - 1 - this.granted.requests : ack);
    this.order.acknowledged(ack ?? rid - 1);
    if (ack === undefined || ack >= rid - 1) return;
    const time = this.outbox.stored.overdue(ack + 1, this.context.clock.now());
    if (time === undefined) return;
    entry.attributes += attribute('report', ack + 1) + attribute('time', time);
    this.answerUpTo = rid;
  }

  private restart(body: RequestBody, exchange: Exchange | undefined): void {
    const { attributes } = body;
    const to = attributes.get('to');
    if (to !== undefined && to !== this.granted.to && !this.context.isDomain(to, this.session.domain)) {
      return this.violate(exchange, 'improper-addressing', 'restart with another domain');
    }
    if (!mayBeAddress(attributes.get('from'))) return this.violate(exchange, 'bad-request', 'from is no address');
    this.session.restart(headerOf(body));
  }

  private forward(stanzas: readonly Stanza[]): void {
    if (this.early.length > 0) {
      const { early } = this;
      this.early = NOTHING;
      this.forward(early);
    }
    for (const stanza of stanzas) {
      if (this.state === 'over') return;
      if (!this.session.send(stanza)) this.congested = true;
    }
  }

  /** A `rid` that was served before: its answer is given again, or has still to come. */
  private repeat(exchange: Exchange, rid: number, hash: string): void {
    const held = this.held.get(rid);
    if (held) return this.replace(held, exchange, hash);
    const stored = this.outbox.stored.get(rid);
    if (!stored || stored.hash !== hash) return this.violate(exchange, 'item-not-found', 'rid out of the window');
    if (++stored.repeats > MAX_REPEATS) return this.violate(exchange, 'policy-violation', 'request repeated too often');
    this.outbox.stored.reclaim(stored);
    if (!exchange.gone) exchange.deliver(stored, this.granted.contentType);
  }

  /** The same request by another connection: whoever still waits on the old one is told to repeat (XEP-0124, section 14.3). */
  private replace(entry: HeldRequest, exchange: Exchange, hash: string): void {
    if (entry.hash !== hash) return this.violate(exchange, 'item-not-found', 'rid used twice');
    if (++entry.repeats > MAX_REPEATS) return this.violate(exchange, 'policy-violation', 'request repeated too often');
    if (exchange.gone) return;
    const old = entry.exchange;
    entry.exchange = exchange;
    old?.send(ERROR_BODY, this.granted.contentType);
    this.schedule();
  }

  /** Less waits for the client. */
  onDrained(): void {
    this.session.drained();
  }

  /** Answers that had to wait for others may be given. */
  onCertain(): void {
    if (this.farewell) this.farewell();
    else this.schedule();
  }

  // From the session.

  onOpen({ id }: StreamHeader, opening?: SharedOpening): void {
    if (!this.opened) this.authid = id;
    this.opened = true;
    this.opening ??= opening;
  }

  onStanza(stanza: Stanza): boolean {
    if (this.state === 'over') return true;
    const mayGoOn = this.outbox.push(stanza);
    if (!this.ready && stanza.namespace === NS.streams && stanza.name === 'features') {
      this.ready = true;
      this.forward(NOTHING);
    }
    this.schedule();
    return mayGoOn;
  }

  onDrain(): void {
    if (this.state === 'over') return;
    this.congested = false;
    this.proceed();
  }

  onEnd(end: SessionEnd): void {
    if (this.state === 'over') return;
    const { state } = this;
    const open = this.unanswered();
    const termination = terminationOf(end);
    this.finish();
    if (state === 'creating') {
      for (const entry of open) this.tell(entry, termination, NOTHING, end.httpStatus);
      return this.context.remove(this);
    }
    const { outbox } = this;
    const alone = open.length === 1 && termination.detail !== undefined;
    const last = alone ? outbox.takeAll() : NOTHING;
    this.part(open, 0, (entry) => this.tell(entry, termination, last));
    // The stream still goes: senders can be told at once. Where it is gone, what is left may yet be fetched.
    if (end.reason === 'terminated' || end.reason === 'shutdown' || end.reason === 'auth-timeout') {
      this.session.bounceAll(outbox.takeAll());
    }
    this.bury(termination, end.reason === 'shutdown' && open.length === 0 && this.pausedFor === undefined);
  }

  // Answers.

  /** Answers what is to be answered: with what waits, or because it is time. */
  flush(): void {
    this.scheduled = false;
    if (this.state === 'over' || (this.state === 'creating' && !this.ready)) return;
    while (!this.outbox.isEmpty) {
      const next = this.held.oldestLive;
      if (!next || next.silent || !this.order.isCertain) break;
      this.answer(next, this.outbox.take());
    }
    for (let oldest = this.held.oldest; oldest && this.isDue(oldest); oldest = this.held.oldest) {
      this.answer(oldest, NOTHING);
    }
    if (this.held.length + this.window.parkedCount > this.granted.requests) {
      const open = this.unanswered();
      if (open.length > this.granted.requests) {
        return this.violate(open.at(-1)!.exchange, 'policy-violation', 'too many requests at once');
      }
    }
    this.armWait();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.context.schedule(this);
  }

  private isDue(oldest: HeldRequest): boolean {
    if (oldest.rid <= this.answerUpTo) return true;
    if (this.held.length <= this.hold) return false;
    return !oldest.exchange || (!this.congested && !this.slowed);
  }

  /** Answers a held request, and those before it, whose clients are gone, with nothing. */
  private answer(entry: HeldRequest, stanzas: readonly Stanza[]): void {
    for (let first = this.held.shift(); first && first !== entry; first = this.held.shift()) this.give(first, NOTHING);
    this.give(entry, stanzas);
  }

  private give(entry: HeldRequest, stanzas: readonly Stanza[]): void {
    const { rid } = entry;
    let { attributes } = entry;
    if (this.granted.acks && this.window.last !== rid) attributes += attribute('ack', this.window.last);
    if (this.state === 'creating') {
      this.state = 'open';
      this.answerUpTo = rid;
      attributes += creationAttributes(this.granted, this.context.options.bosh, this.sid, this.session.domain);
      if (this.opening) attributes += sharedResult(this.opening);
    }
    if (this.authid !== undefined) {
      attributes += attribute('authid', this.authid);
      this.authid = undefined;
    }
    this.answeredEmpty = stanzas.length === 0;
    // Whoever made the session has no sid for another request before it has this answer.
    if (!this.answeredEmpty && rid !== this.granted.rid) this.order.gave(rid, entry.exchange?.connection);
    this.put(entry, writeBody(attributes, stanzas), stanzas, 200);
  }

  /** Answers with the end of the session. */
  private tell(entry: HeldRequest, termination: Termination, stanzas: readonly Stanza[] = NOTHING, status?: number): void {
    const body = writeTermination(termination, stanzas);
    this.put(entry, body, NOTHING, status ?? statusOf(termination.condition, this.granted.legacy));
  }

  private put({ rid, hash, exchange }: HeldRequest, body: Buffer, stanzas: readonly Stanza[], status: number): void {
    const at = this.context.clock.now();
    const response: StoredResponse = { rid, hash, at, body, status, stanzas, repeats: 0, exchange: undefined, next: undefined };
    this.outbox.stored.add(response);
    exchange?.deliver(response, this.granted.contentType);
  }

  private armWait(): void {
    const exchange = this.held.oldestLive?.exchange;
    if (exchange) this.timeout.start(fullSecond(exchange.at, this.wait) - this.context.clock.now());
    else if (this.connections > 0) this.timeout.stop();
  }

  private onWait(): void {
    const now = this.context.clock.now();
    if (this.state === 'creating') {
      this.ready = true;
      this.answerUpTo = this.granted.rid;
    }
    for (const { rid, exchange } of this.held.live()) {
      if (fullSecond(exchange!.at, this.wait) <= now) this.answerUpTo = Math.max(this.answerUpTo, rid);
    }
    this.flush();
  }

  // The end.

  private isOver(): boolean {
    return this.state === 'over';
  }

  /** All requests that somebody waits for. */
  private unanswered(): HeldRequest[] {
    return [...this.held.live(), ...this.window.waiting().filter(({ exchange }) => exchange)];
  }

  /**
   * The oldest requests get what waits, for clients drop what stands in an answer that ends the session; the others, at
   * least so many, get the end, when it cannot overtake that any more.
   */
  private part(open: HeldRequest[], least: number, tell: (entry: HeldRequest, index: number) => void): void {
    while (!this.outbox.isEmpty && open.length > least) this.give(open.shift()!, this.outbox.take());
    this.farewell = () => open.forEach(tell);
    if (this.order.isCertain) this.farewell();
  }

  /** The client ends the session: its payload was forwarded before (XEP-0124, section 13). */
  private leave(scope?: 'all'): void {
    const open = this.unanswered();
    const { outbox } = this;
    this.finish();
    this.part(open, 1, (entry, index) => (index === 0 ? this.tell(entry, {}) : this.give(entry, NOTHING)));
    this.session.leave({ reason: 'closed' }, outbox.takeAll(), scope);
    this.bury({ condition: 'item-not-found' });
  }

  /** A request broke a rule: it is told so, the others that it takes with it are told that (section 17.2). */
  private violate(exchange: Exchange | undefined, condition: BoshCondition, text: string): void {
    const open = this.unanswered();
    this.finish();
    for (const entry of open) if (entry.exchange !== exchange) this.tell(entry, { condition: 'other-request' });
    const { legacy, contentType } = this.granted;
    exchange?.send(writeTermination({ condition }), contentType, statusOf(condition, legacy));
    const end: SessionEnd = { reason: 'error', condition: streamConditionOf(condition), text: `${condition}: ${text}` };
    this.session.leave(end, this.outbox.takeAll());
    this.bury({ condition });
  }

  /** The client is gone without a word; nobody is left to tell. */
  private abandon(reason: 'lost' | 'inactivity'): void {
    this.finish();
    this.session.leave({ reason }, this.outbox.takeAll());
    this.context.remove(this);
  }

  private finish(): void {
    this.state = 'over';
    this.timeout.stop();
    this.slowTimeout?.stop();
    this.order.stop();
    this.outbox.end();
    this.place.release();
  }

  private bury(termination: Termination, awaited = false): void {
    const { legacy, contentType } = this.granted;
    const body = writeTermination(termination);
    const status = statusOf(termination.condition, legacy);
    const { origination, outbox } = this;
    this.context.remove(this, new Tombstone({ origination, body, status, contentType, outbox }), awaited);
  }
}
