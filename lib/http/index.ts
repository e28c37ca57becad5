export { forwardable, forwarded, type ForwardableRequest } from './forwarded.js';
export { Handshakes, LOOKS_ON } from './handshakes.js';
export { Origins } from './origins.js';
export { peerOf, type Peer } from './peer.js';
export { rawRequest, takeResponse, type HostRequest, type HostResponse } from './raw.js';
export { Unfinished, UnfinishedMessage } from './unfinished.js';
