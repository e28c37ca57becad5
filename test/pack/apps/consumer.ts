// What an app in TypeScript writes against the published types. Compiled, never run.
import { Module } from '@nestjs/common';
import {
  EmbeddedUpstream,
  type UpstreamHandler,
  type UpstreamRequest,
  type UpstreamStream,
  XmppModule,
  type XmppModuleOptions,
  XmppOptionsError,
  XmppSessionService,
  type XmppUpstream,
} from 'nestjs-xmpp';

const options: XmppModuleOptions = {
  domains: ['example.org'],
  ingress: 'server',
  bosh: { path: '/bosh', wait: 30 },
  websocket: { path: '/ws', pingInterval: 0 },
  limits: { maxSessions: 10 },
};

/** An upstream of the app's own. */
export class Relay implements XmppUpstream {
  readonly name = 'relay';
  private readonly embedded = new EmbeddedUpstream({ domains: ['example.org'], users: { alice: 'secret' } });

  open(request: UpstreamRequest, handler: UpstreamHandler): UpstreamStream {
    return this.embedded.open(request, handler);
  }
}

@Module({ imports: [XmppModule.forRoot({ ...options, upstream: new Relay() })] })
export class ForRoot {}

@Module({ imports: [XmppModule.forRootAsync({ useFactory: async () => options })] })
export class ForRootAsync {
  constructor(readonly sessions: XmppSessionService) {}
}

export function explain(error: unknown): string {
  return error instanceof XmppOptionsError ? error.message : 'something else';
}

// @ts-expect-error an option that does not exist must not compile
export const wrong: XmppModuleOptions = { domains: ['example.org'], bosch: {} };
