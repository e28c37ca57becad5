import type { SaslLogin } from '../sasl/index.js';
import type { XmppLogin } from './credentials.js';

/** As SASL has it: who authenticates, and for whom. */
export function saslLoginOf({ username, password, actor }: XmppLogin, domain: string): SaslLogin {
  return actor === undefined ? { username, password } : { username: actor, password, authzid: `${username}@${domain}` };
}
