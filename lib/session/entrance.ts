import type { IncomingMessage } from 'node:http';
import { Timeout, type Clock } from '../clock.js';
import type { XmppUpstream } from '../upstream/upstream.js';
import type { Client, ClientSession, Transport } from './client.js';
import type { SessionEnd, StreamCondition } from './end.js';
import { isPromise } from './interceptors.js';
import { SessionRefused } from './limits.js';
import type { StartLogin } from './login.js';
import { PendingSession } from './pending-session.js';

/** @publicApi A web client that wants a session: before there is one, and before anything was checked that it says. */
export interface ConnectContext {
  /** What it came over; a guard may treat both alike. */
  readonly transport: Transport;
  /**
   * With its cookies, its headers, and its query in `url`: the handshake of the WebSocket, or the BOSH request that
   * asks for a session.
   */
  readonly request: IncomingMessage;
  /** IP address, after trusted proxies were taken into account. */
  readonly address: string;
  /** Whether it came over TLS. */
  readonly secure: boolean;
  /** The domain that it asks for, as it wrote it; it may be none of ours. */
  readonly to: string | undefined;
  /** The bare JID that it says it has. */
  readonly from: string | undefined;
  /** It wants to share a session (Shared BOSH): to create or attach to one, or, `attach`, nothing but to attach. */
  readonly shared: false | 'create' | 'attach';
}

/** @publicApi Where a client is let in, as a guard says. */
export interface ConnectRoute {
  /** One of `domains`, instead of the one that the client asked for. */
  readonly domain?: string;
  /** Instead of the one of the domain: an upstream, or the URL of one. Streams to a URL share one upstream. */
  readonly upstream?: XmppUpstream | string;
  /** The web user whom the request shows: what `XmppCredentials.login()` is given, so that no password is needed. */
  readonly user?: unknown;
}

/** @publicApi Says who may have a session, and where. Registered by `@XmppGuard()`. */
export interface XmppConnectGuard {
  /**
   * Asked for each client that wants a session, also for one that wants to share another's. What it sends meanwhile
   * waits.
   * @returns whether it may; a route says yes, and where. Of several guards all have to say yes.
   * @throws {ConnectRefused} or an `HttpException`, whose message the client is told. Anything else is logged, and the
   * client told `internal-server-error`
   */
  canConnect(context: ConnectContext): boolean | ConnectRoute | Promise<boolean | ConnectRoute>;
}

/** @publicApi What a guard throws to say why. */
export class ConnectRefused extends SessionRefused {
  /** Tells it from other errors also where `instanceof` cannot: when an app has loaded two copies of the package. */
  override readonly name = 'ConnectRefused';

  constructor(
    /** The stream error that the client is told (RFC 6120, section 4.9.3). */
    condition: StreamCondition,
    message: string,
    options: {
      /** HTTP status of the answer over BOSH; default: 200, with the condition, as clients of today want it. */
      readonly status?: number;
      /** Where it is to go instead (`see-other-uri`): `ws(s):` or `http(s):`. */
      readonly uri?: string;
    } = {},
  ) {
    super(condition, message, options.status ?? 403, undefined, options.uri, options.status);
  }
}

/** What the app knows of web users beside its guards: who a request's is, and how to log in for one. */
export interface WebUsers {
  /** The user whom a request shows; undefined for none. */
  userOf(context: ConnectContext): unknown;
  /** How to log a user in that is let in; undefined where that must not be. */
  loginOf(user: unknown, context: ConnectContext): StartLogin | undefined;
}

/** What is known of a client that is let in. */
export interface Admittance extends ConnectRoute {
  /** It need not log in itself. */
  readonly login?: StartLogin | undefined;
}

interface Registration {
  readonly guard: XmppConnectGuard;
  readonly order: number;
}

const ANYWHERE: ConnectRoute = {};

/** Every web client comes through here to its session, past the app's guards. */
export class Entrance {
  private readonly guards: Registration[] = [];
  private users: WebUsers | undefined;

  constructor(
    private readonly clock: Clock,
    /** Milliseconds that the guards of one client may take together. */
    private readonly timeout: number,
    /** Told what a guard throws that is no refusal. */
    private readonly onError: (error: unknown) => void,
  ) {}

