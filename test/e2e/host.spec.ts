import { once } from 'node:events';
import {
  Controller,
  Get,
  Injectable,
  Module,
  ValidationPipe,
  VersioningType,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
  type Type,
} from '@nestjs/common';
import { APP_GUARD, Reflector } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test } from '@nestjs/testing';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { XmppModule, XmppSessionService, XmppWsAdapter, type XmppModuleOptions } from 'nestjs-xmpp';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { PLATFORMS, type Platform } from '../support/gateway.js';
import { ScriptedUpstream } from '../support/scripted-upstream.js';
import { open, RawWebSocket } from '../support/websocket-client.js';

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
  constructor(private readonly reflector: Reflector) {}
  canActivate(context: ExecutionContext) {
    return this.reflector.getAllAndOverride(Public, [context.getHandler(), context.getClass()]) === true;
  }
}

interface Host {
  imports?: Partial<XmppModuleOptions>;
  decorators?: ClassDecorator[];
  providers?: unknown[];
  prepare?: (app: INestApplication) => void;
}

const CREATE = `<body xmlns='http://jabber.org/protocol/httpbind' rid='1000' to='example.org' wait='5' hold='1' ver='1.11'/>`;

describe.each(PLATFORMS)('a host app on %s', (platform: Platform) => {
  const apps: INestApplication[] = [];
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  async function start(host: Host = {}): Promise<string> {
    const upstream = new ScriptedUpstream();
    @Module({
      imports: [XmppModule.forRoot({ domains: ['example.org'], upstream, ...host.imports, ...(host.decorators && { decorators: host.decorators }) })],
      controllers: [CatsController],
      providers: (host.providers ?? []) as never[],
    })
    class AppModule {}
    return boot(AppModule, host.prepare);
  }

  async function boot(module: Type, prepare?: (app: INestApplication) => void): Promise<string> {
    const testing = await Test.createTestingModule({ imports: [module] }).compile();
    const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
    const app = testing.createNestApplication(adapter, { logger: ['error', 'warn'] });
    apps.push(app);
    prepare?.(app);
    await app.listen(0, '127.0.0.1');
    return `http://127.0.0.1:${app.getHttpServer().address().port}`;
  }

  async function expectEndpoints(url: string, ws = '/xmpp-websocket', bosh = '/http-bind'): Promise<void> {
    const client = await RawWebSocket.connect(url.replace('http', 'ws') + ws);
    client.send(open({ to: 'example.org' }));
    expect(await client.next()).toContain('<open ');
    expect(await client.next()).toContain('<stream:features');
    client.socket.terminate();
    await client.closed;
    const response = await fetch(url + bosh, { method: 'POST', body: CREATE, headers: { 'content-type': 'text/xml' } });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain(' sid=');
    expect((await fetch(`${url}/.well-known/host-meta`)).status).toBe(200);
  }

  const expectChat = async (url: string) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/chat`);
    await once(socket, 'open');
    socket.send(JSON.stringify({ event: 'echo', data: 'hi' }));
    const [data] = await once(socket, 'message');
    expect(JSON.parse(data)).toEqual({ event: 'echo', data: 'hi' });
    socket.terminate();
  };

  const expectSocketIo = async (url: string) => {
    const socket = io(url, { path: '/chat', transports: ['websocket'] });
    socket.emit('echo', 'hi');
    const data = await new Promise((resolve) => socket.once('echo', resolve));
    expect(data).toBe('hi');
    socket.disconnect();
  };

  it('needs nothing but the import', async () => {
    const url = await start();
    await expectEndpoints(url);
    expect(await (await fetch(`${url}/cats`)).json()).toEqual(['tom']);
  });

  it.each(['router', 'server'] as const)('N2, N3: takes a body of any Content-Type with ingress %s, and leaves the host its own parsers', async (ingress) => {
    const url = await start({ imports: { ingress } });
    for (const type of ['text/xml', 'text/plain', 'application/json', 'application/x-www-form-urlencoded', 'rubbish', undefined]) {
      const body = Buffer.from(CREATE);
      const response = await fetch(`${url}/http-bind`, { method: 'POST', body, ...(type && { headers: { 'content-type': type } }) });
      expect([type, response.status, (await response.text()).includes(' sid=')]).toEqual([type, 200, true]);
    }
  });

  it('N1: an app with ws gateways on WsAdapter keeps them, however it is chosen', async () => {
    const url = await start({ providers: [ChatGateway], prepare: (app) => app.useWebSocketAdapter(new WsAdapter(app)) });
    await expectChat(url);
    await expectEndpoints(url);
  });

  it('N1: an app with socket.io gateways on the adapter that Nest chooses keeps them', async () => {
    const url = await start({ providers: [ChatGateway] });
    await expectSocketIo(url);
    await expectEndpoints(url);
  });

  it('N1: an app that chose IoAdapter keeps it', async () => {
    const url = await start({ providers: [ChatGateway], prepare: (app) => app.useWebSocketAdapter(new IoAdapter(app)) });
    await expectSocketIo(url);
    await expectEndpoints(url);
  });

  it('N1: an app may put XmppWsAdapter before its own by hand', async () => {
    const prepare = (app: INestApplication) => app.useWebSocketAdapter(new XmppWsAdapter(app, new WsAdapter(app)));
    const url = await start({ providers: [ChatGateway], prepare });
    await expectChat(url);
    await expectEndpoints(url);
  });

  it('N4: a global prefix, URI versioning, pipes and CORS of the host do not move the endpoints', async () => {
    const url = await start({
      prepare: (app) => {
        app.setGlobalPrefix('api', { exclude: ['health'] });
        app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
        app.useGlobalPipes(new ValidationPipe({ transform: true, validatorPackage: VALIDATOR, transformerPackage: TRANSFORMER }));
        app.enableCors({ origin: 'https://app.example' });
      },
    });
    await expectEndpoints(url);
    expect((await fetch(`${url}/api/v1/cats`)).status).toBe(200);
    expect((await fetch(`${url}/cats`)).status).toBe(404);
  });

  it("N4: a global guard of the host stands before BOSH in the router, and the module's decorators let it pass", async () => {
    const guarded = await start({ providers: [{ provide: APP_GUARD, useClass: DenyAll }] });
    expect((await fetch(`${guarded}/http-bind`, { method: 'POST', body: CREATE })).status).toBe(403);
    const exempt = await start({
      providers: [{ provide: APP_GUARD, useClass: DenyAll }],
      decorators: [Public(true)],
    });
    await expectEndpoints(exempt);
    expect((await fetch(`${exempt}/cats`)).status).toBe(403);
  });

  it('forRootAsync: options may come from other providers, and two apps in one process keep their own paths', async () => {
    const module = (path: string) => {
      @Module({
        imports: [
          XmppModule.forRootAsync({
            useFactory: async () => ({
              domains: ['example.org'],
              upstream: new ScriptedUpstream(),
              websocket: { path },
              bosh: { path: `${path}-bosh` },
            }),
          }),
        ],
      })
      class AppModule {}
      return AppModule;
    };
    const [one, two] = [await boot(module('/one')), await boot(module('/two'), (app) => app.useWebSocketAdapter(new WsAdapter(app)))];
    await expectEndpoints(one, '/one', '/one-bosh');
    await expectEndpoints(two, '/two', '/two-bosh');
    await expect(RawWebSocket.connect(`${one.replace('http', 'ws')}/two`)).rejects.toThrow();
    expect((await fetch(`${two}/one-bosh`, { method: 'POST', body: CREATE })).status).toBe(404);
    expect(apps[0]!.get(XmppSessionService, { strict: false })).not.toBe(apps[1]!.get(XmppSessionService, { strict: false }));
  });

  it('forRootAsync: a wrong option stops the start with a message that names it', async () => {
    @Module({ imports: [XmppModule.forRootAsync({ useFactory: () => ({ domains: [] }) })] })
    class AppModule {}
    await expect(boot(AppModule)).rejects.toThrow('option domains is []; allowed: a list of at least one XMPP domain');
  });

  it('N5: close() does not hang on a held request or an open WebSocket', async () => {
    const url = await start();
    const client = await RawWebSocket.open(`${url.replace('http', 'ws')}/xmpp-websocket`);
    const created = await (await fetch(`${url}/http-bind`, { method: 'POST', body: CREATE })).text();
    const sid = / sid=["']([^"']+)/.exec(created)![1];
    const held = fetch(`${url}/http-bind`, {
      method: 'POST',
      body: `<body xmlns='http://jabber.org/protocol/httpbind' rid='1001' sid='${sid}'/>`,
    });
    client.send('<presence/>');
    const closing = apps.pop()!.close();
    expect(await (await held).text()).toContain('system-shutdown');
    await client.closed;
    await closing;
  });
});

/** ValidationPipe insists on these two packages; what they do is no matter here. */
const VALIDATOR = { validate: async () => [] } as never;
const TRANSFORMER = { plainToInstance: (_: unknown, value: unknown) => value, classToPlain: (value: unknown) => value } as never;
