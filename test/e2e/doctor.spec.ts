import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { EmbeddedUpstream, type XmppModuleOptions } from 'nestjs-xmpp';
import { WebSocketServer } from 'ws';
import { rootFile } from '../architecture/source-files.js';
import { PLATFORMS, startApp, type Platform, type TestApp } from '../support/app.js';
import { Child } from '../support/child.js';
import { startProxy, type Edits, type Proxy } from '../support/proxies.js';

interface Finding {
  readonly level: 'ok' | 'note' | 'warning' | 'problem';
  readonly area: string;
  readonly text: string;
  readonly advice?: string;
}

const CLI = rootFile('dist/cli.js');

/** The command, as it is installed. */
async function run(args: readonly string[], env: Record<string, string> = {}): Promise<{ code: number | null; output: string }> {
  const { PATH } = process.env;
  const child = new Child(process.execPath, [CLI, ...args], { env: { PATH, ...env } });
  const { code } = await child.exit;
  return { code, output: child.output };
}

/** What it finds, by level: `area: text`. */
async function examine(url: string, args: readonly string[] = [], env: Record<string, string> = {}) {
  const { code, output } = await run(['doctor', '--json', ...args, url], env);
  const findings = output.trim().split('\n').map((line) => JSON.parse(line) as Finding);
  const of = (level: Finding['level']) => findings.filter((finding) => finding.level === level).map(({ area, text }) => `${area}: ${text}`);
  expect(findings.filter(({ level, advice }) => (level === 'warning' || level === 'problem') !== (advice !== undefined))).toEqual([]);
  expect(code).toBe(of('problem').length > 0 ? 1 : 0);
  return { oks: of('ok'), notes: of('note'), warnings: of('warning'), problems: of('problem') };
}

/** To equal these, and nothing else; or within `expect.arrayContaining()`. */
const only = (...parts: readonly string[]) => parts.map((part) => expect.stringContaining(part) as string);

const app = (options: Partial<XmppModuleOptions> = {}, platform: Platform = 'express') =>
  startApp({
    platform,
    options: { upstream: new EmbeddedUpstream({ domains: ['localhost'], users: { alice: 'alice' } }), ...options },
  });

describe.each(PLATFORMS)('the doctor, of an app on %s', (platform) => {
  it('finds nothing wrong but that there is no TLS, directly', async () => {
    const host = await app({}, platform);
    const { oks, notes, warnings, problems } = await examine(host.url);
    await host.close();
    expect([warnings, problems]).toEqual([[], []]);
    expect(notes).toEqual(expect.arrayContaining(only('tls: no TLS', 'host-meta: the link for BOSH is http:', 'time-outs: not looked at')));
    expect(oks).toEqual(
      expect.arrayContaining(
        only(
          'host-meta: XRD: ws://127.0.0.1',
          'host-meta: JRD: ws://127.0.0.1',
          'websocket: ws://127.0.0.1',
          'websocket: logins by SCRAM-SHA-256',
          'bosh: pages of other sites may ask',
          'wait 10, hold 1, inactivity 60',
          'bosh: a request without news is held',
          'bosh: the end of a session is told',
          'bosh: pages of other sites can read errors',
          'proxies: X-Forwarded-Proto and X-Forwarded-Host of a client are not believed',
        ),
      ),
    );
  });
});

