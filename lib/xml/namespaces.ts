/** Namespaces by the names that the specifications give them. */
export const NS = {
  /** RFC 6120, section 4.8.2: of stanzas between clients and servers */
  client: 'jabber:client',
  /** RFC 6120, section 4.8.1 */
  streams: 'http://etherx.jabber.org/streams',
  /** RFC 6120, section 4.9.2 */
  streamErrors: 'urn:ietf:params:xml:ns:xmpp-streams',
  /** RFC 6120, section 8.3.2 */
  stanzaErrors: 'urn:ietf:params:xml:ns:xmpp-stanzas',
  /** RFC 6120, section 5: STARTTLS */
  tls: 'urn:ietf:params:xml:ns:xmpp-tls',
  /** RFC 6120, section 6 */
  sasl: 'urn:ietf:params:xml:ns:xmpp-sasl',
  /** RFC 6120, section 7 */
  bind: 'urn:ietf:params:xml:ns:xmpp-bind',
  /** RFC 3921, section 3: needed no more, and still offered */
  session: 'urn:ietf:params:xml:ns:xmpp-session',
  /** RFC 7395, section 3.3.2 */
  framing: 'urn:ietf:params:xml:ns:xmpp-framing',
  /** XEP-0124 */
  httpbind: 'http://jabber.org/protocol/httpbind',
  /** XEP-0206 */
  xbosh: 'urn:xmpp:xbosh',
  /** XEP-0138 */
  compress: 'http://jabber.org/protocol/compress',
  /** XEP-0138, as a stream feature */
  compressFeature: 'http://jabber.org/features/compress',
  /** XEP-0198 */
  sm: 'urn:xmpp:sm:3',
  /** XEP-0388 */
  sasl2: 'urn:xmpp:sasl:2',
  /** XEP-0440 */
  saslChannelBinding: 'urn:xmpp:sasl-cb:0',
  /** Of `xml:lang`; the prefix needs no declaration */
  xml: 'http://www.w3.org/XML/1998/namespace',
  /** Of namespace declarations themselves */
  xmlns: 'http://www.w3.org/2000/xmlns/',
} as const;
