import type { EmbeddedService, EmbeddedServices, QueryHandler } from '../service.js';
import { requirePresence } from './access.js';
import { XMLNS } from './namespaces.js';

/** XMPP ping (XEP-0199) of the server's domains and of bare accounts. */
export class PingService implements EmbeddedService {
  private server!: EmbeddedServices;

  readonly features = [XMLNS.ping];
  readonly accountFeatures = [XMLNS.ping];
  readonly queries: readonly QueryHandler[] = [
    { name: 'ping', namespace: XMLNS.ping, type: 'get', target: 'domain', answer: () => undefined },
    {
      name: 'ping',
      namespace: XMLNS.ping,
      type: 'get',
      target: 'account',
      answer: ({ from, to }) => {
        requirePresence(this.server, to.bare, from);
        return undefined;
      },
    },
  ];

  attach(server: EmbeddedServices): void {
    this.server = server;
  }
}
