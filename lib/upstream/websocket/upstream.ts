import { createSecureContext, type SecureContext } from 'node:tls';
import { connectionSettings, type ConnectionOptions, type ConnectionSettings } from '../connection.js';
import { probeUpstream } from '../probe.js';
import type { UpstreamHandler, UpstreamRequest, UpstreamStream, XmppUpstream } from '../upstream.js';
import { WebSocketStream } from './stream.js';

/** For {@link WebSocketUpstream}. */
export interface WebSocketUpstreamOptions extends ConnectionOptions {
  /** `ws://` or `wss://`. */
  readonly url: string | URL;
  /** Version of the PROXY protocol that tells the server the client's address. Default: none. */
  readonly proxyProtocol?: 1 | 2 | undefined;
}

/** What a stream goes by. */
export interface WebSocketSettings extends ConnectionSettings {
  readonly url: URL;
  readonly proxyProtocol: 1 | 2 | undefined;
  /** For `wss://`. */
  readonly secureContext: SecureContext | undefined;
}

/**
 * Another server that speaks RFC 7395. Its certificate is that of the URL's host (RFC 7395,
 * section 6): the domain has delegated itself to it.
 */
export class WebSocketUpstream implements XmppUpstream {
  readonly name: string;

  private readonly settings: WebSocketSettings;

  constructor(options: WebSocketUpstreamOptions) {
    const url = new URL(options.url);
    // Neither its query nor its user part, which may hold secrets.
    this.name = `${url.protocol}//${url.host}${url.pathname}`;
    this.settings = {
      ...connectionSettings(options, this.name),
      url,
      proxyProtocol: options.proxyProtocol,
      // One context for all: to make one takes as long as a handshake.
      secureContext: url.protocol === 'wss:' ? createSecureContext({ ca: options.ca }) : undefined,
    };
  }

  open(request: UpstreamRequest, handler: UpstreamHandler): UpstreamStream {
    return new WebSocketStream(request, handler, this.settings);
  }

  probe(domain: string): Promise<void> {
    return probeUpstream(this, domain);
  }
}
