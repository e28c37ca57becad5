import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FetchedKey } from '../../../client/index.js';

describe('a key that is fetched', () => {
  let server: Server;
  let url: string;
  let answer: { status: number; text: string };
  let asked: IncomingMessage[];

  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(request);
      response.writeHead(answer.status).end(answer.text);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/key`;
  });

  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  beforeEach(() => {
    asked = [];
    answer = { status: 200, text: '{}' };
  });

  it.each([
    ['{"key":"k","jid":"alice@example.org"}', { key: 'k', jid: 'alice@example.org' }],
    ['{"key":"k"}', { key: 'k' }],
    ['{"ticket":"ticket.x","jid":"alice@example.org/tab"}', { key: 'ticket.x', jid: 'alice@example.org/tab' }],
  ])('S24: is read from %s', async (text, key) => {
    answer = { status: 200, text };
    expect(await new FetchedKey(url).acquire()).toEqual(key);
  });

  it.each([204, 401, 403, 404])('S24: is not there when the status is %d', async (status) => {
    answer = { status, text: '' };
    expect(await new FetchedKey(url).acquire()).toBeUndefined();
  });

  it.each([
    [500, '', 'answered with 500'],
    [200, '{}', 'without a key'],
    [200, 'null', 'without a key'],
    [200, '{"key":7}', 'without a key'],
    [200, '{"key":""}', 'without a key'],
    [200, '<html>', 'JSON'],
  ])('fails when the endpoint answers %d %s', async (status, text, message) => {
    answer = { status, text };
    await expect(new FetchedKey(url).acquire()).rejects.toThrow(message);
  });

  it('sends what the app adds, and takes no answer from a cache', async () => {
    answer = { status: 200, text: '{"key":"k"}' };
    await new FetchedKey(url, { method: 'POST', headers: { 'X-CSRF': 'token' }, cache: 'force-cache' }).acquire();
    expect(asked[0]?.method).toBe('POST');
    expect(asked[0]?.headers['x-csrf']).toBe('token');
    expect(asked[0]?.headers['cache-control']).toBe('no-cache');
  });
});
