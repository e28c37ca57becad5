import { SystemClock, type Clock } from '../../clock.js';
import type { UpstreamHandler, UpstreamRequest, UpstreamStream, XmppUpstream } from '../upstream.js';
import { Jid } from './jid.js';
import { Credentials, type SaslMechanism } from './sasl.js';
import { EmbeddedServer, type EmbeddedLimits } from './server.js';
import type { EmbeddedService } from './service.js';
import { embeddedServices } from './services/index.js';
import { EmbeddedStream } from './stream.js';

/** For {@link EmbeddedUpstream}; all may be left out. */
export interface EmbeddedUpstreamOptions {
  /** The XMPP domains served. Default: every domain that the gateway opens a stream to. */
  readonly domains?: readonly string[];
  /** Passwords by user name (localpart). Every account exists on every domain. */
  readonly users?: Readonly<Record<string, string>> | ReadonlyMap<string, string>;
  /**
   * The SASL mechanisms offered, in this order. Default: `SCRAM-SHA-256`, `SCRAM-SHA-1`, `PLAIN`; and
   * `ANONYMOUS` alone where no users are given, as there is no other way in.
   */
  readonly mechanisms?: readonly SaslMechanism[];
  /** @internal Default: multi-user chat, personal eventing, service discovery and what else clients ask for at login. */
  readonly services?: readonly EmbeddedService[];
  /** Drives its timeouts. Default: one of its own; a test gives a {@link ManualClock}, the same as to the app. */
  readonly clock?: Clock;
  /** Milliseconds since the epoch, for time stamps. Default: `Date.now`. */
  readonly wallClock?: () => number;
  /** Seconds that a broken stream can be resumed (XEP-0198, `max`). Default: 300. */
  readonly resumptionTime?: number;
  /** What one account or one client may take. Defaults: 1000 offline messages, 4 MiB of them, 1000 resources, 1000 contacts, 4 MiB queued. */
  readonly limits?: Partial<EmbeddedLimits>;
  /** Told what went wrong inside the server or in a service. Default: a warning of the process. */
  readonly onError?: (error: unknown) => void;
}

const DEFAULT_LIMITS: EmbeddedLimits = {
  maxOfflineMessages: 1000,
  maxOfflineBytes: 4 * 1024 * 1024,
  maxResources: 1000,
  maxRosterItems: 1000,
  maxQueuedBytes: 4 * 1024 * 1024,
};

/**
 * An XMPP server in memory, inside this process: for development, tests, demonstrations, and apps
 * that need chat among their own users and no history. All that it knows is lost when the process
 * ends.
 */
export class EmbeddedUpstream implements XmppUpstream {
  readonly name = 'embedded';

  private readonly server: EmbeddedServer;
  private readonly anyDomain: boolean;
  private readonly ownClock: Clock | undefined;

  /** @throws {RangeError} for a domain or a user name that is none */
  constructor(options: EmbeddedUpstreamOptions = {}) {
    const { domains, users = {}, clock } = options;
    this.anyDomain = domains === undefined;
    this.ownClock = clock ? undefined : new SystemClock();
    const credentials = new Credentials(users instanceof Map ? users : Object.entries(users));
    this.server = new EmbeddedServer({
      domains: domains ?? [],
      credentials,
      mechanisms: options.mechanisms ?? (credentials.empty ? ['ANONYMOUS'] : ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN']),
      services: options.services ?? embeddedServices(),
      clock: clock ?? this.ownClock!,
      wallClock: options.wallClock ?? Date.now,
      resumptionTime: options.resumptionTime ?? 300,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      onError: options.onError ?? ((error) => process.emitWarning(error instanceof Error ? error : String(error))),
    });
  }

  open(request: UpstreamRequest, handler: UpstreamHandler): UpstreamStream {
    if (this.anyDomain && Jid.of('', request.domain)) this.server.serve(request.domain);
    return new EmbeddedStream(this.server, request, handler);
  }

  async probe(domain: string): Promise<void> {
    if (this.server.closed) throw new Error('the embedded server is closed');
    const served = Jid.of('', domain)?.domain;
    if (!this.anyDomain && (served === undefined || !this.server.domains.includes(served))) {
      throw new Error(`the embedded server does not serve ${domain}`);
    }
  }

  async close(): Promise<void> {
    this.server.shutdown();
    this.ownClock?.stop();
  }
}