  addGuard(guard: XmppConnectGuard, order = 0): void {
    this.guards.push({ guard, order });
    this.guards.sort((a, b) => a.order - b.order);
  }

  setUsers(users: WebUsers): void {
    this.users = users;
  }

  /**
   * Lets a client in.
   * @param open makes the session, when it is known that it may be and where
   * @returns the session, or one that waits for the guards; if they say no then, the client is told by its `onEnd()`
   * @throws {SessionRefused} when they say no at once; and what `open` throws
   */
  enter(context: ConnectContext, client: Client, open: (admittance: Admittance) => ClientSession): ClientSession {
    if (this.guards.length === 0 && !this.users) return open(ANYWHERE);
    let route: ConnectRoute | Promise<ConnectRoute>;
    try {
      route = this.ask(context, 0, ANYWHERE);
    } catch (error) {
      throw this.refusalOf(error);
    }
    if (!isPromise(route)) return open(this.admit(route, context));
    const session = new PendingSession(client);
    const timeout = new Timeout(this.clock, () => refuse(new Error(`a guard took more than ${this.timeout / 1000} s`)));
    const refuse = (error: unknown): void => {
      timeout.stop();
      session.refuse(endOf(this.refusalOf(error)));
    };
    timeout.start(this.timeout);
    route
      .then((settled) => {
        timeout.stop();
        session.begin(() => open(this.admit(settled, context)));
      })
      .catch(refuse);
    return session;
  }

  private ask(context: ConnectContext, at: number, route: ConnectRoute): ConnectRoute | Promise<ConnectRoute> {
    const next = this.guards[at];
    if (!next) return this.identified(context, route);
    const answer = next.guard.canConnect(context);
    const proceed = (said: boolean | ConnectRoute) => this.ask(context, at + 1, merged(route, said));
    return isPromise(answer) ? answer.then(proceed) : proceed(answer);
  }

  /** A guard's word on who it is comes first. */
  private identified(context: ConnectContext, route: ConnectRoute): ConnectRoute | Promise<ConnectRoute> {
    if (!this.users || route.user !== undefined) return route;
    const user = this.users.userOf(context);
    return isPromise(user) ? user.then((known) => ({ ...route, user: known })) : { ...route, user };
  }

  private admit(route: ConnectRoute, context: ConnectContext): Admittance {
    const { user } = route;
    if (user === undefined || user === null) return route;
    if (!this.users) this.onError(new Error('a guard named a web user, and there is no XmppCredentials to log it in'));
    return { ...route, login: this.users?.loginOf(user, context) };
  }

  private refusalOf(error: unknown): SessionRefused {
    if (error instanceof SessionRefused) return error;
    const status = statusOf(error);
    if (status === undefined || status >= 500) this.onError(error);
    if (status === undefined) return new SessionRefused('internal-server-error', 'cannot say whether you may come in', 403);
    return new SessionRefused(CONDITIONS[status] ?? (status < 500 ? 'policy-violation' : 'internal-server-error'), (error as Error).message, 403);
  }
}

/** What is closest to a status of HTTP. */
const CONDITIONS: Readonly<Record<number, StreamCondition>> = {
  401: 'not-authorized',
  403: 'not-authorized',
  404: 'host-unknown',
  410: 'host-gone',
  503: 'resource-constraint',
};

function merged(route: ConnectRoute, said: boolean | ConnectRoute): ConnectRoute {
  if (said === true) return route;
  if (typeof said === 'object' && said !== null) return { ...route, ...said };
  throw new ConnectRefused('not-authorized', 'not admitted');
}

/** Of Nest's `HttpException`, whichever copy of it. */
function statusOf(error: unknown): number | undefined {
  const { getStatus } = (error ?? {}) as { getStatus?: () => number };
  return error instanceof Error && typeof getStatus === 'function' ? getStatus.call(error) : undefined;
}

function endOf({ condition, message, uri, httpStatus }: SessionRefused): SessionEnd {
  if (uri !== undefined) return { reason: 'moved', uri };
  return { reason: 'error', condition, text: message, ...(httpStatus !== undefined && { httpStatus }) };
}
