import { createHash } from 'node:crypto';

/** What the environment says, checked. */
export interface SampleConfig {
  readonly host: string;
  /** TCP port; 0: any free one. */
  readonly port: number;
  readonly platform: 'express' | 'fastify';
  /** `embedded`, `srv` or a URL. */
  readonly upstream: string;
  /** Accounts of the embedded upstream: name and password. */
  readonly users: Readonly<Record<string, string>>;
  /** Whether the accounts are the well-known ones of the demo, so that the demo page may offer them. */
  readonly demoUsers: boolean;
  /** What operators show to get into the administration; undefined: there is none. */
  readonly adminToken: string | undefined;
  /** For `XmppModule.forRoot()`: the sample's own, with `XMPP_OPTIONS` merged over them. */
  readonly options: Readonly<Record<string, unknown>> & { readonly domains: string[] };
}

/** The environment is wrong. The message is one line for the operator, without secrets. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_USERS = 'alice:alice,bob:bob';
const UPSTREAM_SCHEMES = ['xmpp:', 'xmpps:', 'ws:', 'wss:'];

/** @throws ConfigError naming the first variable that is wrong. */
export function readConfig(env: Environment): SampleConfig {
  const cluster = clusterOptions(env);
  const options = mergeDeep(
    {
      domains: domains(value(env, 'XMPP_DOMAINS') ?? 'localhost'),
      upstream: upstream('XMPP_UPSTREAM', value(env, 'XMPP_UPSTREAM') ?? 'embedded'),
      ingress: 'server',
      // Contacts of a tab that joins late are online, too.
      shared: { snapshot: true },
      // Whoever has the cookie of POST /token may still take another account, with its password.
      webLogin: { offer: 'beside', anonymous: true },
      ...(cluster && { cluster }),
    },
    jsonObject('XMPP_OPTIONS', value(env, 'XMPP_OPTIONS') ?? '{}'),
  );
  if (!isDomainList(options.domains)) {
    throw new ConfigError(`XMPP_OPTIONS: domains is ${show(options.domains)}; allowed: a list of XMPP domains`);
  }
  const listed = value(env, 'XMPP_USERS') ?? DEFAULT_USERS;
  return {
    host: host(value(env, 'HOST') ?? '127.0.0.1'),
    port: port(value(env, 'PORT') ?? '5280'),
    platform: platform(value(env, 'HTTP_PLATFORM') ?? 'express'),
    upstream: upstream('XMPP_OPTIONS: upstream', options.upstream),
    users: users(listed),
    demoUsers: listed === DEFAULT_USERS,
    adminToken: adminToken(value(env, 'ADMIN_TOKEN')),
    options: { ...options, domains: options.domains },
  };
}

/** One node among others, with REDIS_URL. */
function clusterOptions(env: Environment): Record<string, unknown> | undefined {
  const redis = value(env, 'REDIS_URL');
  if (redis === undefined) return undefined;
  const allowed = 'a URL redis:// or rediss://';
  if (!URL.canParse(redis)) return bad('REDIS_URL', redis, allowed);
  const { protocol, hostname, password } = new URL(redis);
  if (!/^rediss?:$/.test(protocol) || hostname === '') return bad('REDIS_URL', redis, allowed);
  const nodeId = value(env, 'XMPP_NODE');
  if (nodeId !== undefined && !/^[A-Za-z0-9._-]{1,32}$/.test(nodeId)) {
    return bad('XMPP_NODE', nodeId, '1 to 32 letters, digits and . _ -');
  }
  return { redis, secret: clusterSecret(env, redis, hostname, password), ...(nodeId !== undefined && { nodeId }) };
}

/** On one machine, or with a password, the URL will do: whoever knows it could read what is in Redis anyway. */
function clusterSecret(env: Environment, redis: string, hostname: string, password: string): string {
  const secret = value(env, 'CLUSTER_SECRET');
  if (secret !== undefined) {
    if (secret.length < 16) throw new ConfigError('CLUSTER_SECRET is too short; allowed: at least 16 characters');
    return secret;
  }
  if (password === '' && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)) {
    throw new ConfigError('CLUSTER_SECRET is not set; allowed: at least 16 characters, the same for all nodes');
  }
  return createHash('sha256').update(`nestjs-xmpp sample ${redis}`).digest('base64url');
}

