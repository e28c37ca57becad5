import { randomBytes } from 'node:crypto';
import { element, NS, Stanza, type Element } from '../../xml/index.js';
import type { StreamHeader, UpstreamEnd, UpstreamHandler, UpstreamRequest, UpstreamStream } from '../upstream.js';
import {
  BIND_FEATURES,
  managementFailed,
  saslElement,
  saslFailure,
  saslFeatures,
  streamError,
  type StreamErrorCondition,
} from './elements.js';
import { errorAnswer, StanzaError } from '../../stanza-error.js';
import { Jid } from './jid.js';
import { XMLNS } from './namespaces.js';
import { Outlet } from './outlet.js';
import type { Resource } from './resource.js';
import { SaslExchange, type SaslCondition, type SaslStep } from './sasl.js';
import type { EmbeddedServer, StreamInput } from './server.js';
import { parseCount, StreamManagement } from './stream-management.js';

/** Failed attempts to authenticate on one stream (RFC 6120, section 6.4.5). */
const MAX_FAILURES = 3;
/** What a client may send while its password is being checked. */
const MAX_BACKLOG = 64;

type Phase =
  /** Nothing but SASL is understood. */
  | 'sasl'
  /** SASL succeeded; the stream has to be opened anew. */
  | 'authenticated'
  /** A resource is to be bound, or a stream to be resumed. */
  | 'binding'
  | 'bound'
  | 'ended';

/**
 * One stream to the embedded server, from its header to its end. What the client sends waits in the
 * server's inbox for its turn, so {@link send} never pushes back; what the server sends while the
 * stream is paused waits here, up to `limits.maxQueuedBytes`.
 */
export class EmbeddedStream implements UpstreamStream {
  /** Nothing leaves the process. */
  readonly secure = true;

  private phase: Phase = 'sasl';
  private readonly domain: string;
  private header: StreamHeader;
  private opened = false;
  private jid: Jid | undefined;
  private anonymous = false;
  private resource: Resource | undefined;

  private exchange: SaslExchange | undefined;
  private failures = 0;
  /** A step of SASL is under way; what comes meanwhile waits. */
  private busy = false;
  private backlog: StreamInput[] = [];

  private readonly outlet: Outlet;
  private overflowing = false;

  constructor(
    private readonly server: EmbeddedServer,
    request: UpstreamRequest,
    handler: UpstreamHandler,
  ) {
    this.outlet = new Outlet(handler, server.limits.maxQueuedBytes, {
      onOverflow: () => this.overflow(),
      onBroken: (error) => {
        server.report(error);
        server.enqueue(this, { run: () => this.fail('internal-server-error') });
      },
    });
    this.domain = Jid.of('', request.domain)?.domain ?? '';
    this.header = request.header;
    server.add(this);
    server.enqueue(this, { run: () => this.open(request.header) });
  }

  // --- the port ------------------------------------------------------------------------------

  send(stanza: Stanza): boolean {
    this.server.enqueue(this, stanza);
    return true;
  }

  restart(header: StreamHeader): void {
    this.server.enqueue(this, { run: () => this.open(header) });
  }

  pause(): void {
    this.outlet.paused = true;
  }

  resume(): void {
    if (!this.outlet.paused) return;
    this.outlet.paused = false;
    if (this.outlet.waiting) this.server.enqueue(this, { run: () => this.outlet.flush(), always: true });
  }

  close(): void {
    this.server.enqueue(this, {
      always: true,
      run: () => {
        this.outlet.paused = false;
        if (this.phase === 'ended') this.outlet.flush();
        else this.finish({ reason: 'closed' });
      },
    });
  }

  abort(): void {
    this.outlet.cut = true;
    this.server.enqueue(this, { run: () => this.lose(), always: true });
  }

  // --- what comes from the client ------------------------------------------------------------

  /** @internal Does what the client sent, in its turn. */
  process(input: StreamInput): void {
    const isStanza = input instanceof Stanza;
    if (this.phase === 'ended' && (isStanza || !input.always)) return;
    if (this.busy) {
      this.backlog.push(input);
      if (this.backlog.length > MAX_BACKLOG) this.fail('policy-violation', 'wait for the answer of SASL');
    } else if (isStanza) {
      this.element(input);
    } else {
      input.run();
    }
  }

