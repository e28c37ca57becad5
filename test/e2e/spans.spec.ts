import { AsyncLocalStorage } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { jest } from '@jest/globals';
import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type ContextManager,
  type Span,
  type TextMapPropagator,
} from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { XmppSessionService } from 'nestjs-xmpp';
import { BoshHttp, BoshSession, creation } from '../support/bosh-client.js';
import { PLATFORMS, startGateway, type Gateway } from '../support/gateway.js';
import { open, RawWebSocket } from '../support/websocket-client.js';

const storage = new AsyncLocalStorage<Context>();
/** What an SDK for Node brings, as far as the gateway is concerned. */
const MANAGER: ContextManager = {
  active: () => storage.getStore() ?? ROOT_CONTEXT,
  with: (active, fn, thisArg, ...args) => storage.run(active, () => fn.call(thisArg!, ...args)),
  bind: (active, target) => {
    const emitter = target as EventEmitter;
    const emit = emitter.emit.bind(emitter);
    emitter.emit = (name: string, ...args: unknown[]) => storage.run(active, () => emit(name, ...args));
    return target;
  },
  enable: () => MANAGER,
  disable: () => MANAGER,
};
/** W3C Trace Context, read only. */
const PROPAGATOR: TextMapPropagator = {
  fields: () => ['traceparent'],
  inject() {},
  extract(parent, carrier, getter) {
    const [, traceId, spanId] = /^00-(\w{32})-(\w{16})-01$/.exec(String(getter.get(carrier, 'traceparent'))) ?? [];
    if (!traceId || !spanId) return parent;
    return trace.setSpanContext(parent, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
  },
};
const REMOTE = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const TRACEPARENT = `00-${REMOTE.traceId}-${REMOTE.spanId}-01`;
const JID = 'romeo@example.org/orchard';

describe.each(PLATFORMS)('the spans of OpenTelemetry on %s', (platform) => {
  const exporter = new InMemorySpanExporter();
  let gateway: Gateway;
  let http: BoshHttp;
  let requests: Span[];

  beforeAll(() => {
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
    context.setGlobalContextManager(MANAGER);
    propagation.setGlobalPropagator(PROPAGATOR);
  });
  afterAll(() => {
    trace.disable();
    context.disable();
    propagation.disable();
  });
  beforeEach(async () => {
    gateway = await startGateway(platform);
    http = new BoshHttp(gateway.boshUrl);
    requests = [];
  });
  afterEach(async () => {
    http.close();
    await gateway.close();
    exporter.reset();
  });

  /** As the instrumentation of Node's http does: a span for each request, which is active while it is served. */
  function instrument(): void {
    const server = gateway.app.getHttpServer() as EventEmitter;
    const listeners = server.listeners('request') as ((...args: unknown[]) => void)[];
    server.removeAllListeners('request');
    server.on('request', (request: IncomingMessage, response: unknown) => {
      const span = trace.getTracer('test').startSpan('POST');
      requests.push(span);
      const active = trace.setSpan(ROOT_CONTEXT, span);
      context.bind(active, request);
      context.with(active, () => listeners.forEach((serve) => serve.call(server, request, response)));
    });
  }

  const finished = (name: string): ReadableSpan[] => exporter.getFinishedSpans().filter((span) => span.name === name);
  const only = (name: string): ReadableSpan => {
    const found = finished(name);
    expect(found.map((span) => span.name)).toEqual([name]);
    return found[0]!;
  };

  it('tell of a session, from the request to the end, and what its client waited for', async () => {
    const client = await RawWebSocket.open(gateway.wsUrl);
    const stream = await gateway.upstream.streams.take();
    stream.bound(JID);
    await client.frames.take((frame) => frame.includes('<jid>'));
    client.send(`<message xmlns='jabber:client'><body>a secret of two</body></message>`);
    await stream.seen.take((seen) => seen.includes('a secret of two'));
    await gateway.app.get(XmppSessionService).terminate(JID);
    const session = only('xmpp.session');
    expect(session.attributes).toMatchObject({
      'xmpp.domain': 'example.org',
      'xmpp.transport': 'websocket',
      'client.address': '127.0.0.1',
      'xmpp.jid': JID,
      'xmpp.end.reason': 'terminated',
      'xmpp.end.condition': 'policy-violation',
      'xmpp.stanzas.in': 1,
      'xmpp.stanzas.out': 3,
    });
    expect(session.parentSpanContext).toBeUndefined();
    expect(session.links).toEqual([]);
    expect(session.status.code).toBe(SpanStatusCode.UNSET);
    for (const name of ['xmpp.upstream.connect', 'xmpp.authenticate', 'xmpp.bind']) {
      const step = only(name);
      expect(step.parentSpanContext?.spanId).toBe(session.spanContext().spanId);
      expect(step.status.code).toBe(SpanStatusCode.UNSET);
    }
    // One of the session, three steps, none for a stanza; nothing of what was said.
    expect(exporter.getFinishedSpans()).toHaveLength(4);
    const told = exporter.getFinishedSpans().map(({ attributes, events }) => ({ attributes, events }));
    expect(JSON.stringify(told)).not.toContain('secret');
    client.socket.terminate();
  });

  it('tell a resumption from a new resource', async () => {
    const client = await RawWebSocket.open(gateway.wsUrl);
    const stream = await gateway.upstream.streams.take();
    stream.push(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`);
    stream.push(`<resumed xmlns='urn:xmpp:sm:3' h='0' previd='53cr37'/>`);
    await client.frames.take((frame) => frame.includes('<resumed'));
    client.socket.close();
    await stream.seen.take((seen) => seen === 'close' || seen === 'abort');
    expect(only('xmpp.resume').status.code).toBe(SpanStatusCode.UNSET);
    expect(finished('xmpp.bind')).toEqual([]);
    expect(JSON.stringify(only('xmpp.session').attributes)).not.toContain('53cr37');
  });

  it('link a BOSH session to the request that made it', async () => {
    instrument();
    await BoshSession.open(http);
    const stream = await gateway.upstream.streams.take();
    stream.finish({ reason: 'closed' });
    const [request] = requests;
    expect(requests).toHaveLength(1);
    const session = only('xmpp.session');
    expect(session.links).toEqual([{ context: request!.spanContext() }]);
    expect(session.spanContext().traceId).not.toBe(request!.spanContext().traceId);
    expect(session.attributes).toMatchObject({ 'xmpp.transport': 'bosh', 'xmpp.end.reason': 'upstream-closed' });
  });

  it('link to the span that the headers name, of a proxy in front, over both transports', async () => {
    const client = await RawWebSocket.connect(gateway.wsUrl, ['xmpp'], { headers: { traceparent: TRACEPARENT } });
    client.send(open({ to: 'example.org' }));
    const answer = http.post(creation(), { traceparent: TRACEPARENT });
    for (let i = 0; i < 2; i++) (await gateway.upstream.streams.take()).finish({ reason: 'closed' });
    await answer;
    expect(finished('xmpp.session').map(({ links }) => links.map((link) => link.context))).toEqual([
      [expect.objectContaining(REMOTE)],
      [expect.objectContaining(REMOTE)],
    ]);
    client.socket.terminate();
  });

  it('say what failed', async () => {
    const client = await RawWebSocket.connect(gateway.wsUrl);
    client.send(open({ to: 'example.org' }));
    const stream = await gateway.upstream.streams.take();
    stream.push(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`);
    stream.finish({ reason: 'failed', message: 'connection reset' });
    const session = only('xmpp.session');
    const status = { code: SpanStatusCode.ERROR, message: 'upstream-failed (remote-connection-failed)' };
    expect(session.status).toEqual(status);
    expect(session.events).toMatchObject([{ name: 'upstream failed', attributes: { 'exception.message': 'connection reset' } }]);
    expect(only('xmpp.bind').status).toEqual(status);
    expect(only('xmpp.authenticate').status.code).toBe(SpanStatusCode.UNSET);
    client.socket.terminate();
  });

  it('end with the app', async () => {
    const client = await RawWebSocket.open(gateway.wsUrl);
    await gateway.app.close();
    expect(only('xmpp.session').attributes['xmpp.end.reason']).toBe('shutdown');
    client.socket.terminate();
  });
});

describe('without OpenTelemetry', () => {
  it('there are no spans, and nobody listens for them', async () => {
    jest.unstable_mockModule('@opentelemetry/api', () => {
      throw Object.assign(new Error('not there'), { code: 'ERR_MODULE_NOT_FOUND' });
    });
    const { Spans } = await import('../../lib/observability/index.js');
    const { XmppEvents } = await import('../../lib/session/index.js');
    const events = new XmppEvents();
    const on = jest.spyOn(events, 'on');
    const spans = new Spans(events);
    await spans.onModuleInit();
    expect(on).not.toHaveBeenCalled();
    spans.onApplicationShutdown();
  });
});
