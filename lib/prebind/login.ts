import { Timeout, type Clock } from '../clock.js';
import { saslLoginOf, type XmppLogin } from '../login/index.js';
import { chooseMechanism, decodeSasl, encodeSasl, saslClient, SaslError, type SaslClient } from '../sasl/index.js';
import { PrebindError, unguessable, type Client, type ClientSession, type EndReason, type PrebindFailure, type SessionEnd } from '../session/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import { element, NS, Stanza, type Element } from '../xml/index.js';

/** Whom the login is for. */
export interface Visitor {
  /** IP address. */
  readonly address: string;
  readonly secure: boolean;
}

/** What an end means that came before the login was done. */
const FAILURES: Partial<Record<EndReason, PrebindFailure>> = {
  'upstream-closed': 'upstream-failed',
  'upstream-error': 'upstream-failed',
  'upstream-failed': 'upstream-failed',
  'auth-timeout': 'timeout',
};

/** What a failure of SASL means, if not that the credentials are wrong (RFC 6120, section 6.5). */
const REFUSALS: Readonly<Record<string, PrebindFailure>> = {
  'invalid-mechanism': 'no-mechanism',
  'mechanism-too-weak': 'no-mechanism',
  'encryption-required': 'no-mechanism',
  'temporary-auth-failure': 'refused',
  'aborted': 'refused',
};

/**
 * A client that lives here: logs in and binds a resource (RFC 6120, sections 6 and 7; RFC 3921, section 3), and keeps
 * what comes then for the one who takes its place.
 */
export class Login implements Client {
  readonly transport = 'bosh';
  readonly address: string;
  readonly port = 0;
  readonly secure: boolean;
  /** What came after the resource was bound. */
  readonly undelivered: Stanza[] = [];

  private state: 'authenticating' | 'binding' | 'establishing' | 'done' | 'over' = 'authenticating';
  private session!: ClientSession;
  private sasl: SaslClient | undefined;
  private needsSession = false;
  /** Of the request whose answer is awaited; nobody else can answer it. */
  private id = '';
  private ended: SessionEnd | undefined;
  private readonly timeout: Timeout;
  private resolve!: () => void;
  private reject!: (error: Error) => void;
  private readonly outcome: Promise<void>;

