import {
  BadRequestException,
  Body,
  ConflictException,
  Controller,
  Delete,
  Get,
  Header,
  Headers,
  HttpCode,
  Logger,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
  Query,
} from '@nestjs/common';
import { oneLine } from '../observability/index.js';
import { Admin, type XmppAdminDetails, type XmppAdminOverview, type XmppAdminPage } from './admin.service.js';
import { Parameters, requireJson } from './parameters.js';
import type { XmppRecording, XmppRecordingLines } from './recordings.js';

const MAX_PAGE = 500;
const MAX_TRACE = 86_400;

/**
 * The administration over JSON: see docs/ADMIN.md. Made by `XmppAdminModule.forRoot()`, which puts the app's guard
 * before it and gives it its path. No answer holds a secret: no `sid`, key, ticket or password.
 *
 * @publicApi
 */
@Controller()
export class XmppAdminController {
  private readonly logger = new Logger('XmppAdmin');

  /** @internal Made by Nest. */
  constructor(private readonly admin: Admin) {}

  /** This process: what lives, what passed, what it refused, whether its upstreams can be reached. */
  @Get()
  @Header('Cache-Control', 'no-store')
  overview(@Query() query: unknown): XmppAdminOverview {
    void new Parameters(query, []);
    return this.admin.overview();
  }

  /** The sessions, of a cluster those of all nodes, page by page. */
  @Get('sessions')
  @Header('Cache-Control', 'no-store')
  async list(@Query() query: unknown): Promise<XmppAdminPage> {
    const asked = new Parameters(query, ['search', 'jid', 'transport', 'state', 'address', 'order', 'offset', 'limit']);
    const filter = {
      search: asked.text('search'),
      jid: asked.text('jid'),
      transport: asked.choice('transport', ['websocket', 'bosh']),
      state: asked.choice('state', ['open', 'authenticated', 'bound']),
      address: asked.text('address', 64),
    };
    const order = asked.choice('order', ['oldest', 'newest']) ?? 'oldest';
    return await this.admin.page(filter, order, asked.integer('offset', 0, 0, Number.MAX_SAFE_INTEGER), asked.integer('limit', 50, 1, MAX_PAGE));
  }

  /** One session, with the clients that share it. */
  @Get('sessions/:id')
  @Header('Cache-Control', 'no-store')
  async inspect(@Param('id') id: string): Promise<XmppAdminDetails> {
    const found = await this.admin.details(id);
    if (!found) throw new NotFoundException('no such session');
    return found;
  }

  /** Ends sessions: `key` is a session's id, a full JID or a bare one; `text` is for the client. */
  @Post('kick')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  async kick(@Headers('content-type') type: string | undefined, @Body() body: unknown): Promise<Record<'ended', number>> {
    requireJson(type);
    const asked = new Parameters(body, ['key', 'text']);
    const key = asked.required('key');
    const ended = await this.admin.kick(key, asked.text('text', 256));
    if (ended === 0) throw new NotFoundException('no such session');
    this.logger.log(`ended ${ended} sessions of ${oneLine(key)}`);
    return { ended };
  }

  /** Sends the clients of this process elsewhere: those that are there, and those to come. */
  @Post('drain')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  drain(@Headers('content-type') type: string | undefined, @Body() body: unknown): Record<'moved', number> {
    requireJson(type);
    const asked = new Parameters(body, ['websocket', 'bosh']);
    const [websocket, bosh] = [asked.text('websocket'), asked.text('bosh')];
    if (websocket === undefined && bosh === undefined) throw new BadRequestException('websocket or bosh: a URI is missing');
    const to = { ...(websocket !== undefined && { websocket }), ...(bosh !== undefined && { bosh }) };
    const moved = refusing(() => this.admin.drain(to), BadRequestException);
    this.logger.log(`clients are sent elsewhere, ${moved} were`);
    return { moved };
  }

  /** Takes new sessions again. */
  @Delete('drain')
  @Header('Cache-Control', 'no-store')
  undrain(): Record<'drain', null> {
    this.admin.undrain();
    this.logger.log('clients are sent elsewhere no longer');
    return { drain: null };
  }

  /** The traces that were started here. */
  @Get('traces')
  @Header('Cache-Control', 'no-store')
  traces(): Record<'traces', readonly XmppRecording[]> {
    return { traces: this.admin.recordings.list() };
  }

  /** Starts one: `key` is a session's id, a `sid`, a JID or an address; `seconds` is how long. */
  @Post('traces')
  @HttpCode(201)
  @Header('Cache-Control', 'no-store')
  startTrace(@Headers('content-type') type: string | undefined, @Body() body: unknown): XmppRecording {
    requireJson(type);
    const asked = new Parameters(body, ['key', 'seconds']);
    const seconds = asked.integer('seconds', 600, 1, MAX_TRACE);
    const recording = refusing(() => this.admin.recordings.start(asked.required('key'), seconds), ConflictException);
    this.logger.log(`trace ${recording.id} of ${oneLine(recording.key)} was started`);
    return recording;
  }

  /** Its lines after the one whose number is `after`. */
  @Get('traces/:id')
  @Header('Cache-Control', 'no-store')
  trace(@Param('id', ParseIntPipe) id: number, @Query() query: unknown): XmppRecordingLines {
    const after = new Parameters(query, ['after']).integer('after', 0, 0, Number.MAX_SAFE_INTEGER);
    const found = this.admin.recordings.lines(id, after);
    if (!found) throw new NotFoundException('no such trace');
    return found;
  }

  /** Stops one, and forgets what it saw. */
  @Delete('traces/:id')
  @Header('Cache-Control', 'no-store')
  stopTrace(@Param('id', ParseIntPipe) id: number): Record<'stopped', number> {
    if (!this.admin.recordings.stop(id)) throw new NotFoundException('no such trace');
    this.logger.log(`trace ${id} was stopped`);
    return { stopped: id };
  }
}

/** What was asked for cannot be, and a TypeError says why. */
function refusing<T>(act: () => T, Refusal: new (message: string) => Error): T {
  try {
    return act();
  } catch (error) {
    throw error instanceof TypeError ? new Refusal(error.message) : error;
  }
}
