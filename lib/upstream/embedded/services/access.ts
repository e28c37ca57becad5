import type { EmbeddedServices } from '../service.js';
import type { Jid } from '../jid.js';
import { StanzaError } from '../../../stanza-error.js';

/** Whether the reader is the account itself or receives its presence. */
export function seesPresence(server: EmbeddedServices, owner: string, reader: Jid): boolean {
  if (reader.bare === owner) return true;
  const subscription = server.subscription(owner, reader.bare);
  return subscription === 'from' || subscription === 'both';
}

/**
 * Strangers learn nothing about an account, not even that it exists (RFC 6121, section 8.5.1): they
 * get what they would get for none.
 * @throws {StanzaError} service-unavailable
 */
export function requirePresence(server: EmbeddedServices, owner: string, reader: Jid): void {
  if (!seesPresence(server, owner, reader)) throw new StanzaError('service-unavailable');
}
