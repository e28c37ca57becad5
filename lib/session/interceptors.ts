import { StanzaError } from '../stanza-error.js';
import { Stanza, type StanzaKind } from '../xml/index.js';
import type { StanzaDirection } from './events.js';
import type { XmppSession } from './session.js';

/** What an interceptor knows beside the stanza. */
export interface StanzaContext {
  /** The one that the stanza passes through; of one that is shared, that of its stream. */
  readonly session: XmppSession;
  /** `in`: from the client to the server. */
  readonly direction: StanzaDirection;
}

/**
 * @publicApi What an interceptor makes of a stanza: the same or another one, several, an error for its sender, or
 * nothing: then it is dropped.
 */
export type Interception = Stanza | readonly Stanza[] | StanzaError | undefined | null | void;

/** @publicApi Sees stanzas on their way, and says what becomes of them. Registered by `@XmppInterceptor()`. */
export interface XmppStanzaInterceptor {
  /**
   * Called when a resource is bound, for each stanza of the kinds that it is registered for; never for what is no
   * stanza (SASL, stream management, features). What follows in the same direction of the same session waits for the
   * promise, in order.
   * @throws {StanzaError} for the sender of the stanza; any other error is logged, and the sender told
   * `internal-server-error`
   */
  intercept(stanza: Stanza, context: StanzaContext): Interception | Promise<Interception>;
}

/** @publicApi Which stanzas an interceptor sees. */
export interface InterceptorOptions {
  /** `in`: from clients to the server, `out`: from the server to clients. Default: both. */
  readonly direction?: StanzaDirection | 'both';
  /** Default: all three. */
  readonly kinds?: readonly NonNullable<StanzaKind>[];
  /** The lowest is called first; what it returns is seen by the next. Default: 0. */
  readonly order?: number;
}

type Kind = NonNullable<StanzaKind>;
interface Registration {
  readonly interceptor: XmppStanzaInterceptor;
  readonly order: number;
}
/** What came out: stanzas, or an error for the sender. */
export type Outcome = Stanza | readonly Stanza[] | StanzaError;

const KINDS: readonly Kind[] = ['message', 'presence', 'iq'];
const NOTHING: readonly Stanza[] = [];

/** The app's interceptors, by direction and kind. */
export class StanzaInterceptors {
  private readonly chains = { in: newChains(), out: newChains() };
  private count = 0;

  /** @param onError told what an interceptor throws or rejects with, if it is no {@link StanzaError} */
  constructor(readonly onError: (error: unknown) => void = () => {}) {}

  /** Whether there is anything to do at all. */
  get isEmpty(): boolean {
    return this.count === 0;
  }

  add(interceptor: XmppStanzaInterceptor, { direction = 'both', kinds = KINDS, order = 0 }: InterceptorOptions = {}): void {
    this.count++;
    for (const way of ['in', 'out'] as const) {
      if (direction !== 'both' && direction !== way) continue;
      for (const kind of new Set(kinds)) {
        const chain = this.chains[way][kind] as Registration[] | undefined;
        if (!chain) throw new TypeError(`${String(kind)} is no kind of stanza; allowed: ${KINDS.join(', ')}`);
        chain.push({ interceptor, order });
        chain.sort((a, b) => a.order - b.order);
      }
    }
  }

  /** Whether anybody wants to see stanzas of this kind. */
  sees(direction: StanzaDirection, kind: Kind): boolean {
    return this.chains[direction][kind].length > 0;
  }

  /**
   * What becomes of a stanza. Throws, or rejects with, what an interceptor does.
   * @returns no promise if none of them returned one
   */
  run(stanza: Stanza, context: StanzaContext): Outcome | Promise<Outcome> {
    return step(this.chains[context.direction][stanza.kind!], 0, stanza, context);
  }
}

function newChains(): Record<Kind, Registration[]> {
  return { message: [], presence: [], iq: [] };
}

function step(chain: readonly Registration[], at: number, stanza: Stanza, context: StanzaContext): Outcome | Promise<Outcome> {
  const next = chain[at];
  if (!next) return stanza;
  const result = next.interceptor.intercept(stanza, context);
  return isPromise(result) ? result.then((settled) => proceed(chain, at + 1, settled, context)) : proceed(chain, at + 1, result, context);
}

/** What is returned goes on to those that follow; an error does not. */
function proceed(chain: readonly Registration[], at: number, result: Interception, context: StanzaContext): Outcome | Promise<Outcome> {
  if (result instanceof Stanza) return step(chain, at, checked(result), context);
  if (result instanceof StanzaError) return result;
  if (result === undefined || result === null) return NOTHING;
  if (!Array.isArray(result)) throw new TypeError('an interceptor returned what is neither stanzas nor a StanzaError');
  const outcomes = (result as readonly Stanza[]).map((stanza) => step(chain, at, checked(stanza), context));
  return outcomes.some(isPromise) ? Promise.all(outcomes).then(merge) : merge(outcomes as Outcome[]);
}

function merge(outcomes: readonly Outcome[]): Outcome {
  return outcomes.find((outcome) => outcome instanceof StanzaError) ?? (outcomes as readonly (Stanza | readonly Stanza[])[]).flat();
}

function checked(stanza: unknown): Stanza {
  if (!(stanza instanceof Stanza) || stanza.kind === undefined) {
    throw new TypeError('an interceptor returned what is no message, presence or iq of jabber:client');
  }
  return stanza;
}

export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as PromiseLike<T> | null | undefined)?.then === 'function';
}
