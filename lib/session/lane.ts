import { Timeout, type Clock } from '../clock.js';
import { errorAnswer, StanzaError } from '../stanza-error.js';
import type { Stanza } from '../xml/index.js';
import type { Carriers } from './carriers.js';
import type { StanzaRefusal } from './events.js';
import { isPromise, type Outcome, type StanzaContext, type StanzaInterceptors } from './interceptors.js';

/** Where what is on a lane goes. */
export interface LaneEnds {
  /** In order, whatever it is. */
  forward(stanza: Stanza): void;
  /** Back, to the sender of a stanza that is refused. */
  answer(error: Stanza): void;
  /** The lane is no longer full. */
  onDrain(): void;
}

/** What all lanes of a session have in common. */
export interface LaneContext {
  readonly clock: Clock;
  readonly interceptors: StanzaInterceptors;
  readonly carriers: Carriers;
  /** Milliseconds that an interceptor may take. */
  readonly timeout: number;
  /** Bytes that may wait before the lane is full. */
  readonly maxBytes: number;
  /** Whether stream management counts what is on it. */
  readonly managed: () => boolean;
  readonly onRefused: (stanza: Stanza, reason: StanzaRefusal) => void;
}

/**
 * One direction of a session whose stanzas the app's interceptors see. While one is being thought about, what follows
 * waits; nothing overtakes anything.
 */
export class Lane {
  private queue: Stanza[] = [];
  private queuedBytes = 0;
  /** What the interceptors have now. */
  private current: Stanza | undefined;
  /** Tells an answer that comes too late from the one that is awaited. */
  private turn = 0;
  private proceeding = false;
  /** The client asked for stream management: from then on the server counts what comes. */
  private counted = false;
  private wasFull = false;
  private readonly timeout: Timeout;
  private idle: (() => void)[] = [];

  constructor(
    private readonly stanzas: StanzaContext,
    private readonly ends: LaneEnds,
    private readonly context: LaneContext,
  ) {
    this.timeout = new Timeout(context.clock, () => this.onTimeout());
  }

  /** More waits than should. */
  get full(): boolean {
    return this.wasFull;
  }

  /** Something waits, or is being thought about. */
  get busy(): boolean {
    return this.current !== undefined || this.proceeding;
  }

  /** Takes an element in any case. */
  take(stanza: Stanza): void {
    if (!this.busy) return this.begin(stanza);
    this.queue.push(stanza);
    this.queuedBytes += stanza.byteLength;
    this.wasFull ||= this.queuedBytes > this.context.maxBytes;
  }

  /** Calls back when nothing waits any more; at once if that is so now. */
  whenIdle(callback: () => void): void {
    if (this.busy) this.idle.push(callback);
    else callback();
  }

  /** Stops it. @returns what has not gone on, in order */
  abandon(): Stanza[] {
    const left = this.current ? [this.current, ...this.queue] : [];
    this.current = undefined;
    this.queue = [];
    this.queuedBytes = 0;
    this.timeout.stop();
    this.tellIdle();
    return left;
  }

  private begin(stanza: Stanza): void {
    const { direction } = this.stanzas;
    const { interceptors, carriers } = this.context;
    if (stanza.kind === undefined) {
      if (direction === 'in' && stanza.name === 'enable' && stanza.namespace.startsWith('urn:xmpp:sm:')) this.counted = true;
      return this.ends.forward(stanza);
    }
    const carried = carriers.replace(direction, stanza);
    if (carried) return this.ends.forward(carried);
    if (!interceptors.sees(direction, stanza.kind)) return this.ends.forward(stanza);
    this.current = stanza;
    const turn = ++this.turn;
    let outcome: Outcome | Promise<Outcome>;
    try {
      outcome = interceptors.run(stanza, this.stanzas);
    } catch (error) {
      return this.finish(turn, this.faultOf(error));
    }
    if (!isPromise(outcome)) return this.finish(turn, outcome);
    this.timeout.start(this.context.timeout);
    const { onError } = interceptors;
    outcome.then((settled) => this.finish(turn, settled), (error: unknown) => this.finish(turn, this.faultOf(error))).catch(onError);
  }

