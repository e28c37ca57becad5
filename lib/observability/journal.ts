import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../clock.js';
import { XmppEvents, type SessionEnd, type XmppSession } from '../session/index.js';
import { XMPP_OPTIONS, type ResolvedOptions } from '../xmpp.options.js';

/** Milliseconds in which the same thing is told once. */
const QUIET = 60_000;
/** Things that are remembered for that: beyond, each is told again. */
const MAX_TOPICS = 1000;

/**
 * What goes into Nest's log: `error` for faults of ours, `warn` for what an operator should look at (an upstream is
 * down, a limit refuses people), `log` for what changes back, `debug` for single sessions, a line each. What happens
 * to many at once is told once a minute.
 */
@Injectable()
export class Journal implements OnApplicationShutdown {
  private readonly logger = new Logger('XmppSession');
  /** What was told, when, and how often it happened since. */
  private readonly topics = new Map<string, { at: number; since: number }>();
  /** Upstreams that are down. */
  private readonly down = new Set<string>();
  private readonly unlisten: (() => void)[];

  constructor(
    events: XmppEvents,
    private readonly clock: Clock,
    @Inject(XMPP_OPTIONS) options: ResolvedOptions,
  ) {
    const { logger } = this;
    const level = options.log.sessions;
    this.unlisten = [
      events.on('limit.hit', ({ limit, address }) => this.warn(`limit ${limit} is hit`, `last by ${address}`)),
      events.on('upstream.failed', ({ session, message }) => this.warn(`upstream of ${session.domain} failed`, message)),
      events.on('upstream.down', ({ domain, upstream, message }) => {
        this.down.add(`${domain} ${upstream}`);
        logger.warn(oneLine(`upstream ${upstream} of ${domain} is down: ${message}`));
      }),
      events.on('upstream.up', ({ domain, upstream }) => {
        if (this.down.delete(`${domain} ${upstream}`)) logger.log(oneLine(`upstream ${upstream} of ${domain} is up again`));
      }),
    ];
    if (level !== 'off') {
      this.unlisten.push(events.on('session.closed', ({ session, end }) => logger[level](oneLine(lifeOf(session, end)))));
    }
  }

  onApplicationShutdown(): void {
    for (const unlisten of this.unlisten) unlisten();
  }

  private warn(topic: string, detail: string): void {
    const now = this.clock.now();
    const told = this.topics.get(topic);
    if (told && now - told.at < QUIET) {
      told.since++;
      return;
    }
    const more = told && told.since > 0 ? ` (${told.since} times more since it was told last)` : '';
    if (this.topics.size >= MAX_TOPICS) this.topics.clear();
    this.topics.set(topic, { at: now, since: 0 });
    this.logger.warn(oneLine(`${topic}: ${detail}${more}`));
  }
}

/** Who, over what, from where, why it ended, how long it lived and what passed. */
function lifeOf(session: XmppSession, end: SessionEnd): string {
  const { id, transport, jid, domain, address, openedAt, traffic } = session;
  const seconds = Math.round((Date.now() - openedAt.getTime()) / 1000);
  const condition = end.condition ?? end.error?.children()[0]?.name;
  const why = `${end.reason}${condition ? ` (${condition})` : ''}${end.text ? `: ${end.text}` : ''}`;
  return `${id} ${transport} ${jid ?? domain} from ${address}: ${why} after ${seconds} s, ${traffic.stanzasIn} in, ${traffic.stanzasOut} out`;
}

/** What a peer says must not look like a line of somebody else's. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
