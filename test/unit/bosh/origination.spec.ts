import type { IncomingMessage } from 'node:http';
import { certificateOf, mayContinue, originationOf, type Sender } from '../../../lib/bosh/origination.js';
import { peerOf } from '../../../lib/http/index.js';

/** As far as it matters here. */
const request = (encrypted: boolean, fingerprint256?: string): Sender => {
  const socket = { encrypted, remoteAddress: '192.0.2.1', remotePort: 5, getPeerCertificate: () => ({ fingerprint256 }) };
  const message = { headers: {}, socket } as unknown as IncomingMessage;
  return { peer: peerOf(message, 0), certificate: certificateOf(message) };
};

describe('where a session comes from', () => {
  it('B33: what began over TLS goes on over TLS', () => {
    const session = originationOf(request(true));
    expect(session).toEqual({ address: '192.0.2.1', port: 5, secure: true, certificate: undefined });
    expect(mayContinue(session, request(true))).toBe(true);
    expect(mayContinue(session, request(false))).toBe(false);
    expect(mayContinue(originationOf(request(false)), request(true))).toBe(true);
  });

  it('B33: what began with a certificate goes on with the same', () => {
    const session = originationOf(request(true, 'AA'));
    expect(mayContinue(session, request(true, 'AA'))).toBe(true);
    expect(mayContinue(session, request(true, 'BB'))).toBe(false);
    expect(mayContinue(session, request(true))).toBe(false);
  });
});
