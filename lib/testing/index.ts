export { ManualClock } from '../clock.js';
export {
  overrideXmpp,
  startXmppApp,
  XmppTestApp,
  type LoginOptions,
  type XmppAppOptions,
  type XmppOverrides,
} from './app.js';
export { BoshAnswer, boshBody, boshCreation, BoshHttp, BoshSession, type BodyAttributes, type Pending } from './bosh-client.js';
export { Mailbox } from './mailbox.js';
export { ScriptedStream, ScriptedUpstream } from './scripted-upstream.js';
export { openStream, TRANSPORTS, type Endpoints, type StreamAttributes, type WebClient, type WebTransport } from './web-client.js';
export {
  CLOSE_FRAME,
  handshakeRefusal,
  openFrame,
  RawWebSocket,
  type HandshakeOptions,
  type TestSocket,
} from './websocket-client.js';
