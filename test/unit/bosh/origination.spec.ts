import type { IncomingMessage } from 'node:http';
import { mayContinue, originationOf } from '../../../lib/bosh/origination.js';

/** As far as it matters here. */
const request = (encrypted: boolean, fingerprint256?: string) =>
  ({
    headers: {},
    socket: { encrypted, remoteAddress: '192.0.2.1', remotePort: 5, getPeerCertificate: () => ({ fingerprint256 }) },
  }) as unknown as IncomingMessage;

describe('where a session comes from', () => {
  it('B33: what began over TLS goes on over TLS', () => {
    const session = originationOf(request(true), 0);
    expect(session).toEqual({ address: '192.0.2.1', port: 5, secure: true, certificate: undefined });
    expect(mayContinue(session, request(true), 0)).toBe(true);
    expect(mayContinue(session, request(false), 0)).toBe(false);
    expect(mayContinue(originationOf(request(false), 0), request(true), 0)).toBe(true);
  });

  it('B33: what began with a certificate goes on with the same', () => {
    const session = originationOf(request(true, 'AA'), 0);
    expect(mayContinue(session, request(true, 'AA'), 0)).toBe(true);
    expect(mayContinue(session, request(true, 'BB'), 0)).toBe(false);
    expect(mayContinue(session, request(true), 0)).toBe(false);
  });
});
