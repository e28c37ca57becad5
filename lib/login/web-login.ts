import { Timeout, type Clock } from '../clock.js';
import { chooseMechanism, CLIENT_MECHANISMS, decodeSasl, encodeSasl, saslClient, type SaslClient } from '../sasl/index.js';
import type { LoginStream, SessionLogin } from '../session/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import { element, NS, Stanza, type Element } from '../xml/index.js';
import type { XmppLogin } from './credentials.js';
import { saslLoginOf } from './sasl-login.js';

/** What all web logins of an app have in common. */
export interface WebLoginContext {
  readonly clock: Clock;
  /** Milliseconds that the app may take for its credentials. */
  readonly timeout: number;
  readonly offer: 'only' | 'beside';
  readonly anonymous: boolean;
  /** Told why a login failed that the app should have made possible; no secret. */
  readonly onFailed: (domain: string, why: string) => void;
  /** Told what the app threw. */
  readonly onError: (error: unknown) => void;
}

/** SASL (RFC 6120, section 6), or SASL2 (XEP-0388): the client's choice. */
type Profile = typeof NS.sasl | typeof NS.sasl2;

const FAST = 'urn:xmpp:fast:0';
const MAX_ATTEMPTS = 3;
const MAX_AUTHZID = 3072;

/**
 * Offers a client SASL EXTERNAL, since its user is known from the web, and logs in at the server with what the app has
 * for that user. The client never sees it; what the server says of the login, it gets.
 */
export class WebLogin implements SessionLogin {
  /** The mechanisms of the server. */
  private readonly offered = new Map<Profile, Set<string>>();
  private state: 'idle' | 'asking' | 'busy' | 'done' = 'idle';
  private profile: Profile = NS.sasl;
  /** What came with the request of SASL2, to be passed on. */
  private inline: Stanza[] = [];
  private sasl: SaslClient | undefined;
  private attempts = 0;
  private aborted = false;
  /** Bare JID of the user, when it is logged in. */
  private jid: string | undefined;
  private readonly patience: Timeout;

  constructor(
    private readonly stream: LoginStream,
    /** Asks the app. */
    private readonly credentials: () => XmppLogin | undefined | Promise<XmppLogin | undefined>,
    private readonly context: WebLoginContext,
  ) {
    this.patience = new Timeout(context.clock, () => this.fail('temporary-auth-failure', 'the app did not give credentials in time'));
  }

  features(features: Stanza, passable: Stanza): Stanza {
    for (const list of features.children()) {
      if (list.is('mechanisms', NS.sasl)) this.offered.set(NS.sasl, mechanismsOf(list));
      if (list.is('authentication', NS.sasl2)) this.offered.set(NS.sasl2, mechanismsOf(list));
    }
    return passable.mapChildren((feature) => {
      if (feature.is('mechanisms', NS.sasl)) return this.offer(feature, NS.sasl);
      return feature.is('authentication', NS.sasl2) ? this.offer(feature, NS.sasl2) : feature;
    });
  }

  fromClient(stanza: Stanza): boolean {
    if (stanza.namespace !== NS.sasl && stanza.namespace !== NS.sasl2) return false;
    switch (stanza.name) {
      case 'auth':
      case 'authenticate':
        return this.onAuth(stanza, stanza.namespace);
      case 'response':
        if (this.state === 'idle') return false;
        if (this.state === 'asking') this.begin(stanza.text());
        else this.violate();
        return true;
      case 'abort':
        if (this.state === 'idle') return false;
        if (this.state === 'asking') this.tell('aborted');
        else this.aborted = true; // told with the outcome
        return true;
      default:
        return false;
    }
  }

  fromServer(stanza: Stanza): Stanza | undefined {
    const { sasl } = this;
    if (this.state !== 'busy' || !sasl || stanza.namespace !== this.profile) return stanza;
    switch (stanza.name) {
      case 'challenge':
        void this.respond(sasl, stanza.text());
        return undefined;
      case 'success':
      case 'continue':
        return this.onSuccess(sasl, stanza);
      case 'failure': {
        const condition = stanza.children().find(({ name }) => name !== 'text')?.name ?? 'not-authorized';
        this.fail(this.aborted ? 'aborted' : 'not-authorized', `the server refused the app's credentials: ${condition}`);
        return undefined;
      }
      default:
        return stanza;
    }
  }

