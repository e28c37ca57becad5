export { WebSocketInfoController } from './info.controller.js';
export { STANDARD_ADAPTER, XmppGateway } from './xmpp.gateway.js';
export { loadStandardAdapter, XmppWsAdapter } from './xmpp-ws.adapter.js';
