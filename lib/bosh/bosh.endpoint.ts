import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock, Timeout } from '../clock.js';
import { Cluster, type ChannelEnd } from '../cluster/index.js';
import { forwardable, Origins, Unfinished } from '../http/index.js';
import { SessionRefused, SessionRegistry, type Place, type Session } from '../session/index.js';
import { Sharing } from '../shared/index.js';
import { DEFAULT_LIMITS, Scanner, type Stanza } from '../xml/index.js';
import { XMPP_OPTIONS, type ResolvedOptions } from '../xmpp.options.js';
import { BodyError, ERROR_BODY, readBody, sidOf, writeTermination, type RequestBody } from './body.js';
import { BodyReader, type BodyFault } from './body-reader.js';
import { BoshSessions, type AdoptedSession, type BoshLoad } from './bosh.sessions.js';
import { conditionOf, statusOf, terminationOf, type BoshCondition } from './conditions.js';
import { XML_TYPE, type Exchange } from './exchange.js';
import { fingerprint } from './fingerprint.js';
import { ALLOWED, HttpAnswers } from './http-answers.js';
import { ForwardedExchange } from './forwarded-exchange.js';
import { Forwarding, readRequest, writeRequest, type ForwardedRequest } from './forwarding.js';
import { HttpExchange } from './http-exchange.js';
import { mayContinue } from './origination.js';

/** Milliseconds for the last answers to leave. */
const LAST_ANSWERS = 2000;
const RETRY_AFTER = 1;
/** What other nodes ask for. */
const SERVICE = 'bosh';
/** Bytes of a faulty body that say whose it is. */
const START_BYTES = 8192;
const PAGE = Buffer.from(
  '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>BOSH</title></head><body><p>This is an XMPP BOSH ' +
    'endpoint (XEP-0124, XEP-0206): chat clients connect here.</p></body></html>\n',
);
const NOT_ALLOWED = Buffer.from('Method not allowed\n');
/** Limits that a body has crossed that did not come whole. */
const LIMITS: Partial<Record<BodyFault, string>> = {
  'too-large': 'bosh.maxBodyBytes',
  'timeout': 'bosh.bodyTimeout',
  'crowded': 'limits.maxUnfinishedBytes',
};
const FAULTS: Record<BodyFault, { readonly status: number; readonly condition: BoshCondition }> = {
  'too-large': { status: 413, condition: 'policy-violation' },
  'malformed': { status: 200, condition: 'bad-request' },
  'timeout': { status: 408, condition: 'bad-request' },
  // To be tried again.
  'crowded': { status: 503, condition: 'undefined-condition' },
};

/** The BOSH endpoint as HTTP sees it: methods, origins, bodies, and which session a request belongs to. */
@Injectable()
export class BoshEndpoint {
  private readonly logger = new Logger('XmppBosh');
  private readonly bosh: BoshSessions;
  private readonly answers: HttpAnswers;
  private readonly bodies: BodyReader;
  private readonly origins: Origins;
  private readonly scanner: Scanner;
  /** Requests of this node's connections that others serve. */
  private readonly forwardings = new Set<Forwarding>();
  /** Their connections, by which the other nodes know them. */
  private readonly connections = new WeakMap<object, number>();
  private connectionCount = 0;
  private draining = false;

  constructor(
    @Inject(XMPP_OPTIONS) private readonly options: ResolvedOptions,
    private readonly clock: Clock,
    private readonly sessions: SessionRegistry,
    sharing: Sharing,
    private readonly cluster: Cluster,
    unfinished: Unfinished,
  ) {
    this.bosh = new BoshSessions(sessions, sharing, options, clock, cluster);
    this.origins = new Origins(options.origins, options.exposeHeaders);
    this.answers = new HttpAnswers(this.origins, options.origins.includes('*'), () => sessions.isDraining);
    const { maxBodyBytes, bodyTimeout } = options.bosh;
    this.bodies = new BodyReader(clock, { maxBytes: maxBodyBytes, timeout: bodyTimeout * 1000 }, unfinished);
    this.scanner = new Scanner({ ...DEFAULT_LIMITS, ...options.limits });
    cluster.serve(SERVICE, (data, channel, node) => {
      const [request, source] = readRequest(data);
      const exchange = new ForwardedExchange(request, channel, this.answers, node, clock.now());
      // The other node is told of the channel first.
      this.accept(exchange, source, request.fault);
      return exchange;
    });
  }

