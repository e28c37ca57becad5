/** The namespace of Shared BOSH: `shared:key`, `shared:result`, `shared:jid`, `shared:newkey`, `shared:sent`, `shared:snapshot`. */
export const SHARED_BOSH = 'urn:xmpp:tmp:shared-bosh:0';
/** Of what the specification lacks: `attach-only`, `scope`. */
export const SHARED_EXTENSIONS = 'urn:nestjs-xmpp:shared:0';

/** XEP-0352 */
export const CSI = 'urn:xmpp:csi:0';
/** XEP-0280 */
export const CARBONS = 'urn:xmpp:carbons:2';
/** XEP-0297 */
export const FORWARD = 'urn:xmpp:forward:0';
/** XEP-0045, section 7.2 */
export const MUC_USER = 'http://jabber.org/protocol/muc#user';
/** XEP-0078 */
export const LEGACY_AUTH = 'jabber:iq:auth';

/** XEP-0198, in all its versions. */
export function isStreamManagement(namespace: string): boolean {
  return namespace.startsWith('urn:xmpp:sm:');
}