  /** @returns the error that the sender is told */
  private faultOf(error: unknown): StanzaError {
    if (error instanceof StanzaError) return error;
    this.context.interceptors.onError(error);
    return FAILED;
  }

  private onTimeout(): void {
    this.context.interceptors.onError(new Error(`an interceptor took more than ${this.context.timeout / 1000} s`));
    this.finish(this.turn, FAILED);
  }

  private finish(turn: number, outcome: Outcome): void {
    const { current } = this;
    if (current === undefined || this.turn !== turn) return; // it took too long, or nobody waits for it any more
    this.timeout.stop();
    try {
      this.settle(current, outcome);
    } finally {
      this.current = undefined;
      if (!this.proceeding) this.proceed();
    }
  }

  private proceed(): void {
    this.proceeding = true;
    try {
      while (this.current === undefined) {
        const next = this.queue.shift();
        if (!next) break;
        this.queuedBytes -= next.byteLength;
        this.begin(next);
      }
    } finally {
      this.proceeding = false;
    }
    if (this.wasFull && this.queuedBytes <= this.context.maxBytes / 2) {
      this.wasFull = false;
      this.ends.onDrain();
    }
    if (!this.busy) this.tellIdle();
  }

  private settle(stanza: Stanza, outcome: Outcome): void {
    if (outcome instanceof StanzaError) return this.refuse(stanza, outcome);
    if (!Array.isArray(outcome)) return this.ends.forward(outcome as Stanza);
    const [first, ...more] = outcome as readonly Stanza[];
    if (!first) return this.drop(stanza);
    this.ends.forward(first);
    for (const stanzaToAdd of more) {
      if (this.managed) this.refuseToAdd(stanzaToAdd);
      else this.ends.forward(stanzaToAdd);
    }
  }

  private refuseToAdd(stanza: Stanza): void {
    const { interceptors, onRefused } = this.context;
    interceptors.onError(new Error('an interceptor would add a stanza where stream management counts them (XEP-0198): it is not sent'));
    onRefused(stanza, 'managed');
  }

  private refuse(stanza: Stanza, error: StanzaError): void {
    this.context.onRefused(stanza, error === FAILED ? 'failed' : 'refused');
    const answer = this.answerTo(stanza, error);
    if (!answer) return this.leaveOut();
    if (this.managed) this.ends.forward(this.context.carriers.carry(this.stanzas.direction, answer));
    else this.ends.answer(answer);
  }

  private drop(stanza: Stanza): void {
    this.context.onRefused(stanza, 'dropped');
    const type = stanza.attribute('type');
    // A request has to be answered (RFC 6120, section 8.2.3).
    if (stanza.kind !== 'iq' || type === 'result' || type === 'error') return this.leaveOut();
    const answer = this.answerTo(stanza, UNAVAILABLE)!;
    if (this.managed) this.ends.forward(this.context.carriers.carry(this.stanzas.direction, answer));
    else this.ends.answer(answer);
  }

  private leaveOut(): void {
    if (this.managed) this.ends.forward(this.context.carriers.nothing(this.stanzas.direction));
  }

  private answerTo(stanza: Stanza, error: StanzaError): Stanza | undefined {
    const answer = errorAnswer(stanza, error);
    // A client need not say who it is, and the server does: `from` is for it to write.
    return answer?.with(this.stanzas.direction === 'in' ? { to: this.stanzas.session.jid } : { from: undefined });
  }

  private get managed(): boolean {
    return this.counted || this.context.managed();
  }

  private tellIdle(): void {
    const { idle } = this;
    if (idle.length === 0) return;
    this.idle = [];
    for (const callback of idle) callback();
  }
}

const FAILED = new StanzaError('internal-server-error');
const UNAVAILABLE = new StanzaError('service-unavailable');
