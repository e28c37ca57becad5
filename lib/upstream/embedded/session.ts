import { NS } from '../../xml/index.js';
import { StanzaError } from '../../stanza-error.js';
import type { EmbeddedService, QueryHandler } from './service.js';

const set = { type: 'set' } as const;

/** What a bound client may still ask about its own stream. */
export class SessionService implements EmbeddedService {
  readonly queries: readonly QueryHandler[] = (['account', 'domain'] as const).flatMap((target) => [
    // RFC 3921, section 3: clients ask for a session even where the server says that they need not.
    { ...set, name: 'session', namespace: NS.session, target, answer: () => undefined },
    // RFC 6120, section 7.7.3: one resource per stream.
    {
      ...set,
      name: 'bind',
      namespace: NS.bind,
      target,
      answer: () => {
        throw new StanzaError('not-allowed');
      },
    },
  ]);
}
