import { Controller, Get, Inject, Req, Res, VERSION_NEUTRAL } from '@nestjs/common';
import { Origins, rawRequest, takeResponse, type HostRequest, type HostResponse } from '../http/index.js';
import { XMPP_OPTIONS, type ResolvedOptions } from '../xmpp.options.js';

const TEXT = Buffer.from('XMPP over WebSocket (RFC 7395): connect with the subprotocol xmpp\n');

/**
 * A plain GET on the WebSocket's path. Some clients (Jitsi's) send one now and then to see through
 * which proxies they would come, and take anything but 200 for trouble.
 */
@Controller()
export class WebSocketInfoController {
  private readonly origins: Origins;

  constructor(@Inject(XMPP_OPTIONS) options: ResolvedOptions) {
    this.origins = new Origins(options.origins, options.exposeHeaders);
    Controller({ path: options.websocket.path, version: VERSION_NEUTRAL })(new.target);
  }

  @Get()
  info(@Req() request: HostRequest, @Res() reply: HostResponse): void {
    const response = takeResponse(reply);
    this.origins.setHeaders(rawRequest(request), response);
    response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': TEXT.length, 'Cache-Control': 'no-store' });
    response.end(TEXT);
  }
}
