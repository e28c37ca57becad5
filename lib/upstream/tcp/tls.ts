import { isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import type { ConnectionSettings } from '../connection.js';
import { asciiDomain } from './target.js';

/** Puts TLS on connections to the servers of XMPP domains. */
export class TlsClient {
  private context: SecureContext | undefined;

  constructor(private readonly settings: Pick<ConnectionSettings, 'verify' | 'ca'>) {}

  /**
   * Starts TLS on a connected socket. The certificate must be that of the XMPP domain, wherever
   * the connection leads (RFC 6120, section 13.7.2); `secureConnect` comes only after that check.
   */
  start(socket: Socket, domain: string, direct: boolean): TLSSocket {
    const name = asciiDomain(domain);
    // One context for all: to make one takes as long as a handshake.
    this.context ??= createSecureContext({ ca: this.settings.ca });
    return connect({
      socket,
      secureContext: this.context,
      // An IP address has no place in SNI (RFC 6066, section 3).
      servername: isIP(name) ? '' : name,
      checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
      // Said in any case, so that NODE_TLS_REJECT_UNAUTHORIZED does not decide it.
      rejectUnauthorized: this.settings.verify,
      ...(direct && { ALPNProtocols: ['xmpp-client'] }),
    });
  }
}