describe('the doctor, behind a proxy', () => {
  let host: TestApp;
  const proxies: Proxy[] = [];
  beforeAll(async () => {
    host = await app({ trustProxy: 1 });
  });
  afterAll(async () => {
    await host?.close();
    await Promise.all(proxies.map((proxy) => proxy.stop()));
  });

  interface Behind {
    readonly name?: 'nginx' | 'haproxy';
    readonly edits?: Edits;
    readonly args?: readonly string[];
    /** Whether the authority of the proxy's certificate is. */
    readonly trusted?: boolean;
    readonly at?: string;
    /** That the certificate is valid. */
    readonly days?: number;
  }

  async function behind({ name = 'nginx', edits = [], args = [], trusted = true, at = 'localhost', days }: Behind) {
    // An app of this spec has no health check.
    const own: Edits = name === 'haproxy' ? [['GET /health', 'GET /.well-known/host-meta']] : [];
    const proxy = await startProxy(name, Number(new URL(host.url).port), [...own, ...edits], days);
    proxies.push(proxy);
    return await examine(`https://${at}:${proxy.port}`, args, trusted ? { NODE_EXTRA_CA_CERTS: proxy.caFile } : {});
  }

  /** They wait more than they work: all at once, before the tests. */
  function examined(one: Behind): () => ReturnType<typeof behind> {
    let result: ReturnType<typeof behind>;
    beforeAll(() => {
      result = behind(one);
      result.catch(() => {}); // told by its test
    });
    return () => result;
  }

  describe.each(['nginx', 'haproxy'] as const)('%s as documented', (name) => {
    const documented = examined({ name, args: ['--idle', '2'] });
    it('has nothing wrong, quiet connections included', async () => {
      const { oks, notes, warnings, problems } = await documented();
      expect([warnings, problems]).toEqual([[], []]);
      expect(notes).toEqual(only('proxies: which address'));
      const more = ['TLSv1.3, a certificate that is trusted, for', 'HTTP/2 is offered', 'wss://localhost:', 'an idle WebSocket lives for 2 s', 'a request was held for 2 s'];
      expect(oks).toEqual(expect.arrayContaining(only(...more)));
    });
  });

  const impatient = examined({ edits: [[/90s/g, '1s']], args: ['--idle', '3'] });
  it('P22: finds a proxy that does not wait', async () => {
    const { problems } = await impatient();
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/an idle WebSocket was cut after \d s \(1006\)/),
        expect.stringMatching(/a held request was cut after \d s: HTTP 504/),
      ]),
    );
  });

  const withoutUpgrade = examined({ edits: [['proxy_set_header Upgrade $http_upgrade;', '']] });
  it('finds a proxy that passes no upgrade', async () => {
    const { oks, problems } = await withoutUpgrade();
    expect(problems).toEqual([expect.stringMatching(/^websocket: .*: HTTP \d+ instead of a WebSocket$/)]);
    expect(oks).toEqual(expect.arrayContaining(only('a session with localhost')));
  });

  const withoutScheme = examined({ edits: [[/proxy_set_header X-Forwarded-Proto \$scheme;/g, '']] });
  it('D2: finds links without TLS, which clients do not follow', async () => {
    const { problems } = await withoutScheme();
    expect(problems).toEqual(expect.arrayContaining(only('the link for WebSocket is ws:', 'the link for BOSH is http:')));
  });

  const withoutDiscovery = examined({ edits: [['location / {', 'location /.well-known { return 404; }\nlocation / {']] });
  it('P31: finds discovery that is not routed to the app, and goes on by the usual paths', async () => {
    const { oks, warnings, problems } = await withoutDiscovery();
    expect(problems).toEqual(only('/.well-known/host-meta: HTTP 404', '/.well-known/host-meta.json: HTTP 404'));
    expect(warnings).toEqual(only('no link for WebSocket', 'no link for BOSH'));
    expect(oks).toEqual(expect.arrayContaining(only('a stream to localhost', 'a session with localhost')));
  });

  const withoutCors = examined({
    edits: [['client_max_body_size 1m;', 'client_max_body_size 100k; proxy_hide_header Access-Control-Allow-Origin;']],
  });
  it('C26, P20: finds answers that pages of other sites cannot read', async () => {
    const { warnings, problems } = await withoutCors();
    const expected = ['XRD: pages of other sites may not', 'JRD: pages of other sites may not', 'bosh: pages of other sites cannot read answers'];
    expect(problems).toEqual(only(...expected));
    expect(warnings).toEqual(only('are refused before they ask', 'cannot read what is said of a session that is gone', 'too large (HTTP 413)'));
  });

  const withoutHttp2 = examined({ edits: [[/^ *listen 443 ssl http2;/m, ' listen 443 ssl;']] });
  it('P14: finds that there is no HTTP/2', async () => {
    const { warnings, problems } = await withoutHttp2();
    expect([warnings, problems]).toEqual([only('no HTTP/2'), []]);
  });

  const withForeignHost = examined({ edits: [[/proxy_set_header X-Forwarded-Host \$http_host;/g, '']] });
  it('P32, D5: finds a proxy that lets clients write what proxies write', async () => {
    const { warnings, problems } = await withForeignHost();
    expect([warnings, problems]).toEqual([only('X-Forwarded-Host of a client is believed'), []]);
  });

  const shortLived = examined({ days: 3 });
  it('finds a certificate that ends soon', async () => {
    const { warnings } = await shortLived();
    expect(warnings).toEqual(only('the certificate ends in 2 days'));
  });

  const untrusted = examined({ trusted: false });
  const misnamed = examined({ args: ['--domain', 'localhost'], at: '127.0.0.1' });
  it('finds certificates that nobody trusts, and those of another name', async () => {
    expect((await untrusted()).problems).toEqual(only('browsers refuse the certificate: UNABLE_TO_VERIFY_LEAF_SIGNATURE'));
    expect((await misnamed()).problems).toEqual(expect.arrayContaining(only('browsers refuse the certificate: ERR_TLS_CERT_ALTNAME_INVALID')));
  });
});

