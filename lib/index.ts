export { XmppModule } from './xmpp.module.js';
export type { XmppModuleExtras } from './xmpp.module-definition.js';
export {
  XmppOptionsError,
  type BoshOptions,
  type HookOptions,
  type ClusterOptions,
  type HostMetaOptions,
  type LimitOptions,
  type LogOptions,
  type SharedOptions,
  type WebLoginOptions,
  type WebSocketOptions,
  type XmppModuleOptions,
} from './xmpp.options.js';
export {
  ConnectRefused,
  PrebindError,
  XmppEvents,
  XmppSessionService,
  type ConnectContext,
  type ConnectRoute,
  type Destinations,
  type Ending,
  type EndReason,
  type Interception,
  type InterceptorOptions,
  type PrebindFailure,
  type PrebindOptions,
  type Prebound,
  type PreboundShared,
  type SessionEnd,
  type SharedRefusal,
  type StanzaContext,
  type StanzaDirection,
  type StanzaRefusal,
  type StreamCondition,
  type Traffic,
  type Transport,
  type XmppConnectGuard,
  type XmppEventListener,
  type XmppEventMap,
  type XmppEventName,
  type XmppSession,
  type XmppStanzaInterceptor,
} from './session/index.js';
export {
  SHARED_KEY_STORE,
  XMPP_SHARED_GUARD,
  XmppSharedKeyService,
  type SharedAttempt,
  type SharedClient,
  type SharedKeyStore,
  type SharedSession,
  type TicketOptions,
  type XmppSharedGuard,
} from './shared/index.js';
export { XMPP_CREDENTIALS, type XmppCredentials, type XmppLogin } from './login/index.js';
export type { ClientMechanism } from './sasl/index.js';
export { OnXmpp, XmppGuard, XmppInterceptor } from './hooks/index.js';
export {
  redact,
  XmppHealth,
  XmppHealthIndicator,
  XmppMetrics,
  XmppTrace,
  type XmppClusterHealth,
  type XmppHealthDetails,
  type XmppHealthReport,
  type XmppHealthResult,
  type XmppTraceHandle,
  type XmppTraceInfo,
  type XmppTraceLine,
  type XmppTraceOptions,
  type XmppTraceSink,
} from './observability/index.js';
export {
  XmppAdminController,
  XmppAdminModule,
  type XmppAdminClient,
  type XmppAdminCounts,
  type XmppAdminDetails,
  type XmppAdminFilter,
  type XmppAdminOptions,
  type XmppAdminOverview,
  type XmppAdminPage,
  type XmppAdminSession,
  type XmppAdminState,
  type XmppAdminUpstream,
  type XmppRecordedLine,
  type XmppRecording,
  type XmppRecordingLines,
} from './admin/index.js';
export { XmppWsAdapter } from './websocket/index.js';
export { EmbeddedUpstream, type EmbeddedLimits, type EmbeddedUpstreamOptions, type SaslMechanism } from './upstream/embedded/index.js';
export { TcpUpstream, type SrvResolver, type StartTlsPolicy, type Target as TcpTarget, type TcpUpstreamOptions } from './upstream/tcp/index.js';
export { WebSocketUpstream, type WebSocketUpstreamOptions } from './upstream/websocket/index.js';
export { upstreamFromUrl, UpstreamUrlError, type UpstreamUrlOptions } from './upstream/url.js';
export type {
  StreamHeader,
  UpstreamClient,
  UpstreamEnd,
  UpstreamHandler,
  UpstreamRequest,
  UpstreamStream,
  XmppUpstream,
} from './upstream/upstream.js';
export { errorAnswer, StanzaError, type StanzaCondition, type StanzaErrorType } from './stanza-error.js';
export type { BusHandler, ClusterBus, ClusterNode, RedisClient } from './bus.js';
export { Clock, ManualClock, SystemClock, Timeout } from './clock.js';
export { element, NS, Stanza, XmlError, type Element, type ScanLimits, type StanzaKind, type XmlCondition } from './xml/index.js';
