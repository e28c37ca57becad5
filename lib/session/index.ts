export type { Client, ClientSession, SharedOpening, Transport } from './client.js';
export {
  ConnectRefused,
  Entrance,
  type Admittance,
  type ConnectContext,
  type ConnectRoute,
  type WebUsers,
  type XmppConnectGuard,
} from './entrance.js';
export type { EndReason, SessionEnd, StreamCondition } from './end.js';
export {
  XmppEvents,
  type SharedRefusal,
  type StanzaDirection,
  type StanzaRefusal,
  type XmppEventListener,
  type XmppEventMap,
  type XmppEventName,
} from './events.js';
export {
  StanzaInterceptors,
  type InterceptorOptions,
  type Interception,
  type StanzaContext,
  type XmppStanzaInterceptor,
} from './interceptors.js';
export type { LoginStream, SessionLogin, StartLogin } from './login.js';
export type { Lane } from './lane.js';
export { languageOf, mayBeAddress } from './header.js';
export { Admission, Place, SessionRefused, type AdmissionLimits } from './limits.js';
export { networkOf } from './network.js';
export {
  PrebindError,
  type Prebinder,
  type PrebindFailure,
  type PrebindOptions,
  type Prebound,
  type PreboundShared,
} from './prebind.js';
export { Session, type SessionTap, type Traffic, type XmppSession } from './session.js';
export { PendingSession } from './pending-session.js';
export { unguessable } from './identifiers.js';
export { SessionRegistry, type Destinations, type Ending } from './registry.js';
export { XmppSessionService } from './session.service.js';
