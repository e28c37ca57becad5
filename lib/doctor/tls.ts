import { connect, type TLSSocket } from 'node:tls';
import { isIP } from 'node:net';
import { messageOf, type Examination } from './examination.js';

/** Days before its end that a certificate should have been renewed. */
const SOON = 14;
const DAY = 86_400_000;

const ADVICE: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'renew it, and see that renewals are loaded by whatever serves TLS',
  ERR_TLS_CERT_ALTNAME_INVALID: 'get a certificate that names this host',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'serve the intermediate certificates as well (fullchain.pem), or add your own CA to NODE_EXTRA_CA_CERTS for this command',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'serve the intermediate certificates as well (fullchain.pem)',
};
const UNTRUSTED = 'get a certificate from an authority that browsers trust; with an authority of your own, name its file in NODE_EXTRA_CA_CERTS for this command';

/** Certificate, version and HTTP/2 of a host. @returns whether anybody answers there */
export async function examineTls(examination: Examination, url: URL): Promise<boolean> {
  if (url.protocol === 'http:' || url.protocol === 'ws:') {
    const text = 'no TLS: passwords go in clear, and pages on https: cannot connect';
    if (examination.local) examination.note('tls', `${text}; on this machine that may be as it should`);
    else examination.problem('tls', text, 'put a proxy with TLS in front (docs/DEPLOYMENT.md), and examine its https: address');
    return true;
  }
  let socket: TLSSocket;
  try {
    socket = await handshake(url, examination.patience);
  } catch (error) {
    examination.problem('tls', `no TLS connection to ${url.host}: ${messageOf(error)}`, 'check name, port, firewall, and whether TLS is served there');
    return false;
  }
  reportCertificate(examination, url, socket);
  if (socket.alpnProtocol === 'h2') examination.ok('tls', `${url.host}: HTTP/2 is offered`);
  else {
    examination.warn(
      'tls',
      `${url.host}: no HTTP/2: a browser opens six connections to a host, each tab on BOSH holds one, and the sixth tab hangs`,
      'switch HTTP/2 on at the proxy (docs/DEPLOYMENT.md)',
    );
  }
  socket.destroy();
  return true;
}

async function handshake(url: URL, patience: number): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return await new Promise<TLSSocket>((resolve, reject) => {
    const socket = connect({
      host,
      port: Number(url.port || 443),
      servername: isIP(host) ? '' : host,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    socket.setTimeout(patience, () => socket.destroy(new Error(`no answer within ${patience / 1000} s`)));
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

function reportCertificate(examination: Examination, { host }: URL, socket: TLSSocket): void {
  const { valid_to: end } = socket.getPeerCertificate();
  const days = Math.floor((Date.parse(end) - Date.now()) / DAY);
  // Typed as an Error, and a code where certificates are not insisted on.
  const refused = socket.authorizationError as unknown as string | Error | null;
  if (refused) {
    const code = typeof refused === 'string' ? refused : messageOf(refused);
    examination.problem('tls', `${host}: browsers refuse the certificate: ${code}`, ADVICE[code] ?? UNTRUSTED);
  } else if (days < SOON) {
    examination.warn('tls', `${host}: the certificate ends in ${days} days`, 'renew it, and see that renewals are automatic');
  } else {
    examination.ok('tls', `${host}: ${socket.getProtocol()}, a certificate that is trusted, for ${days} more days`);
  }
}
