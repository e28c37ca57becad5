import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { XmppModule } from 'nestjs-xmpp';
import { BoshAnswer, body, creation } from '../support/bosh-client.js';
import { ScriptedUpstream } from '../support/scripted-upstream.js';
import { testAuthority, type Identity, type TestAuthority } from '../support/tls.js';
import { open, RawWebSocket } from '../support/websocket-client.js';

describe('behind TLS of its own', () => {
  const upstream = new ScriptedUpstream();
  let authority: TestAuthority;
  let app: INestApplication;
  let port: number;
  let alice: Identity;
  let mallory: Identity;

  beforeAll(async () => {
    authority = await testAuthority();
    const server = await authority.issue('localhost');
    [alice, mallory] = [await authority.issue('alice'), await authority.issue('mallory')];
    @Module({ imports: [XmppModule.forRoot({ domains: ['example.org'], upstream })] })
    class HostModule {}
    const httpsOptions = { ...server, ca: authority.ca, requestCert: true, rejectUnauthorized: false };
    app = await NestFactory.create(HostModule, new ExpressAdapter(), { logger: ['error'], httpsOptions });
    await app.listen(0, '127.0.0.1');
    port = (app.getHttpServer().address() as AddressInfo).port;
  });
  afterAll(async () => {
    await app.close();
    await authority.remove();
  });

  /** One request on a connection of its own, by whoever has this certificate. */
  const post = async (text: string, identity?: Identity): Promise<BoshAnswer> => {
    const sent = request({ host: '127.0.0.1', port, path: '/http-bind', method: 'POST', ca: authority.ca, servername: 'localhost', agent: false, ...identity });
    sent.end(text);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    let answer = '';
    for await (const chunk of response) answer += String(chunk);
    return new BoshAnswer(response.statusCode!, response.headers, answer);
  };

  it('B33: a session that began with a client certificate goes on with it alone, and others do it no harm', async () => {
    const sid = (await post(creation(), alice)).attribute('sid');
    const stream = await upstream.streams.take();
    const payload = `<presence xmlns='jabber:client'/>`;
    for (const identity of [undefined, mallory]) {
      const refused = await post(body({ sid, rid: 1001 }, payload), identity);
      expect([refused.type, refused.condition]).toEqual(['terminate', 'item-not-found']);
    }
    const served = await post(body({ sid, rid: 1001, type: 'terminate' }, payload), alice);
    expect([served.type, served.condition]).toEqual(['terminate', undefined]);
    expect(await stream.seen.take()).toBe(payload);
    expect(await stream.seen.take()).toBe('close');
  });

  it('B33, D2, D3, P31: clients over TLS are known as such, and found by secure links', async () => {
    const sid = (await post(creation())).attribute('sid');
    expect((await upstream.streams.take()).request.client.secure).toBe(true);
    await post(body({ sid, rid: 1001, type: 'terminate' }));
    const client = await RawWebSocket.connect(`wss://127.0.0.1:${port}/xmpp-websocket`, ['xmpp'], { ca: authority.ca, servername: 'localhost' } as object);
    client.send(open({ to: 'example.org' }));
    expect((await upstream.streams.take()).request.client.secure).toBe(true);
    client.socket.close();
    const found = request({ host: '127.0.0.1', port, path: '/.well-known/host-meta.json', ca: authority.ca, servername: 'localhost', agent: false });
    found.end();
    const [response] = (await once(found, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response) text += String(chunk);
    const { links } = JSON.parse(text) as { links: { href: string }[] };
    expect(links.map(({ href }) => new URL(href).protocol).toSorted()).toEqual(['https:', 'wss:']);
    expect(response.headers['access-control-allow-origin']).toBe('*');
  });
});
