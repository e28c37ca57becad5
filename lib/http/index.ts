export { Origins } from './origins.js';
export { peerOf, type Peer } from './peer.js';
