/** Namespaces of what the embedded server itself speaks, beyond those of streams. */
export const XMLNS = {
  /** RFC 6121, section 2 */
  roster: 'jabber:iq:roster',
  rosterVersioning: 'urn:xmpp:features:rosterver',
  /** XEP-0280 */
  carbons: 'urn:xmpp:carbons:2',
  /** XEP-0297 */
  forward: 'urn:xmpp:forward:0',
  /** XEP-0334 */
  hints: 'urn:xmpp:hints',
  /** XEP-0045 */
  mucUser: 'http://jabber.org/protocol/muc#user',
  /** XEP-0352 */
  csi: 'urn:xmpp:csi:0',
  /** XEP-0191 */
  blockingErrors: 'urn:xmpp:blocking:errors',
} as const;
