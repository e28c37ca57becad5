import { connectionSettings } from '../connection.js';
import { probeUpstream } from '../probe.js';
import type { UpstreamHandler, UpstreamRequest, UpstreamStream, XmppUpstream } from '../upstream.js';
import type { TcpSettings, TcpUpstreamOptions } from './options.js';
import { SrvTargets } from './srv.js';
import { TcpStream } from './stream.js';
import { parseHost, showTarget, type Target } from './target.js';
import { TlsClient } from './tls.js';

/**
 * XMPP servers over TCP, with STARTTLS (RFC 6120, section 5) or TLS from the first byte
 * (XEP-0368): one that is named, or those that the domain's SRV records name.
 */
export class TcpUpstream implements XmppUpstream {
  readonly name: string;

  private readonly settings: TcpSettings;
  private readonly server: Target | undefined;
  private readonly srv: SrvTargets | undefined;
  private readonly tls: TlsClient;

  /** @throws RangeError when an entry of `redirects` is no host */
  constructor(options: TcpUpstreamOptions = {}) {
    const { server } = options;
    this.server = server;
    this.name = server ? `${server.tls === 'direct' ? 'xmpps' : 'xmpp'}://${showTarget(server)}` : 'srv';
    this.settings = {
      ...connectionSettings(options, this.name),
      // A server that DNS names is dealt with like a remote one, whatever it resolves to.
      starttls: options.starttls ?? (server ? undefined : 'required'),
      proxyProtocol: options.proxyProtocol,
      privateTargets: server ? undefined : (options.privateTargets ?? 'allow'),
      redirects: (options.redirects ?? []).map((text) => {
        const host = parseHost(text);
        if (!host) throw new RangeError(`${JSON.stringify(text)} is no host to be redirected to; allowed: host or host:port`);
        return host;
      }),
    };
    if (!server) this.srv = new SrvTargets(this.settings.clock, options.resolver, options.random);
    this.tls = new TlsClient(this.settings);
  }

  open(request: UpstreamRequest, handler: UpstreamHandler): UpstreamStream {
    const stream = new TcpStream(request, handler, this.settings, this.tls);
    stream.start(this.server ? [this.server] : this.srv!.of(request.domain));
    return stream;
  }

  probe(domain: string): Promise<void> {
    return probeUpstream(this, domain);
  }
}
