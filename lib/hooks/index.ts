export { EventEmitterBridge } from './event-emitter.js';
export { HooksExplorer } from './explorer.js';
export { OnXmpp } from './on-xmpp.decorator.js';