/** An empty variable counts as none: that is how Compose files pass what was not given. */
function value(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined;
}

function host(text: string): string {
  if (!/^[\p{L}\p{N}.:%_-]+$/u.test(text)) bad('HOST', text, 'a host name or an IP address');
  return text;
}

function port(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) bad('PORT', text, 'an integer from 0 to 65535');
  return Number(text);
}

function platform(text: string): 'express' | 'fastify' {
  if (text !== 'express' && text !== 'fastify') return bad('HTTP_PLATFORM', text, 'express or fastify');
  return text;
}

/** A secret, which no message repeats. */
function adminToken(text: string | undefined): string | undefined {
  if (text !== undefined && !/^[\x21-\x7e]{16,256}$/.test(text)) {
    throw new ConfigError('ADMIN_TOKEN is no token; allowed: 16 to 256 printable ASCII characters without spaces, such as openssl rand -hex 16 makes');
  }
  return text;
}

function domains(text: string): string[] {
  const list = text.split(',').map((domain) => domain.trim());
  if (!isDomainList(list)) bad('XMPP_DOMAINS', text, 'XMPP domains, separated by commas');
  return list;
}

function isDomainList(list: unknown): list is string[] {
  return Array.isArray(list) && list.length > 0 && list.every((domain) => typeof domain === 'string' && /^[^\s@/<>"'&]+$/.test(domain));
}

function upstream(name: string, text: unknown): string {
  const allowed = 'embedded, srv, or a URL xmpp://, xmpps://, ws:// or wss://';
  if (text === 'embedded' || text === 'srv') return text;
  // "srv" takes the same parameters as a URL.
  if (typeof text === 'string' && text.startsWith('srv?')) return text;
  if (typeof text !== 'string' || !URL.canParse(text)) return bad(name, text, allowed);
  const url = new URL(text);
  if (!UPSTREAM_SCHEMES.includes(url.protocol) || url.hostname === '') bad(name, text, allowed);
  return text;
}

/** Passwords never reach a message, so a wrong entry is named by its place. */
function users(text: string): Record<string, string> {
  const accounts = new Map<string, string>();
  text.split(',').forEach((entry, index) => {
    const [, name, password] = /^\s*([^\s:@/<>"'&]+):(.+)$/s.exec(entry) ?? [];
    const place = `XMPP_USERS: entry ${index + 1}`;
    if (name === undefined || password === undefined) {
      throw new ConfigError(`${place} is no account; allowed: name:password, several separated by commas`);
    }
    if (accounts.has(name)) throw new ConfigError(`${place} names ${show(name)} a second time; allowed: each name once`);
    accounts.set(name, password);
  });
  return Object.fromEntries(accounts);
}

function jsonObject(name: string, text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return bad(name, text, 'a JSON object such as {"bosh":{"wait":30}}');
  }
  if (!isPlainObject(parsed)) return bad(name, text, 'a JSON object such as {"bosh":{"wait":30}}');
  return parsed;
}

/** Objects are merged key by key; anything else, lists too, replaces what was there. */
function mergeDeep(base: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...base };
  for (const [key, theirs] of Object.entries(over)) {
    if (key === '__proto__') throw new ConfigError('XMPP_OPTIONS: "__proto__" is no option');
    const ours = merged[key];
    merged[key] = isPlainObject(theirs) ? mergeDeep(isPlainObject(ours) ? ours : {}, theirs) : theirs;
  }
  return merged;
}

function isPlainObject(thing: unknown): thing is Record<string, unknown> {
  return typeof thing === 'object' && thing !== null && !Array.isArray(thing);
}

function bad(name: string, found: unknown, allowed: string): never {
  throw new ConfigError(`${name} is ${show(found)}; allowed: ${allowed}`);
}

/** As JSON, so that a line break in a value cannot break the line; user info in a URL is left out. */
function show(found: unknown): string {
  const text = (JSON.stringify(found) ?? 'undefined').replace(/\/\/[^/@\s]*@/g, '//***@');
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
