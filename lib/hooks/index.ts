export { EventEmitterBridge } from './event-emitter.js';
export { HooksExplorer } from './explorer.js';
export { XmppInterceptor } from './interceptor.decorator.js';
export { OnXmpp } from './on-xmpp.decorator.js';