  private open(header: StreamHeader): void {
    this.header = header;
    this.opened = false;
    if (this.server.closed) {
      this.finish({ reason: 'failed', message: 'the embedded server is closed' });
      return;
    }
    if (!this.server.domains.includes(this.domain)) return this.fail('host-unknown');
    if (this.phase === 'bound') return this.fail('policy-violation', 'the stream is bound');
    if (header.version !== undefined && !/^[1-9]\d*\.\d+$/.test(header.version)) return this.fail('unsupported-version');
    this.answerHeader();
    this.exchange = undefined;
    if (this.phase === 'sasl') {
      this.push(saslFeatures(this.server.mechanisms));
    } else {
      this.phase = 'binding';
      this.push(BIND_FEATURES);
    }
  }

  /** RFC 6120, section 4.7. */
  private answerHeader(): void {
    this.opened = true;
    const known = this.server.domains.includes(this.domain);
    this.outlet.push({
      header: {
        from: known ? this.domain : this.server.domains[0],
        to: this.header.from,
        id: randomBytes(16).toString('hex'),
        lang: 'en',
        version: '1.0',
      },
    });
  }

  private element(stanza: Stanza): void {
    const { resource } = this;
    if (resource && stanza.kind !== undefined) {
      resource.management?.count();
      this.server.router.receive(resource, stanza);
    } else if (stanza.namespace === NS.sasl) {
      this.sasl(stanza);
    } else if (this.phase === 'sasl' || this.phase === 'authenticated') {
      this.fail('not-authorized');
    } else if (stanza.kind !== undefined) {
      this.beforeBinding(stanza);
    } else if (stanza.namespace === NS.sm) {
      this.management(stanza);
    } else if (stanza.namespace !== XMLNS.csi) {
      this.fail('unsupported-stanza-type');
    }
  }

  // --- SASL: RFC 6120, section 6 -------------------------------------------------------------

  private sasl(stanza: Stanza): void {
    if (this.phase !== 'sasl') return this.fail('policy-violation', 'authenticated already');
    const { name } = stanza;
    if (name === 'auth') {
      this.exchange = undefined;
      const mechanism = this.server.mechanisms.find((offered) => offered === stanza.attribute('mechanism'));
      if (!mechanism) return this.rejected('invalid-mechanism');
      this.exchange = new SaslExchange(mechanism, this.server.credentials, this.domain);
    } else if (name === 'abort') {
      this.exchange = undefined;
      this.push(saslFailure('aborted'));
      return;
    } else if (name !== 'response' || !this.exchange) {
      return this.rejected('malformed-request');
    }
    this.busy = true;
    void this.step(this.exchange, stanza.text());
  }

  private async step(exchange: SaslExchange, data: string): Promise<void> {
    try {
      const step = await exchange.step(data);
      if (this.phase === 'sasl') this.answerSasl(step);
    } catch (error) {
      this.server.report(error);
      this.fail('internal-server-error');
    }
    this.busy = false;
    const { backlog } = this;
    this.backlog = [];
    for (const input of backlog) this.server.enqueue(this, input);
  }

  private answerSasl(step: SaslStep): void {
    if (step.type === 'failure') return this.rejected(step.condition);
    if (step.type === 'success') {
      this.exchange = undefined;
      this.phase = 'authenticated';
      this.jid = step.jid;
      this.anonymous = step.anonymous;
    }
    this.push(saslElement(step));
  }

  private rejected(condition: SaslCondition): void {
    this.exchange = undefined;
    this.push(saslFailure(condition));
    if (++this.failures >= MAX_FAILURES) this.fail('policy-violation', 'too many failed attempts to authenticate');
  }

  // --- binding: RFC 6120, section 7 ----------------------------------------------------------

  private beforeBinding(stanza: Stanza): void {
    const bind = stanza.kind === 'iq' && stanza.attribute('type') === 'set' ? stanza.child('bind', NS.bind) : undefined;
    if (!bind || this.phase !== 'binding') return this.fail('not-authorized');
    try {
      if (!stanza.attribute('id')) throw new StanzaError('bad-request');
      const requested = bind.child('resource', NS.bind)?.text() || undefined;
      const resource = this.server.bind(this, this.jid!, requested, this.anonymous);
      this.resource = resource;
      this.phase = 'bound';
      this.push(
        Stanza.of(
          element(
            'iq',
            { xmlns: NS.client, type: 'result', id: stanza.attribute('id') },
            element('bind', { xmlns: NS.bind }, element('jid', {}, resource.full)),
          ),
        ),
      );
    } catch (error) {
      this.push(errorAnswer(stanza, this.server.stanzaError(error))!);
    }
  }

  // --- stream management: XEP-0198 -----------------------------------------------------------

