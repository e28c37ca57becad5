import { NS, type Stanza } from '../xml/index.js';
import { isStreamManagement, LEGACY_AUTH } from './namespaces.js';

/** Levels below `<stream:features/>` at which stream management can be offered: SASL2's inline, and Bind2's in it. */
const OFFER_DEPTH = 5;

/** What is negotiated once for a stream, and was: nothing that a client which attaches could still do. */
const NEGOTIABLE = new Set<string>([
  NS.sasl,
  NS.sasl2,
  NS.saslChannelBinding,
  NS.bind,
  NS.session,
  NS.tls,
  NS.compressFeature,
  NS.compress,
  'urn:xmpp:bind:0',
  'urn:xmpp:bind2:1',
  'urn:xmpp:fast:0',
  'http://jabber.org/features/iq-auth',
  LEGACY_AUTH,
  'http://jabber.org/features/iq-register',
  'urn:xmpp:ibr-token:0',
]);

/** The features of a stream that can be shared: counters of stream management belong to one client. */
export function sharableFeatures(features: Stanza): Stanza {
  return withoutStreamManagement(features, OFFER_DEPTH);
}

/** The same for what a client asks for: SASL2 with inline requests (XEP-0388, XEP-0386). */
export function sharableAuthentication(authenticate: Stanza): Stanza {
  return withoutStreamManagement(authenticate, 2);
}

/**
 * The features of the running stream for a client that attaches: none that has to be negotiated, which
 * says that negotiation is complete (RFC 6120, section 4.3.5).
 */
export function runningFeatures(features: Stanza): Stanza {
  return features.mapChildren((feature) =>
    NEGOTIABLE.has(feature.namespace) || isStreamManagement(feature.namespace) ? undefined : feature,
  );
}

function withoutStreamManagement(stanza: Stanza, depth: number): Stanza {
  return stanza.mapChildren((child) => {
    if (isStreamManagement(child.namespace)) return undefined;
    if (child.name === 'feature' && isStreamManagement(child.attribute('var') ?? '')) return undefined;
    return depth > 1 ? withoutStreamManagement(child, depth - 1) : child;
  });
}
