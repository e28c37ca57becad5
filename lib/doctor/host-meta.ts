import { Stanza } from '../xml/index.js';
import { messageOf, type Answer, type Examination } from './examination.js';

const WEBSOCKET = 'urn:xmpp:alt-connections:websocket';
const BOSH = 'urn:xmpp:alt-connections:xbosh';
const XRD = 'http://docs.oasis-open.org/ns/xri/xrd-1.0';

/** Where clients are sent. */
export interface Endpoints {
  readonly websocket: URL;
  readonly bosh: URL;
}

type Links = Readonly<Record<string, readonly string[]>>;

const FORMS = [
  { path: '/.well-known/host-meta', name: 'XRD', type: 'application/xrd+xml', read: readXrd },
  { path: '/.well-known/host-meta.json', name: 'JRD', type: 'application/json', read: readJrd },
] as const;

/** Both documents of XEP-0156. @returns what they name; where they do not, the usual paths */
export async function examineHostMeta(examination: Examination): Promise<Endpoints> {
  const [xrd, jrd] = [await examineForm(examination, FORMS[0]), await examineForm(examination, FORMS[1])];
  const found = xrd ?? jrd ?? {};
  if (xrd && jrd && JSON.stringify(xrd) !== JSON.stringify(jrd)) {
    examination.warn('host-meta', 'XRD and JRD name different endpoints', 'serve both from the same app');
  }
  return {
    websocket: endpointOf(examination, found, WEBSOCKET, 'WebSocket', '/xmpp-websocket'),
    bosh: endpointOf(examination, found, BOSH, 'BOSH', '/http-bind'),
  };
}

async function examineForm(examination: Examination, { path, name, type, read }: (typeof FORMS)[number]): Promise<Links | undefined> {
  let answer: Answer;
  try {
    answer = await examination.ask(new URL(path, examination.base), { headers: { Origin: examination.origin } });
  } catch (error) {
    examination.problem('host-meta', `${path}: ${messageOf(error)}`, 'clients that are given a domain find nothing: route this path to the app');
    return undefined;
  }
  if (answer.status !== 200) {
    const advice = 'clients that are given a domain find nothing: route this path to the app, past logins and redirects';
    examination.problem('host-meta', `${path}: HTTP ${answer.status}`, advice);
    return undefined;
  }
  if (!examination.isReadable(answer)) {
    const advice = 'send "Access-Control-Allow-Origin: *" with it; the app does, so see what removes it';
    examination.problem('host-meta', `${name}: pages of other sites may not read it`, advice);
  }
  const given = answer.headers['content-type'] ?? 'none';
  if (!given.startsWith(type)) examination.warn('host-meta', `${name}: its type is ${given}`, `serve it as ${type}`);
  try {
    const links = read(answer.text);
    examination.ok('host-meta', `${name}: ${Object.values(links).flat().join(', ') || 'no links'}`);
    return links;
  } catch (error) {
    examination.problem('host-meta', `${name}: cannot be read: ${messageOf(error)}`, 'see what answers there: it is not the app');
    return undefined;
  }
}

function endpointOf(examination: Examination, links: Links, rel: string, name: string, path: string): URL {
  const hrefs = links[rel] ?? [];
  const { base } = examination;
  const usual = new URL(path, base);
  usual.protocol = rel === WEBSOCKET ? base.protocol.replace('http', 'ws') : base.protocol;
  if (hrefs.length === 0) {
    examination.warn('host-meta', `no link for ${name}; looking at ${usual.href}`, 'clients that look for it will not find it');
    return usual;
  }
  if (hrefs.length > 1) examination.warn('host-meta', `${hrefs.length} links for ${name}`, 'name one: clients differ in which they take');
  const [href] = hrefs as [string];
  if (!URL.canParse(href)) {
    examination.problem('host-meta', `the link for ${name} is no URL: ${href}`, 'see hostMeta.url');
    return usual;
  }
  const url = new URL(href);
  if (!/^(wss|https):$/.test(url.protocol)) {
    const text = `the link for ${name} is ${url.protocol} and clients take only ${rel === WEBSOCKET ? 'wss:' : 'https:'}`;
    if (base.protocol === 'http:' && examination.local) examination.note('host-meta', text);
    else {
      const advice = 'behind a proxy: set trustProxy, and let the proxy send X-Forwarded-Proto; or set hostMeta.url';
      examination.problem('host-meta', text, advice);
      // As clients that ignore the link would be told by hand.
      return usual;
    }
  }
  return url;
}

function readXrd(text: string): Links {
  const document = Stanza.parse(text);
  if (document.name !== 'XRD' || document.namespace !== XRD) throw new Error(`a <${document.name}/> instead of an <XRD/>`);
  return group(document.children().map((child) => ({ rel: child.attribute('rel'), href: child.attribute('href') })));
}

function readJrd(text: string): Links {
  const { links } = JSON.parse(text) as { links?: { rel?: string; href?: string }[] };
  if (!Array.isArray(links)) throw new Error('it has no list of links');
  return group(links);
}

function group(links: readonly { rel?: string | undefined; href?: string | undefined }[]): Links {
  const found: Record<string, string[]> = {};
  for (const { rel, href } of links) {
    if ((rel === WEBSOCKET || rel === BOSH) && href !== undefined) (found[rel] ??= []).push(href);
  }
  return found;
}
