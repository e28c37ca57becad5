/** Namespaces of the services, by the names that their specifications give them. */
export const XMLNS = {
  discoInfo: 'http://jabber.org/protocol/disco#info',
  discoItems: 'http://jabber.org/protocol/disco#items',
  ping: 'urn:xmpp:ping',
  version: 'jabber:iq:version',
  time: 'urn:xmpp:time',
  last: 'jabber:iq:last',
  vcard: 'vcard-temp',
  private: 'jabber:iq:private',
  blocking: 'urn:xmpp:blocking',
  delay: 'urn:xmpp:delay',
  caps: 'http://jabber.org/protocol/caps',
  form: 'jabber:x:data',
  pubsub: 'http://jabber.org/protocol/pubsub',
  pubsubOwner: 'http://jabber.org/protocol/pubsub#owner',
  pubsubEvent: 'http://jabber.org/protocol/pubsub#event',
  pubsubErrors: 'http://jabber.org/protocol/pubsub#errors',
  muc: 'http://jabber.org/protocol/muc',
  mucUser: 'http://jabber.org/protocol/muc#user',
  mucAdmin: 'http://jabber.org/protocol/muc#admin',
  mucOwner: 'http://jabber.org/protocol/muc#owner',
  /** XEP-0249 */
  conference: 'jabber:x:conference',
  /** XEP-0359 */
  stanzaId: 'urn:xmpp:sid:0',
} as const;
