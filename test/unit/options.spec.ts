import type { XmppUpstream } from '../../lib/upstream/upstream.js';
import { resolveOptions, XmppOptionsError, type ResolvedOptions, type XmppModuleOptions } from '../../lib/xmpp.options.js';

const UPSTREAM: XmppUpstream = {
  name: 'x',
  open: () => {
    throw new Error('not here');
  },
};

/** Sets the option `name`, such as `bosh.wait`. */
function given(name: string, value: unknown): XmppModuleOptions {
  const [group, key] = name.split('.') as [string, string?];
  return { domains: ['example.org'], [group]: key === undefined ? value : { [key]: value } };
}

function valueOf(options: ResolvedOptions, name: string): unknown {
  return name.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], options);
}

function refusal(options: unknown): XmppOptionsError {
  try {
    resolveOptions(options as XmppModuleOptions);
  } catch (error) {
    if (error instanceof XmppOptionsError) return error;
    throw error;
  }
  throw new Error('accepted');
}

describe('resolveOptions', () => {
  it('has the defaults of the contract', () => {
    expect(resolveOptions({ domains: ['example.org'] })).toMatchObject({
      domains: ['example.org'],
      upstream: 'embedded',
      ingress: 'router',
      channelBinding: 'strip',
      websocket: { path: '/xmpp-websocket', pingInterval: 30, maxFrameBytes: 262144, openTimeout: 10 },
      bosh: {
        path: '/http-bind',
        wait: 60,
        hold: 1,
        inactivity: 60,
        polling: 5,
        maxpause: 120,
        maxBodyBytes: 262144,
        overactivity: 'tolerant',
      },
      shared: { enabled: true, minKeyLength: 16, maxClients: 16, linger: 0 },
      limits: {
        maxSessions: 10000,
        maxSessionsPerAddress: 100,
        maxDepth: 64,
        sessionsPerMinute: 600,
        authTimeout: 60,
        maxBufferedBytes: 1048576,
      },
      origins: ['*'],
      trustProxy: 0,
      hostMeta: { url: undefined },
    });
  });

  const numbers: [name: string, min: number, max: number, whole: boolean][] = [
    ['websocket.pingInterval', 0, 3600, false],
    ['websocket.maxFrameBytes', 256, 67_108_864, true],
    ['websocket.openTimeout', 1, 300, false],
    ['bosh.wait', 1, 600, true],
    ['bosh.hold', 1, 10, true],
    ['bosh.inactivity', 1, 3600, true],
    ['bosh.polling', 0, 300, true],
    ['bosh.maxpause', 0, 3600, true],
    ['bosh.maxBodyBytes', 256, 67_108_864, true],
    ['shared.minKeyLength', 1, 256, true],
    ['shared.maxClients', 1, 1000, true],
    ['shared.linger', 0, 3600, true],
    ['hooks.timeout', 0.1, 300, false],
    ['limits.maxSessions', 1, 10_000_000, true],
    ['limits.maxSessionsPerAddress', 1, 10_000_000, true],
    ['limits.maxDepth', 2, 1000, true],
    ['limits.sessionsPerMinute', 1, 1_000_000, true],
    ['limits.authTimeout', 1, 3600, false],
    ['limits.maxBufferedBytes', 1024, 1_073_741_824, true],
  ];

  describe.each(numbers)('%s', (name, min, max, whole) => {
    it(`is a number from ${min} to ${max}`, () => {
      for (const value of [min, min + 1, max]) expect(valueOf(resolveOptions(given(name, value)), name)).toBe(value);
      const between = min + 1.5;
      if (!whole) expect(valueOf(resolveOptions(given(name, between)), name)).toBe(between);
      const wrong = [min - 1, max + 1, -1, NaN, Infinity, '5', null, true, [min], {}, min === 0 ? -0.5 : 0, ...(whole ? [between] : [])];
      for (const value of wrong) {
        const error = refusal(given(name, value));
        expect(error.option).toBe(name);
        expect(error.value).toBe(value);
        expect(error.message).toContain(`option ${name} is `);
        expect(error.message).toMatch(new RegExp(`allowed: a (whole )?number from ${min} to ${max} \\(\\w+\\)$`));
      }
    });
  });

  const valid: [name: string, value: unknown, resolved?: unknown][] = [
    ['ingress', 'server'],
    ['channelBinding', 'pass'],
    ['bosh.overactivity', 'strict'],
    ['shared.enabled', false],
    ['websocket.path', '/ws'],
    ['websocket.path', '/a/b-c_d.e~f/0'],
    ['bosh.path', '/bosh'],
    ['origins', '*', ['*']],
    ['origins', 'https://app.example.org', ['https://app.example.org']],
    ['origins', ['https://app.example.org', 'http://localhost:8080', 'http://[::1]:1']],
    ['origins', ['capacitor://localhost', 'chrome-extension://abcdef']],
    ['trustProxy', true, 1],
    ['trustProxy', false, 0],
    ['trustProxy', 10],
    ['hostMeta.url', 'https://chat.example.org/', 'https://chat.example.org'],
    ['hostMeta.url', 'http://localhost:5280/base//', 'http://localhost:5280/base'],
    ['hostMeta.url', { 'Example.org': 'https://a.example.org' }, { 'example.org': 'https://a.example.org' }],
    ['upstream', 'xmpp://localhost:5222'],
    ['upstream', UPSTREAM],
  ];
  it.each(valid)('%s may be %j', (name, value, resolved = value) => {
    expect(valueOf(resolveOptions(given(name, value)), name)).toEqual(resolved);
  });

  const invalid: [name: string, value: unknown, allowed: string][] = [
    ['ingress', 'both', 'router or server'],
    ['ingress', null, 'router or server'],
    ['channelBinding', true, 'strip or pass'],
    ['bosh.overactivity', 'lax', 'tolerant or strict'],
    ['shared.enabled', 'false', 'true or false'],
    ['shared.enabled', 1, 'true or false'],
    ['websocket.path', 'ws', 'a path that starts with /, of letters, digits and - . _ ~ /'],
    ['websocket.path', '/', 'a path that starts with /'],
    ['websocket.path', '/ws/', 'a path that starts with /'],
    ['websocket.path', '/ws?x', 'a path that starts with /'],
    ['websocket.path', '/w s', 'a path that starts with /'],
    ['websocket.path', '/ws\r\nX: y', 'a path that starts with /'],
    ['websocket.path', '/:id', 'a path that starts with /'],
    ['websocket.path', '/*', 'a path that starts with /'],
    ['bosh.path', '', 'a path that starts with /'],
    ['bosh.path', '/xmpp-websocket', 'another path than websocket.path'],
    ['origins', [], "'*' or a list of origins such as https://app.example.org"],
    ['origins', '', "'*' or a list of origins"],
    ['origins', 'app.example.org', "'*' or a list of origins"],
    ['origins', 'https://app.example.org/', "'*' or a list of origins"],
    ['origins', 'https://app.example.org:443', "'*' or a list of origins"],
    ['origins', 'HTTPS://app.example.org', "'*' or a list of origins"],
    ['origins', 'https://*.example.org', "'*' or a list of origins"],
    ['origins', 'https://user@app.example.org', "'*' or a list of origins"],
    ['origins', 'capacitor://*', "'*' or a list of origins"],
    ['origins', ['*', 7], "'*' or a list of origins"],
    ['origins', 'null', "'*' or a list of origins"],
    ['trustProxy', -1, 'true, false or the number of proxies (0 to 10)'],
    ['trustProxy', 11, 'true, false or the number of proxies (0 to 10)'],
    ['trustProxy', 1.5, 'true, false or the number of proxies (0 to 10)'],
    ['trustProxy', 'true', 'true, false or the number of proxies (0 to 10)'],
    ['hostMeta.url', 'chat.example.org', 'an http: or https: URL'],
    ['hostMeta.url', 'ftp://chat.example.org', 'an http: or https: URL'],
    ['hostMeta.url', 'javascript:1', 'an http: or https: URL'],
    ['hostMeta.url', { 'example.org': 'x' }, 'an http: or https: URL'],
    ['hostMeta.ips', ['localhost'], 'a list of at least one IP address'],
    ['hostMeta.sni', 'a b', 'a host name'],
    ['hostMeta.pins', ['x'], 'a list of base64 SHA-256 hashes'],
    ['cluster.nodeId', 'a b', '1 to 32 letters, digits and . _ -'],
    ['cluster.deadAfter', 0, 'a number from 1 to 300 (seconds)'],
    ['upstream', 7, 'an XmppUpstream, a URL, or a function of the domain'],
    ['upstream', {}, 'an XmppUpstream, a URL, or a function of the domain'],
    ['upstream', null, 'an XmppUpstream, a URL, or a function of the domain'],
  ];
  it.each(invalid)('%s may not be %j', (name, value, allowed) => {
    const error = refusal(given(name, value));
    expect(error.name).toBe('XmppOptionsError');
    expect(error.option).toBe(name);
    expect(error.message).toContain(`option ${name} is `);
    expect(error.message).toContain(`allowed: ${allowed}`);
  });

  it('takes a function for the upstream', () => {
    const choose = (): string => 'embedded';
    expect(resolveOptions({ domains: ['example.org'], upstream: choose }).upstream).toBe(choose);
  });

  describe('domains', () => {
    it('are normalised as clients name them', () => {
      expect(resolveOptions({ domains: ['Example.ORG', 'b.example.', 'ｗｉｄｅ.example', 'bücher.example', 'localhost'] }).domains).toEqual([
        'example.org',
        'b.example',
        'wide.example',
        'bücher.example',
        'localhost',
      ]);
    });

    it.each([
      undefined,
      null,
      'example.org',
      [],
      [''],
      ['.'],
      [7],
      ['a b'],
      ['a/b'],
      ['a@b'],
      ['a<b'],
      [`a"b`],
      [`a'b`],
      ['a&b'],
      ['a:5222'],
      ['a\nb'],
      ['a'.repeat(1024)],
    ])('may not be %j', (domains) => {
      const error = refusal({ domains });
      expect(error.option).toBe('domains');
      expect(error.message).toContain('allowed: a list of at least one XMPP domain');
    });
  });

  describe('names', () => {
    it.each([
      ['domain', 'x', /option domain is "x"; allowed: one of domains, formerDomains, upstream, ingress, .*trustProxy/],
      ['bosh.waits', 5, /option bosh\.waits is 5; allowed: one of path, wait, hold, inactivity, polling, maxpause, maxBodyBytes/],
      ['limits.maxsessions', 5, /option limits\.maxsessions is 5; allowed: one of maxSessions, /],
      ['hostMeta.toString', 5, /option hostMeta\.toString is 5; allowed: one of url/],
    ])('%s is unknown, and the known ones are named', (name, value, message) => {
      const error = refusal(given(name, value));
      expect(error.option).toBe(name);
      expect(error.message).toMatch(message);
    });

    it.each([null, 7, 'x', [], true])('a group may not be %j', (value) => {
      expect(refusal({ domains: ['example.org'], bosh: value }).message).toMatch(/option bosh is .*; allowed: an object/);
    });

    it('undefined is as if it were not there', () => {
      const options = { domains: ['example.org'], bosh: undefined, websocket: { path: undefined }, ingress: undefined };
      expect(resolveOptions(options as unknown as XmppModuleOptions)).toEqual(resolveOptions({ domains: ['example.org'] }));
    });

    it.each([undefined, null, 'x', 7])('the options may not be %j', (options) => {
      expect(() => resolveOptions(options as unknown as XmppModuleOptions)).toThrow(XmppOptionsError);
    });
  });

  it('leaves the options that it was given, and shares nothing between two calls', () => {
    const options: XmppModuleOptions = { domains: ['Example.org'], bosh: { wait: 5 } };
    const before = structuredClone(options);
    const [one, two] = [resolveOptions(options), resolveOptions({ domains: ['a'] })];
    expect(options).toEqual(before);
    expect([one.bosh.wait, two.bosh.wait]).toEqual([5, 60]);
    expect(one.bosh).not.toBe(two.bosh);
  });

  it('shows no secret and nothing long in its messages', () => {
    const circular: Record<string, unknown> = { password: 'SECRET' };
    circular['self'] = circular;
    expect(refusal(given('upstream', circular)).message).toContain('is an object;');
    expect(refusal(given('bosh.wait', 5n)).message).toContain('is 5;');
    expect(refusal(given('bosh.wait', NaN)).message).toContain('is NaN;');
    expect(refusal(given('bosh.wait', Symbol('x'))).message).toContain('is Symbol(x);');
    expect(refusal(given('bosh.wait', () => {})).message).toContain('is a function;');
    expect(refusal(given('bosh.path', 'x'.repeat(10_000))).message.length).toBeLessThan(300);
  });

  describe('hostMeta for XEP-0487 (D7)', () => {
    const all = { url: 'https://a.example.org', ttl: 60, ips: ['192.0.2.1', '2001:db8::1'], sni: 'a.example.org', priority: 1, weight: 0 };
    const pins = ['A'.repeat(43) + '='];

    it('is complete or not there', () => {
      expect(resolveOptions({ domains: ['example.org'], hostMeta: { ...all, pins } }).hostMeta).toEqual({ ...all, pins });
      for (const name of ['ttl', 'ips', 'sni', 'priority', 'weight'] as const) {
        const { [name]: _, ...rest } = all;
        expect(refusal({ domains: ['example.org'], hostMeta: rest }).option).toBe(`hostMeta.${name}`);
      }
      for (const url of [undefined, 'http://a.example.org', { 'example.net': 'https://a.example.org' }]) {
        expect(refusal({ domains: ['example.org'], hostMeta: { ...all, url } }).option).toBe('hostMeta.url');
      }
    });
  });
});

