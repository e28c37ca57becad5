import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { Global, Module, type Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { JwtModule, JwtService } from '@nestjs/jwt';
import { EmbeddedUpstream, XMPP_CREDENTIALS, XmppModule } from 'nestjs-xmpp';
import { startXmppApp, type XmppTestApp } from 'nestjs-xmpp/testing';
import { Accounts, JwtCredentials } from '../../sample/examples/jwt.credentials.js';
import { SupportModule } from '../../sample/examples/support.module.js';
import { TenantGuard, Tenants } from '../../sample/examples/tenant.guard.js';
import { WhoIsOnline } from '../../sample/examples/who-is-online.js';
import { WordFilter, Words } from '../../sample/examples/word-filter.js';
import { BoshHttp, creation } from '../support/bosh-client.js';

const file = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
const xmpp = (upstream?: EmbeddedUpstream) => XmppModule.forRoot({ domains: ['example.org', 'acme.example'], ...(upstream && { upstream }) });

describe.each(['HOOKS', 'UPSTREAMS'])('docs/%s.md', (name) => {
  it('shows code that is compiled, word for word', async () => {
    const blocks = [...(await file(`docs/${name}.md`)).matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!);
    expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) {
      const [path, ...lines] = block.split('\n');
      expect(path).toMatch(/^\/\/ sample\/examples\/[\w.-]+\.ts$/);
      expect(await file(path!.slice(3))).toContain(lines.join('\n').trim());
    }
  });
});

describe('the examples of docs/HOOKS.md', () => {
  const apps: XmppTestApp[] = [];
  const start = async (providers: Provider[]): Promise<XmppTestApp> => {
    const app = await startXmppApp({ logger: false, imports: [xmpp()], providers });
    apps.push(app);
    return app;
  };
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  it('events: knows who is online', async () => {
    const app = await start([WhoIsOnline]);
    const online = app.app.get(WhoIsOnline);
    const { stream } = await app.login('alice@example.org/one');
    const second = await app.login('alice@example.org/two');
    expect(online.list()).toEqual(['alice@example.org']);
    second.client.close();
    await second.stream.seen.take((seen) => seen === 'close');
    expect(online.list()).toEqual(['alice@example.org']);
    stream.finish({ reason: 'closed' });
    expect(online.list()).toEqual([]);
  });

  it('interceptors: keeps words from being said', async () => {
    class Rude extends Words {
      async isForbidden(text: string): Promise<boolean> {
        return text.includes('blast');
      }
    }
    const app = await start([WordFilter, { provide: Words, useClass: Rude }]);
    const { client, stream } = await app.login();
    client.send(`<message xmlns='jabber:client' to='bob@example.org' id='1'><body>blast it</body></message>`);
    client.send(`<message xmlns='jabber:client' to='bob@example.org' id='2'><body>dear me</body></message>`);
    expect(await client.next()).toMatch(/type="error" id="1".*<policy-violation .*Mind your words/);
    expect(await stream.seen.take((seen) => seen.includes('<message'))).toContain(`id='2'`);
  });

  it('guards: each customer has a domain and a server', async () => {
    class Table extends Tenants {
      async findByHost(host: string) {
        const known: Record<string, boolean> = { 'acme.example': true, 'broke.example': false };
        const paid = known[host];
        return paid === undefined ? undefined : { domain: 'acme.example', server: 'embedded', paid };
      }
    }
    const app = await start([TenantGuard, { provide: Tenants, useClass: Table }]);
    const http = new BoshHttp(app.boshUrl);
    const ask = (Host: string) => http.post(creation(), { Host });
    const acme = await ask('acme.example');
    expect([acme.attribute('from'), acme.payload.includes('ANONYMOUS')]).toEqual(['acme.example', true]);
    expect((await ask('broke.example')).condition).toBe('policy-violation');
    expect((await ask('unknown.example')).condition).toBe('policy-violation');
    http.close();
  });

  it('web login: a cookie is all that a page needs', async () => {
    class Secrets extends Accounts {
      async secretOf(user: string): Promise<string | undefined> {
        return user === 'alice' ? 'never typed' : undefined;
      }
    }
    @Global()
    @Module({
      imports: [JwtModule.register({ secret: 'of the test' })],
      providers: [{ provide: XMPP_CREDENTIALS, useClass: JwtCredentials }, { provide: Accounts, useClass: Secrets }],
      exports: [XMPP_CREDENTIALS],
    })
    class CredentialsModule {}
    const upstream = new EmbeddedUpstream({ users: { alice: 'never typed' } });
    const app = await startXmppApp({ imports: [xmpp(), CredentialsModule], upstream, logger: false });
    const http = new BoshHttp(app.boshUrl);
    const jwt = app.app.get(JwtService, { strict: false });
    const Cookie = `theme=dark; user=${await jwt.signAsync({ sub: 'alice' })}`;
    expect((await http.post(creation(), { Cookie })).payload).toContain('<mechanism xmlns="urn:ietf:params:xml:ns:xmpp-sasl">EXTERNAL</mechanism>');
    expect((await http.post(creation(), { Cookie: 'user=nonsense' })).payload).not.toContain('EXTERNAL');
    http.close();
    await app.close();
  });

  it('upstreams: the module of the bot starts', async () => {
    const app = await NestFactory.create(SupportModule, { logger: false });
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const http = new BoshHttp(`http://127.0.0.1:${port}/http-bind`);
    expect((await http.post(creation())).payload).toContain('<mechanism>ANONYMOUS</mechanism>');
    http.close();
    await app.close();
  });
});