  /** What is kept for clients now. */
  load(): BoshLoad {
    return this.bosh.load();
  }

  /** Serves one HTTP request, whatever it is. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    if (!this.origins.admits(request)) {
      request.resume();
      return this.answers.send(request, response, 403, XML_TYPE, writeTermination({ condition: 'policy-violation' }));
    }
    switch (request.method) {
      case 'POST':
        return this.bodies.read(request, (body, fault) => this.post(request, response, body, fault));
      case 'OPTIONS':
        return this.answers.preflight(request, response);
      case 'GET':
      case 'HEAD':
        return this.answers.send(request, response, 200, 'text/html; charset=utf-8', PAGE);
      default:
        request.resume();
        return this.answers.send(request, response, 405, 'text/plain; charset=utf-8', NOT_ALLOWED, { Allow: ALLOWED });
    }
  }

  /**
   * Makes a BOSH session of one that is open and bound, for a client that has yet to come.
   * @param undelivered what came for it since
   * @param place given back when the session is over
   * @param ttl milliseconds until it has to come
   */
  adopt(session: Session, undelivered: readonly Stanza[], place: Place, ttl: number): AdoptedSession {
    return this.bosh.adopt(session, undelivered, place, ttl);
  }

  /**
   * Answers what is still to be answered, after all sessions were ended: also the next request of who has none here just now.
   * @returns when the answers have left, or two seconds have passed
   */
  async shutdown(): Promise<void> {
    this.draining = true;
    for (const forwarding of this.forwardings) forwarding.release();
    await new Promise<void>((resolve) => {
      const timeout = new Timeout(this.clock, resolve);
      timeout.start(LAST_ANSWERS);
      const done = (): void => {
        timeout.stop();
        resolve();
      };
      this.bosh.whenAllTold(() => this.answers.whenIdle(done));
    });
    for (const forwarding of this.forwardings) forwarding.abandon();
  }

  private post(request: IncomingMessage, response: ServerResponse, source: Buffer, fault: BodyFault | undefined): void {
    const exchange = new HttpExchange(request, response, this.answers, this.options.trustProxy, this.clock.now());
    if (this.cluster.enabled) {
      // Whose it is its start says; the rest is for that node to judge.
      const node = this.cluster.nodeOf(sidOf(source, this.scanner));
      if (node !== undefined && node !== this.cluster.id) {
        const part = fault ? source.subarray(0, START_BYTES) : source;
        return this.forward(node, exchange, part, { fault }, (end) => this.onNobody(exchange, end));
      }
    }
    this.accept(exchange, source, fault);
  }

  private accept(exchange: Exchange, source: Buffer, fault: BodyFault | undefined): void {
    try {
      if (fault) return this.onFault(exchange, source, fault);
      const body = readBody(source, this.scanner);
      this.serve(exchange, body, source, fingerprint(source));
    } catch (error) {
      this.onError(exchange, error);
    }
  }

  private serve(exchange: Exchange, body: RequestBody, source: Buffer, digest: string): void {
    if (body.sid === undefined) {
      if (body.terminate) return this.refuse(exchange, 'item-not-found', 200);
      if (this.cluster.enabled && exchange instanceof HttpExchange) return this.locate(exchange, body, source, digest);
      return this.bosh.create(exchange, body, digest);
    }
    const target = this.bosh.get(body.sid);
    // A request by the wrong way is dropped and harms nobody (XEP-0124, section 19.1).
    if (!target || !mayContinue(target.origination, exchange)) {
      return this.refuse(exchange, 'item-not-found', 200);
    }
    target.request(exchange, body, digest);
  }

