import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Body, Controller, Get, HttpStatus, Inject, Logger, Post, Query, Req, Res } from '@nestjs/common';
import { PrebindError, XmppSessionService } from 'nestjs-xmpp';
import type { SampleConfig } from '../config.js';
import { SAMPLE_CONFIG } from '../page/page.constants.js';
import type { Reply } from '../reply.js';
import { writeCookie } from './cookie.js';
import { JWT_TTL, JwtUsers } from './jwt-users.js';
import { WEB_SESSION_TTL, WebSessions, type WebSession } from './web-sessions.js';

/** What the requests of Express and Fastify have in common. */
interface Request {
  readonly headers: IncomingHttpHeaders;
  readonly ip?: string;
}

/**
 * How a page is in the chat without a password: the web app has a login of its own, and logs the user in at the XMPP
 * server when the page asks for a session.
 */
@Controller()
export class LoginController {
  private readonly logger = new Logger('Login');

  constructor(
    private readonly webSessions: WebSessions,
    private readonly jwtUsers: JwtUsers,
    private readonly xmpp: XmppSessionService,
    @Inject(SAMPLE_CONFIG) private readonly config: SampleConfig,
  ) {}

  /** `{ "user", "password" }` against a cookie. */
  @Post('login')
  login(@Req() { headers }: Request, @Body() body: unknown, @Res() reply: Reply): void {
    if (!isOwnPage(headers)) return answer(reply, HttpStatus.FORBIDDEN);
    const credentials = credentialsOf(headers, body);
    if (!credentials) return answer(reply, HttpStatus.BAD_REQUEST);
    const token = this.webSessions.open(credentials.user, credentials.password);
    if (token === undefined) return answer(reply, HttpStatus.UNAUTHORIZED);
    this.webSessions.close(headers.cookie); // another's, on the same machine
    answer(reply.header('Set-Cookie', writeCookie(token, WEB_SESSION_TTL, isProtected(headers))), HttpStatus.NO_CONTENT);
  }

  /** The same against a signed cookie: with it a page needs no password at `/xmpp-websocket` and `/http-bind`, either. */
  @Post('token')
  async token(@Req() { headers }: Request, @Body() body: unknown, @Res() reply: Reply): Promise<void> {
    if (!isOwnPage(headers)) return answer(reply, HttpStatus.FORBIDDEN);
    const credentials = credentialsOf(headers, body);
    if (!credentials) return answer(reply, HttpStatus.BAD_REQUEST);
    const { user, password } = credentials;
    if (!this.webSessions.accepts(user, password)) return answer(reply, HttpStatus.UNAUTHORIZED);
    const cookie = writeCookie(await this.jwtUsers.issue(user), JWT_TTL, isProtected(headers), 'user');
    answer(reply.header('Set-Cookie', cookie), HttpStatus.NO_CONTENT);
  }

  /** For the cookie's user: `{ jid, sid, rid }` for BOSH's `attach()`, or `{ jid, ticket }` with `?shared=true`. */
  @Get('session')
  async session(@Req() { headers, ip }: Request, @Query('shared') shared: string | undefined, @Res() reply: Reply): Promise<void> {
    if (!mayRead(headers)) return answer(reply, HttpStatus.FORBIDDEN);
    const webSession = this.webSessions.find(headers.cookie);
    if (!webSession) return answer(reply, HttpStatus.UNAUTHORIZED);
    const { id, user } = webSession;
    const common = {
      domain: this.domain,
      context: user,
      resource: `${resourcesOf(webSession)}${randomBytes(6).toString('base64url')}`,
      ...(ip !== undefined && { address: ip.replace(/^::ffff:/, '') }),
    };
    try {
      const bound = shared === 'true'
        ? await this.xmpp.prebind({ ...common, shared: true, boundTo: id })
        : await this.xmpp.prebind(common);
      if (this.webSessions.find(headers.cookie)) return answer(reply, HttpStatus.OK, bound);
      // Logged out meanwhile.
      await this.endSessionsOf(webSession);
      answer(reply, HttpStatus.UNAUTHORIZED);
    } catch (error) {
      this.logger.warn(`no session for ${user}: ${error instanceof Error ? error.message : 'unknown error'}`);
      answer(reply, HttpStatus.SERVICE_UNAVAILABLE, { reason: error instanceof PrebindError ? error.reason : 'error' });
    }
  }

  /** Ends the web session, and what it has at the XMPP server. */
  @Post('logout')
  async logout(@Req() { headers }: Request, @Res() reply: Reply): Promise<void> {
    if (!isOwnPage(headers)) return answer(reply, HttpStatus.FORBIDDEN);
    const webSession = this.webSessions.find(headers.cookie);
    this.webSessions.close(headers.cookie);
    if (webSession) await this.endSessionsOf(webSession);
    answer(reply.header('Set-Cookie', writeCookie('', 0, isProtected(headers))), HttpStatus.NO_CONTENT);
  }

  private get domain(): string {
    return this.config.options.domains[0]!;
  }

  private async endSessionsOf(webSession: WebSession): Promise<void> {
    const all = await this.xmpp.list();
    const own = all.filter(({ jid }) => jid?.split('/', 2)[1]?.startsWith(resourcesOf(webSession)));
    await Promise.all(own.map(({ id }) => this.xmpp.terminate(id)));
  }
}

/** Of a login; no form of another site can send JSON. */
function credentialsOf(headers: IncomingHttpHeaders, body: unknown): { user: string; password: string } | undefined {
  const { user, password } = (body ?? {}) as Record<string, unknown>;
  const isJson = /^application\/json\b/i.test(headers['content-type'] ?? '');
  return isJson && typeof user === 'string' && typeof password === 'string' ? { user, password } : undefined;
}

/** What the resources of a web session begin with. */
function resourcesOf({ id }: WebSession): string {
  return `${id}.`;
}

/** A browser says with every POST which page it comes from: no other site's may log in or out here. */
function isOwnPage({ origin, host }: IncomingHttpHeaders): boolean {
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host;
}

/** With a GET of the same origin it says nothing, or that it is one; the cookie is not sent by other sites' pages. */
function mayRead(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  return (headers.origin === undefined || isOwnPage(headers)) && (site === undefined || site === 'same-origin');
}

function isProtected({ origin }: IncomingHttpHeaders): boolean {
  return origin?.startsWith('https:') ?? false;
}

/** What it says is for this page, now, and for no cache. */
function answer(reply: Reply, status: number, content?: object): void {
  reply.status(status).header('Cache-Control', 'no-store').header('X-Content-Type-Options', 'nosniff');
  if (content) reply.header('Content-Type', 'application/json; charset=utf-8').send(JSON.stringify(content));
  else reply.send();
}