describe('the doctor, of what is wrong in the app', () => {
  let host: TestApp | undefined;
  afterEach(async () => await host?.close());

  it('P32: finds that it believes what clients write into the headers of proxies', async () => {
    host = await app({ trustProxy: 1 });
    const { problems } = await examine(host.url);
    expect(problems).toEqual(only('X-Forwarded-For and X-Forwarded-Proto of a client are believed'));
  });

  it('P38: finds that pages of other sites are refused', async () => {
    host = await app({ origins: ['https://only.example'] });
    const { problems } = await examine(host.url);
    expect(problems).toEqual(expect.arrayContaining(only('HTTP 403 instead of a WebSocket', 'no session: HTTP 403')));
  });

  it('finds that a domain is not served', async () => {
    host = await app();
    const { problems } = await examine(host.url, ['--domain', 'example.org']);
    expect(problems).toEqual(only('websocket: it serves none of example.org', 'bosh: it serves none of example.org'));
  });

  it('finds that its XMPP server is away', async () => {
    host = await app({ upstream: 'xmpp://127.0.0.1:1' });
    const { problems } = await examine(host.url);
    expect(problems).toEqual(only('the stream to localhost ends with remote-connection-failed', 'no session for localhost: remote-connection-failed'));
  });
});

describe('the doctor, of what is no app', () => {
  let server: Server;
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => false });
  beforeAll(async () => {
    // Something that answers everything at once, in pieces.
    server = createServer((request, response) => {
      response.setHeader('Access-Control-Allow-Origin', '*').setHeader('Access-Control-Allow-Headers', '*');
      if (request.url!.startsWith('/.well-known/host-meta')) return void response.setHeader('Content-Type', 'text/html').end('<html>Hello</html>');
      request.resume().on('end', () => {
        response.setHeader('Content-Type', 'text/html');
        response.write(`<body xmlns='http://jabber.org/protocol/httpbind' sid='x' wait='10'>`);
        response.end(`<features xmlns='http://etherx.jabber.org/streams'/></body>`);
      });
    }).listen(0, '127.0.0.1');
    server.on('upgrade', (request, socket, head) => sockets.handleUpgrade(request, socket, head, () => {}));
    await once(server, 'listening');
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('names each thing that clients stumble over', async () => {
    const { warnings, problems } = await examine(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(problems).toEqual(
      only('XRD: cannot be read', 'JRD: cannot be read', 'no subprotocol', 'a request without news is answered at once'),
    );
    expect(warnings).toEqual(
      expect.arrayContaining(only('XRD: its type is text/html', 'answers are text/html', 'answers come in chunks', 'the end of a session is not told')),
    );
  });

  it('tells that nobody is there, and stops', async () => {
    const { port } = server.address() as AddressInfo;
    const { problems, oks } = await examine(`https://127.0.0.1:${port}`);
    expect([problems, oks]).toEqual([only('tls: no TLS connection'), []]);
  });
});

describe('the command', () => {
  it('prints a line for each finding, what to do about it, and the sum', async () => {
    const { code, output } = await run(['doctor', '--timeout', '5', 'https://127.0.0.1:1']);
    expect(output).toBe(
      'problem  tls        no TLS connection to 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1\n' +
        '                    -> check name, port, firewall, and whether TLS is served there\n' +
        '\n0 ok, 0 warnings, 1 problems\n',
    );
    expect(code).toBe(1);
  });

  it.each([
    [[], 'expected: doctor and one address'],
    [['doctor'], 'expected: doctor and one address'],
    [['doctor', 'a', 'b'], 'expected: doctor and one address'],
    [['doctor', '--idle', '-1', 'localhost'], '--idle is -1'],
    [['doctor', '--idle', 'x', 'localhost'], '--idle is x; allowed: seconds, up to 3600'],
    [['doctor', '--loud', 'localhost'], '--loud'],
    [['doctor', 'http://['], 'http://[ is no address'],
  ])('ends with 2, and tells how it is called, for %j', async (args, message) => {
    const { code, output } = await run(args);
    expect([code, output]).toEqual([2, expect.stringContaining('Usage: nestjs-xmpp doctor')]);
    if (!args.includes('-1')) expect(output).toContain(message);
  });

  it('tells how it is called when asked', async () => {
    const { code, output } = await run(['--help']);
    expect([code, output]).toEqual([0, expect.stringContaining('Usage: nestjs-xmpp doctor')]);
  });
});
