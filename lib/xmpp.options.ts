import { isIP } from 'node:net';
import type { ClusterBus, RedisClient } from './bus.js';
import type { XmppUpstream } from './upstream/upstream.js';

/** Injection token of the validated options. */
export const XMPP_OPTIONS = Symbol('XMPP_OPTIONS');

/** @publicApi Options of `XmppModule.forRoot()`. Seconds and bytes everywhere. */
export interface XmppModuleOptions {
  /** XMPP domains served; the first is ours where a client named none. */
  domains: string[];
  /** XMPP domains that were served once: whoever names one is told `host-gone`. Default: none. */
  formerDomains?: string[];
  /** An upstream, its URL (`xmpp://host:port`, `xmpps://…`, `srv`, `ws://…`, `wss://…`, `embedded`), or a function of the domain. Default: embedded. */
  upstream?: XmppUpstream | string | ((domain: string) => XmppUpstream | string);
  /** `server`: BOSH is taken before the host's router, past its guards and middleware. Default: `router`. */
  ingress?: 'router' | 'server';
  /**
   * `strip`: channel binding is not offered to clients, since their channel ends here, not at the server.
   * `pass`: it is, for clients that know what they do. Default: `strip`.
   */
  channelBinding?: 'strip' | 'pass';
  /** XMPP over WebSocket (RFC 7395). */
  websocket?: Partial<WebSocketOptions>;
  /** BOSH (XEP-0124, XEP-0206). */
  bosh?: Partial<BoshOptions>;
  /** Several tabs on one XMPP stream (Shared BOSH). */
  shared?: Partial<SharedOptions>;
  /** What a client, an address and all of them together may take. */
  limits?: Partial<LimitOptions>;
  /** `Origin`s allowed on the WebSocket and in CORS; `*` for all. Default: `*`. */
  origins?: string | string[];
  /** Headers of answers, of a proxy in front for instance, that web pages may read (CORS). Default: none. */
  exposeHeaders?: string[];
  /** Take the client's address from `X-Forwarded-For`: true for one proxy in front, a number for so many. Default: false. */
  trustProxy?: boolean | number;
  /** What host-meta tells clients (RFC 6415, XEP-0156, XEP-0487). */
  hostMeta?: Partial<HostMetaOptions>;
  /** What Nest's logger is told beside warnings and errors. */
  log?: Partial<LogOptions>;
  /** How the app's own guards, interceptors and credentials are dealt with. */
  hooks?: Partial<HookOptions>;
  /** How users whom the app knows from the web log in. Counts where there are `XmppCredentials`. */
  webLogin?: Partial<WebLoginOptions>;
  /** Several processes serve the same clients, whichever a request reaches. Default: this one is alone. */
  cluster?: Partial<ClusterOptions>;
}

/** What a client is offered whose user the app knows from the web (`XmppCredentials.userOf()`, or a guard). */
export interface WebLoginOptions {
  /** `only`: SASL EXTERNAL instead of what the server has; `beside`: before it, for users that may take another account. */
  offer: 'only' | 'beside';
  /** ANONYMOUS is offered, too, and means the same: for clients that know no EXTERNAL. */
  anonymous: boolean;
}

/** What the app's own classes may do: guards, interceptors, credentials. */
export interface HookOptions {
  /** Seconds that one of them may take for its answer; then it counts as one that failed. */
  timeout: number;
}

/** XMPP over WebSocket (RFC 7395). */
export interface WebSocketOptions {
  /** Where the WebSocket is served. A global prefix of the app does not come before it. Default: `/xmpp-websocket`. */
  path: string;
  /** Seconds of silence before a WebSocket PING; two without an answer end the connection. 0: off. */
  pingInterval: number;
  /** Bytes; a larger frame is a `policy-violation`. */
  maxFrameBytes: number;
  /** Seconds until `<open/>` must have come. */
  openTimeout: number;
}

/** BOSH (XEP-0124, XEP-0206). What a client asks for is granted up to these values. */
export interface BoshOptions {
  /** Where BOSH is served. A global prefix of the app does not come before it. Default: `/http-bind`. */
  path: string;
  /** Longest `wait` granted, seconds. */
  wait: number;
  /** Most `hold` granted. */
  hold: number;
  /** Seconds after its last open request at which a session ends. */
  inactivity: number;
  /** Shortest interval of a polling session, seconds. */
  polling: number;
  /** Longest pause granted, seconds. */
  maxpause: number;
  /** Bytes, also when it is inflated; a larger body is answered with 413 and `policy-violation`. */
  maxBodyBytes: number;
  /** Seconds for a body to come whole; else it is answered with 408. */
  bodyTimeout: number;
  /** What empty requests that come too fast lead to (XEP-0124, section 11): `tolerant` slows the client down first, `strict` is the letter of the rule. */
  overactivity: 'tolerant' | 'strict';
}