  constructor(
    { address, secure }: Visitor,
    private readonly login: XmppLogin,
    private readonly resource: string | undefined,
    clock: Clock,
  ) {
    this.address = address;
    this.secure = secure;
    this.timeout = new Timeout(clock, () => this.fail('timeout', 'not logged in in time'));
    this.outcome = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** How the session ended, if it did. */
  get end(): SessionEnd | undefined {
    return this.ended;
  }

  /**
   * @param timeout milliseconds
   * @returns when a resource is bound
   * @throws {PrebindError}
   */
  async run(session: ClientSession, timeout: number): Promise<void> {
    this.session = session;
    this.timeout.start(timeout);
    await this.outcome;
  }

  // From the session.

  onOpen(_header: StreamHeader): void {}

  onStanza(stanza: Stanza): boolean {
    if (stanza.is('features', NS.streams)) this.onFeatures(stanza);
    else if (stanza.namespace === NS.sasl) this.onSasl(stanza);
    else if (this.isAwaited(stanza)) this.onAnswer(stanza);
    else if (this.state === 'establishing' || this.state === 'done') this.undelivered.push(stanza);
    return true;
  }

  onDrain(): void {}

  onEnd(end: SessionEnd): void {
    this.ended = end;
    if (this.state === 'done' || this.state === 'over') return;
    this.finish('over');
    this.reject(failureOf(end));
  }

  // The steps.

  private onFeatures(features: Stanza): void {
    if (this.state === 'authenticating' && !this.sasl) this.authenticate(features);
    else if (this.state === 'binding' && this.id === '') this.bind(features);
  }

  private authenticate(features: Stanza): void {
    const offers = features.child('mechanisms', NS.sasl)?.children() ?? [];
    const offered = new Set(offers.filter(({ name }) => name === 'mechanism').map((offer) => offer.text().trim()));
    const mechanism = chooseMechanism(offered, this.session.upstreamSecure, this.login.mechanism);
    if (!mechanism) return this.fail('no-mechanism', 'the server offers no mechanism that can be used');
    try {
      this.sasl = saslClient(mechanism, saslLoginOf(this.login, this.session.domain));
    } catch (error) {
      return this.failFor(error);
    }
    this.send(element('auth', { xmlns: NS.sasl, mechanism }, encodeSasl(this.sasl.initial)));
  }

  private onSasl(stanza: Stanza): void {
    const { sasl } = this;
    if (this.state !== 'authenticating' || !sasl) return;
    switch (stanza.name) {
      case 'challenge':
        return void this.respond(sasl, stanza.text());
      case 'success':
        return this.authenticated(sasl, stanza.text().trim());
      case 'failure': {
        const condition = stanza.children().find(({ name }) => name !== 'text')?.name ?? 'not-authorized';
        return this.fail(REFUSALS[condition] ?? 'not-authorized', `the server refused the login: ${condition}`, condition);
      }
    }
  }

  private async respond(sasl: SaslClient, challenge: string): Promise<void> {
    try {
      const response = await sasl.respond(decodeSasl(challenge));
      if (this.state === 'authenticating') this.send(element('response', { xmlns: NS.sasl }, encodeSasl(response)));
    } catch (error) {
      this.failFor(error);
    }
  }

  private authenticated(sasl: SaslClient, data: string): void {
    try {
      sasl.finish(data === '' ? undefined : decodeSasl(data));
    } catch (error) {
      return this.failFor(error);
    }
    this.state = 'binding';
    this.session.restart({ version: '1.0' });
  }

  private bind(features: Stanza): void {
    if (!features.child('bind', NS.bind)) return this.fail('untrusted', 'the server offers no resource binding');
    const session = features.child('session', NS.session);
    this.needsSession = session !== undefined && session.child('optional') === undefined;
    const { resource } = this;
    this.ask(element('bind', { xmlns: NS.bind }, resource === undefined ? undefined : element('resource', {}, resource)));
  }

  private ask(request: Element): void {
    this.id = unguessable();
    this.send(element('iq', { xmlns: NS.client, type: 'set', id: this.id }, request));
  }

  private isAwaited(stanza: Stanza): boolean {
    const waits = this.state === 'binding' || this.state === 'establishing';
    return waits && stanza.kind === 'iq' && this.id !== '' && stanza.attribute('id') === this.id;
  }

  private onAnswer(iq: Stanza): void {
    if (iq.attribute('type') !== 'result') {
      const condition = iq.child('error')?.children().find(({ namespace, name }) => namespace === NS.stanzaErrors && name !== 'text')?.name;
      const what = this.state === 'binding' ? 'resource' : 'session';
      return this.fail('refused', `the server refused a ${what}${condition ? `: ${condition}` : ''}`, condition);
    }
    if (this.state === 'binding' && this.needsSession) {
      this.state = 'establishing';
      return this.ask(element('session', { xmlns: NS.session }));
    }
    this.finish('done');
    this.resolve();
  }

  // The end.

  private failFor(error: unknown): void {
    if (error instanceof SaslError) return this.fail('untrusted', error.message);
    this.abandon(error instanceof Error ? error : new Error(String(error)));
  }

  private fail(reason: PrebindFailure, message: string, condition?: string): void {
    this.abandon(new PrebindError(reason, message, condition));
  }

  private abandon(error: Error): void {
    if (this.state === 'done' || this.state === 'over') return;
    this.finish('over');
    this.session.leave({ reason: 'error', text: error.message });
    this.reject(error);
  }

  private finish(state: 'done' | 'over'): void {
    this.state = state;
    this.sasl = undefined;
    this.timeout.stop();
  }

  private send(tree: Element): void {
    this.session.send(Stanza.of(tree));
  }
}

/** What a session's end means for a login. */
export function failureOf({ reason, condition, error, text }: SessionEnd): PrebindError {
  const told = condition ?? error?.children().find(({ namespace, name }) => namespace === NS.streamErrors && name !== 'text')?.name;
  const why = text ?? told ?? reason;
  return new PrebindError(FAILURES[reason] ?? 'refused', `the stream ended: ${why}`, told);
}
