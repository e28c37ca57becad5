import type { IncomingMessage } from 'node:http';
import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Attributes, Link, Span, Tracer } from '@opentelemetry/api';
import { XmppEvents, type EndReason, type SessionEnd, type XmppSession } from '../session/index.js';

type Api = typeof import('@opentelemetry/api');

/** A session's span, and that of what its client waits for. */
interface Life {
  readonly span: Span;
  step: Span | undefined;
}

/** Ends that are nobody's wish. */
const FAULTS: ReadonlySet<EndReason> = new Set(['error', 'auth-timeout', 'upstream-error', 'upstream-failed']);

/**
 * OpenTelemetry spans, where `@opentelemetry/api` is there: one for each session, from the client's request to its
 * end, with one inside for each thing that the client waited for: `xmpp.upstream.connect`, `xmpp.authenticate`, and
 * `xmpp.bind` or `xmpp.resume`. A session outlives the HTTP request that began it: its span is linked to that of the
 * request, not part of it. There is no span for a stanza.
 */
@Injectable()
export class Spans implements OnModuleInit, OnApplicationShutdown {
  private readonly lives = new Map<XmppSession, Life>();
  private unlisten: (() => void)[] = [];
  private api!: Api;
  private tracer!: Tracer;

  constructor(private readonly events: XmppEvents) {}

  async onModuleInit(): Promise<void> {
    const api = await loadApi();
    if (!api) return;
    this.api = api;
    // Of a provider that may be registered later.
    this.tracer = api.trace.getTracer('nestjs-xmpp');
    const { events } = this;
    this.unlisten = [
      events.on('session.opening', ({ session, http }) => this.onOpening(session, http)),
      events.on('session.opened', ({ session }) => this.next(session, 'xmpp.authenticate')),
      events.on('session.authenticated', ({ session }) => this.next(session, 'xmpp.bind')),
      events.on('session.bound', ({ session }) => this.next(session)),
      events.on('session.resumed', ({ session }) => {
        this.lives.get(session)?.step?.updateName('xmpp.resume');
        this.next(session);
      }),
      events.on('shared.attached', ({ session, client, address }) =>
        this.note(session, 'shared client attached', { 'xmpp.shared.client': client, 'client.address': address }),
      ),
      events.on('shared.detached', ({ session, client, end }) =>
        this.note(session, 'shared client left', { 'xmpp.shared.client': client, 'xmpp.end.reason': end.reason }),
      ),
      events.on('upstream.failed', ({ session, message }) => this.note(session, 'upstream failed', { 'exception.message': message })),
      events.on('session.closed', ({ session, end }) => this.onClosed(session, end)),
    ];
  }

  onApplicationShutdown(): void {
    for (const unlisten of this.unlisten) unlisten();
    for (const session of this.lives.keys()) this.onClosed(session, { reason: 'shutdown' });
  }

  private onOpening(session: XmppSession, http: IncomingMessage | undefined): void {
    const { id, domain, transport, address, secure } = session;
    const span = this.tracer.startSpan('xmpp.session', {
      root: true,
      links: this.linksTo(http),
      attributes: {
        'xmpp.session.id': id,
        'xmpp.domain': domain,
        'xmpp.transport': transport,
        'xmpp.secure': secure,
        'client.address': address,
      },
    });
    // Nobody traces here, or not this one: its steps would be nothing either.
    if (!span.isRecording()) return;
    const life: Life = { span, step: undefined };
    this.lives.set(session, life);
    this.next(session, 'xmpp.upstream.connect');
  }

  /** The span of the request is the one that is active; where nobody traces requests here, the one in its headers. */
  private linksTo(http: IncomingMessage | undefined): Link[] {
    const { context, isSpanContextValid, propagation, ROOT_CONTEXT, trace } = this.api;
    const active = trace.getSpanContext(context.active()) ?? trace.getSpanContext(propagation.extract(ROOT_CONTEXT, http?.headers ?? {}));
    return active && isSpanContextValid(active) ? [{ context: active }] : [];
  }

  /** What the client waited for is there; now it waits for this, or for nothing. */
  private next(session: XmppSession, name?: string): void {
    const life = this.lives.get(session);
    if (!life) return;
    life.step?.end();
    const { context, trace } = this.api;
    life.step = name === undefined ? undefined : this.tracer.startSpan(name, {}, trace.setSpan(context.active(), life.span));
  }

  private note(session: XmppSession, name: string, attributes: Attributes): void {
    this.lives.get(session)?.span.addEvent(name, attributes);
  }

  private onClosed(session: XmppSession, end: SessionEnd): void {
    const life = this.lives.get(session);
    if (!life) return;
    this.lives.delete(session);
    const { ERROR } = this.api.SpanStatusCode;
    const condition = end.condition ?? end.error?.children()[0]?.name;
    const why = `${end.reason}${condition ? ` (${condition})` : ''}`;
    if (life.step) life.step.setStatus({ code: ERROR, message: why }).end();
    const { span } = life;
    const { jid, resumable, traffic } = session;
    span.setAttributes({
      ...(jid && { 'xmpp.jid': jid }),
      ...(condition && { 'xmpp.end.condition': condition }),
      'xmpp.end.reason': end.reason,
      'xmpp.resumable': resumable,
      'xmpp.stanzas.in': traffic.stanzasIn,
      'xmpp.stanzas.out': traffic.stanzasOut,
      'xmpp.bytes.in': traffic.bytesIn,
      'xmpp.bytes.out': traffic.bytesOut,
    });
    if (FAULTS.has(end.reason)) span.setStatus({ code: ERROR, message: why });
    span.end();
  }
}

/** An optional peer: without it there are no spans. */
async function loadApi(): Promise<Api | undefined> {
  try {
    return await import('@opentelemetry/api');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.endsWith('MODULE_NOT_FOUND') !== true) new Logger('XmppSpans').error('no spans', error);
    return undefined;
  }
}
