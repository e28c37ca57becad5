import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../clock.js';
import { XMPP_OPTIONS, XmppOptionsError, type ResolvedOptions } from '../xmpp.options.js';
import { EmbeddedUpstream } from './embedded/index.js';
import type { XmppUpstream } from './upstream.js';
import { UpstreamUrlError, upstreamFromUrl } from './url.js';

/** The upstreams of this app: one for all domains, or one chosen for each. */
@Injectable()
export class Upstreams implements OnApplicationShutdown {
  /** Made from URLs, by URL. */
  private readonly made = new Map<string, XmppUpstream>();

  constructor(
    @Inject(XMPP_OPTIONS) private readonly options: ResolvedOptions,
    private readonly clock: Clock,
  ) {
    // A URL that is wrong stops the start.
    if (typeof options.upstream === 'string') this.make(options.upstream);
  }

  /** The upstream of a served domain. */
  select(domain: string): XmppUpstream {
    const { upstream } = this.options;
    return this.resolve(typeof upstream === 'function' ? upstream(domain) : upstream);
  }

  /**
   * @param chosen an upstream, or the URL of one, which is made once
   * @throws {XmppOptionsError} for a URL that means nothing
   */
  resolve(chosen: XmppUpstream | string): XmppUpstream {
    return typeof chosen === 'string' ? this.make(chosen) : chosen;
  }

  /** Called by Nest when everything else has ended. */
  async onApplicationShutdown(): Promise<void> {
    const { upstream } = this.options;
    const all = new Set(this.made.values());
    if (typeof upstream === 'object') all.add(upstream);
    await Promise.all([...all].map((each) => each.close?.()));
  }

  private make(url: string): XmppUpstream {
    let upstream = this.made.get(url);
    if (!upstream) {
      upstream = url === 'embedded' ? new EmbeddedUpstream({ domains: [...this.options.domains], clock: this.clock }) : this.parse(url);
      this.made.set(url, upstream);
    }
    return upstream;
  }

  private parse(url: string): XmppUpstream {
    const maxStanzaBytes = this.options.limits.maxUpstreamStanzaBytes;
    try {
      return upstreamFromUrl(url, { clock: this.clock, maxStanzaBytes });
    } catch (error) {
      if (!(error instanceof UpstreamUrlError)) throw error;
      throw new XmppOptionsError(`upstream (${error.what})`, error.value, error.allowed); // a URL may hold a password
    }
  }
}
