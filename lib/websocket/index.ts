export { XmppGateway } from './xmpp.gateway.js';
export { XmppWsAdapter } from './xmpp-ws.adapter.js';