/** Several clients on one XMPP stream (Shared BOSH), over either transport. */
export interface SharedOptions {
  /** Whether clients may ask for it; without it `shared:key` is ignored, and each client has a stream of its own. */
  enabled: boolean;
  /** Characters; a shorter `shared:key` is refused with `policy-violation`. */
  minKeyLength: number;
  /** On one stream; one more is refused with `policy-violation`. */
  maxClients: number;
  /** Seconds that a shared stream outlives its last client. */
  linger: number;
  /**
   * What the other clients get of a stanza that one sends: `marked` with the sender's number, `plain`,
   * or messages as `carbons` (XEP-0280) and the rest marked.
   */
  copies: 'marked' | 'plain' | 'carbons';
  /** Whether a client that attaches gets the presences that it missed. */
  snapshot: boolean;
  /** Seconds after which a key no longer attaches; 0: with the end of its stream. */
  keyTtl: number;
  /** Attempts with a key that matches nothing, a minute and address; logging in gives one back. */
  attemptsPerMinute: number;
}

/** Of clients, but for `maxUpstreamStanzaBytes`. An address is an IPv4 address, or the first 64 bits of an IPv6 one. */
export interface LimitOptions {
  /** In this process, clients of shared sessions counted one by one. Beyond: HTTP 503 with `Retry-After`. */
  maxSessions: number;
  /** Of one address. Beyond: HTTP 429 on the WebSocket, `policy-violation` over BOSH. */
  maxSessionsPerAddress: number;
  /** Levels of elements in one stanza. */
  maxDepth: number;
  /** Of one element, namespace declarations included. */
  maxAttributes: number;
  /** Bytes of the name of an element or an attribute, with its prefix. */
  maxNameBytes: number;
  /** Bytes of an attribute's value. */
  maxValueBytes: number;
  /** Bytes of one element from the server; a larger one ends its session. */
  maxUpstreamStanzaBytes: number;
  /** New sessions of one address; as many at once, then evenly. */
  sessionsPerMinute: number;
  /** Of one client; what comes faster is read later, and what would take a minute and more to read ends the session. 0: no limit. */
  stanzasPerSecond: number;
  /** As {@link stanzasPerSecond}, in bytes of XML. */
  bytesPerSecond: number;
  /** Seconds from a new connection to the first whole request on it, TLS included. 0: those of the host's server. */
  handshakeTimeout: number;
  /** Seconds from the opening of a stream to its authentication; then it ends with `policy-violation`. */
  authTimeout: number;
  /** Undelivered bytes that are kept for one client before its server is read no further. */
  maxBufferedBytes: number;
  /** Bytes of frames before login, and of bodies, that have not come whole yet, of all clients; beyond, the slowest is given up. */
  maxUnfinishedBytes: number;
}

/** What Nest's logger is told beside warnings and errors. */
export interface LogOptions {
  /** At which level of Nest's logger a line about each session that ended is written, with the reason. */
  sessions: 'debug' | 'log' | 'off';
}

/** What host-meta tells clients (RFC 6415, XEP-0156). All but `url` are of XEP-0487. */
export interface HostMetaOptions {
  /** Public base URL, such as `https://chat.example.org`, or one for each domain; none: derived from the request. */
  url: string | Record<string, string> | undefined;
  /**
   * Seconds that the whole answer holds (XEP-0487). With this and the four below, clients are told
   * that they need no other discovery; all of them or none, and `url` with `https:`.
   */
  ttl: number | undefined;
  /** IP addresses of the endpoints. */
  ips: string[] | undefined;
  /** Server name for TLS. */
  sni: string | undefined;
  /** As of SRV records (RFC 2782). */
  priority: number | undefined;
  /** As of SRV records (RFC 2782). */
  weight: number | undefined;
  /** base64 of SHA-256 hashes of public keys to trust (RFC 7469). */
  pins: string[] | undefined;
}

