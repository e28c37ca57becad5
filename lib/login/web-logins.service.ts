import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { Clock } from '../clock.js';
import { Origins } from '../http/index.js';
import { Entrance, type ConnectContext, type StartLogin, type WebUsers } from '../session/index.js';
import { XMPP_OPTIONS, type ResolvedOptions } from '../xmpp.options.js';
import { XMPP_CREDENTIALS, type XmppCredentials } from './credentials.js';
import { WebLogin, type WebLoginContext } from './web-login.js';

/** Lets the users of the web app into their sessions without a password: by what {@link XmppCredentials} knows of them. */
@Injectable()
export class WebLogins implements WebUsers {
  private readonly logger = new Logger('XmppLogin');
  private readonly origins: Origins;
  private readonly context: WebLoginContext;

  constructor(
    @Inject(XMPP_OPTIONS) { origins, hooks, webLogin }: ResolvedOptions,
    clock: Clock,
    entrance: Entrance,
    @Optional() @Inject(XMPP_CREDENTIALS) private readonly credentials?: XmppCredentials,
  ) {
    this.origins = new Origins(origins);
    this.context = {
      clock,
      timeout: hooks.timeout * 1000,
      ...webLogin,
      onFailed: (domain, why) => this.logger.warn(`a web user could not be logged in at ${domain}: ${why}`),
      onError: (error) => this.logger.error('XmppCredentials failed', error),
    };
    if (credentials) entrance.setUsers(this);
  }

  userOf(context: ConnectContext): unknown {
    return this.isOurs(context) ? this.credentials?.userOf?.(context) : undefined;
  }

  loginOf(user: unknown, context: ConnectContext): StartLogin | undefined {
    const { credentials } = this;
    if (!credentials) return undefined;
    if (!this.isOurs(context)) {
      this.logger.warn(`a page of ${context.request.headers.origin ?? 'another site'} gets no web login: list it in origins`);
      return undefined;
    }
    return (stream) => new WebLogin(stream, () => credentials.login(user, stream.domain), this.context);
  }

  /** R15: a cookie proves nothing about the page that made the browser send it. */
  private isOurs({ request, secure }: ConnectContext): boolean {
    return this.origins.vouchFor(request, secure);
  }
}
