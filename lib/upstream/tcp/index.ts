export type { TcpUpstreamOptions } from './options.js';
export type { SrvResolver } from './srv.js';
export type { StartTlsPolicy, Target } from './target.js';
export { TcpUpstream } from './upstream.js';
