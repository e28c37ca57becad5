import type { Stanza } from '../xml/index.js';

interface Inquiry<M> {
  readonly key: string;
  /** Clients that got it and did not answer yet. */
  readonly silent: Set<M>;
  readonly at: number;
  /** The first error that one of them answered, and when. */
  error: Stanza | undefined;
  erredAt: number;
}

/** Milliseconds that an error waits for another client that may know better. */
const PATIENCE = 1000;
/** Inquiries at once; beyond, the oldest is forgotten. */
const MAX_INQUIRIES = 1024;

/**
 * The iq requests from outside, of which all clients get each and the server one answer: the first result,
 * or, as clients that do not know a request answer with an error at once, an error when all have
 * answered or none has a result after a second.
 *
 * What no inquiry asked for is no answer: it is dropped. A client answers copies of the requests of others too,
 * and such an answer would end the request of its neighbour.
 */
export class Inquiries<M> {
  /** By inquirer and id, oldest first. */
  private readonly open = new Map<string, Inquiry<M>>();
  /** Those with an error, in the order in which they got it. */
  private erred: Inquiry<M>[] = [];

  get size(): number {
    return this.open.size;
  }

  /** Milliseconds on the clock when {@link due} has something next. */
  get nextDue(): number | undefined {
    return this.erred[0] && this.erred[0].erredAt + PATIENCE;
  }

  /**
   * A request for the clients.
   * @param inquirer whom the answer must name in `to`
   */
  asked(inquirer: string, id: string, members: Iterable<M>, now: number): void {
    const key = keyOf(inquirer, id);
    this.close(this.open.get(key));
    if (this.open.size >= MAX_INQUIRIES) this.close(this.open.values().next().value!);
    this.open.set(key, { key, silent: new Set(members), at: now, error: undefined, erredAt: 0 });
  }

  /**
   * A client answers.
   * @returns what the server gets now; undefined for nothing
   */
  answered(member: M, inquirer: string, answer: Stanza, now: number): Stanza | undefined {
    const inquiry = this.open.get(keyOf(inquirer, answer.attribute('id') ?? ''));
    if (!inquiry?.silent.delete(member)) return undefined;
    if (answer.attribute('type') === 'result') {
      this.close(inquiry);
      return answer;
    }
    if (inquiry.error === undefined) {
      inquiry.error = answer;
      inquiry.erredAt = now;
      this.erred.push(inquiry);
    }
    return this.settle(inquiry);
  }

  /** A client left. @returns the errors that waited for it alone */
  left(member: M): Stanza[] {
    const settled: Stanza[] = [];
    for (const inquiry of this.open.values()) {
      const error = inquiry.silent.delete(member) ? this.settle(inquiry) : undefined;
      if (error) settled.push(error);
    }
    return settled;
  }

  /** The errors that waited long enough. */
  due(now: number): Stanza[] {
    const due: Stanza[] = [];
    while (this.nextDue !== undefined && this.nextDue <= now) {
      const inquiry = this.erred[0]!;
      due.push(inquiry.error!);
      this.close(inquiry);
    }
    return due;
  }

  /** Forgets what was asked before `then`, and never answered. */
  sweep(then: number): void {
    for (const inquiry of this.open.values()) {
      if (inquiry.at >= then) return;
      this.close(inquiry);
    }
  }

  private settle(inquiry: Inquiry<M>): Stanza | undefined {
    if (inquiry.silent.size > 0) return undefined;
    this.close(inquiry);
    return inquiry.error;
  }

  private close(inquiry: Inquiry<M> | undefined): void {
    if (!inquiry) return;
    this.open.delete(inquiry.key);
    if (inquiry.error) this.erred = this.erred.filter((other) => other !== inquiry);
  }
}

function keyOf(inquirer: string, id: string): string {
  return `${inquirer}\0${id}`;
}
