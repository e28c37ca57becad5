import { Timeout, type Clock } from '../clock.js';

/** Milliseconds that an answer is thought to be on its way, once the network has it. */
const IN_FLIGHT = 20;
/** The same where the network does not take it. */
const STUCK = 2000;

/**
 * Keeps answers from changing places on their way. Answers are given in the order of their requests, but those of two
 * requests travel on two connections, and there are clients that take what they carry as it comes. So stanzas leave
 * with the next answer only when the client has the one before, as far as its requests tell, or a moment later.
 * Nobody waits where one answer follows one request.
 */
export class AnswerOrder {
  /** Of the last answer with stanzas, until the client has it for certain. */
  private rid: number | undefined;
  /** Until when it is thought to be on its way, on the clock's scale. */
  private until = 0;
  private connection: object | string | undefined;
  private timeout: Timeout | undefined;

  constructor(
    /** Requests that the client may have open. */
    private readonly requests: number,
    private readonly clock: Clock,
    /** Told when stanzas may leave that had to wait. */
    private readonly owner: { onCertain(): void },
  ) {}

  /** An answer with stanzas is given, on a connection that carries one answer after the other. */
  gave(rid: number, connection: object | string | undefined): void {
    this.rid = rid;
    this.until = this.clock.now() + STUCK;
    this.connection = connection;
  }

  /** The network has taken an answer, or its connection is gone. */
  left(rid: number): void {
    if (rid !== this.rid) return;
    this.until = this.clock.now() + IN_FLIGHT;
    if (this.timeout?.running) this.timeout.start(IN_FLIGHT);
  }

  /**
   * A new request came.
   * @param idle nothing is in it, and no other is open: the client has every answer
   */
  came(rid: number, connection: object | string | undefined, idle: boolean): void {
    if (this.rid === undefined) return;
    const proven = idle || rid - this.rid >= this.requests || (connection !== undefined && connection === this.connection);
    if (proven) this.settle();
  }

  /** The client says that it has all answers up to `rid`. */
  acknowledged(rid: number): void {
    if (this.rid !== undefined && rid >= this.rid) this.settle();
  }

  /** Whether stanzas may leave now; if not, `onCertain` is called when they may. */
  get isCertain(): boolean {
    if (this.rid === undefined) return true;
    const rest = this.until - this.clock.now();
    if (rest <= 0) {
      this.settle();
      return true;
    }
    this.timeout ??= new Timeout(this.clock, () => this.owner.onCertain());
    this.timeout.start(rest);
    return false;
  }

  stop(): void {
    this.timeout?.stop();
  }

  private settle(): void {
    this.rid = this.connection = undefined;
    this.timeout?.stop();
  }
}
