import { element } from '../../../../xml/index.js';
import { StanzaError, type StanzaCondition, type StanzaErrorType } from '../../../../stanza-error.js';
import { XMLNS } from '../namespaces.js';

/** An error with its pubsub-specific condition (XEP-0060, section 12.2). */
export function pubsubError(condition: StanzaCondition, detail: string, type?: StanzaErrorType): StanzaError {
  return new StanzaError(condition, {
    ...(type !== undefined && { type }),
    detail: element(detail, { xmlns: XMLNS.pubsubErrors }),
  });
}

/** What is not there says so by the name of its feature (XEP-0060, section 12.2, `unsupported`). */
export function unsupported(feature: string): StanzaError {
  return new StanzaError('feature-not-implemented', {
    detail: element('unsupported', { xmlns: XMLNS.pubsubErrors, feature }),
  });
}
