export { XMPP_CREDENTIALS, type XmppCredentials, type XmppLogin } from './credentials.js';
export { Prebinding } from './prebind.service.js';
