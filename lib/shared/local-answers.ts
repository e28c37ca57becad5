import { element, NS, Stanza } from '../xml/index.js';
import { isStreamManagement, LEGACY_AUTH } from './namespaces.js';

const SASL_FAILURE = Stanza.of(element('failure', { xmlns: NS.sasl }, element('aborted')));
const SASL2_FAILURE = Stanza.of(element('failure', { xmlns: NS.sasl2 }, element('aborted', { xmlns: NS.sasl })));
const TLS_FAILURE = Stanza.of(element('failure', { xmlns: NS.tls }));
const COMPRESSION_FAILURE = Stanza.of(element('failure', { xmlns: NS.compress }, element('setup-failed')));

/**
 * The answer to a client that negotiates on a stream that has been negotiated: the server never hears of it.
 * @returns `none` where silence is the answer; undefined for what is no negotiation
 */
export function answerNegotiation(request: Stanza): Stanza | 'none' | undefined {
  switch (request.namespace) {
    case NS.sasl:
      return SASL_FAILURE;
    case NS.sasl2:
      return SASL2_FAILURE;
    case NS.tls:
      return TLS_FAILURE;
    case NS.compress:
      return COMPRESSION_FAILURE;
    case NS.streams:
      return 'none'; // an error of its own: it says why it leaves
    default:
      return isStreamManagement(request.namespace) ? answerStreamManagement(request) : undefined;
  }
}

/** A client that would resume finds that there is nothing, and goes on with what it has (XEP-0198, section 5). */
export function answerStreamManagement(request: Stanza): Stanza | 'none' {
  const { name, namespace } = request;
  if (name !== 'enable' && name !== 'resume') return 'none';
  const condition = name === 'resume' ? 'item-not-found' : 'unexpected-request';
  return Stanza.of(element('failed', { xmlns: namespace }, element(condition, { xmlns: NS.stanzaErrors })));
}

/** What an iq negotiates: a resource, a session (RFC 3921), or a login (XEP-0078). */
export type IqNegotiation = 'bind' | 'session' | 'auth' | undefined;

export function negotiationOf(iq: Stanza, domain: string): IqNegotiation {
  const to = iq.attribute('to');
  if (to !== undefined && to !== domain) return undefined;
  switch (iq.children()[0]?.namespace) {
    case NS.bind:
      return 'bind';
    case NS.session:
      return 'session';
    case LEGACY_AUTH:
      return 'auth';
    default:
      return undefined;
  }
}

/** The answer to an iq that negotiates what is there: the resource that all share. */
export function answerIqNegotiation(iq: Stanza, kind: 'bind' | 'session' | 'auth', jid: string): Stanza {
  const id = iq.attribute('id');
  if (kind === 'auth') {
    const condition = element('not-allowed', { xmlns: NS.stanzaErrors });
    return Stanza.of(element('iq', { xmlns: NS.client, type: 'error', id }, element('error', { type: 'cancel' }, condition)));
  }
  const bind = kind === 'bind' ? element('bind', { xmlns: NS.bind }, element('jid', {}, jid)) : undefined;
  return Stanza.of(element('iq', { xmlns: NS.client, type: 'result', id }, bind));
}
