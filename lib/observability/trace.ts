import { isIP } from 'node:net';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Clock, Timeout } from '../clock.js';
import { SessionRegistry, XmppEvents, type Session, type XmppSession } from '../session/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import { Stanza } from '../xml/index.js';
import { oneLine } from './journal.js';
import { redact } from './redaction.js';

/** @publicApi One thing that passed in a session that is traced, or that happened to it. */
export interface XmppTraceLine {
  /** When it passed. */
  readonly at: Date;
  /** The session's `id`. */
  readonly session: string;
  /** `in`: from the web client; `out`: to it; `note`: what happened to the session. */
  readonly direction: 'in' | 'out' | 'note';
  /** XML in which secrets are masked, or a sentence. */
  readonly text: string;
  /** Of the element as it passed; 0 for what is none. */
  readonly bytes: number;
}

/** @publicApi Where the lines of a trace go. What it throws is logged, and harms nobody. */
export type XmppTraceSink = (line: XmppTraceLine) => void;

/** @publicApi For {@link XmppTrace.start}. */
export interface XmppTraceOptions {
  /** Seconds after which the trace stops by itself; 0: never. Default: 600. */
  readonly seconds?: number;
  /** Characters of a line; what is longer is cut. Default: 4096. */
  readonly maxLength?: number;
}

/** @publicApi A trace that runs. */
export interface XmppTraceInfo {
  /** What {@link XmppTrace.stop} takes: the session's `id` where the trace was started by a `sid`. */
  readonly key: string;
  /** When. */
  readonly startedAt: Date;
  /** Ids of the sessions that it follows now. */
  readonly sessions: readonly string[];
}

/** @publicApi A trace that was started. */
export interface XmppTraceHandle extends XmppTraceInfo {
  /** Not stopped, its time is not over, and, of a single session, that lives. */
  readonly running: boolean;
  /** Nothing more comes of it. */
  stop(): void;
}

const DEFAULT_SECONDS = 600;
const DEFAULT_LENGTH = 4096;

/**
 * Shows what passes in single sessions of this process, secrets masked. A session that nobody traces pays nothing.
 *
 * @publicApi
 */
@Injectable()
export class XmppTrace implements OnApplicationShutdown {
  private readonly logger = new Logger('XmppTrace');
  private readonly traces = new Set<Trace>();
  /** There while a trace runs. */
  private unlisten: (() => void)[] = [];

  /** @internal Made by Nest. */
  constructor(
    private readonly sessions: SessionRegistry,
    private readonly events: XmppEvents,
    private readonly clock: Clock,
  ) {}

  /**
   * Traces sessions: those that are there, and, by a JID or an address, those to come.
   * @param key a session's `id`, a BOSH `sid`, a full or bare JID, or the IP address of clients
   * @param sink default: a line each in Nest's log
   * @throws {TypeError} for an `id` or `sid` of no session, and for options that make no sense
   */
  start(key: string, sink: XmppTraceSink = (line) => this.log(line), options: XmppTraceOptions = {}): XmppTraceHandle {
    const { seconds = DEFAULT_SECONDS, maxLength = DEFAULT_LENGTH } = options;
    if (!(seconds >= 0)) throw new TypeError('seconds of a trace: 0 or more');
    if (!(maxLength >= 1)) throw new TypeError('maxLength of a trace: 1 or more');
    const live = this.sessions.list();
    let name = key;
    if (!key.includes('@') && isIP(key) === 0) {
      const session = live.find((candidate) => candidate.id === key || candidate.hasSid(key));
      if (!session) throw new TypeError('no session of this process has that id or sid');
      name = session.id;
    }
    const onStopped = (): void => {
      this.traces.delete(trace);
      if (this.traces.size === 0) for (const unlisten of this.unlisten.splice(0)) unlisten();
    };
    const trace = new Trace(name, sink, maxLength, this.clock, onStopped, (error) => this.onError(error));
    this.traces.add(trace);
    if (this.traces.size === 1) this.listen();
    for (const session of live) if (trace.matches(session)) trace.follow(session);
    if (seconds > 0) trace.end.start(seconds * 1000);
    return trace;
  }

  /**
   * Stops all traces of a key.
   * @param key as given to {@link start}
   * @returns whether there were any
   */
  stop(key: string): boolean {
    const session = this.sessions.list().find((candidate) => candidate.hasSid(key));
    const found = [...this.traces].filter((trace) => trace.key === key || trace.key === session?.id);
    for (const trace of found) trace.stop();
    return found.length > 0;
  }

  /** The traces that run. */
  list(): XmppTraceInfo[] {
    return [...this.traces].map(({ key, startedAt, sessions }) => ({ key, startedAt, sessions }));
  }

  /** Called by Nest. */
  onApplicationShutdown(): void {
    for (const trace of this.traces) trace.stop();
  }

