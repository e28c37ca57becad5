import { element, NS, Stanza, type Element } from '../../xml/index.js';
import { XMLNS } from './namespaces.js';
import type { SaslCondition, SaslMechanism, SaslStep } from './sasl.js';

/** The stream errors that this server gives (RFC 6120, section 4.9.3). */
export type StreamErrorCondition =
  | 'conflict'
  | 'host-unknown'
  | 'internal-server-error'
  | 'not-authorized'
  | 'policy-violation'
  | 'resource-constraint'
  | 'system-shutdown'
  | 'undefined-condition'
  | 'unsupported-stanza-type'
  | 'unsupported-version';

/** RFC 6120, section 4.9.2. */
export function streamError(condition: StreamErrorCondition, text?: string, detail?: Element): Stanza {
  return Stanza.of(
    element(
      'stream:error',
      { 'xmlns:stream': NS.streams },
      element(condition, { xmlns: NS.streamErrors }),
      text === undefined ? undefined : element('text', { xmlns: NS.streamErrors, 'xml:lang': 'en' }, text),
      detail,
    ),
  );
}

/** The features of a stream before authentication. */
export function saslFeatures(mechanisms: readonly SaslMechanism[]): Stanza {
  return features(
    element('mechanisms', { xmlns: NS.sasl }, ...mechanisms.map((mechanism) => element('mechanism', {}, mechanism))),
  );
}

/** The features of a stream after authentication. */
export const BIND_FEATURES = features(
  element('bind', { xmlns: NS.bind }),
  element('session', { xmlns: NS.session }, element('optional')),
  element('sm', { xmlns: NS.sm }),
  element('csi', { xmlns: XMLNS.csi }),
  element('ver', { xmlns: XMLNS.rosterVersioning }),
);

function features(...elements: Element[]): Stanza {
  return Stanza.of(element('stream:features', { 'xmlns:stream': NS.streams, xmlns: NS.client }, ...elements));
}

/** RFC 6120, section 6.4. */
export function saslElement(step: SaslStep): Stanza {
  switch (step.type) {
    case 'challenge':
      return Stanza.of(element('challenge', { xmlns: NS.sasl }, step.data || undefined));
    case 'success':
      return Stanza.of(element('success', { xmlns: NS.sasl }, step.data));
    case 'failure':
      return saslFailure(step.condition);
  }
}

export function saslFailure(condition: SaslCondition): Stanza {
  return Stanza.of(element('failure', { xmlns: NS.sasl }, element(condition)));
}

/** XEP-0198, section 3: why stream management cannot be had, or the stream not be resumed. */
export function managementFailed(condition: 'bad-request' | 'item-not-found' | 'unexpected-request'): Stanza {
  return Stanza.of(element('failed', { xmlns: NS.sm }, element(condition, { xmlns: NS.stanzaErrors })));
}
