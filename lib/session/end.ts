import type { Stanza } from '../xml/index.js';

/** Why a session ended: for logs, metrics and the app's events. */
export type EndReason =
  /** The client closed its stream: `<close/>` or `type='terminate'`. */
  | 'closed'
  /** The client was gone without a word: WebSocket dropped, BOSH inactivity. */
  | 'lost'
  | 'inactivity'
  /** The server closed the stream without an error. */
  | 'upstream-closed'
  /** The server sent a stream error. */
  | 'upstream-error'
  /** The server could not be reached, or the connection was lost. */
  | 'upstream-failed'
  /** The client broke a rule; `condition` says which. */
  | 'error'
  /** Not authenticated within `limits.authTimeout`. */
  | 'auth-timeout'
  /** The app ended it. */
  | 'terminated'
  /** The client was sent elsewhere. */
  | 'moved'
  /** This process goes down. */
  | 'shutdown';

/** The stream error conditions of RFC 6120, section 4.9.3, and those that only BOSH knows (XEP-0124, section 17.2). */
export type StreamCondition =
  | 'bad-format'
  | 'bad-namespace-prefix'
  | 'conflict'
  | 'connection-timeout'
  | 'host-gone'
  | 'host-unknown'
  | 'improper-addressing'
  | 'internal-server-error'
  | 'invalid-from'
  | 'invalid-namespace'
  | 'invalid-xml'
  /** No session to attach to: of BOSH only. */
  | 'item-not-found'
  | 'not-authorized'
  | 'not-well-formed'
  | 'policy-violation'
  | 'remote-connection-failed'
  | 'reset'
  | 'resource-constraint'
  | 'restricted-xml'
  | 'see-other-host'
  | 'system-shutdown'
  | 'undefined-condition'
  | 'unsupported-encoding'
  | 'unsupported-feature'
  | 'unsupported-stanza-type'
  | 'unsupported-version';

/** How a session ends, as its clients are told. */
export interface SessionEnd {
  /** The same words stand in metrics, `xmpp_sessions_ended_total{reason="…"}`. */
  readonly reason: EndReason;
  /** The stream error for the client; none when the stream ends in order. */
  readonly condition?: StreamCondition;
  /** A sentence for people, in English. */
  readonly text?: string;
  /** The server's own `<stream:error/>`, to be passed on whole instead of one of ours. */
  readonly error?: Stanza;
  /** Where the client goes on (`see-other-uri`, RFC 7395, section 3.6.1). */
  readonly uri?: string;
  /** HTTP status of an answer over BOSH that would tell of it with 200. */
  readonly httpStatus?: number;
  /** The client can resume its stream elsewhere: it is cut off without `<close/>` (XEP-0198). */
  readonly resumable?: boolean;
}
