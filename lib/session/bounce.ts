import { element, NS, Stanza } from '../xml/index.js';

/**
 * The answer to the sender of a stanza that its client will never get (XEP-0206, section 7;
 * RFC 6120, section 8.3): `service-unavailable` for a request, `recipient-unavailable` for a message.
 * @returns undefined where silence is right: presence, answers, errors
 */
export function bounce(stanza: Stanza): Stanza | undefined {
  const type = stanza.attribute('type');
  if (type === 'error' || (stanza.kind === 'iq' && type !== 'get' && type !== 'set')) return undefined;
  if (stanza.kind !== 'iq' && (stanza.kind !== 'message' || type === 'groupchat' || type === 'headline')) return undefined;
  const condition = stanza.kind === 'iq' ? 'service-unavailable' : 'recipient-unavailable';
  return Stanza.of(
    element(
      stanza.kind,
      { xmlns: NS.client, type: 'error', id: stanza.attribute('id'), to: stanza.attribute('from') },
      element('error', { type: stanza.kind === 'iq' ? 'cancel' : 'wait' }, element(condition, { xmlns: NS.stanzaErrors })),
    ),
  );
}
