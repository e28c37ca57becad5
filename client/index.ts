/**
 * Shared BOSH in the browser: the tabs of a page on one XMPP stream, for Strophe 5 over BOSH and WebSocket.
 *
 * @packageDocumentation
 */
export { SharedConnection, type SentHandler, type ShareOptions, type SharedResult } from './shared-connection.js';
export { isSnapshot, senderOf, SHARED_BOSH, SHARED_EXTENSIONS } from './attributes.js';
export { FetchedKey } from './fetched-key.js';
export { generateKey, IqError, type SharedKey, type SharedKeySource, type StreamLink } from './key-source.js';
export { PepKey } from './pep-key.js';
export { PrivateXmlKey } from './private-xml-key.js';
export { StoredKey, type StoredKeyOptions } from './stored-key.js';
export { Status, type StatusCallback, type StropheConnection } from './strophe.js';
