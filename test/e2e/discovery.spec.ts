import { request } from 'node:http';
import { readElement } from '../../lib/xml/index.js';
import { PLATFORMS, startGateway, type Gateway } from '../support/gateway.js';

interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  text: string;
}

/** Unlike fetch(), lets a test choose the `Host`. */
function get(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    sent.on('error', reject).end();
  });
}

const links = (xrd: string) => {
  const root = readElement(xrd.slice(xrd.indexOf('<XRD')));
  return Object.fromEntries(root.elements!.filter((e) => e.name === 'Link').map((e) => [e.attributes!.rel, e.attributes!.href]));
};

describe.each(PLATFORMS)('discovery on %s', (platform) => {
  let gateway: Gateway;
  afterEach(() => gateway.close());

  it('D1, D2, D3, D4: host-meta is an XRD with one link of each kind, readable from any origin', async () => {
    gateway = await startGateway(platform, { hostMeta: { url: 'https://chat.example.org/' }, origins: ['https://other.example'] });
    const { status, headers, text } = await get(`${gateway.url}/.well-known/host-meta`, { accept: 'application/xrd+xml, text/xml' });
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/xrd+xml; charset=utf-8');
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    expect(text).toContain('<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0"><Link rel=');
    expect(links(text)).toEqual({
      'urn:xmpp:alt-connections:websocket': 'wss://chat.example.org/xmpp-websocket',
      'urn:xmpp:alt-connections:xbosh': 'https://chat.example.org/http-bind',
    });
  });

  it('D1: host-meta.json is a JRD, and host-meta is one too for those who accept nothing else', async () => {
    gateway = await startGateway(platform, { hostMeta: { url: 'https://chat.example.org' } });
    const jrd = {
      links: [
        { rel: 'urn:xmpp:alt-connections:websocket', href: 'wss://chat.example.org/xmpp-websocket' },
        { rel: 'urn:xmpp:alt-connections:xbosh', href: 'https://chat.example.org/http-bind' },
      ],
    };
    const json = await get(`${gateway.url}/.well-known/host-meta.json`);
    expect(json.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(JSON.parse(json.text)).toEqual(jrd);
    const negotiated = await get(`${gateway.url}/.well-known/host-meta`, { accept: 'application/json' });
    expect(JSON.parse(negotiated.text)).toEqual(jrd);
  });

  it('D5: without a configured URL the links lead to where the request was sent', async () => {
    gateway = await startGateway(platform);
    const { headers, text } = await get(`${gateway.url}/.well-known/host-meta`);
    expect(links(text)['urn:xmpp:alt-connections:websocket']).toBe(gateway.wsUrl);
    expect(links(text)['urn:xmpp:alt-connections:xbosh']).toBe(gateway.boshUrl);
    expect(headers.vary).toMatch(/host.*accept/i);
    expect(headers['cache-control']).toMatch(/max-age=\d+/);
  });

  it.each(['example.org', 'chat.example.org:8080', 'EXAMPLE.net'])('D5: reflects a Host that is ours: %s', async (host) => {
    gateway = await startGateway(platform);
    const { text } = await get(`${gateway.url}/.well-known/host-meta`, { host });
    expect(links(text)['urn:xmpp:alt-connections:xbosh']).toBe(`http://${host}/http-bind`);
  });

  it.each(['evil.example', 'evil-example.org', 'example.org.evil.example', 'example.org"><x y="', 'example.org/evil', '127.0.0.2'])(
    'D5, R17: never reflects a Host that is not ours: %s',
    async (host) => {
      gateway = await startGateway(platform);
      const { text } = await get(`${gateway.url}/.well-known/host-meta`, { host });
      expect(links(text)['urn:xmpp:alt-connections:xbosh']).toBe(`http://example.org:${gateway.port}/http-bind`);
      expect(text).not.toContain('evil');
    },
  );

  it('D5, P32: believes X-Forwarded-* only of a trusted proxy', async () => {
    const forwarded = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'chat.example.org' };
    gateway = await startGateway(platform);
    const direct = await get(`${gateway.url}/.well-known/host-meta`, forwarded);
    expect(links(direct.text)['urn:xmpp:alt-connections:xbosh']).toBe(gateway.boshUrl);
    await gateway.close();
    gateway = await startGateway(platform, { trustProxy: true });
    const proxied = await get(`${gateway.url}/.well-known/host-meta`, forwarded);
    expect(links(proxied.text)).toEqual({
      'urn:xmpp:alt-connections:websocket': 'wss://chat.example.org/xmpp-websocket',
      'urn:xmpp:alt-connections:xbosh': 'https://chat.example.org/http-bind',
    });
  });

  it('D7: adds what XEP-0487 needs where the operator gave all of it, and nothing of it otherwise', async () => {
    const url = 'https://chat.example.org';
    const all = { ttl: 300, ips: ['192.0.2.1', '2001:db8::1'], sni: 'chat.example.org', priority: 10, weight: 50 };
    gateway = await startGateway(platform, { hostMeta: { url, ...all, pins: [`${'A'.repeat(43)}=`] } });
    const { headers, text } = await get(`${gateway.url}/.well-known/host-meta.json`);
    const { xmpp, links: found } = JSON.parse(text);
    expect(xmpp).toEqual({ 'ttl': 300, 'public-key-pins-sha-256': [`${'A'.repeat(43)}=`] });
    const { ttl: _, ...each } = all;
    expect(found).toEqual([
      { rel: 'urn:xmpp:alt-connections:websocket', href: 'wss://chat.example.org/xmpp-websocket', ...each },
      { rel: 'urn:xmpp:alt-connections:xbosh', href: 'https://chat.example.org/http-bind', ...each },
    ]);
    expect(headers['cache-control']).toBe('max-age=300');
    await expect(startGateway(platform, { hostMeta: { url, ttl: 300 } })).rejects.toThrow('option hostMeta.ips is undefined');
    await expect(startGateway(platform, { hostMeta: { ...all, url: 'http://chat.example.org' } })).rejects.toThrow('hostMeta.url');
  });

  it('D5: answers each domain with its own URL where the operator gave one for each', async () => {
    gateway = await startGateway(platform, {
      hostMeta: { url: { 'example.org': 'https://one.example.org', 'example.net': 'https://two.example.net' } },
    });
    const base = async (host: string) =>
      links((await get(`${gateway.url}/.well-known/host-meta`, { host })).text)['urn:xmpp:alt-connections:xbosh'];
    expect(await base('example.org')).toBe('https://one.example.org/http-bind');
    expect(await base('example.net:443')).toBe('https://two.example.net/http-bind');
    expect(await base('elsewhere.example')).toBe('https://one.example.org/http-bind');
    // Names that every object has.
    expect(await base('constructor')).toBe('https://one.example.org/http-bind');
    expect(await base('__proto__')).toBe('https://one.example.org/http-bind');
  });
});
