import type { Server } from 'node:http';
import {
  Inject,
  Logger,
  Module,
  RequestMethod,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type NestModule,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { ApplicationConfig, DiscoveryModule, HttpAdapterHost } from '@nestjs/core';
import { Handshakes, Unfinished } from './http/index.js';
import { BoshController, BoshEndpoint } from './bosh/index.js';
import { Clock, SystemClock } from './clock.js';
import { Cluster } from './cluster/index.js';
import { HostMetaController } from './discovery/index.js';
import { EventEmitterBridge, HooksExplorer } from './hooks/index.js';
import { Counts, Journal, XmppHealth, XmppHealthIndicator, XmppMetrics, XmppTrace, Spans } from './observability/index.js';
import { WebLogins } from './login/index.js';
import { Prebinding } from './prebind/index.js';
import { Entrance, SessionRegistry, StanzaInterceptors, XmppEvents, XmppSessionService } from './session/index.js';
import { Sharing, XmppSharedKeyService } from './shared/index.js';
import { Upstreams } from './upstream/upstreams.js';
import { loadStandardAdapter, STANDARD_ADAPTER, WebSocketInfoController, XmppGateway } from './websocket/index.js';
import {
  ConfigurableModuleClass,
  XMPP_MODULE_OPTIONS,
  type ASYNC_OPTIONS_TYPE,
  type OPTIONS_TYPE,
} from './xmpp.module-definition.js';
import { resolveOptions, XMPP_OPTIONS, type ResolvedOptions, type XmppModuleOptions } from './xmpp.options.js';

/** Milliseconds for upstreams to end their streams, and then for clients to be told. */
const UPSTREAM_GRACE = 1500;
const CLIENT_GRACE = 1500;

/**
 * Makes the app an XMPP connection manager for the web.
 *
 * @publicApi
 */
@Module({
  imports: [DiscoveryModule],
  providers: [
    {
      provide: XMPP_OPTIONS,
      useFactory: (options: XmppModuleOptions) => resolveOptions(options),
      inject: [XMPP_MODULE_OPTIONS],
    },
    { provide: Clock, useClass: SystemClock },
    {
      provide: XmppEvents,
      useFactory: () => {
        const logger = new Logger('XmppEvents');
        return new XmppEvents((name, error) => logger.error(`listener of ${name} failed`, error));
      },
    },
    {
      provide: StanzaInterceptors,
      useFactory: () => {
        const logger = new Logger('XmppInterceptors');
        return new StanzaInterceptors((error) => logger.error('an interceptor failed', error));
      },
    },
    {
      provide: Entrance,
      useFactory: ({ hooks }: ResolvedOptions, clock: Clock) => {
        const logger = new Logger('XmppGuards');
        return new Entrance(clock, hooks.timeout * 1000, (error) => logger.error('a guard failed', error));
      },
      inject: [XMPP_OPTIONS, Clock],
    },
    {
      provide: Unfinished,
      useFactory: ({ limits }: ResolvedOptions) => new Unfinished(limits.maxUnfinishedBytes),
      inject: [XMPP_OPTIONS],
    },
    { provide: STANDARD_ADAPTER, useFactory: loadStandardAdapter },
    Cluster,
    Upstreams,
    SessionRegistry,
    XmppSessionService,
    Sharing,
    XmppSharedKeyService,
    BoshEndpoint,
    Prebinding,
    WebLogins,
    Counts,
    Journal,
    Spans,
    XmppHealth,
    XmppHealthIndicator,
    XmppMetrics,
    HooksExplorer,
    EventEmitterBridge,
    XmppTrace,
  ],
  exports: [XmppSessionService, XmppSharedKeyService, XmppEvents, XmppHealth, XmppHealthIndicator, XmppMetrics, XmppTrace],
})
export class XmppModule
  extends ConfigurableModuleClass
  implements NestModule, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  /** @internal Made by Nest. */
  constructor(
    private readonly config: ApplicationConfig,
    @Inject(XMPP_OPTIONS) private readonly options: ResolvedOptions,
    private readonly sessions: SessionRegistry,
    private readonly gateway: XmppGateway,
    private readonly bosh: BoshEndpoint,
    private readonly clock: Clock,
    private readonly cluster: Cluster,
    private readonly host: HttpAdapterHost,
    private readonly events: XmppEvents,
  ) {
    super();
  }

  /**
   * Serves XMPP with these options. `isGlobal` and `decorators` stand among them (see {@link XmppModuleExtras}).
   * @throws {XmppOptionsError} for an option that has a value it cannot have
   */
  static override forRoot(options: typeof OPTIONS_TYPE): DynamicModule {
    const { isGlobal, decorators, ...own } = options;
    resolveOptions(own); // a wrong one is told where it was written
    return withEndpoints(super.forRoot({ ...own, isGlobal: isGlobal ?? false, decorators: [] }), decorators);
  }

  /**
   * As {@link XmppModule.forRoot}, with options from a factory or a class, such as a service of the app's configuration.
   * An option that has a value it cannot have stops the start of the app with an {@link XmppOptionsError}.
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return withEndpoints(super.forRootAsync(options), options.decorators);
  }

  /** @internal Runs in app.init(), after the host's setGlobalPrefix() and before the routes are made: our paths get no prefix. */
  configure(): void {
    const options = this.config.getGlobalPrefixOptions();
    const exempt = (path: string) => ({
      path,
      requestMethod: RequestMethod.ALL,
      pathRegex: new RegExp(`^/${path.replaceAll('.', '\\.')}/?$`),
    });
    const { bosh, websocket } = this.options;
    const paths = ['.well-known/host-meta', '.well-known/host-meta.json', bosh.path.slice(1), websocket.path.slice(1)];
    this.config.setGlobalPrefixOptions({ ...options, exclude: [...(options.exclude ?? []), ...paths.map(exempt)] });
  }

  /** @internal Now that whoever takes requests before the router does so, and the app does not yet listen. */
  onApplicationBootstrap(): void {
    const server = this.host.httpAdapter?.getHttpServer() as Server | undefined;
    const { handshakeTimeout } = this.options.limits;
    if (!server || handshakeTimeout === 0) return;
    new Handshakes(server, this.clock, handshakeTimeout * 1000, (address) =>
      this.events.emit('limit.hit', { limit: 'limits.handshakeTimeout', address }),
    );
  }

  /** @internal Tells every client, while sockets still live: Nest cuts them afterwards. */
  async beforeApplicationShutdown(): Promise<void> {
    // New sessions go elsewhere first. The others' requests for ours, and ours for theirs, still find their way.
    const left = this.cluster.leave();
    const streams = this.sessions.shutdown(UPSTREAM_GRACE);
    await Promise.all([left, streams, this.gateway.shutdown(CLIENT_GRACE), this.bosh.shutdown()]);
    await this.cluster.stop();
  }

  /** @internal Nothing fires any more. */
  onApplicationShutdown(): void {
    this.clock.stop();
  }
}

/** One subclass per forRoot(): path metadata belongs to a class, and two apps may live in one process. */
function withEndpoints(definition: DynamicModule, decorators: ClassDecorator[] = []): DynamicModule {
  class Gateway extends XmppGateway {}
  Object.defineProperty(Gateway, 'name', { value: XmppGateway.name });
  class Bosh extends BoshController {}
  class HostMeta extends HostMetaController {}
  class WebSocketInfo extends WebSocketInfoController {}
  const controllers = [Bosh, HostMeta, WebSocketInfo];
  for (const decorate of decorators) controllers.forEach((controller) => decorate(controller));
  return {
    ...definition,
    controllers,
    providers: [...(definition.providers ?? []), { provide: XmppGateway, useClass: Gateway }],
  };
}
