import { Controller, Get, Inject, Req, Res, VERSION_NEUTRAL } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { rawRequest, takeResponse, type HostRequest, type HostResponse } from '../http/index.js';
import { XMPP_OPTIONS, type ResolvedOptions } from '../xmpp.options.js';
import { isAskedFor, jrd, links, xrd } from './host-meta.js';

/** The options of each module of an app. The paths are the app's: the first module serves them for all. */
const modules = new WeakMap<ApplicationConfig, ResolvedOptions[]>();

/** Discovery of the endpoints (RFC 6415, XEP-0156). */
@Controller({ path: '.well-known', version: VERSION_NEUTRAL })
export class HostMetaController {
  private readonly served: ResolvedOptions[];

  constructor(@Inject(XMPP_OPTIONS) own: ResolvedOptions, app: ApplicationConfig) {
    this.served = modules.get(app) ?? [];
    modules.set(app, this.served);
    // Nest reads this in app.init(); Fastify takes no route twice.
    if (this.served.push(own) > 1) Controller([])(new.target);
  }

  /** XRD; JRD for those who accept nothing else. */
  @Get('host-meta')
  hostMeta(@Req() request: HostRequest, @Res() response: HostResponse): void {
    const accept = request.headers.accept ?? '';
    const json = /application\/json/i.test(accept) && !/xml|\*\/\*/i.test(accept);
    this.answer(request, response, json);
  }

  @Get('host-meta.json')
  hostMetaJson(@Req() request: HostRequest, @Res() response: HostResponse): void {
    this.answer(request, response, true);
  }

  private answer(request: HostRequest, reply: HostResponse, json: boolean): void {
    const response = takeResponse(reply);
    const raw = rawRequest(request);
    const options = this.served.find((each) => isAskedFor(raw, each)) ?? this.served[0]!;
    const found = links(raw, options);
    const body = Buffer.from(json ? jrd(found, options) : xrd(found));
    // Web clients of any origin may read these two files (XEP-0156, section 3), and no others.
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Vary', 'Host, Accept');
    response.setHeader('Cache-Control', `max-age=${options.hostMeta.ttl ?? 3600}`);
    response.writeHead(200, {
      'Content-Type': json ? 'application/json; charset=utf-8' : 'application/xrd+xml; charset=utf-8',
      'Content-Length': body.length,
    });
    response.end(body);
  }
}
