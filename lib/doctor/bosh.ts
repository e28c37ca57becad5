import { randomInt } from 'node:crypto';
import { escapeAttribute, NS, Stanza } from '../xml/index.js';
import { messageOf, type Answer, type Asked, type Examination } from './examination.js';
import { adviceFor } from './websocket.js';

/** Milliseconds in which an answer that is not held comes. */
const SOON = 1000;
/** Milliseconds between two answers that leave the app together. */
const TOGETHER = 1500;
/** More than the app takes unless it is told otherwise, 256 KiB. */
const TOO_LARGE = 300_000;

const PROXY_STATUS = 'mostly a proxy: see its log, and docs/DEPLOYMENT.md';

/** A `<body/>` and the HTTP answer around it. */
export interface BodyAnswer extends Answer {
  readonly body: Stanza;
}

/** A session that keeps to the rules of XEP-0124. */
export class BoshSession {
  private rid = randomInt(1, 2 ** 40);
  /** What the session was granted. */
  created!: BodyAnswer;

  constructor(
    private readonly examination: Examination,
    private readonly url: URL,
  ) {}

  /** Asks for a session. @throws Error for what is no answer of XEP-0124 */
  async create(domain: string, wait: number): Promise<BodyAnswer> {
    const attributes = `to="${escapeAttribute(domain)}" ver="1.11" wait="${wait}" hold="1" xml:lang="en" xmpp:version="1.0"`;
    this.created = await this.post(attributes, { timeout: this.examination.patience + SOON });
    return this.created;
  }

  get sid(): string | undefined {
    return this.created.body.attribute('sid');
  }

  /** Seconds that a request is held. */
  get wait(): number {
    return Number(this.created.body.attribute('wait') ?? 0);
  }

  /** The next request. */
  async send(attributes = '', asked: Asked = {}): Promise<BodyAnswer> {
    this.rid++;
    return await this.post(`sid="${escapeAttribute(this.sid ?? '')}" ${attributes}`, asked);
  }

  private async post(attributes: string, asked: Asked): Promise<BodyAnswer> {
    const text = `<body xmlns="${NS.httpbind}" xmlns:xmpp="${NS.xbosh}" rid="${this.rid}" ${attributes}/>`;
    const answer = await postTo(this.examination, this.url, text, asked);
    if (answer.status !== 200) throw new Error(`HTTP ${answer.status}`);
    return { ...answer, body: Stanza.parse(answer.text) };
  }
}

/** The endpoint of XEP-0124 and XEP-0206. @param known the domain that is served, where that was found out */
export async function examineBosh(examination: Examination, url: URL, known: string | undefined): Promise<string | undefined> {
  if (!(await examinePreflight(examination, url))) return undefined;
  for (const domain of known === undefined ? examination.domains : [known]) {
    const session = new BoshSession(examination, url);
    let created: BodyAnswer;
    try {
      created = await session.create(domain, 10);
    } catch (error) {
      examination.problem('bosh', `${url.href}: no session: ${messageOf(error)}`, PROXY_STATUS);
      return undefined;
    }
    const { body } = created;
    const condition = body.attribute('type') === 'terminate' ? (body.attribute('condition') ?? 'none') : undefined;
    if (condition === 'host-unknown') continue;
    if (condition !== undefined || session.sid === undefined) {
      examination.problem('bosh', `no session for ${domain}: ${condition ?? 'no sid'}`, adviceFor(condition));
      return undefined;
    }
    const granted = ['wait', 'hold', 'inactivity'].map((name) => `${name} ${body.attribute(name) ?? '-'}`).join(', ');
    examination.ok('bosh', `${url.href}: a session with ${domain}: ${granted}`);
    reportAnswer(examination, created);
    await examineHolding(examination, session, created);
    await examineErrors(examination, url);
    return domain;
  }
  examination.problem('bosh', `it serves none of ${examination.domains.join(', ')}`, 'name the XMPP domain with --domain, or see the option domains');
  return undefined;
}

async function postTo(examination: Examination, url: URL, body: string, asked: Asked = {}): Promise<Answer> {
  const headers = { 'Content-Type': 'text/xml; charset=utf-8', 'Origin': examination.origin };
  return await examination.ask(url, { method: 'POST', headers, body, ...asked });
}