describe('the options of a cluster', () => {
  const cluster = (options: Record<string, unknown>) => ({ domains: ['example.org'], cluster: options }) as unknown as XmppModuleOptions;

  it('need a secret, and show none in a message', () => {
    expect(refusal(cluster({ redis: 'redis://127.0.0.1' })).message).toContain('cluster.secret is undefined; allowed: a string of at least 16');
    expect(refusal(cluster({ redis: 'redis://127.0.0.1', secret: 'hunter2' })).message).not.toContain('hunter2');
    expect(refusal(cluster({ redis: 'http://:hunter2@127.0.0.1' })).message).toMatch(/cluster\.redis is not shown; allowed: a redis: or rediss: URL/);
    expect(resolveOptions(cluster({ redis: 'rediss://redis.example', secret: '0123456789abcdef' })).cluster).toEqual({
      redis: 'rediss://redis.example',
      bus: undefined,
      secret: '0123456789abcdef',
      nodeId: undefined,
      prefix: 'xmpp',
      deadAfter: 5,
    });
  });

  it('take Redis or another bus, not both', () => {
    const bus = { beat: () => [] };
    expect(refusal(cluster({ redis: 'redis://127.0.0.1', bus, secret: '0123456789abcdef' })).option).toBe('cluster.bus');
  });
});
