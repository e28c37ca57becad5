export { forwardable, forwarded, type ForwardableRequest } from './forwarded.js';
export { Origins } from './origins.js';
export { peerOf, type Peer } from './peer.js';
export { rawRequest, takeResponse, type HostRequest, type HostResponse } from './raw.js';
