/** Why a connection ended, in words, by the standard's own condition. */
const WORDS = {
  'system-shutdown': 'the server is shutting down',
  'remote-connection-failed': 'the XMPP server behind the gateway cannot be reached',
  'remote-stream-error': 'the XMPP server ended the stream',
  'not-authorized': 'address or password is wrong',
  'host-unknown': 'this gateway does not serve that domain',
  'improper-addressing': 'the address has no domain that this gateway serves',
  'policy-violation': 'the gateway refused it by its limits',
  'connection-timeout': 'the connection was silent for too long',
  'item-not-found': 'the server no longer knows the session',
  'feature-not-implemented': 'the server does not let tabs share a session',
  'conflict': 'the same resource signed in elsewhere',
  'reset': 'the server asks to connect anew',
  'no-auth-mech': 'the server offers no way to sign in that this page knows',
  'resource-constraint': 'the server is too busy',
};
/** Trying again would not help. */
const FINAL = new Set(['not-authorized', 'host-unknown', 'host-gone', 'improper-addressing', 'conflict', 'no-auth-mech']);
/** There is no stream that a tab without a password could join. */
const NOTHING_TO_JOIN = new Set(['item-not-found', 'feature-not-implemented']);

/**
 * @typedef {object} Reason
 * @property {string} [condition] of the stream error
 * @property {string} [text] of the stream error
 * @property {number} [code] of the WebSocket or of HTTP
 * @property {boolean} [orderly] the server ended the stream without an error
 */

/** @param {Reason} reason */
export function inWords({ condition, text, code }) {
  if (condition) return `${WORDS[condition] ?? condition} (${condition}${text ? `: ${text}` : ''})`;
  if (code === 1012) return 'the server restarts (WebSocket 1012)';
  if (code) return `the connection failed (${code < 1000 ? 'HTTP' : 'WebSocket'} ${code})`;
  return 'the server does not answer';
}

/** @param {Reason} reason */
export function isFinal({ condition }) {
  return FINAL.has(condition);
}

/** @param {Reason} reason */
export function isNothingToJoin({ condition }) {
  return NOTHING_TO_JOIN.has(condition);
}
