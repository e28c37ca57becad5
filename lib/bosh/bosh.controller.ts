import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { All, Controller, Inject, Req, Res, VERSION_NEUTRAL, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { rawRequest, takeResponse, type HostRequest, type HostResponse } from '../http/index.js';
import { XMPP_OPTIONS, type ResolvedOptions } from '../xmpp.options.js';
import { BoshEndpoint } from './bosh.endpoint.js';

/** Known to nobody, so that no body parser of the host takes a request's body away. */
const OPAQUE = 'application/vnd.xmpp-bosh';

/** What we need of a Fastify instance; the package may not be there. */
interface FastifyLike {
  hasContentTypeParser(type: string): boolean;
  addContentTypeParser(
    type: string,
    parser: (request: unknown, payload: unknown, done: (error: null, body: unknown) => void) => void,
  ): void;
}

/** Puts the BOSH endpoint into the host's app: behind its router, or before it. */
@Controller()
export class BoshController implements OnModuleInit {
  constructor(
    private readonly endpoint: BoshEndpoint,
    private readonly host: HttpAdapterHost,
    @Inject(XMPP_OPTIONS) private readonly options: ResolvedOptions,
  ) {
    // Nest reads this in app.init(), when the options are known. The module makes a subclass for each forRoot().
    Controller({ path: options.bosh.path, version: VERSION_NEUTRAL })(new.target);
  }

  onModuleInit(): void {
    const { httpAdapter } = this.host;
    const server = httpAdapter?.getHttpServer() as Server | undefined;
    if (!server) return; // an application context without HTTP
    if (this.options.ingress === 'server') return this.takeBeforeRouter(server);
    server.prependListener('request', (request: IncomingMessage) => {
      if (request.method === 'POST' && this.isOurs(request)) request.headers['content-type'] = OPAQUE;
    });
    if (httpAdapter.getType() !== 'fastify') return;
    const fastify = httpAdapter.getInstance<FastifyLike>();
    if (fastify.hasContentTypeParser(OPAQUE)) return;
    fastify.addContentTypeParser(OPAQUE, (_request, payload, done) => done(null, payload));
  }

  @All()
  serve(@Req() request: HostRequest, @Res() response: HostResponse): void {
    this.endpoint.handle(rawRequest(request), takeResponse(response));
  }

  private takeBeforeRouter(server: Server): void {
    const others = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[];
    server.removeAllListeners('request');
    server.on('request', (request, response) => {
      if (this.isOurs(request)) this.endpoint.handle(request, response);
      else for (const listener of others) listener.call(server, request, response);
    });
  }

  private isOurs({ url }: IncomingMessage): boolean {
    const { path } = this.options.bosh;
    if (url === path) return true;
    const query = url!.indexOf('?');
    const asked = query < 0 ? url! : url!.slice(0, query);
    return asked === path || asked === `${path}/`;
  }
}