  private listen(): void {
    const { events } = this;
    const join = ({ session }: { session: XmppSession }): void => {
      for (const trace of this.traces) if (trace.matches(session)) trace.follow(session as Session);
    };
    const note = (session: XmppSession, text: string): void => {
      for (const trace of this.traces) trace.note(session, text);
    };
    this.unlisten = [
      events.on('session.opening', (event) => {
        join(event);
        note(event.session, `opening for ${event.session.address} over ${event.session.transport}`);
      }),
      events.on('session.authenticated', ({ session }) => note(session, 'authenticated')),
      events.on('session.bound', (event) => {
        join(event);
        note(event.session, `bound as ${event.session.jid}`);
      }),
      events.on('session.resumed', (event) => {
        join(event);
        note(event.session, `resumed as ${event.session.jid}`);
      }),
      events.on('shared.attached', ({ session, client, address }) => note(session, `client ${client} attached from ${address}`)),
      events.on('shared.detached', ({ session, client, end }) => note(session, `client ${client} left: ${end.reason}`)),
      events.on('upstream.failed', ({ session, message }) => note(session, `upstream failed: ${message}`)),
      events.on('session.closed', ({ session, end }) => {
        note(session, `closed: ${end.reason}${end.condition ? ` (${end.condition})` : ''}${end.text ? `: ${end.text}` : ''}`);
        for (const trace of this.traces) {
          trace.leave(session as Session);
          if (trace.key === session.id) trace.stop();
        }
      }),
    ];
  }

  private log({ session, direction, text, bytes }: XmppTraceLine): void {
    this.logger.log(`${session} ${ARROWS[direction]} ${oneLine(text)}${bytes > 0 ? ` (${bytes} bytes)` : ''}`);
  }

  private onError(error: unknown): void {
    this.logger.error('a trace could not be written', error instanceof Error ? error.stack : String(error));
  }
}

const ARROWS = { in: '>', out: '<', note: '-' } as const;

/** What traces a session: several may. */
const TAPS = new WeakMap<Session, Set<Trace>>();

class Trace implements XmppTraceHandle {
  readonly startedAt = new Date();
  readonly end: Timeout;
  running = true;
  private readonly followed = new Set<Session>();

  constructor(
    readonly key: string,
    private readonly sink: XmppTraceSink,
    private readonly maxLength: number,
    clock: Clock,
    private readonly onStopped: () => void,
    private readonly onError: (error: unknown) => void,
  ) {
    this.end = new Timeout(clock, () => this.stop());
  }

  get sessions(): string[] {
    return [...this.followed].map(({ id }) => id);
  }

  matches({ id, address, jid }: XmppSession): boolean {
    const { key } = this;
    if (key === id || key === address || key === jid) return true;
    return jid !== undefined && jid.startsWith(`${key}/`);
  }

  follow(session: Session): void {
    if (this.followed.has(session)) return;
    this.followed.add(session);
    const traces = TAPS.get(session) ?? new Set();
    TAPS.set(session, traces.add(this));
    session.tap = (direction, what) => {
      for (const trace of traces) trace.passed(session, direction, what);
    };
  }

  leave(session: Session): void {
    if (!this.followed.delete(session)) return;
    const traces = TAPS.get(session)!;
    traces.delete(this);
    if (traces.size === 0) session.tap = undefined;
  }

  stop(): void {
    if (!this.running) return;
    this.running = false;
    this.end.stop();
    for (const session of [...this.followed]) this.leave(session);
    this.onStopped();
  }

  note(session: XmppSession, text: string): void {
    if (this.followed.has(session as Session)) this.write(session, 'note', text, 0);
  }

  private passed(session: Session, direction: 'in' | 'out', what: Stanza | StreamHeader): void {
    try {
      if (what instanceof Stanza) this.write(session, direction, redact(what).toString(), what.byteLength);
      else this.write(session, direction, headerText(what), 0);
    } catch (error) {
      this.onError(error);
    }
  }

  private write({ id }: XmppSession, direction: XmppTraceLine['direction'], whole: string, bytes: number): void {
    // No half of a character at the end.
    const text = whole.length > this.maxLength ? `${whole.slice(0, this.maxLength).replace(/[\ud800-\udbff]$/, '')}…` : whole;
    try {
      this.sink({ at: new Date(), session: id, direction, text, bytes });
    } catch (error) {
      this.onError(error);
    }
  }
}

/** A stream header, as a sentence: each transport has its own form of it. */
function headerText({ from, to, lang, version }: StreamHeader): string {
  const parts = Object.entries({ from, to, 'xml:lang': lang, version }).filter(([, value]) => value !== undefined);
  return `stream header ${parts.map(([name, value]) => `${name}='${value}'`).join(' ')}`.trimEnd();
}
