import { connect } from 'node:net';
import { once } from 'node:events';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { XmppEvents, type XmppModuleOptions } from 'nestjs-xmpp';
import { body, BoshSession, creation } from '../support/bosh-client.js';
import { BOSH_MODES, BoshGateway, message, presence } from '../support/bosh-gateway.js';

describe.each(BOSH_MODES)('BOSH over HTTP, on %s behind the %s', (platform, ingress) => {
  let bosh: BoshGateway;
  const start = async (options: Partial<XmppModuleOptions> = {}) => (bosh = await BoshGateway.start(platform, ingress, options));
  afterEach(() => bosh.close());

  it.each(['text/xml', 'application/xml', 'text/plain', 'application/x-www-form-urlencoded', 'application/json', 'rubbish'])(
    'B1: takes a body with the Content-Type %s',
    async (type) => {
      await start();
      const answer = await bosh.http.post(creation(), { 'Content-Type': type });
      expect(answer.status).toBe(200);
      expect(answer.attribute('sid')).toBeDefined();
    },
  );

  it('B1: takes a body without Content-Type, and in chunks', async () => {
    await start();
    const pending = bosh.http.start('POST', {});
    const text = creation();
    pending.sent.write(text.slice(0, 20));
    pending.sent.end(text.slice(20));
    expect((await pending).attribute('sid')).toBeDefined();
  });

  it('B1: answers in one piece, with Content-Length', async () => {
    await start();
    const { headers, body: text } = await bosh.http.post(creation());
    expect(headers['content-length']).toBe(String(Buffer.byteLength(text)));
    expect(headers['transfer-encoding']).toBeUndefined();
  });

  it.each([
    ['text in the body', body({ sid: 'x', rid: 1 }, 'text')],
    ['a comment', body({ sid: 'x', rid: 1 }, '<!-- x -->')],
    ['a processing instruction', body({ sid: 'x', rid: 1 }, '<?x y?>')],
    ['a DTD', `<!DOCTYPE body>${body({ sid: 'x', rid: 1 })}`],
    ['an entity of its own', body({ sid: 'x', rid: 1 }, '<a>&x;</a>')],
    ['half an element', `<body xmlns='http://jabber.org/protocol/httpbind' rid='1'><a></body>`],
    ['two bodies', body({ rid: 1 }) + body({ rid: 1 })],
    ['another namespace', `<body xmlns='jabber:client' rid='1'/>`],
    ['another element', `<boddy xmlns='http://jabber.org/protocol/httpbind' rid='1'/>`],
    ['nothing', ''],
    ['no XML', 'hello'],
    ['invalid UTF-8', Buffer.from([...Buffer.from(`<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='`), 0xff, ...Buffer.from(`'/>`)])],
  ])('B2, C6, C12, C25: answers %s with 200 and bad-request', async (_what, text) => {
    await start();
    const answer = await bosh.http.post(text);
    expect(answer.status).toBe(200);
    expect([answer.type, answer.condition]).toEqual(['terminate', 'bad-request']);
  });

  it('B2: ignores white space between the elements of the body', async () => {
    await start();
    const { session, stream } = await bosh.pair();
    session.send(`\n ${presence(1)} \n`);
    expect(await stream.seen.take()).toContain(`id='p1'`);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
  ] as const)('B3: takes a request packed with %s, as `accept` says', async (encoding, pack) => {
    await start();
    const answer = await bosh.http.post(pack(creation()), { 'Content-Encoding': encoding });
    expect(answer.attribute('accept')!.split(',')).toContain(encoding);
  });

  it('B3: ignores a Content-Encoding that is none', async () => {
    await start();
    const answer = await bosh.http.post(creation(), { 'Content-Encoding': 'text/xml; charset=utf-8' });
    expect(answer.attribute('sid')).toBeDefined();
  });

  it('B3: answers a body that is not packed as it says with bad-request', async () => {
    await start();
    const answer = await bosh.http.post(creation(), { 'Content-Encoding': 'gzip' });
    expect(answer.condition).toBe('bad-request');
  });

  it('B3, R7: limits the size of a body after unpacking', async () => {
    await start({ bosh: { maxBodyBytes: 10_000 } });
    const bomb = gzipSync(creation({}, `<a>${' '.repeat(1_000_000)}</a>`));
    expect(bomb.length).toBeLessThan(10_000);
    const answer = await bosh.http.post(bomb, { 'Content-Encoding': 'gzip' });
    expect([answer.status, answer.condition]).toEqual([413, 'policy-violation']);
  });

  it('B3: packs large answers for a client that accepts gzip, and no others', async () => {
    await start();
    const { session, stream } = await bosh.pair();
    const large = message(1).replace('<body>x', `<body>${'x'.repeat(10_000)}`);
    const get = async (accept: Record<string, string>, xml: string) => {
      const pending = bosh.http.post(session.text(++session.rid, presence(session.rid)), accept);
      await stream.seen.take();
      stream.push(xml);
      return pending;
    };
    const packed = await get({ 'Accept-Encoding': 'br, gzip' }, large);
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(packed.headers['vary']).toContain('Accept-Encoding');
    expect(packed.body).toContain('x'.repeat(10_000));
    expect((await get({ 'Accept-Encoding': 'gzip;q=0' }, large)).headers['content-encoding']).toBeUndefined();
    expect((await get({}, large)).headers['content-encoding']).toBeUndefined();
    expect((await get({ 'Accept-Encoding': 'gzip' }, message(2))).headers['content-encoding']).toBeUndefined();
  });

  it.each([
    ['Content-Length', true],
    ['chunks', false],
  ])('bosh.maxBodyBytes: answers a body that is too large by its %s with 413 and policy-violation, and goes on', async (_way, declared) => {
    await start({ bosh: { maxBodyBytes: 2000 } });
    const limits: string[] = [];
    bosh.gateway.app.get(XmppEvents).on('limit.hit', ({ limit }) => limits.push(limit));
    const { session, stream } = await bosh.pair();
    const text = session.text(++session.rid, `<a>${'x'.repeat(500_000)}</a>`);
    const pending = bosh.http.start('POST', declared ? { 'Content-Length': text.length } : {});
    pending.sent.end(text);
    const answer = await pending;
    expect([answer.status, answer.type, answer.condition]).toEqual([413, 'terminate', 'policy-violation']);
    expect(answer.headers['access-control-allow-origin']).toBe('*');
    expect(limits).toEqual(['bosh.maxBodyBytes']);
    // P21, U13: the session is over, so that the client does not send it again for ever.
    expect(await stream.seen.take()).toBe('close');
    expect((await session.send()).condition).toBe('policy-violation');
  });

  it('answers a body that says it is too large and does not come', async () => {
    await start({ bosh: { maxBodyBytes: 2000 } });
    const pending = bosh.http.start('POST', { 'Content-Length': 5000 });
    const arrived = once(bosh.gateway.app.getHttpServer(), 'request');
    pending.sent.flushHeaders();
    await arrived;
    await new Promise(setImmediate);
    bosh.clock.tick(1100);
    expect((await pending).status).toBe(413);
  });

  it('U14: answers a body that does not come in time with 408 and closes the connection', async () => {
    await start();
    const pending = bosh.http.start('POST', { 'Content-Length': 500 });
    const arrived = once(bosh.gateway.app.getHttpServer(), 'request');
    pending.sent.write('<body');
    await arrived;
    await new Promise(setImmediate);
    bosh.clock.tick(31_000);
    expect((await pending).status).toBe(408);
  });

  it('goes on when a client is gone before its body has come', async () => {
    await start();
    const pending = bosh.http.start('POST', { 'Content-Length': 500 });
    const arrived = once(bosh.gateway.app.getHttpServer(), 'request');
    pending.sent.write('<body');
    await arrived;
    await bosh.cut(pending);
    bosh.clock.tick(31_000);
    expect((await bosh.http.post(creation())).attribute('sid')).toBeDefined();
  });

  it('C25: answers GET and HEAD with a page that tells no secrets', async () => {
    await start();
    const get = await bosh.http.other('GET');
    expect(get.status).toBe(200);
    expect(get.headers['content-type']).toContain('text/html');
    expect(get.body).toContain('BOSH');
    const head = await bosh.http.other('HEAD');
    expect([head.status, head.body]).toEqual([200, '']);
  });

  it.each(['PUT', 'DELETE', 'PATCH'])('C25: answers %s with 405 and Allow', async (method) => {
    await start();
    const answer = await bosh.http.other(method);
    expect(answer.status).toBe(405);
    expect(answer.headers['allow']).toContain('POST');
    expect(answer.headers['access-control-allow-origin']).toBe('*');
  });

  it('C25, C26: answers OPTIONS with 204, the headers that were asked for and Max-Age', async () => {
    await start();
    const { status, headers } = await bosh.http.other('OPTIONS', {
      'Origin': 'https://app.example.org',
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'content-type, x-mine',
    });
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': expect.stringContaining('POST'),
      'access-control-allow-headers': 'content-type, x-mine',
      'access-control-max-age': expect.stringMatching(/^\d+$/),
    });
    expect(headers['access-control-allow-credentials']).toBeUndefined();
  });

  it.each([
    ['an answer', creation()],
    ['an unknown sid', body({ sid: 'nobody', rid: 1 })],
    ['a faulty body', '<'],
  ])('C26, P20: sends the headers of CORS with %s', async (_what, text) => {
    await start();
    const { headers } = await bosh.http.post(text, { Origin: 'https://app.example.org' });
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(headers['access-control-allow-credentials']).toBeUndefined();
  });

  it('C26: echoes a listed origin and allows it credentials', async () => {
    await start({ origins: ['https://app.example.org'] });
    for (const answer of [
      await bosh.http.post(creation(), { Origin: 'https://app.example.org' }),
      await bosh.http.post('<', { Origin: 'https://app.example.org' }),
      await bosh.http.other('OPTIONS', { Origin: 'https://app.example.org' }),
    ]) {
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': 'https://app.example.org',
        'access-control-allow-credentials': 'true',
        'vary': 'Origin',
      });
    }
  });

  it('R15, P38: answers an origin that is not listed with 403 and policy-violation, and serves a request without one', async () => {
    await start({ origins: ['https://app.example.org'] });
    const refused = await bosh.http.post(creation(), { Origin: 'https://evil.example' });
    expect([refused.status, refused.type, refused.condition]).toEqual([403, 'terminate', 'policy-violation']);
    expect(refused.headers['access-control-allow-origin']).toBeUndefined();
    expect((await bosh.http.post(creation())).attribute('sid')).toBeDefined();
  });

  it('B9, R18: sends nothing that a browser would run, whatever type the client asks for', async () => {
    await start();
    const { session } = await bosh.pair({ content: 'text/html; charset=utf-8' });
    const safe = {
      'content-type': 'text/html; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining('sandbox'),
    };
    expect(session.created.headers).toMatchObject(safe);
    expect((await session.send('', { type: 'terminate' })).headers).toMatchObject(safe);
  });

  it.each(['x', 'text/html&#13;&#10;Set-Cookie: a=b', 'text/html&#10;', ''])('B9, R27: refuses %j as content', async (content) => {
    await start();
    const answer = await bosh.http.post(creation({ content }));
    expect([answer.status, answer.condition]).toEqual([200, 'bad-request']);
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  it('B35: serves a second request on a connection whose first is held, and answers in order', async () => {
    await start();
    const { session, stream } = await bosh.pair();
    const socket = connect(bosh.gateway.port, '127.0.0.1');
    let answers = '';
    socket.on('data', (data) => (answers += data.toString()));
    const post = (text: string) => `POST /http-bind HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
    socket.write(post(session.text(1001, presence(1))));
    await stream.seen.take();
    socket.write(post(session.text(1002, presence(2))));
    await stream.seen.take();
    while (!answers.includes('<body')) await once(socket, 'data');
    stream.push(message(1));
    while (!answers.includes(`id='m1'`)) await once(socket, 'data');
    expect(answers.split('HTTP/1.1 200 OK')).toHaveLength(3);
    socket.destroy();
  });

  it('R25: takes no sid from the query, and serves the path whatever the query is', async () => {
    await start();
    const http = Object.assign(Object.create(bosh.http), { url: `${bosh.gateway.boshUrl}?sid=x` }) as typeof bosh.http;
    expect((await BoshSession.open(http)).created.status).toBe(200);
  });
});
