export { EmbeddedUpstream, type EmbeddedUpstreamOptions } from './upstream.js';
export { StanzaError, type StanzaCondition, type StanzaErrorType } from '../../stanza-error.js';
export { Jid } from './jid.js';
export type { SaslMechanism } from './sasl.js';
export type { EmbeddedLimits } from './server.js';
export type {
  DiscoIdentity,
  DiscoItem,
  DiscoNode,
  EmbeddedResource,
  EmbeddedService,
  EmbeddedServices,
  Query,
  QueryHandler,
  Subscription,
} from './service.js';