  /** X5: who logged in as somebody cannot be somebody else. */
  accepts({ from }: StreamHeader): boolean {
    return from === undefined || this.jid === undefined || isSame(from, this.jid);
  }

  // What is offered.

  private offer(list: Stanza, profile: Profile): Stanza {
    const { offer, anonymous } = this.context;
    const server = this.offered.get(profile) ?? new Set();
    // There is nothing that we could log in with.
    if (!CLIENT_MECHANISMS.some((mechanism) => server.has(mechanism))) return list;
    const names = ['EXTERNAL', ...(anonymous ? ['ANONYMOUS'] : [])];
    if (offer === 'beside') for (const name of mechanismsOf(list)) if (!names.includes(name)) names.push(name);
    const others = list.children().filter(({ name }) => name !== 'mechanism');
    // A token would let the client in when the web app has long logged its user out.
    const kept = offer === 'only' ? others.map((child) => child.mapChildren((inner) => (inner.namespace === FAST ? undefined : inner))) : others;
    const mechanisms = names.map((name) => Stanza.of(element('mechanism', { xmlns: profile }, name)));
    const [tag] = Stanza.of(element(list.name, { xmlns: profile })).toString().split('/>', 1);
    return Stanza.parse(`${tag}>${[...mechanisms, ...kept].join('')}</${list.name}>`);
  }

  // What the client asks for.

  private onAuth(stanza: Stanza, profile: Profile): boolean {
    const mechanism = stanza.attribute('mechanism');
    const ours = mechanism === 'EXTERNAL' || (mechanism === 'ANONYMOUS' && this.context.anonymous);
    if (this.state === 'busy' || this.state === 'done') {
      this.violate();
      return true;
    }
    if (!ours) {
      this.state = 'idle';
      if (this.context.offer === 'beside') return false;
      this.profile = profile;
      this.tell('invalid-mechanism');
      return true;
    }
    this.profile = profile;
    this.aborted = false;
    this.inline = [];
    if (++this.attempts > MAX_ATTEMPTS) {
      this.violate();
      return true;
    }
    let data = stanza.text();
    if (profile === NS.sasl2) {
      data = stanza.child('initial-response', NS.sasl2)?.text() ?? '';
      this.inline = stanza.children().filter(({ name }) => name !== 'initial-response');
    }
    if (mechanism === 'ANONYMOUS') this.begin('=');
    else if (data.trim() === '') this.ask();
    else this.begin(data);
    return true;
  }

  /** No initial response (RFC 6120, section 6.4.2): whom the client would be is asked for. */
  private ask(): void {
    this.state = 'asking';
    this.stream.toClient(Stanza.of(element('challenge', { xmlns: this.profile })));
  }

  /** @param data the authorization identity, as it came */
  private begin(data: string): void {
    const text = data.trim();
    if (text.length > MAX_AUTHZID || !/^(?:=|[A-Za-z0-9+/]*={0,2})$/.test(text)) return this.tell('incorrect-encoding');
    const authzid = decodeSasl(text);
    this.state = 'busy';
    this.patience.start(this.context.timeout);
    const attempt = this.attempts;
    void Promise.resolve()
      .then(this.credentials)
      .then((login) => {
        if (this.isCurrent(attempt)) this.logIn(login, authzid);
      })
      .catch((error: unknown) => {
        this.context.onError(error);
        if (this.isCurrent(attempt)) this.tell('temporary-auth-failure');
      });
  }

  private isCurrent(attempt: number): boolean {
    return this.state === 'busy' && this.attempts === attempt && this.sasl === undefined;
  }

