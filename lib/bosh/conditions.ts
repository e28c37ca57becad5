import type { SessionEnd, StreamCondition } from '../session/index.js';
import { element, NS, Stanza, type XmlCondition } from '../xml/index.js';

/** The terminal conditions of XEP-0124, section 17.2. */
export type BoshCondition =
  | 'bad-request'
  | 'host-gone'
  | 'host-unknown'
  | 'improper-addressing'
  | 'internal-server-error'
  | 'item-not-found'
  | 'other-request'
  | 'policy-violation'
  | 'remote-connection-failed'
  | 'remote-stream-error'
  | 'see-other-uri'
  | 'system-shutdown'
  | 'undefined-condition';

/** How a client is told that its session is over: `type='terminate'`, in most cases with a condition. */
export interface Termination {
  /** None when it ends in order. */
  readonly condition?: BoshCondition;
  /** What the condition comes with: the server's `<stream:error/>`, or `<uri/>`. */
  readonly detail?: Stanza;
}

/** Conditions of a stream error that BOSH has under the same name. */
const SAME = new Set<StreamCondition>([
  'host-gone',
  'host-unknown',
  'improper-addressing',
  'internal-server-error',
  'item-not-found',
  'policy-violation',
  'remote-connection-failed',
  'system-shutdown',
]);

/** Conditions of a stream error that say that the client sent what it must not. */
const BAD_REQUEST = new Set<StreamCondition>([
  'bad-format',
  'bad-namespace-prefix',
  'invalid-namespace',
  'invalid-xml',
  'not-well-formed',
  'restricted-xml',
  'unsupported-encoding',
]);

/** What the end of a session is called in BOSH (XEP-0124, section 17.2; XEP-0206, section 6). */
export function terminationOf(end: SessionEnd): Termination {
  if (end.error) return { condition: 'remote-stream-error', detail: end.error };
  if (end.uri !== undefined) {
    return { condition: 'see-other-uri', detail: Stanza.of(element('uri', { xmlns: NS.httpbind }, end.uri)) };
  }
  return end.condition === undefined ? {} : { condition: conditionOf(end.condition) };
}

export function conditionOf(condition: StreamCondition): BoshCondition {
  if (SAME.has(condition)) return condition as BoshCondition;
  if (condition === 'not-authorized') return 'policy-violation';
  return BAD_REQUEST.has(condition) ? 'bad-request' : 'undefined-condition';
}

/** The nearest stream error, for the log and the app's events. */
export function streamConditionOf(condition: BoshCondition): StreamCondition {
  if (SAME.has(condition as StreamCondition)) return condition as StreamCondition;
  return condition === 'bad-request' ? 'bad-format' : 'undefined-condition';
}

/** What faulty XML is called: a limit that was crossed is no fault of form. */
export function conditionOfXml(condition: XmlCondition): BoshCondition {
  return condition === 'policy-violation' ? condition : 'bad-request';
}

const LEGACY_STATUS: Partial<Record<BoshCondition, number>> = {
  'bad-request': 400,
  'policy-violation': 403,
  'item-not-found': 404,
};

/** The HTTP status for a client that knows no conditions: one that sent no `ver` (XEP-0124, section 17.1). */
export function statusOf(condition: BoshCondition | undefined, legacy: boolean): number {
  return (legacy && condition !== undefined && LEGACY_STATUS[condition]) || 200;
}
