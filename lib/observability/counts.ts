import { Injectable } from '@nestjs/common';
import { Clock } from '../clock.js';
import { XmppEvents, type Transport, type XmppSession } from '../session/index.js';
import { Buckets } from './buckets.js';

/** What became of an attempt to reach an upstream; `abandoned`: the client left before. */
export type ConnectResult = 'opened' | 'failed' | 'abandoned';

/** Seconds. */
const CONNECT_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const LOGIN_BOUNDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const LIFE_BOUNDS = [1, 10, 60, 300, 900, 3600, 14_400, 86_400];

/**
 * What happened since the start, counted as it happens: plain numbers, by label. Nothing is counted per stanza
 * here; what sessions count of themselves is read when it is asked for.
 */
@Injectable()
export class Counts {
  readonly opened = new Labels<Transport>();
  readonly ended = new Labels<string>();
  readonly limits = new Labels<string>();
  readonly connects = new Labels<ConnectResult>();
  /** By direction and reason, with a space between. */
  readonly stanzasRefused = new Labels<string>();
  readonly sharedRefused = new Labels<string>();
  /** By domain and upstream, with a space between: whether it could be reached. */
  readonly upstreams = new Map<string, boolean>();
  upstreamFailures = 0;
  resumed = 0;
  /** From the client's request to the server's stream header. */
  readonly connectSeconds = new Buckets(CONNECT_BOUNDS);
  /** From the client's request until a resource is bound, or the stream resumed. */
  readonly loginSeconds = new Buckets(LOGIN_BOUNDS);
  readonly lifeSeconds = new Buckets(LIFE_BOUNDS);

  /** When sessions that are not logged in yet were asked for, and whether their upstream was reached. */
  private readonly starting = new Map<XmppSession, { readonly at: number; reached: boolean }>();

  constructor(
    events: XmppEvents,
    private readonly clock: Clock,
  ) {
    for (const result of ['opened', 'failed', 'abandoned'] as const) this.connects.add(result, 0);
    events.on('session.opening', ({ session }) => void this.starting.set(session, { at: clock.now(), reached: false }));
    events.on('session.opened', ({ session }) => this.onOpened(session));
    events.on('session.bound', ({ session }) => this.onLoggedIn(session));
    events.on('session.resumed', ({ session }) => {
      this.resumed++;
      this.onLoggedIn(session);
    });
    events.on('session.closed', ({ session, end }) => {
      this.ended.add(end.reason);
      this.lifeSeconds.observe(Math.max(0, (Date.now() - session.openedAt.getTime()) / 1000));
      const start = this.starting.get(session);
      this.starting.delete(session);
      if (start && !start.reached) this.connects.add(end.reason === 'upstream-failed' ? 'failed' : 'abandoned');
    });
    events.on('limit.hit', ({ limit }) => this.limits.add(limit));
    events.on('stanza.refused', ({ direction, reason }) => this.stanzasRefused.add(`${direction} ${reason}`));
    events.on('shared.refused', ({ reason }) => this.sharedRefused.add(reason));
    events.on('upstream.failed', () => void this.upstreamFailures++);
    events.on('upstream.up', ({ domain, upstream }) => this.onUpstream(domain, upstream, true));
    events.on('upstream.down', ({ domain, upstream }) => this.onUpstream(domain, upstream, false));
  }

  private onOpened(session: XmppSession): void {
    this.opened.add(session.transport);
    this.connects.add('opened');
    const start = this.starting.get(session);
    if (!start) return;
    start.reached = true;
    this.connectSeconds.observe((this.clock.now() - start.at) / 1000);
  }

  private onLoggedIn(session: XmppSession): void {
    const start = this.starting.get(session);
    if (!start) return;
    this.starting.delete(session);
    this.loginSeconds.observe((this.clock.now() - start.at) / 1000);
  }

  private onUpstream(domain: string, upstream: string, up: boolean): void {
    // An app may choose one for each of its customers: too many for metrics.
    if (this.upstreams.size >= MAX_UPSTREAMS && !this.upstreams.has(`${domain} ${upstream}`)) return;
    this.upstreams.set(`${domain} ${upstream}`, up);
  }
}

const MAX_UPSTREAMS = 100;

/** Counters by label. */
export class Labels<K extends string> extends Map<K, number> {
  add(key: K, count = 1): void {
    this.set(key, (this.get(key) ?? 0) + count);
  }
}
