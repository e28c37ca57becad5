export { element, readElement, writeElement, type Element } from './element.js';
export { readEnvelope, type Envelope } from './envelope.js';
export { XmlError, type XmlCondition } from './error.js';
export { escapeAttribute, escapeText } from './escape.js';
export { NS } from './namespaces.js';
export { DEFAULT_LIMITS, Scanner, type ScanLimits } from './scanner.js';
export { Scope } from './scope.js';
export { StreamSplitter, type SplitterHandler, type SplitterHeader } from './splitter.js';
export { Stanza, type StanzaKind } from './stanza.js';
