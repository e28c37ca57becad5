export { WebSocketUpstream, type WebSocketUpstreamOptions } from './upstream.js';
