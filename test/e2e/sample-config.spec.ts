import { ConfigError, readConfig, type Environment } from '../../sample/config.js';

/** The message with which a wrong environment is refused. */
function refusal(env: Environment): string {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error(`not refused: ${JSON.stringify(env)}`);
}

describe('the environment of the sample', () => {
  it('Start: has the defaults of the contract', () => {
    expect(readConfig({})).toEqual({
      host: '127.0.0.1',
      port: 5280,
      platform: 'express',
      upstream: 'embedded',
      users: { alice: 'alice', bob: 'bob' },
      demoUsers: true,
      options: { domains: ['localhost'], upstream: 'embedded', ingress: 'server', shared: { snapshot: true }, webLogin: { offer: 'beside', anonymous: true } },
    });
  });

  it('Start: takes an empty variable for none', () => {
    const empty = { HOST: '', PORT: ' ', HTTP_PLATFORM: '', XMPP_DOMAINS: '', XMPP_UPSTREAM: '', XMPP_USERS: '', XMPP_OPTIONS: '', REDIS_URL: '' };
    expect(readConfig(empty)).toEqual(readConfig({}));
  });

  it('Start: reads every variable', () => {
    const config = readConfig({
      HOST: '::1',
      PORT: '0',
      HTTP_PLATFORM: 'fastify',
      XMPP_DOMAINS: 'a.example, b.example',
      XMPP_UPSTREAM: 'xmpp://xmpp.example:5222?starttls=required',
      XMPP_USERS: 'carol:pass:word, dave:x',
    });
    expect(config).toMatchObject({
      host: '::1',
      port: 0,
      platform: 'fastify',
      upstream: 'xmpp://xmpp.example:5222?starttls=required',
      users: { carol: 'pass:word', dave: 'x' },
      demoUsers: false,
      options: { domains: ['a.example', 'b.example'] },
    });
  });

  it('REDIS_URL: makes the process a node; on one machine, or with a password, the URL is secret enough', () => {
    const secretOf = (env: Environment) => (readConfig(env).options['cluster'] as { secret: string }).secret;
    const REDIS_URL = 'redis://127.0.0.1:6379';
    expect(readConfig({ REDIS_URL, XMPP_NODE: 'a', CLUSTER_SECRET: '0123456789abcdef' }).options).toMatchObject({
      cluster: { redis: REDIS_URL, nodeId: 'a', secret: '0123456789abcdef' },
    });
    expect(secretOf({ REDIS_URL })).toBe(secretOf({ REDIS_URL }));
    expect(secretOf({ REDIS_URL: 'rediss://:password@redis.example' })).not.toBe(secretOf({ REDIS_URL }));
    expect(refusal({ REDIS_URL, CLUSTER_SECRET: 'hunter2' })).toMatch(/^CLUSTER_SECRET is too short/);
    expect(refusal({ REDIS_URL, CLUSTER_SECRET: 'hunter2' })).not.toContain('hunter2');
    expect(refusal({ REDIS_URL, XMPP_NODE: 'a b' })).toMatch(/^XMPP_NODE is "a b"/);
  });

  it('Options: merges XMPP_OPTIONS deeply, lists and scalars replaced', () => {
    const over = { domains: ['c.example'], upstream: 'srv', bosh: { wait: 30 }, origins: ['https://c.example'], ingress: 'router' };
    const config = readConfig({ XMPP_DOMAINS: 'a.example,b.example', XMPP_OPTIONS: JSON.stringify(over) });
    expect(config.options).toEqual({ ...over, shared: { snapshot: true }, webLogin: { offer: 'beside', anonymous: true } });
    expect(config.upstream).toBe('srv');
  });

  it('Options: no key of XMPP_OPTIONS reaches a prototype', () => {
    expect(refusal({ XMPP_OPTIONS: '{"bosh":{"__proto__":{"polluted":true}}}' })).toContain('__proto__');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it.each([
    ['HOST', 'not a host', /^HOST is "not a host"; allowed: a host name/],
    ['PORT', '65536', /^PORT is "65536"; allowed: an integer from 0 to 65535$/],
    ['PORT', '-1', /^PORT is "-1"; allowed/],
    ['PORT', '5280.5', /^PORT is "5280.5"; allowed/],
    ['PORT', 'http', /^PORT is "http"; allowed/],
    ['HTTP_PLATFORM', 'koa', /^HTTP_PLATFORM is "koa"; allowed: express or fastify$/],
    ['XMPP_DOMAINS', 'a.example,,b.example', /^XMPP_DOMAINS is "a.example,,b.example"; allowed: XMPP domains/],
    ['XMPP_DOMAINS', 'alice@localhost', /^XMPP_DOMAINS is "alice@localhost"; allowed/],
    ['XMPP_UPSTREAM', 'http://example.org', /^XMPP_UPSTREAM is "http:\/\/example.org"; allowed: embedded, srv, or a URL/],
    ['XMPP_UPSTREAM', 'prosody', /^XMPP_UPSTREAM is "prosody"; allowed/],
    ['XMPP_UPSTREAM', 'xmpp://', /^XMPP_UPSTREAM is "xmpp:\/\/"; allowed/],
    ['XMPP_OPTIONS', '{', /^XMPP_OPTIONS is "\{"; allowed: a JSON object/],
    ['XMPP_OPTIONS', '[]', /^XMPP_OPTIONS is "\[\]"; allowed: a JSON object/],
    ['XMPP_OPTIONS', '{"domains":"a.example"}', /^XMPP_OPTIONS: domains is "a.example"; allowed: a list of XMPP domains$/],
    ['XMPP_OPTIONS', '{"upstream":7}', /^XMPP_OPTIONS: upstream is 7; allowed: embedded, srv/],
    ['REDIS_URL', 'http://localhost', /^REDIS_URL is "http:\/\/localhost"; allowed: a URL redis:\/\//],
    ['REDIS_URL', 'redis://redis.example', /^CLUSTER_SECRET is not set; allowed: at least 16 characters/],
  ])('Start: refuses %s=%s by name, value and what is allowed', (name, value, message) => {
    expect(refusal({ [name]: value })).toMatch(message);
  });

  it('Start: a refusal is one line, whatever the value holds', () => {
    expect(refusal({ HTTP_PLATFORM: 'express\nor fastify\r\n' })).not.toMatch(/[\r\n]/);
    expect(refusal({ XMPP_DOMAINS: `a b${'c'.repeat(500)}` }).length).toBeLessThan(300);
  });

  it('Start: no password is in a refusal', () => {
    expect(refusal({ XMPP_USERS: 'alice:secret,bobsecret' })).toBe('XMPP_USERS: entry 2 is no account; allowed: name:password, several separated by commas');
    expect(refusal({ XMPP_USERS: 'alice:secret1,alice:secret2' })).toBe('XMPP_USERS: entry 2 names "alice" a second time; allowed: each name once');
    expect(refusal({ XMPP_UPSTREAM: 'http://user:secret@example.org' })).not.toContain('secret');
  });
});
