import { element } from '../../../xml/index.js';
import type { EmbeddedService, EmbeddedServices, QueryHandler } from '../service.js';
import { XMLNS } from './namespaces.js';

/** A time stamp as XEP-0082 writes it, in UTC. */
export function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** Entity time (XEP-0202) of the server's domains, in UTC. */
export class TimeService implements EmbeddedService {
  private server!: EmbeddedServices;

  readonly features = [XMLNS.time];
  readonly queries: readonly QueryHandler[] = [
    {
      name: 'time',
      namespace: XMLNS.time,
      type: 'get',
      target: 'domain',
      answer: () =>
        element(
          'time',
          { xmlns: XMLNS.time },
          element('tzo', {}, '+00:00'),
          element('utc', {}, timestamp(this.server.wallClock())),
        ),
    },
  ];

  attach(server: EmbeddedServices): void {
    this.server = server;
  }
}