/** Several processes that serve the same clients. Either `redis` or `bus`, with a `secret`, turns it on. */
export interface ClusterOptions {
  /**
   * Redis 7 in common: a URL (`redis://…`, `rediss://…`), a client of `ioredis`, or a function that makes one each
   * time (for Sentinel, or a cluster of Redis). `ioredis` is an optional peer.
   */
  redis: string | RedisClient | (() => RedisClient) | undefined;
  /** Something else than Redis to stand between the nodes. */
  bus: ClusterBus | undefined;
  /** The same for all nodes, and known to nobody else: at least 16 characters. What nodes say to each other is encrypted and authenticated with it. */
  secret: string | undefined;
  /** What people call this process: 1 to 32 letters, digits, `.`, `_`, `-`. Default: a random one. */
  nodeId: string | undefined;
  /** Of all keys and channels in Redis; the same for all nodes. */
  prefix: string;
  /** Seconds of silence after which a node counts as dead; the same for all nodes. */
  deadAfter: number;
}

/** The options after validation: every one has a value. */
export interface ResolvedOptions {
  readonly domains: readonly string[];
  readonly formerDomains: readonly string[];
  readonly upstream: XmppUpstream | string | ((domain: string) => XmppUpstream | string);
  readonly ingress: 'router' | 'server';
  readonly channelBinding: 'strip' | 'pass';
  readonly websocket: Readonly<WebSocketOptions>;
  readonly bosh: Readonly<BoshOptions>;
  readonly shared: Readonly<SharedOptions>;
  readonly limits: Readonly<LimitOptions>;
  readonly origins: readonly string[];
  readonly exposeHeaders: readonly string[];
  /** How many proxies in front are trusted. */
  readonly trustProxy: number;
  readonly hostMeta: Readonly<HostMetaOptions>;
  readonly log: Readonly<LogOptions>;
  readonly hooks: Readonly<HookOptions>;
  readonly webLogin: Readonly<WebLoginOptions>;
  readonly cluster: Readonly<ClusterOptions>;
}

/** @publicApi An option has a value that it cannot have. The message names the option, the value and what is allowed. */
export class XmppOptionsError extends Error {
  /** Tells it from other errors also where `instanceof` cannot: when an app has loaded two copies of the package. */
  override readonly name = 'XmppOptionsError';

  constructor(
    /** Such as `bosh.wait`. */
    readonly option: string,
    /** As the app gave it; a symbol in place of a secret. */
    readonly value: unknown,
    allowed: string,
  ) {
    super(`nestjs-xmpp: option ${option} is ${show(value)}; allowed: ${allowed}`);
  }
}

interface Rule<T> {
  readonly default: T;
  /** What is allowed, in words. */
  readonly allowed: string;
  readonly read: (value: unknown) => T | undefined;
  /** Its value stands in no message. */
  readonly secret?: boolean;
}

