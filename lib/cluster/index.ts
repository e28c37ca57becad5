export type { Channel, ChannelEnd, ChannelHandler } from './channel.js';
export { Cluster, NodeError } from './cluster.service.js';
