import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { Duplex } from 'node:stream';
import {
  Catch,
  Controller,
  Get,
  Injectable,
  VersioningType,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type DynamicModule,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type NestApplicationOptions,
  type NestInterceptor,
  type PipeTransform,
  type Provider,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, NestFactory, Reflector, type AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { SkipThrottle, ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import fastifyCompress from '@fastify/compress';
import fastifyHelmet from '@fastify/helmet';
import compression from 'compression';
import helmet from 'helmet';
import { XmppModule, XmppWsAdapter, type XmppModuleExtras, type XmppModuleOptions } from 'nestjs-xmpp';
import { startXmppApp } from 'nestjs-xmpp/testing';
import { map } from 'rxjs';

// The host apps of the matrix, as their authors would write them. Compiled to ESM for Nest 12 and to CommonJS for Nest 11.

export type Platform = 'express' | 'fastify';

interface Host {
  /** Options of the module: one, or one for each time that it is imported. */
  readonly xmpp?: (Partial<XmppModuleOptions> & XmppModuleExtras) | readonly (Partial<XmppModuleOptions> & XmppModuleExtras)[];
  readonly imports?: readonly DynamicModule[];
  readonly providers?: readonly Provider[];
  readonly settings?: NestApplicationOptions;
  readonly adapter?: AbstractHttpAdapter;
  /** What `main.ts` does before it listens. */
  readonly prepare?: (app: INestApplication) => unknown;
}

@Controller('cats')
class CatsController {
  @Get()
  find() {
    return ['tom'];
  }
}

@WebSocketGateway({ path: '/chat' })
class ChatGateway {
  @SubscribeMessage('echo')
  echo(@MessageBody() data: string) {
    return { event: 'echo', data };
  }
}

const Public = Reflector.createDecorator<boolean>();

@Injectable()
class DenyAll implements CanActivate {
  private readonly reflector = new Reflector();
  canActivate(context: ExecutionContext) {
    return this.reflector.getAllAndOverride(Public, [context.getHandler(), context.getClass()]) === true;
  }
}

@Injectable()
class Envelope implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

@Injectable()
class RefuseObjects implements PipeTransform {
  transform(value: unknown, { type }: { type: string }) {
    if (type === 'body') throw new Error('a pipe saw a body');
    return value;
  }
}

@Catch()
class TeapotFilter implements ExceptionFilter {
  catch(_exception: unknown, host: ArgumentsHost) {
    const response = host.switchToHttp().getResponse();
    if ('code' in response) response.code(418).send('teapot');
    else response.status(418).send('teapot');
  }
}

/** Takes upgrades of a path of its own and no others, as Vite's and Apollo's do. */
function foreignUpgrades(app: INestApplication): void {
  (app.getHttpServer() as Server).on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    if (request.url === '/hmr') socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: hmr\r\nConnection: Upgrade\r\n\r\n');
  });
}

const tls = () => ({ key: readFileSync(process.env['TLS_KEY']!), cert: readFileSync(process.env['TLS_CERT']!) });

/** Express itself speaks no HTTP/2; BOSH before its router does. */
class Http2ExpressAdapter extends ExpressAdapter {
  override initHttpServer(): void {
    this.httpServer = createSecureServer({ ...tls(), allowHTTP1: true }, this.getInstance() as () => void) as never;
  }
}

const guard = (useClass: typeof DenyAll | typeof ThrottlerGuard): Provider => ({ provide: APP_GUARD, useClass });
const throttler = ThrottlerModule.forRoot([{ ttl: 60_000, limit: 2 }]);

