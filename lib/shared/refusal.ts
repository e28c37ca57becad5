import { SessionRefused, type SessionEnd, type SharedRefusal } from '../session/index.js';

/** What a client is told that waited for a session in vain. */
export const NOT_FOUND: SessionEnd = { reason: 'error', condition: 'item-not-found', text: 'no session to attach to' };

const REFUSALS: Partial<Record<SharedRefusal, ConstructorParameters<typeof SessionRefused>>> = {
  key: ['policy-violation', 'the key is too short, too long, or has characters that it must not have', 403],
  clients: ['policy-violation', 'too many clients share the session', 403],
  throttled: ['policy-violation', 'too many attempts from this address', 429, 60],
};

/** A client with a key that gets no session. Whoever cannot have the session is not told that there is one. */
export class SharingRefused extends SessionRefused {
  constructor(readonly reason: SharedRefusal) {
    super(...(REFUSALS[reason] ?? ['item-not-found', 'no session to attach to', 403]));
  }
}

/** The same for one that is told later. */
export function endOf(error: unknown): SessionEnd {
  if (!(error instanceof SessionRefused)) return { reason: 'error', condition: 'internal-server-error' };
  const { condition, message, uri } = error;
  return uri === undefined ? { reason: 'error', condition, text: message } : { reason: 'moved', uri };
}