  private logIn(login: XmppLogin | undefined, authzid: string): void {
    const { domain } = this.stream;
    if (this.aborted) return this.tell('aborted');
    if (!login?.username) return this.tell('not-authorized');
    const jid = `${login.username}@${domain}`;
    for (const claimed of [authzid, this.stream.header().from ?? '']) {
      if (claimed !== '' && !isSame(claimed, jid)) return this.tell('invalid-authzid');
    }
    const mechanism = chooseMechanism(this.offered.get(this.profile) ?? new Set(), this.stream.secure(), login.mechanism);
    if (!mechanism) return this.fail('temporary-auth-failure', 'the server offers no mechanism that can be used');
    try {
      this.sasl = saslClient(mechanism, saslLoginOf(login, domain));
    } catch (error) {
      this.context.onError(error);
      return this.tell('temporary-auth-failure');
    }
    this.jid = jid;
    const initial = encodeSasl(this.sasl.initial);
    if (this.profile === NS.sasl) return this.send(element('auth', { xmlns: NS.sasl, mechanism }, initial));
    const request = Stanza.of(element('authenticate', { xmlns: NS.sasl2, mechanism }, element('initial-response', {}, initial)));
    const end = request.toString().lastIndexOf('</');
    this.stream.toServer(Stanza.parse(request.toString().slice(0, end) + this.inline.join('') + request.toString().slice(end)));
  }

  // What the server says.

  private async respond(sasl: SaslClient, challenge: string): Promise<void> {
    try {
      const response = await sasl.respond(decodeSasl(challenge));
      if (this.sasl === sasl) this.send(element('response', { xmlns: this.profile }, encodeSasl(response)));
    } catch (error) {
      this.distrust(error);
    }
  }

  private onSuccess(sasl: SaslClient, stanza: Stanza): Stanza | undefined {
    const data = this.profile === NS.sasl ? stanza.text() : (stanza.child('additional-data', NS.sasl2)?.text() ?? '');
    try {
      sasl.finish(data.trim() === '' ? undefined : decodeSasl(data));
    } catch (error) {
      this.distrust(error);
      return undefined;
    }
    this.settle('done');
    if (this.profile === NS.sasl) return Stanza.of(element('success', { xmlns: NS.sasl }));
    return stanza.mapChildren((child) => (child.name === 'additional-data' ? undefined : child));
  }

  /** The server does not know the password, and yet says that all is well: it is not the one that we took it for. */
  private distrust(error: unknown): void {
    this.context.onFailed(this.stream.domain, error instanceof Error ? error.message : 'unknown error');
    this.settle('done');
    this.stream.end({ reason: 'error', condition: 'remote-connection-failed', text: 'the server could not be trusted' });
  }

  // Ends.

  private violate(): void {
    this.settle('done');
    this.stream.end({ reason: 'error', condition: 'policy-violation', text: 'not the time to authenticate' });
  }

  private fail(condition: string, why: string): void {
    this.context.onFailed(this.stream.domain, why);
    this.tell(condition);
  }

  /** It may try again. */
  private tell(condition: string): void {
    this.settle('idle');
    this.jid = undefined;
    const found = element(condition, this.profile === NS.sasl ? {} : { xmlns: NS.sasl });
    this.stream.toClient(Stanza.of(element('failure', { xmlns: this.profile }, found)));
  }

  private settle(state: 'idle' | 'done'): void {
    this.state = state;
    this.sasl = undefined;
    this.inline = [];
    this.patience.stop();
  }

  private send(tree: Element): void {
    this.patience.stop();
    this.stream.toServer(Stanza.of(tree));
  }
}

function mechanismsOf(list: Stanza): Set<string> {
  return new Set(list.children().filter(({ name }) => name === 'mechanism').map((child) => child.text().trim()));
}

/** Whether a JID that a client names is that of a user, whatever the resource. */
function isSame(claimed: string, bare: string): boolean {
  const [name = ''] = claimed.split('/', 1);
  return name.normalize('NFKC').toLowerCase() === bare.normalize('NFKC').toLowerCase();
}
