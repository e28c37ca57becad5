import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { PLATFORMS, startGateway, type Gateway } from '../support/gateway.js';
import { creation, BoshHttp } from '../support/bosh-client.js';
import { open, RawWebSocket } from '../support/websocket-client.js';

/** Entities that become three gigabytes where they are expanded. */
const BOMB =
  `<!DOCTYPE b [<!ENTITY a "ha">${Array.from({ length: 9 }, (_, i) => `<!ENTITY ${'bcdefghij'[i]} "${`&${'abcdefghi'[i]};`.repeat(10)}">`).join('')}]>`;

describe.each(PLATFORMS)('what others fell for, on %s', (platform) => {
  let gateway: Gateway;
  beforeEach(async () => (gateway = await startGateway(platform)));
  afterEach(() => gateway.close());

  /** Writes a request head and cuts the connection. */
  const cutOff = async (path: string): Promise<void> => {
    const socket = connect(gateway.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    socket.resetAndDestroy();
    await once(socket, 'close');
  };

  it.each([
    ['R4: a DTD before a stanza', `${BOMB}<message xmlns='jabber:client'><body>&j;</body></message>`],
    ['R4: an entity of nobody', `<message xmlns='jabber:client'><body>&j;</body></message>`],
    ['R4: an entity in an attribute', `<message xmlns='jabber:client' id='&j;'/>`],
  ])('%s ends the stream with restricted-xml on the WebSocket', async (_what, frame) => {
    const client = await RawWebSocket.open(gateway.wsUrl);
    const stream = await gateway.upstream.streams.take();
    client.send(frame);
    expect(await client.next()).toContain('<restricted-xml ');
    client.socket.close();
    expect(await stream.seen.take()).toBe('close');
  });

  it.each([
    ['R4: a DTD before the body', `${BOMB}${creation()}`],
    ['R4: an entity of nobody', creation({}, `<message xmlns='jabber:client'><body>&j;</body></message>`)],
    ['R4: an entity in an attribute', creation({ route: '&j;' })],
  ])('%s is bad-request over BOSH', async (_what, body) => {
    const http = new BoshHttp(gateway.boshUrl);
    expect((await http.post(body)).condition).toBe('bad-request');
    http.close();
  });

  it('R19: no message is inflated, whatever the client offers', async () => {
    const client = new WebSocket(gateway.wsUrl, ['xmpp'], { perMessageDeflate: true });
    await once(client, 'open');
    expect(client.extensions).toBe('');
    client.close();
  });

  it('R19: a list of subprotocols that takes regular expressions long is read at once', async () => {
    const socket = connect(gateway.port, '127.0.0.1');
    socket.write(
      'GET /xmpp-websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: b${' '.repeat(14_000)}x\r\n\r\n`,
    );
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
  });

  it('R19: an upgrade that is cut off ends nothing but itself, also where nobody serves its path', async () => {
    for (const path of ['/nothing', '/xmpp-websocket', '/http-bind']) {
      await Promise.all(Array.from({ length: 20 }, () => cutOff(path)));
    }
    // An error that nobody listens to would have ended this process, which plays the server too.
    const client = await RawWebSocket.connect(gateway.wsUrl);
    client.send(open({ to: 'example.org' }));
    expect(await client.next()).toContain('<open ');
    client.socket.close();
  });

  it('R19: an upgrade that nobody serves does not keep its connection', async () => {
    const accepted = once(gateway.app.getHttpServer(), 'connection') as Promise<[Socket]>;
    const socket = connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true });
    const [ours] = await accepted;
    const closed = once(ours, 'close');
    socket.write('GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 404 /);
    await closed; // though the client has not closed its half
    socket.destroy();
  });
});
