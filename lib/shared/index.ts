export { readSharedAttributes, sharedAttributesOf, sharedResult, type SharedAttributes } from './attributes.js';
export { LocalKeyStore, type SharedKeyStore } from './key-store.js';
export { SHARED_BOSH, SHARED_EXTENSIONS } from './namespaces.js';
export {
  SHARED_KEY_STORE,
  XMPP_SHARED_GUARD,
  type SharedAttempt,
  type SharedRequest,
  type XmppSharedGuard,
} from './request.js';
export { XmppSharedKeyService, type SharedClient, type SharedSession, type TicketOptions } from './shared-key.service.js';
export { Sharing } from './sharing.service.js';
