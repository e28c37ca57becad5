export type { Channel, ChannelEnd, ChannelHandler } from './channel.js';
export { Cluster, NodeError } from './cluster.service.js';
export { FIRST_KIND } from './messages.js';