/** Every option once. `read` returns undefined for a value that is not allowed. */
const RULES = {
  'ingress': oneOf('router', ['router', 'server']),
  'channelBinding': oneOf('strip', ['strip', 'pass']),
  'websocket.path': path('/xmpp-websocket'),
  'websocket.pingInterval': number(30, 0, 3600, 'seconds'),
  'websocket.maxFrameBytes': integer(262_144, 256, 67_108_864, 'bytes'),
  'websocket.openTimeout': number(10, 1, 300, 'seconds'),
  'bosh.path': path('/http-bind'),
  'bosh.wait': integer(60, 1, 600, 'seconds'),
  'bosh.hold': integer(1, 1, 10, 'requests'),
  'bosh.inactivity': integer(60, 1, 3600, 'seconds'),
  'bosh.polling': integer(5, 0, 300, 'seconds'),
  'bosh.maxpause': integer(120, 0, 3600, 'seconds'),
  'bosh.maxBodyBytes': integer(262_144, 256, 67_108_864, 'bytes'),
  'bosh.bodyTimeout': number(30, 1, 600, 'seconds'),
  'bosh.overactivity': oneOf('tolerant', ['tolerant', 'strict']),
  'shared.enabled': boolean(true),
  'shared.minKeyLength': integer(16, 1, 256, 'characters'),
  'shared.maxClients': integer(16, 1, 1000, 'clients'),
  'shared.linger': integer(0, 0, 3600, 'seconds'),
  'shared.copies': oneOf('marked', ['marked', 'plain', 'carbons']),
  'shared.snapshot': boolean(false),
  'shared.keyTtl': integer(0, 0, 31_536_000, 'seconds'),
  'shared.attemptsPerMinute': integer(60, 1, 1_000_000, 'attempts'),
  'limits.maxSessions': integer(10_000, 1, 10_000_000, 'sessions'),
  'limits.maxSessionsPerAddress': integer(100, 1, 10_000_000, 'sessions'),
  'limits.maxDepth': integer(64, 2, 1000, 'levels'),
  'limits.maxAttributes': integer(100, 16, 1000, 'attributes'),
  'limits.maxNameBytes': integer(256, 64, 1024, 'bytes'),
  'limits.maxValueBytes': integer(65_536, 1024, 67_108_864, 'bytes'),
  'limits.maxUpstreamStanzaBytes': integer(4_194_304, 10_000, 268_435_456, 'bytes'),
  'limits.sessionsPerMinute': integer(600, 1, 1_000_000, 'sessions'),
  'limits.stanzasPerSecond': integer(0, 0, 1_000_000, 'stanzas; 0: no limit'),
  'limits.bytesPerSecond': integer(0, 0, 10_000_000_000, 'bytes; 0: no limit'),
  'limits.handshakeTimeout': number(20, 0, 300, 'seconds; 0: of the server'),
  'limits.authTimeout': number(60, 1, 3600, 'seconds'),
  'limits.maxBufferedBytes': integer(1_048_576, 1024, 1_073_741_824, 'bytes'),
  'limits.maxUnfinishedBytes': integer(67_108_864, 65_536, 68_719_476_736, 'bytes'),
  'webLogin.offer': oneOf('only', ['only', 'beside']),
  'webLogin.anonymous': boolean(false),
  'hooks.timeout': number(10, 0.1, 300, 'seconds'),
  'hostMeta.url': {
    default: undefined,
    allowed: 'an http: or https: URL, or an object with one for each domain',
    read: (value) => {
      if (typeof value === 'string') return webUrl(value);
      if (typeof value !== 'object' || value === null) return undefined;
      const entries = Object.entries(value).map(([domain, url]) => [domain.toLowerCase(), webUrl(url)] as const);
      return entries.every(([, url]) => url !== undefined) ? (Object.fromEntries(entries) as Record<string, string>) : undefined;
    },
  } satisfies Rule<string | Record<string, string> | undefined>,
  'hostMeta.ttl': optional(integer(0, 1, 604_800, 'seconds')),
  'hostMeta.ips': {
    default: undefined,
    allowed: 'a list of at least one IP address',
    read: (value) => (isList(value) && value.every((item) => isIP(item) > 0) ? value : undefined),
  } satisfies Rule<string[] | undefined>,
  'hostMeta.sni': {
    default: undefined,
    allowed: 'a host name',
    read: (value) => (typeof value === 'string' && /^[A-Za-z0-9.-]{1,253}$/.test(value) ? value : undefined),
  } satisfies Rule<string | undefined>,
  'hostMeta.priority': optional(integer(0, 0, 65_535, 'as of SRV records')),
  'hostMeta.weight': optional(integer(0, 0, 65_535, 'as of SRV records')),
  'hostMeta.pins': {
    default: undefined,
    allowed: 'a list of base64 SHA-256 hashes',
    read: (value) => (isList(value) && value.every((item) => /^[A-Za-z0-9+/]{43}=$/.test(item)) ? value : undefined),
  } satisfies Rule<string[] | undefined>,
  'log.sessions': oneOf('debug', ['debug', 'log', 'off']),
  'cluster.redis': {
    default: undefined,
    allowed: 'a redis: or rediss: URL, a client of ioredis, or a function that makes one',
    read: (value) => {
      if (typeof value === 'string') return URL.canParse(value) && /^rediss?:$/.test(new URL(value).protocol) ? value : undefined;
      if (typeof value === 'function') return value as () => RedisClient;
      return typeof (value as RedisClient | null)?.publish === 'function' ? (value as RedisClient) : undefined;
    },
    secret: true,
  } satisfies Rule<ClusterOptions['redis']>,
  'cluster.bus': {
    default: undefined,
    allowed: 'a ClusterBus',
    read: (value) => (typeof (value as ClusterBus | null)?.beat === 'function' ? (value as ClusterBus) : undefined),
  } satisfies Rule<ClusterBus | undefined>,
  'cluster.secret': {
    default: undefined,
    allowed: 'a string of at least 16 characters',
    read: (value) => (typeof value === 'string' && value.length >= 16 ? value : undefined),
    secret: true,
  } satisfies Rule<string | undefined>,
  'cluster.nodeId': name(undefined),
  'cluster.prefix': name('xmpp'),
  'cluster.deadAfter': number(5, 1, 300, 'seconds'),
  'origins': {
    default: ['*'],
    allowed: "'*' or a list of origins such as https://app.example.org",
    read: (value) => {
      const list = Array.isArray(value) ? value : [value];
      return list.length > 0 && list.every((item) => item === '*' || isOrigin(item)) ? list : undefined;
    },
  } satisfies Rule<string[]>,
  'exposeHeaders': {
    default: [],
    allowed: 'a list of names of headers',
    read: (value) =>
      Array.isArray(value) && value.every((item) => typeof item === 'string' && /^[A-Za-z0-9-]+$/.test(item)) ? value : undefined,
  } satisfies Rule<string[]>,
  'trustProxy': {
    default: 0,
    allowed: 'true, false or the number of proxies (0 to 10)',
    read: (value) =>
      typeof value === 'boolean'
        ? Number(value)
        : Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 10
          ? (value as number)
          : undefined,
  } satisfies Rule<number>,
} satisfies Record<string, Rule<unknown>>;

