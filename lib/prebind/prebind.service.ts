import { Inject, Injectable, Optional } from '@nestjs/common';
import { BoshEndpoint } from '../bosh/index.js';
import { Clock } from '../clock.js';
import { XMPP_CREDENTIALS, type XmppCredentials, type XmppLogin } from '../login/index.js';
import {
  PrebindError,
  SessionRefused,
  SessionRegistry,
  type ClientSession,
  type Place,
  type Prebinder,
  type PrebindOptions,
  type Prebound,
  type PreboundShared,
  type Session,
  type XmppSession,
} from '../session/index.js';
import { Sharing, XmppSharedKeyService } from '../shared/index.js';
import { XMPP_OPTIONS, type ResolvedOptions } from '../xmpp.options.js';
import { failureOf, Login } from './login.js';

/** Seconds. */
const DEFAULT_TTL = 60;
const MAX_TTL = 3600;
const HERE = '127.0.0.1';

/** Logs users in on the server, and hands their sessions to clients that have yet to come. */
@Injectable()
export class Prebinding implements Prebinder {
  /** Of shared sessions that wait for their first client. */
  private readonly places = new Map<XmppSession, Place>();

  constructor(
    private readonly sessions: SessionRegistry,
    private readonly bosh: BoshEndpoint,
    private readonly sharing: Sharing,
    private readonly keys: XmppSharedKeyService,
    private readonly clock: Clock,
    @Inject(XMPP_OPTIONS) private readonly options: ResolvedOptions,
    @Optional() @Inject(XMPP_CREDENTIALS) private readonly credentials?: XmppCredentials,
  ) {
    sessions.prebinder = this;
    const giveBack = ({ session }: { session: XmppSession }): void => {
      this.places.get(session)?.release();
      this.places.delete(session);
    };
    sessions.events.on('shared.attached', giveBack);
    sessions.events.on('session.closed', giveBack);
  }

  async prebind(options: PrebindOptions): Promise<Prebound | PreboundShared> {
    const { ttl = DEFAULT_TTL, shared = false, boundTo } = options;
    if (!(ttl > 0 && ttl <= MAX_TTL)) throw new TypeError(`ttl is ${ttl}; allowed: more than 0, at most ${MAX_TTL} seconds`);
    if (shared && !this.sharing.enabled) throw new TypeError('shared sessions are switched off');
    if (!shared && boundTo !== undefined) throw new TypeError('boundTo is for tickets, of shared sessions');
    const domain = orRefuse(() => this.sessions.domainOf(options.domain));
    const credentials = await this.loginOf(options, domain);
    const { address = HERE, secure = false, resource } = options;
    const login = new Login({ address, secure }, credentials, resource, this.clock);
    const place = orRefuse(() => this.sessions.enter(address));
    try {
      return shared ? await this.share(domain, login, place, ttl, boundTo) : await this.adopt(domain, login, place, ttl);
    } catch (error) {
      place.release();
      throw error;
    }
  }

  private async adopt(domain: string, login: Login, place: Place, ttl: number): Promise<Prebound> {
    const session: Session = orRefuse(() => this.sessions.open(domain, { version: '1.0' }, login));
    const jid = await this.run(login, session);
    const { sid, rid } = this.bosh.adopt(session, login.undelivered, place, ttl * 1000);
    return { jid, sid, rid };
  }

  private async share(domain: string, login: Login, place: Place, ttl: number, boundTo: string | undefined): Promise<PreboundShared> {
    // Nobody is told the key: tickets stand for it.
    const request = { key: this.longKey(), attachOnly: false };
    const member = orRefuse(() => this.sharing.open(domain, { version: '1.0' }, login, request));
    const jid = await this.run(login, member);
    const session = this.sharing.handOver(member, ttl, login.undelivered);
    this.places.set(session, place);
    return { jid, ticket: this.keys.ticket(session.id, { ttl, ...(boundTo !== undefined && { boundTo }) }) };
  }

  /** @returns the full JID */
  private async run(login: Login, session: ClientSession): Promise<string> {
    await login.run(session, this.options.limits.authTimeout * 1000);
    if (login.end) throw failureOf(login.end);
    const { jid } = session;
    if (jid !== undefined) return jid;
    session.leave({ reason: 'error', text: 'bound, and no JID' });
    throw new PrebindError('untrusted', 'the server bound a resource and named none');
  }

  private async loginOf({ username, password, context }: PrebindOptions, domain: string): Promise<XmppLogin> {
    if (context === undefined) {
      if (!username || password === undefined) throw new TypeError('username and password, or a context for XmppCredentials');
      return { username, password };
    }
    if (username !== undefined || password !== undefined) throw new TypeError('username and password, or a context, not both');
    if (!this.credentials) throw new TypeError('a context is given, and no XmppCredentials under XMPP_CREDENTIALS');
    const login = await this.credentials.login(context, domain);
    if (!login?.username) throw new PrebindError('not-authorized', 'the app has no credentials for this user');
    return login;
  }

  private longKey(): string {
    let key = this.keys.generate();
    while (key.length < this.options.shared.minKeyLength) key += key;
    return key.slice(0, 256);
  }
}

/** What is refused before there is a stream, as everything else is told. */
function orRefuse<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof SessionRefused)) throw error;
    throw new PrebindError('refused', error.message, error.condition, { cause: error });
  }
}