  private management(stanza: Stanza): void {
    switch (stanza.name) {
      case 'enable':
        return this.enable(stanza);
      case 'resume':
        return this.resumeSession(stanza);
      case 'r':
        if (!this.resource?.management) break;
        this.push(Stanza.of(element('a', { xmlns: NS.sm, h: this.resource.management.handled })));
        return;
      case 'a': {
        if (!this.resource?.management) break;
        const h = parseCount(stanza.attribute('h'));
        if (h === undefined) return this.fail('policy-violation', 'an acknowledgement has a number');
        this.acknowledge(this.resource.management, h);
        return;
      }
      default:
        return this.fail('unsupported-stanza-type');
    }
    this.push(managementFailed('unexpected-request'));
  }

  private enable(stanza: Stanza): void {
    const { resource } = this;
    if (!resource || resource.management) {
      this.push(managementFailed('unexpected-request'));
      return;
    }
    const wish = stanza.attribute('resume');
    const resumable = wish === 'true' || wish === '1';
    const asked = parseCount(stanza.attribute('max')) || Infinity;
    const max = Math.min(asked, this.server.resumptionTime);
    // Whoever has the id can go on with the session, once authenticated.
    resource.management = new StreamManagement(resumable ? randomBytes(16).toString('base64url') : undefined, max);
    if (resumable) this.server.offer(resource);
    const { id } = resource.management;
    this.push(
      Stanza.of(element('enabled', { xmlns: NS.sm, id, ...(resumable ? { resume: 'true', max: String(max) } : {}) })),
    );
  }

  private resumeSession(stanza: Stanza): void {
    const previd = stanza.attribute('previd');
    const h = parseCount(stanza.attribute('h'));
    if (this.phase !== 'binding') return this.push(managementFailed('unexpected-request'));
    if (previd === undefined || h === undefined) return this.push(managementFailed('bad-request'));
    const session = this.server.find(previd, this.jid!.bare);
    if (!session) return this.push(managementFailed('item-not-found'));
    if (!this.acknowledge(session.management!, h)) return;
    session.resume(this)?.release('conflict');
    this.resource = session;
    this.phase = 'bound';
    this.push(Stanza.of(element('resumed', { xmlns: NS.sm, previd, h: session.management!.handled })));
    session.resend();
  }

  /** @returns false when the stream ended over it */
  private acknowledge(management: StreamManagement, h: number): boolean {
    if (management.acknowledge(h) === 'taken') return true;
    const detail = element('handled-count-too-high', { xmlns: NS.sm, h, 'send-count': management.sent });
    this.fail('undefined-condition', undefined, detail);
    return false;
  }

  // --- what goes to the client ---------------------------------------------------------------

  /** @internal Hands an element over, or keeps it while the stream is paused. */
  push(stanza: Stanza): void {
    this.outlet.push(stanza);
  }

  /** @internal Too much waits: the stream ends, in its turn. */
  overflow(): void {
    if (this.overflowing) return;
    this.overflowing = true;
    this.server.enqueue(this, { run: () => this.fail('resource-constraint', 'the client reads too slowly') });
  }

  // --- the end -------------------------------------------------------------------------------

  /** @internal Ends the stream with an error of the server's (RFC 6120, section 4.9). */
  fail(condition: StreamErrorCondition, text?: string, detail?: Element): void {
    if (this.phase === 'ended') return;
    this.finish({ reason: 'closed', message: `stream error ${condition}` }, streamError(condition, text, detail));
  }

  /** @internal The resource is no longer this stream's. @returns the stanzas that were not handed over */
  release(condition?: 'conflict'): Stanza[] {
    this.resource = undefined;
    const undelivered = this.outlet.takeStanzas();
    if (condition) this.fail(condition);
    return undelivered;
  }

  private finish(end: UpstreamEnd, error?: Stanza): void {
    this.phase = 'ended';
    if (this.resource) this.server.unbind(this.resource);
    if (error) {
      if (!this.opened) this.answerHeader();
      this.push(error);
    }
    this.outlet.push({ end });
    this.server.remove(this);
  }

  /** The connection broke: with stream management the session waits for the client to come back. */
  private lose(): void {
    const { resource } = this;
    if (this.phase !== 'ended') {
      this.phase = 'ended';
      if (resource?.management?.resumable) {
        this.resource = undefined;
        resource.hibernate();
      } else if (resource) {
        this.server.unbind(resource);
      }
      this.server.remove(this);
    }
    this.outlet.end({ reason: 'aborted' });
  }
}