const GROUPS = ['websocket', 'bosh', 'shared', 'limits', 'hostMeta', 'log', 'hooks', 'webLogin', 'cluster'] as const;
/** Stands for a value that is kept out of messages. */
const HIDDEN = Symbol('hidden');
const SPECIAL = ['domains', 'formerDomains', 'upstream'];

/**
 * Checks the options and fills in what was not given.
 * @throws {XmppOptionsError}
 */
export function resolveOptions(options: XmppModuleOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) throw new XmppOptionsError('(all)', options, 'an object');
  rejectUnknown(options);
  const resolved: Record<string, unknown> = {
    domains: resolveDomains('domains', options.domains),
    formerDomains: options.formerDomains === undefined ? [] : resolveDomains('formerDomains', options.formerDomains),
    upstream: resolveUpstream(options.upstream),
  };
  for (const [name, rule] of Object.entries(RULES) as [string, Rule<unknown>][]) {
    const [group, key] = name.split('.') as [string, string?];
    const given = (options as unknown as Record<string, unknown>)[group];
    const value = key === undefined ? given : (given as Record<string, unknown> | undefined)?.[key];
    const result = value === undefined ? rule.default : rule.read(value);
    if (result === undefined && value !== undefined) {
      throw new XmppOptionsError(name, rule.secret ? HIDDEN : value, rule.allowed);
    }
    if (key === undefined) resolved[group] = result;
    else resolved[group] = { ...(resolved[group] as object | undefined), [key]: result };
  }
  const complete = resolved as unknown as ResolvedOptions;
  if (complete.websocket.path === complete.bosh.path) {
    throw new XmppOptionsError('bosh.path', complete.bosh.path, 'another path than websocket.path');
  }
  checkHostMeta(complete);
  checkCluster(complete);
  return complete;
}

/** XEP-0487 promises that no other discovery is needed, so half of it would lead clients astray. */
function checkHostMeta({ hostMeta, domains }: ResolvedOptions): void {
  const { url, ttl } = hostMeta;
  const parts = ['ttl', 'ips', 'sni', 'priority', 'weight'] as const;
  const missing = parts.find((part) => hostMeta[part] === undefined);
  const urls = typeof url === 'object' ? domains.map((domain) => url[domain]) : [url];
  if (parts.some((part) => hostMeta[part] !== undefined)) {
    if (missing) throw new XmppOptionsError(`hostMeta.${missing}`, undefined, `a value, together with ${parts.join(', ')}`);
    if (!urls.every((each) => each?.startsWith('https:'))) {
      throw new XmppOptionsError('hostMeta.url', url, `an https: URL, together with hostMeta.ttl ${ttl}`);
    }
  }
}

/** Whoever can write to the bus could otherwise speak for any client. */
function checkCluster({ cluster }: ResolvedOptions): void {
  const { redis, bus, secret } = cluster;
  if (redis !== undefined && bus !== undefined) throw new XmppOptionsError('cluster.bus', bus, 'no value, beside cluster.redis');
  if ((redis !== undefined || bus !== undefined) && secret === undefined) {
    throw new XmppOptionsError('cluster.secret', undefined, 'a string of at least 16 characters, the same for all nodes');
  }
}