/** @returns whether anybody answers there */
async function examinePreflight(examination: Examination, url: URL): Promise<boolean> {
  const headers = {
    'Origin': examination.origin,
    'Access-Control-Request-Method': 'POST',
    'Access-Control-Request-Headers': 'content-type',
  };
  try {
    const answer = await examination.ask(url, { method: 'OPTIONS', headers });
    const allowed = answer.headers['access-control-allow-headers'] ?? '';
    if (answer.status >= 300 || !examination.isReadable(answer) || !/\*|content-type/i.test(allowed)) {
      const advice = 'let OPTIONS through to the app, and see the option origins';
      examination.warn('bosh', `pages of other sites are refused before they ask (preflight: HTTP ${answer.status})`, advice);
    } else {
      examination.ok('bosh', 'pages of other sites may ask');
    }
    return true;
  } catch (error) {
    examination.problem('bosh', `${url.href}: ${messageOf(error)}`, 'check name, port and proxy; the address is that of host-meta');
    return false;
  }
}

function reportAnswer(examination: Examination, answer: BodyAnswer): void {
  const { 'content-type': type = 'none', 'transfer-encoding': encoding } = answer.headers;
  if (!type.startsWith('text/xml')) examination.warn('bosh', `answers are ${type}`, 'let them be text/xml; charset=utf-8, as the app sends them');
  if (!examination.isReadable(answer)) {
    examination.problem('bosh', 'pages of other sites cannot read answers', 'see the option origins, and what removes headers of CORS');
  }
  if (encoding) {
    examination.warn('bosh', 'answers come in chunks, which several desktop clients cannot read', 'see what the proxy does with them: compression, filters');
  }
}

/** A request is held until another one makes the app answer. */
async function examineHolding(examination: Examination, session: BoshSession, created: BodyAnswer): Promise<void> {
  try {
    if (!/features/.test(created.text)) await session.send(); // brings them
    const held = session.send();
    held.catch(() => {});
    const early = await Promise.race([held, new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), SOON))]);
    if (early) {
      examination.problem('bosh', 'a request without news is answered at once: clients will ask without end', 'see what answers instead of the app');
    } else {
      examination.ok('bosh', 'a request without news is held');
    }
    const ended = await session.send('type="terminate"');
    const released = await held;
    const apart = Math.abs(released.at - ended.at);
    if (apart > TOGETHER) {
      const advice = 'switch buffering off for this path (docs/DEPLOYMENT.md)';
      examination.warn('bosh', `an answer came ${Math.round(apart / 100) / 10} s after another that left with it`, advice);
    }
    if (released.body.attribute('type') !== 'terminate' && ended.body.attribute('type') !== 'terminate') {
      examination.warn('bosh', 'the end of a session is not told', 'see the log of the app');
    } else {
      examination.ok('bosh', 'the end of a session is told');
    }
  } catch (error) {
    examination.problem('bosh', `a session breaks: ${messageOf(error)}`, `${PROXY_STATUS}; without a cluster, requests of a session must reach one node`);
  }
}

/** What goes wrong must be told so that pages can read it. */
async function examineErrors(examination: Examination, url: URL): Promise<void> {
  const cases = [
    { what: 'a session that is gone', body: `<body xmlns="${NS.httpbind}" rid="1" sid="nestjs-xmpp-doctor"/>`, status: 200, advice: 'see what changes answers of the app' },
    { what: 'a body that is too large', body: 'x'.repeat(TOO_LARGE), status: 413, advice: 'let the proxy pass bodies of 1 MB: the app refuses them itself (client_max_body_size)' },
  ];
  let readable = 0;
  for (const { what, body, status, advice } of cases) {
    try {
      const answer = await postTo(examination, url, body);
      if (!examination.isReadable(answer) || !answer.text.startsWith('<body')) {
        examination.warn('bosh', `pages of other sites cannot read what is said of ${what} (HTTP ${answer.status})`, advice);
      } else if (answer.status !== 200 && answer.status !== status) {
        examination.warn('bosh', `${what}: HTTP ${answer.status}, which some clients take for a fault to try again`, 'see what changes answers of the app');
      } else readable++;
    } catch {
      examination.note('bosh', `${what}: the connection was cut without an answer`);
    }
  }
  if (readable === cases.length) examination.ok('bosh', 'pages of other sites can read errors');
}