export const HOSTS: Readonly<Record<string, (platform: Platform) => Host>> = {
  'plain': () => ({}),
  'server ingress': () => ({ xmpp: { ingress: 'server' } }),
  'ws gateway': () => ({ providers: [ChatGateway], prepare: (app) => app.useWebSocketAdapter(new WsAdapter(app)) }),
  'socket.io gateway, no adapter chosen': () => ({ providers: [ChatGateway] }),
  'socket.io gateway': () => ({ providers: [ChatGateway], prepare: (app) => app.useWebSocketAdapter(new IoAdapter(app)) }),
  'ws gateway, our adapter by hand': () => ({
    providers: [ChatGateway],
    prepare: (app) => app.useWebSocketAdapter(new XmppWsAdapter(app, new WsAdapter(app))),
  }),
  'upgrades of others': () => ({ prepare: foreignUpgrades }),
  'prefix, versions, CORS': () => ({
    prepare: (app) => {
      app.setGlobalPrefix('api', { exclude: ['health'] });
      app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
      app.enableCors({ origin: 'https://app.example' });
    },
  }),
  'guard': () => ({ providers: [guard(DenyAll)] }),
  'guard, exempt': () => ({ providers: [guard(DenyAll)], xmpp: { decorators: [Public(true)] } }),
  'guard, server ingress': () => ({ providers: [guard(DenyAll)], xmpp: { ingress: 'server' } }),
  'throttler': () => ({ imports: [throttler], providers: [guard(ThrottlerGuard)] }),
  'throttler, exempt': () => ({ imports: [throttler], providers: [guard(ThrottlerGuard)], xmpp: { decorators: [SkipThrottle()] } }),
  'interceptor, pipe, filter': () => ({
    providers: [
      { provide: APP_INTERCEPTOR, useClass: Envelope },
      { provide: APP_PIPE, useClass: RefuseObjects },
      { provide: APP_FILTER, useClass: TeapotFilter },
    ],
  }),
  'helmet, compression': (platform) => ({
    prepare: async (app) => {
      if (platform === 'express') {
        app.use(helmet(), compression({ threshold: 0 }));
      } else {
        const fastify = app as NestFastifyApplication;
        await fastify.register(fastifyHelmet as never);
        await fastify.register(fastifyCompress as never, { threshold: 0 } as never);
      }
    },
  }),
  // Nest 12 has these two; on Nest 11 it is a plain host.
  'CSRF, security headers': () => ({
    prepare: (app) => {
      app.enableCsrfProtection?.();
      app.useSecurityHeaders?.();
    },
  }),
  'CSRF, server ingress': () => ({ xmpp: { ingress: 'server' }, prepare: (app) => app.enableCsrfProtection?.() }),
  'raw bodies': () => ({ settings: { rawBody: true } }),
  'no body parsers': () => ({ settings: { bodyParser: false } }),
  'two modules': () => ({
    xmpp: [{}, { domains: ['example.net'], websocket: { path: '/second/ws' }, bosh: { path: '/second/bosh' } }],
  }),
  'TLS': (platform) =>
    platform === 'express' ? { settings: { httpsOptions: tls() } } : { adapter: new FastifyAdapter({ https: tls() } as never) },
  'HTTP/2': (platform) => ({
    xmpp: { ingress: platform === 'express' ? 'server' : 'router' },
    settings: { forceCloseConnections: true },
    adapter:
      platform === 'express'
        ? new Http2ExpressAdapter()
        : new FastifyAdapter({ http2: true, https: { ...tls(), allowHTTP1: true }, forceCloseConnections: true } as never),
  }),
};

/** Not in the table of hosts: an app of the testing kit. */
export const TESTING = 'testing module';

/** @returns the app, which listens on a free port of 127.0.0.1 */
export async function start(name: string, platform: Platform): Promise<INestApplication> {
  if (name === TESTING) {
    const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
    return (await startXmppApp({ adapter, controllers: [CatsController] })).app;
  }
  const host = HOSTS[name]!(platform);
  class HostModule {}
  const modules = [host.xmpp ?? {}].flat().map((options) => XmppModule.forRoot({ domains: ['example.org'], ...options }));
  const app = await NestFactory.create<INestApplication>(
    {
      module: HostModule,
      imports: [...modules, ...(host.imports ?? [])],
      controllers: [CatsController],
      providers: [...(host.providers ?? [])],
    },
    host.adapter ?? (platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter()),
    { logger: ['error', 'warn'], abortOnError: false, ...host.settings },
  );
  await host.prepare?.(app);
  await app.listen(0, '127.0.0.1');
  return app;
}