function rejectUnknown(options: object): void {
  const names = Object.keys(RULES);
  for (const [name, value] of Object.entries(options)) {
    if (SPECIAL.includes(name) || names.includes(name)) continue;
    if (!(GROUPS as readonly string[]).includes(name)) {
      const known = [...SPECIAL, ...new Set(names.map((rule) => rule.split('.')[0]!))];
      throw new XmppOptionsError(name, value, `one of ${known.join(', ')}`);
    }
    if (value === undefined) continue;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new XmppOptionsError(name, value, 'an object');
    for (const [key, inner] of Object.entries(value)) {
      if (names.includes(`${name}.${key}`)) continue;
      const known = names.filter((rule) => rule.startsWith(`${name}.`)).map((rule) => rule.slice(name.length + 1));
      throw new XmppOptionsError(`${name}.${key}`, inner, `one of ${known.join(', ')}`);
    }
  }
}

function resolveDomains(option: string, domains: unknown): string[] {
  const allowed = 'a list of at least one XMPP domain, such as example.org';
  if (!Array.isArray(domains) || domains.length === 0) throw new XmppOptionsError(option, domains, allowed);
  return domains.map((domain: unknown) => {
    if (typeof domain !== 'string') throw new XmppOptionsError(option, domains, allowed);
    const name = domain.normalize('NFKC').toLowerCase().replace(/\.$/, '');
    // A domain goes into headers and host-meta: no white space, no markup, no path.
    if (!/^[^\s/@<>"'&:\u0000-\u001f]{1,1023}$/.test(name)) throw new XmppOptionsError(option, domains, allowed);
    return name;
  });
}

function resolveUpstream(upstream: unknown): ResolvedOptions['upstream'] {
  if (upstream === undefined) return 'embedded';
  if (typeof upstream === 'string' || typeof upstream === 'function') return upstream as ResolvedOptions['upstream'];
  if (typeof upstream === 'object' && upstream !== null && typeof (upstream as XmppUpstream).open === 'function') {
    return upstream as XmppUpstream;
  }
  throw new XmppOptionsError('upstream', upstream, 'an XmppUpstream, a URL, or a function of the domain');
}

function integer(standard: number, min: number, max: number, unit: string): Rule<number> {
  return {
    default: standard,
    allowed: `a whole number from ${min} to ${max} (${unit})`,
    read: (value) => (Number.isInteger(value) && (value as number) >= min && (value as number) <= max ? (value as number) : undefined),
  };
}

function number(standard: number, min: number, max: number, unit: string): Rule<number> {
  return {
    default: standard,
    allowed: `a number from ${min} to ${max} (${unit})`,
    read: (value) => (typeof value === 'number' && value >= min && value <= max ? value : undefined),
  };
}

function boolean(standard: boolean): Rule<boolean> {
  return { default: standard, allowed: 'true or false', read: (value) => (typeof value === 'boolean' ? value : undefined) };
}

function path(standard: string): Rule<string> {
  return {
    default: standard,
    allowed: 'a path that starts with /, of letters, digits and - . _ ~ /',
    read: (value) => (typeof value === 'string' && /^\/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-]$/.test(value) ? value : undefined),
  };
}

function name<T extends string | undefined>(standard: T): Rule<T | string> {
  return {
    default: standard,
    allowed: '1 to 32 letters, digits and . _ -',
    read: (value) => (typeof value === 'string' && /^[A-Za-z0-9._-]{1,32}$/.test(value) ? value : undefined),
  };
}

function oneOf<const T extends string>(standard: T, values: readonly T[]): Rule<T> {
  return {
    default: standard,
    allowed: values.join(' or '),
    read: (value) => (values.includes(value as T) ? (value as T) : undefined),
  };
}

function optional<T>(rule: Rule<T>): Rule<T | undefined> {
  return { ...rule, default: undefined };
}

function isList(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string');
}

/** Without slashes at its end; undefined if it is none. */
function webUrl(value: unknown): string | undefined {
  if (typeof value !== 'string' || !URL.canParse(value)) return undefined;
  return /^https?:$/.test(new URL(value).protocol) ? value.replace(/\/+$/, '') : undefined;
}

/** As a browser writes it into `Origin`; what it would never write could only be a mistake. */
function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string' || value.includes('*') || !URL.canParse(value)) return false;
  const { origin } = new URL(value);
  // Those of browser extensions and apps have schemes whose origin the URL standard leaves open.
  return origin === 'null' ? /^[a-z][a-z0-9+.-]*:\/\/[^/\s]+$/.test(value) : origin === value;
}

function show(value: unknown): string {
  if (value === HIDDEN) return 'not shown';
  if (typeof value === 'function') return 'a function';
  // What is in an object may be secret.
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return 'an object';
  const text = typeof value === 'string' || Array.isArray(value) ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
