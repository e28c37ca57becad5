import { proxyHeader } from '../../../lib/upstream/tcp/proxy-protocol.js';

const SERVER4 = { address: '198.51.100.9', port: 5222 };
const SERVER6 = { address: '2001:db8::9', port: 5223 };
const SIGNATURE = '0d0a0d0a000d0a515549540a';

describe('PROXY protocol, version 1', () => {
  it.each([
    ['IPv4', { address: '192.0.2.7', port: 4711 }, SERVER4, 'PROXY TCP4 192.0.2.7 198.51.100.9 4711 5222\r\n'],
    ['IPv6', { address: '2001:db8::7', port: 65535 }, SERVER6, 'PROXY TCP6 2001:db8::7 2001:db8::9 65535 5223\r\n'],
    ['IPv4 inside IPv6', { address: '::ffff:192.0.2.7', port: 1 }, SERVER4, 'PROXY TCP4 192.0.2.7 198.51.100.9 1 5222\r\n'],
    ['a port that is not known', { address: '192.0.2.7', port: 0 }, SERVER4, 'PROXY TCP4 192.0.2.7 198.51.100.9 0 5222\r\n'],
    ['both families', { address: '192.0.2.7', port: 1 }, SERVER6, 'PROXY TCP6 ::ffff:192.0.2.7 2001:db8::9 1 5223\r\n'],
    ['a zone', { address: 'fe80::1%eth0', port: 1 }, SERVER6, 'PROXY TCP6 fe80::1 2001:db8::9 1 5223\r\n'],
    ['no address', { address: '', port: 0 }, SERVER4, 'PROXY UNKNOWN\r\n'],
    ['what is no address', { address: 'evil\r\nPROXY', port: 1 }, SERVER4, 'PROXY UNKNOWN\r\n'],
    ['an unknown server', { address: '192.0.2.7', port: 1 }, { address: '', port: 5222 }, 'PROXY UNKNOWN\r\n'],
  ])('U10: writes %s as text', (_name, source, destination, expected) => {
    expect(proxyHeader(1, source, destination).toString('latin1')).toBe(expected);
  });
});

describe('PROXY protocol, version 2', () => {
  it('U10: writes IPv4 in binary', () => {
    const header = proxyHeader(2, { address: '192.0.2.7', port: 0x1267 }, SERVER4);
    expect(header.toString('hex')).toBe(`${SIGNATURE}2111000cc0000207c633640912671466`);
  });

  it('U10: writes IPv6 in binary', () => {
    const header = proxyHeader(2, { address: '2001:db8:0:1::7', port: 1 }, { address: '::1', port: 5223 });
    const addresses = '20010db8000000010000000000000007' + '00000000000000000000000000000001';
    expect(header.toString('hex')).toBe(`${SIGNATURE}21210024${addresses}00011467`);
  });

  it('U10: writes an address without zeros left out, and one of zeros alone', () => {
    const header = proxyHeader(2, { address: '1:2:3:4:5:6:7:abcd', port: 1 }, { address: '::', port: 1 });
    expect(header.subarray(16, 48).toString('hex')).toBe('0001000200030004000500060007abcd' + '00'.repeat(16));
  });

  it('U10: maps IPv4 into IPv6 when the server is reached over IPv6', () => {
    const header = proxyHeader(2, { address: '192.0.2.7', port: 1 }, SERVER6);
    expect(header[13]).toBe(0x21);
    expect(header.subarray(16, 32).toString('hex')).toBe('00000000000000000000ffffc0000207');
  });

  it('U10: says LOCAL where the client is not known', () => {
    expect(proxyHeader(2, { address: '', port: 0 }, SERVER4).toString('hex')).toBe(`${SIGNATURE}20000000`);
  });
});
