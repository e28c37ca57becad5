import { Controller, Get, Headers, HttpStatus, Inject, NotFoundException, Req, Res } from '@nestjs/common';
import type { SampleConfig } from '../config.js';
import type { Reply } from '../reply.js';
import { loadAssets, sendAsset } from './assets.js';
import { SAMPLE_CONFIG } from './page.constants.js';

const ASSETS = loadAssets();

/** The demo page: a chat on Strophe, and beside it what goes over the wire. */
@Controller()
export class PageController {
  constructor(@Inject(SAMPLE_CONFIG) private readonly config: SampleConfig) {}

  /** What the page cannot know by itself: where the endpoints are, and which accounts it may offer. */
  @Get('demo.json')
  demo(@Res() reply: Reply): void {
    const { options, upstream, users, demoUsers } = this.config;
    const domain = options.domains[0];
    const accounts = Object.entries(upstream === 'embedded' && demoUsers ? users : {});
    const body = {
      domain,
      websocket: path(options.websocket, '/xmpp-websocket'),
      bosh: path(options.bosh, '/http-bind'),
      accounts: accounts.map(([name, password]) => ({ jid: `${name}@${domain}`, password })),
    };
    reply
      .status(HttpStatus.OK)
      .header('Content-Type', 'application/json; charset=utf-8')
      .header('X-Content-Type-Options', 'nosniff')
      .header('Cache-Control', 'no-store')
      .send(JSON.stringify(body));
  }

  /** One route for each file: any other path stays the router's 404. */
  @Get([...ASSETS.keys()])
  file(@Req() request: { url: string }, @Headers('if-none-match') known: string | undefined, @Res() reply: Reply): void {
    const asset = ASSETS.get(request.url.replace(/^\/|\?.*$/gs, ''));
    if (asset === undefined) throw new NotFoundException();
    sendAsset(asset, known, reply);
  }
}

function path(group: unknown, fallback: string): string {
  const given = (group as { path?: unknown } | undefined)?.path;
  return typeof given === 'string' ? given : fallback;
}
