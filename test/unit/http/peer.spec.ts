import type { IncomingMessage } from 'node:http';
import { peerOf } from '../../../lib/http/index.js';

interface From {
  remote?: string;
  encrypted?: boolean;
  for?: string | string[];
  proto?: string | string[];
}

function request({ remote = '10.0.0.1', encrypted, ...headers }: From): IncomingMessage {
  return {
    socket: { remoteAddress: remote, remotePort: 4711, encrypted },
    headers: { 'x-forwarded-for': headers.for, 'x-forwarded-proto': headers.proto },
  } as unknown as IncomingMessage;
}

describe('peerOf (P32)', () => {
  it('is the peer of the socket where no proxy is trusted, whatever the headers say', () => {
    expect(peerOf(request({ for: '203.0.113.9', proto: 'https' }), 0)).toEqual({ address: '10.0.0.1', port: 4711, secure: false });
    expect(peerOf(request({ encrypted: true, proto: 'http' }), 0)).toEqual({ address: '10.0.0.1', port: 4711, secure: true });
  });

  it('counts trusted proxies from the right: what stands further left a client could have written', () => {
    const forged = '1.1.1.1, 203.0.113.9';
    expect(peerOf(request({ for: forged }), 1)).toEqual({ address: '203.0.113.9', port: 0, secure: false });
    expect(peerOf(request({ for: `${forged}, 10.0.0.2` }), 2).address).toBe('203.0.113.9');
    expect(peerOf(request({ for: '1.1.1.1,2.2.2.2,203.0.113.9 ,10.0.0.3,10.0.0.2' }), 3).address).toBe('203.0.113.9');
    expect(peerOf(request({ for: ['1.1.1.1', '203.0.113.9'] }), 1).address).toBe('203.0.113.9');
  });

  it('takes the leftmost where fewer wrote than are trusted', () => {
    expect(peerOf(request({ for: '203.0.113.9' }), 3).address).toBe('203.0.113.9');
  });

  it.each([undefined, '', 'unknown', '_hidden', '203.0.113.9, ', '203.0.113.999', 'a b', '203.0.113.9, evil"'])(
    'is the peer of the socket where the trusted proxy wrote no address: %j',
    (header) => {
      expect(peerOf(request({ ...(header !== undefined && { for: header }), encrypted: true }), 1)).toEqual({
        address: '10.0.0.1',
        port: 4711,
        secure: true,
      });
    },
  );

  it.each([
    ['203.0.113.9:1234', '203.0.113.9'],
    ['2001:db8::1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:1234', '2001:db8::1'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['::FFFF:203.0.113.9', '203.0.113.9'],
    ['[::ffff:203.0.113.9]:1234', '203.0.113.9'],
  ])('reads %s as %s', (header, address) => expect(peerOf(request({ for: header }), 1).address).toBe(address));

  it('has one form for an IPv4 address, so that it is counted once', () => {
    expect(peerOf(request({ remote: '::ffff:192.0.2.1' }), 0).address).toBe('192.0.2.1');
    expect(peerOf(request({ remote: '::1' }), 0).address).toBe('::1');
  });

  it.each([
    ['https', true],
    ['wss', true],
    ['HTTPS', true],
    ['http', false],
    ['ws', false],
    ['', false],
    [undefined, false],
    ['https, http', false],
    ['http, https', true],
  ])('X-Forwarded-Proto %j: secure is %s', (proto, secure) => {
    expect(peerOf(request({ for: '203.0.113.9', ...(proto !== undefined && { proto }), encrypted: true }), 1).secure).toBe(secure);
  });

  it('survives a socket that is gone already', () => {
    const gone = { socket: {}, headers: {} } as unknown as IncomingMessage;
    expect(peerOf(gone, 0)).toEqual({ address: '', port: 0, secure: false });
    expect(peerOf(gone, 1)).toEqual({ address: '', port: 0, secure: false });
  });
});
