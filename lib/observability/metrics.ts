import { Injectable } from '@nestjs/common';
import type { Registry } from 'prom-client';
import { XmppEvents, SessionRegistry, type Transport } from '../session/index.js';

/**
 * Prometheus metrics of this process. `prom-client` is an optional peer: it is loaded when the
 * text is asked for first. Counting itself is plain numbers, read at each scrape.
 *
 * @publicApi
 */
@Injectable()
export class XmppMetrics {
  /** Of {@link text}. */
  readonly contentType = 'text/plain; version=0.0.4; charset=utf-8';

  private readonly opened = new Map<Transport, number>();
  private readonly ended = new Map<string, number>();
  private readonly limits = new Map<string, number>();
  private upstreamFailures = 0;
  private registry: Promise<Registry> | undefined;

  constructor(
    private readonly sessions: SessionRegistry,
    events: XmppEvents,
  ) {
    events.on('session.opened', ({ session }) => increment(this.opened, session.transport));
    events.on('session.closed', ({ end }) => increment(this.ended, end.reason));
    events.on('limit.hit', ({ limit }) => increment(this.limits, limit));
    events.on('upstream.failed', () => this.upstreamFailures++);
  }

  /** In the text format of Prometheus. */
  async text(): Promise<string> {
    return (await (this.registry ??= this.register())).metrics();
  }

  /**
   * Adds the metrics to a registry that the app has.
   * @param registry a `Registry` of prom-client; untyped here, since that package is optional
   */
  async registerIn(registry: object): Promise<void> {
    await this.register(registry as Registry);
  }

  private async register(into?: Registry): Promise<Registry> {
    const { collectDefaultMetrics, Counter, Gauge, Registry } = await import('prom-client');
    const registry = into ?? new Registry();
    if (!into) collectDefaultMetrics({ register: registry });
    const registers = [registry];
    const { sessions, opened, ended, limits } = this;
    const failures = () => this.upstreamFailures;

    new Gauge({
      name: 'xmpp_sessions',
      help: 'Sessions that live now, by transport and state.',
      labelNames: ['transport', 'state'],
      registers,
      collect() {
        this.reset();
        for (const transport of ['websocket', 'bosh']) {
          for (const state of ['open', 'authenticated', 'bound']) this.set({ transport, state }, 0);
        }
        for (const { transport, jid, authenticated } of sessions.list()) {
          this.inc({ transport, state: jid ? 'bound' : authenticated ? 'authenticated' : 'open' });
        }
      },
    });
    new Gauge({
      name: 'xmpp_clients',
      help: 'Web clients that count against limits.maxSessions, also those without a session yet.',
      registers,
      collect() {
        this.set(sessions.count);
      },
    });
    counter('xmpp_sessions_opened_total', 'Sessions whose stream was opened, by transport.', ['transport'], (add) =>
      opened.forEach((count, transport) => add(count, { transport })),
    );
    counter('xmpp_sessions_ended_total', 'Sessions that ended, by reason.', ['reason'], (add) =>
      ended.forEach((count, reason) => add(count, { reason })),
    );
    counter('xmpp_limit_hits_total', 'Times that a limit refused somebody, by option.', ['limit'], (add) =>
      limits.forEach((count, limit) => add(count, { limit })),
    );
    counter('xmpp_upstream_failures_total', 'Streams whose server could not be reached or was lost.', [], (add) =>
      add(failures()),
    );
    counter('xmpp_stanzas_total', 'Top-level elements passed on; in: from web clients.', ['direction'], (add) => {
      add(sessions.traffic.stanzasIn, { direction: 'in' });
      add(sessions.traffic.stanzasOut, { direction: 'out' });
    });
    counter('xmpp_stanza_bytes_total', 'Bytes of them.', ['direction'], (add) => {
      add(sessions.traffic.bytesIn, { direction: 'in' });
      add(sessions.traffic.bytesOut, { direction: 'out' });
    });
    return registry;

    function counter(
      name: string,
      help: string,
      labelNames: string[],
      read: (add: (count: number, labels?: Record<string, string>) => void) => void,
    ): void {
      new Counter({
        name,
        help,
        labelNames,
        registers,
        collect() {
          this.reset();
          read((count, labels = {}) => this.inc(labels, count));
        },
      });
    }
  }
}

function increment<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
