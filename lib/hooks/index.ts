export { EventEmitterBridge } from './event-emitter.js';
export { HooksExplorer } from './explorer.js';
export { XmppGuard } from './guard.decorator.js';
export { XmppInterceptor } from './interceptor.decorator.js';
export { OnXmpp } from './on-xmpp.decorator.js';
