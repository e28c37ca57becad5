export { XMPP_CREDENTIALS, type XmppCredentials, type XmppLogin } from './credentials.js';
export { saslLoginOf } from './sasl-login.js';
export { WebLogins } from './web-logins.service.js';
