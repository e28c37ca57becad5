/** Namespaces by the names that the specifications give them. */
export const NS = {
  client: 'jabber:client',
  /** RFC 6120, section 4.8.1 */
  streams: 'http://etherx.jabber.org/streams',
  streamErrors: 'urn:ietf:params:xml:ns:xmpp-streams',
  stanzaErrors: 'urn:ietf:params:xml:ns:xmpp-stanzas',
  tls: 'urn:ietf:params:xml:ns:xmpp-tls',
  sasl: 'urn:ietf:params:xml:ns:xmpp-sasl',
  bind: 'urn:ietf:params:xml:ns:xmpp-bind',
  session: 'urn:ietf:params:xml:ns:xmpp-session',
  /** RFC 7395, section 3.3.2 */
  framing: 'urn:ietf:params:xml:ns:xmpp-framing',
  /** XEP-0124 */
  httpbind: 'http://jabber.org/protocol/httpbind',
  /** XEP-0206 */
  xbosh: 'urn:xmpp:xbosh',
  /** XEP-0138 */
  compress: 'http://jabber.org/protocol/compress',
  compressFeature: 'http://jabber.org/features/compress',
  /** XEP-0198 */
  sm: 'urn:xmpp:sm:3',
  /** XEP-0388 */
  sasl2: 'urn:xmpp:sasl:2',
  /** XEP-0440 */
  saslChannelBinding: 'urn:xmpp:sasl-cb:0',
  xml: 'http://www.w3.org/XML/1998/namespace',
  xmlns: 'http://www.w3.org/2000/xmlns/',
} as const;
