import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import type { ConnectContext, XmppCredentials, XmppLogin, XmppSharedGuard } from 'nestjs-xmpp';
import type { SampleConfig } from '../config.js';
import { SAMPLE_CONFIG } from '../page/page.constants.js';
import { readCookie } from './cookie.js';
import { JwtUsers } from './jwt-users.js';

/** Somebody who is logged in at the web app. */
export interface WebSession {
  /** Names it where its token must not be known. */
  readonly id: string;
  readonly user: string;
}

/** Seconds. */
export const WEB_SESSION_TTL = 8 * 3600;
const MAX_WEB_SESSIONS = 10_000;

/**
 * The web app's own logins, as any app has them: user and password against a cookie. To XMPP it says who the user of a
 * cookie is ({@link XmppCredentials}), and whose a request is ({@link XmppSharedGuard}).
 */
@Injectable()
export class WebSessions implements XmppCredentials, XmppSharedGuard {
  /** By digest of the token, oldest first. */
  private readonly sessions = new Map<string, WebSession & { readonly expires: number }>();

  constructor(
    @Inject(SAMPLE_CONFIG) private readonly config: SampleConfig,
    private readonly jwtUsers: JwtUsers,
  ) {}

  /** @param context the user's name, which the web app has from a cookie */
  login(context: unknown): XmppLogin | undefined {
    const user = context as string;
    const password = this.passwordOf(user);
    return password === undefined ? undefined : { username: user, password };
  }

  /** Whoever comes with a signed token is offered a login without a password. */
  async userOf({ request }: ConnectContext): Promise<string | undefined> {
    return await this.jwtUsers.verify(readCookie(request.headers.cookie, 'user'));
  }

  /** @returns whether that is the user's password */
  accepts(user: string, password: string): boolean {
    const expected = this.passwordOf(user);
    // Takes the same time for a name that does not exist.
    return timingSafeEqual(digest(password), digest(expected ?? '')) && expected !== undefined;
  }

  identify({ headers }: IncomingMessage): string | undefined {
    return this.find(headers.cookie)?.id;
  }

  /** @returns the token for the cookie; undefined for a wrong name or password */
  open(user: string, password: string): string | undefined {
    if (!this.accepts(user, password)) return undefined;
    const token = randomBytes(24).toString('base64url');
    const [oldest] = this.sessions.keys();
    if (oldest !== undefined && this.sessions.size >= MAX_WEB_SESSIONS) this.sessions.delete(oldest);
    const id = randomBytes(9).toString('base64url');
    this.sessions.set(keyOf(token), { id, user, expires: Date.now() + WEB_SESSION_TTL * 1000 });
    return token;
  }

  /** The session of a request, by its `Cookie` header. */
  find(cookie: string | undefined): WebSession | undefined {
    const token = readCookie(cookie);
    const key = token && keyOf(token);
    const session = key && this.sessions.get(key);
    if (!session) return undefined;
    if (session.expires > Date.now()) return session;
    this.sessions.delete(key);
    return undefined;
  }

  close(cookie: string | undefined): void {
    const token = readCookie(cookie);
    if (token) this.sessions.delete(keyOf(token));
  }

  private passwordOf(user: string): string | undefined {
    const { users } = this.config;
    return Object.hasOwn(users, user) ? users[user] : undefined;
  }
}

function keyOf(token: string): string {
  return digest(token).toString('base64url');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