  /** A session that is to be shared may be on another node. */
  private locate(exchange: HttpExchange, body: RequestBody, source: Buffer, digest: string): void {
    this.bosh.locate(exchange, body, (node, claimed) => {
      if (node !== undefined) {
        // The app may be asked about the client there. The key of a dead node is anybody's.
        return this.forward(node, exchange, source, forwardable(exchange.request), (end) => {
          if (end === 'dead') this.locate(exchange, body, source, digest);
          else this.onNobody(exchange, end);
        });
      }
      try {
        this.bosh.create(exchange, body, digest, claimed);
      } catch (error) {
        this.onError(exchange, error);
      }
    });
  }

  /** Hands a request to the node that has its session, or the one that it wants to share. */
  private forward(
    node: string,
    exchange: HttpExchange,
    source: Buffer,
    about: Partial<ForwardedRequest>,
    onFailed: (end: ChannelEnd) => void,
  ): void {
    const { peer, certificate } = exchange;
    const connection = this.numberOf(exchange.connection);
    const forwarding = new Forwarding(exchange, onFailed, (over) => this.forwardings.delete(over));
    this.forwardings.add(forwarding);
    forwarding.start(this.cluster.begin(node, SERVICE, writeRequest({ peer, certificate, connection, ...about }, source), forwarding));
    if (this.draining) forwarding.release();
  }

  private numberOf(connection: object | undefined): number | undefined {
    if (connection === undefined) return undefined;
    let number = this.connections.get(connection);
    if (number === undefined) this.connections.set(connection, (number = ++this.connectionCount));
    return number;
  }

  /** The node that had the session is dead, and the session with it; or it may be there again when the client asks again. */
  private onNobody(exchange: Exchange, end: ChannelEnd): void {
    if (end === 'dead') return this.refuse(exchange, 'item-not-found', 200);
    exchange.send(ERROR_BODY, XML_TYPE, 503, { 'Retry-After': String(RETRY_AFTER) });
  }

  /** A body that did not come whole. Its session is over: the client will not send it in another way. */
  private onFault(exchange: Exchange, source: Buffer, fault: BodyFault): void {
    const { status, condition } = FAULTS[fault];
    this.noteLimit(LIMITS[fault], exchange);
    this.refuse(exchange, condition, status, fault === 'crowded' ? { 'Retry-After': String(RETRY_AFTER) } : undefined);
    if (fault === 'too-large' || fault === 'malformed') this.spoil(exchange, sidOf(source, this.scanner), condition);
  }

  private onError(exchange: Exchange, error: unknown): void {
    if (error instanceof BodyError) {
      this.noteLimit(error.limit, exchange);
      if (!this.spoil(exchange, error.sid, error.condition)) {
        this.refuse(exchange, error.condition, statusOf(error.condition, error.legacy));
      }
    } else if (error instanceof SessionRefused && error.uri !== undefined) {
      exchange.send(writeTermination(terminationOf({ reason: 'moved', uri: error.uri })));
    } else if (error instanceof SessionRefused) {
      const retry = error.status === 503 ? { 'Retry-After': String(error.retryAfter ?? RETRY_AFTER) } : undefined;
      const condition = conditionOf(error.condition);
      this.refuse(exchange, condition, error.httpStatus ?? (retry ? 503 : 200), retry);
    } else {
      this.logger.error('request failed', error instanceof Error ? error.stack : String(error));
      this.refuse(exchange, 'internal-server-error', 200);
    }
  }

  private noteLimit(limit: string | undefined, { peer }: Exchange): void {
    if (limit !== undefined) this.sessions.events.emit('limit.hit', { limit, address: peer.address });
  }

  /** @returns whether there is a session that a faulty request belongs to; it is over now */
  private spoil(exchange: Exchange, sid: string | undefined, condition: BoshCondition): boolean {
    const target = sid === undefined ? undefined : this.bosh.get(sid);
    if (!target || !mayContinue(target.origination, exchange)) return false;
    target.refuse(exchange, condition);
    return true;
  }

  private refuse(exchange: Exchange, condition: BoshCondition, status: number, extra?: Record<string, string>): void {
    exchange.send(writeTermination({ condition }), XML_TYPE, status, extra);
  }
}
