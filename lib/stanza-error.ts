import { element, NS, Stanza, type Element } from './xml/index.js';

/** @publicApi The stanza error conditions of RFC 6120, section 8.3.3. */
export type StanzaCondition =
  | 'bad-request'
  | 'conflict'
  | 'feature-not-implemented'
  | 'forbidden'
  | 'gone'
  | 'internal-server-error'
  | 'item-not-found'
  | 'jid-malformed'
  | 'not-acceptable'
  | 'not-allowed'
  | 'not-authorized'
  | 'policy-violation'
  | 'recipient-unavailable'
  | 'redirect'
  | 'registration-required'
  | 'remote-server-not-found'
  | 'remote-server-timeout'
  | 'resource-constraint'
  | 'service-unavailable'
  | 'subscription-required'
  | 'undefined-condition'
  | 'unexpected-request';

/** @publicApi What the sender of the stanza may do about it (RFC 6120, section 8.3.2). */
export type StanzaErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait';

/** The error type that goes with a condition where nothing else is said. */
const TYPES: Partial<Record<StanzaCondition, StanzaErrorType>> = {
  'bad-request': 'modify',
  forbidden: 'auth',
  'jid-malformed': 'modify',
  'not-acceptable': 'modify',
  'not-authorized': 'auth',
  'policy-violation': 'modify',
  'recipient-unavailable': 'wait',
  'redirect': 'modify',
  'registration-required': 'auth',
  'remote-server-timeout': 'wait',
  'resource-constraint': 'wait',
  'subscription-required': 'auth',
  'unexpected-request': 'wait',
};

/**
 * Thrown by whoever handles a stanza: its sender gets a stanza error (RFC 6120, section 8.3).
 *
 * @publicApi
 */
export class StanzaError extends Error {
  /** Tells it from other errors also where `instanceof` cannot: when an app has loaded two copies of the package. */
  override readonly name = 'StanzaError';

  constructor(
    /** The child of `<error/>` that says what is wrong. */
    readonly condition: StanzaCondition,
    /** What goes with it; nothing is needed. */
    readonly options: {
      /** Default: the one that goes with the condition. */
      readonly type?: StanzaErrorType;
      /** English. */
      readonly text?: string;
      /** Application-specific condition (RFC 6120, section 8.3.4), with its own xmlns. */
      readonly detail?: Element;
    } = {},
  ) {
    super(condition);
  }

  /** `<error/>` */
  get element(): Element {
    const { type, text, detail } = this.options;
    return element(
      'error',
      { type: type ?? TYPES[this.condition] ?? 'cancel' },
      element(this.condition, { xmlns: NS.stanzaErrors }),
      text === undefined ? undefined : element('text', { xmlns: NS.stanzaErrors, 'xml:lang': 'en' }, text),
      detail,
    );
  }
}

/**
 * The error answer to a stanza; undefined where none may be sent: to an error, or to the result of
 * an iq (RFC 6120, sections 8.2.3 and 8.3.1).
 * @param from who answers; the addressee of the stanza where nothing is given
 * @publicApi
 */
export function errorAnswer(stanza: Stanza, error: StanzaError, from = stanza.attribute('to')): Stanza | undefined {
  const type = stanza.attribute('type');
  if (type === 'error' || (stanza.kind === 'iq' && type === 'result')) return undefined;
  return Stanza.of(
    element(
      stanza.name,
      {
        xmlns: NS.client,
        type: 'error',
        id: stanza.attribute('id'),
        from,
        to: stanza.attribute('from'),
      },
      error.element,
    ),
  );
}
