import type { ConnectionOptions, ConnectionSettings } from '../connection.js';
import type { SrvResolver } from './srv.js';
import type { StartTlsPolicy, Target } from './target.js';

/** For {@link TcpUpstream}. Without any it finds the server by SRV records and demands TLS. */
export interface TcpUpstreamOptions extends ConnectionOptions {
  /** The server; without one, the SRV records of the domain lead to it. */
  readonly server?: Target | undefined;
  /** Where TLS does not begin with the first byte. Default: optional for a loopback host, else required. */
  readonly starttls?: StartTlsPolicy | undefined;
  /** Version of the PROXY protocol that tells the server the client's address. Default: none. */
  readonly proxyProtocol?: 1 | 2 | undefined;
  /**
   * `host` or `host:port` that a server may send us on to before authentication (`see-other-host`,
   * RFC 6120, section 4.9.3.19). Default: none.
   */
  readonly redirects?: readonly string[] | undefined;
  /**
   * Whether SRV records, or the domain's own address where it has none, may lead to loopback and to private networks.
   * To be refused where the domains are not the operator's own: their owners would choose what is dialled. Default: allow.
   */
  readonly privateTargets?: 'allow' | 'refuse' | undefined;
  /** For SRV records. Default: that of the system. */
  readonly resolver?: SrvResolver | undefined;
  /** In [0, 1), for the weights of SRV records. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** What a stream goes by. */
export interface TcpSettings extends ConnectionSettings {
  /** Undefined: by host. */
  readonly starttls: StartTlsPolicy | undefined;
  readonly proxyProtocol: 1 | 2 | undefined;
  /** There where DNS says whom to dial. */
  readonly privateTargets: 'allow' | 'refuse' | undefined;
  readonly redirects: readonly { readonly host: string; readonly port: number | undefined }[];
}
