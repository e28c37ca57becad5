import { NS, type Stanza } from '../xml/index.js';

/** What stands where a secret stood: it says nothing of it, not even its length. */
export const MASK = '***';

/** What may be seen of an element that carries secrets, and of all that is in it: the rest is masked. */
interface Rule {
  /** By their names as written. */
  readonly attributes?: ReadonlySet<string>;
  /** Elements, by local name, whose text may be seen. */
  readonly text?: ReadonlySet<string>;
}

const NOTHING: Rule = {};
const FORM = ['title', 'instructions'];
const FIELD = ['var', 'type', 'label'];

/** RFC 6120, section 6; also as the lists of stream features have it. */
const SASL = rule(['mechanism', 'xml:lang'], ['mechanism', 'text']);
/** XEP-0388, with what stands in it: Bind 2, FAST and stream management. */
const SASL2 = rule(
  ['mechanism', 'xml:lang', 'var', 'h', 'max', 'resume', 'tls-0rtt', 'expiry', 'count'],
  ['mechanism', 'text', 'task', 'upgrade', 'authorization-identifier', 'software', 'device', 'tag'],
);
/** XEP-0198: whoever has an id can take over the stream. */
const STREAM_MANAGEMENT = rule(['h', 'max', 'resume', 'xml:lang'], ['text']);
/** XEP-0078 */
const LEGACY_AUTH = rule([], ['username', 'resource']);
/** XEP-0077 */
const REGISTRATION = rule(FIELD, ['username', ...FORM]);

const BY_NAMESPACE: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  [NS.sasl, SASL],
  ['jabber:iq:auth', LEGACY_AUTH],
  ['jabber:iq:register', REGISTRATION],
  // XEP-0049: what it is for, the client alone knows.
  ['jabber:iq:private', NOTHING],
  // XEP-0235
  ['urn:xmpp:oauth:0', NOTHING],
]);

/** All versions of a protocol, also those to come. */
const BY_PREFIX: readonly (readonly [prefix: string, rule: Rule])[] = [
  ['urn:xmpp:sasl:', SASL2],
  ['urn:xmpp:fast:', SASL2],
  ['urn:xmpp:sm:', STREAM_MANAGEMENT],
  ['https://xmpp.org/extensions/isr/', STREAM_MANAGEMENT],
];

/** Elements of any namespace whose name says what they hold. */
const SECRET_ELEMENTS: ReadonlySet<string> = new Set(['password', 'passwd', 'passphrase', 'secret', 'secretkey', 'token']);
/** The same of attributes, by local name: `previd` is that of a stream to resume, `pwd` that of a media stream (XEP-0176). */
const SECRET_ATTRIBUTES: ReadonlySet<string> = new Set(['password', 'passwd', 'pwd', 'secret', 'token', 'previd', 'newkey']);
/** On the envelopes of the transports, beside those: XEP-0124, XEP-0206 and Shared BOSH. */
const ENVELOPE_ATTRIBUTES: ReadonlySet<string> = new Set(['sid', 'key', 'authid']);
/** Of a client that mistook the namespace. */
const SASL_ELEMENTS: ReadonlySet<string> = new Set(['auth', 'authenticate', 'challenge', 'response', 'success']);
/** Names of fields in forms (XEP-0004), beside those of type `text-private`. */
const SECRET_FIELD = /password|passwd|passphrase|secret|token|credential/i;

/** Elements that hold a secret under a name that says nothing, as namespace and name. */
const SECRET_PLACES: ReadonlySet<string> = new Set([
  // Our client's key of a shared session, in PEP.
  'urn:nestjs-xmpp:shared:0 key',
  // XEP-0363: an upload's URL and headers are its permission.
  'urn:xmpp:http:upload:0 put',
]);

/** Deeper inside, nothing is looked at, and nothing shown. */
const MAX_DEPTH = 32;

/**
 * A copy that may be logged: SASL, SASL2, FAST tokens, legacy logins, registration, stream management ids, private
 * storage, passwords and tokens by name, and, of a `<body/>` or `<open/>`, sids, keys and tickets are masked. What the
 * user says to others is not.
 *
 * Decides by the names and namespaces of elements, and where secrets are expected shows only what is known to be none.
 * @publicApi
 * @returns the stanza itself where there is nothing to hide
 */
export function redact(stanza: Stanza): Stanza {
  const namespaced = ruleOf(stanza);
  if (namespaced) return conceal(stanza, namespaced, 0);
  if (stanza.kind === undefined && SASL_ELEMENTS.has(stanza.name)) return conceal(stanza, SASL, 0);
  return search(stanza, 0);
}

/** Hides what is secret in an element that may be seen. */
function search(element: Stanza, depth: number): Stanza {
  if (depth > MAX_DEPTH) return conceal(element, NOTHING, depth);
  const own = ruleOf(element);
  if (own) return conceal(element, own, depth);
  const seen = withoutAttributes(element, (name) => isSecretAttribute(element, name));
  // What a <body/> wraps is as if it stood alone.
  const wraps = element.namespace === NS.httpbind && depth === 0;
  return seen.mapChildren((child) => (wraps ? redact(child) : search(child, depth + 1)));
}

function ruleOf({ namespace, name, attributes }: Stanza): Rule | undefined {
  const byNamespace = BY_NAMESPACE.get(namespace) ?? BY_PREFIX.find(([prefix]) => namespace.startsWith(prefix))?.[1];
  if (byNamespace) return byNamespace;
  if (SECRET_ELEMENTS.has(name) || SECRET_PLACES.has(`${namespace} ${name}`)) return NOTHING;
  if (name !== 'field' || namespace !== 'jabber:x:data') return undefined;
  const secret = attributes.get('type') === 'text-private' || SECRET_FIELD.test(attributes.get('var') ?? '');
  return secret ? FIELD_RULE : undefined;
}

const FIELD_RULE = rule(FIELD, []);

function isSecretAttribute({ namespace }: Stanza, name: string): boolean {
  const local = name.slice(name.indexOf(':') + 1);
  if (SECRET_ATTRIBUTES.has(local)) return true;
  return (namespace === NS.httpbind || namespace === NS.framing) && ENVELOPE_ATTRIBUTES.has(local);
}

/** Hides all of an element but what the rule names. */
function conceal(element: Stanza, shown: Rule, depth: number): Stanza {
  const seen = withoutAttributes(element, (name) => !shown.attributes?.has(name));
  if (depth > MAX_DEPTH) return seen.withContent([MASK]);
  const inside = (child: Stanza): Stanza => conceal(child, shown, depth + 1);
  if (shown.text?.has(seen.name) || seen.text().trim() === '') return seen.mapChildren(inside);
  return seen.withContent([MASK, ...seen.children().map(inside)]);
}

function withoutAttributes(element: Stanza, isSecret: (name: string) => boolean): Stanza {
  const hidden: Record<string, string> = {};
  let found = false;
  for (const [name, value] of element.attributes) {
    if (value === '' || !isSecret(name)) continue;
    hidden[name] = MASK;
    found = true;
  }
  return found ? element.with(hidden) : element;
}

function rule(attributes: readonly string[], text: readonly string[]): Rule {
  return { attributes: new Set(attributes), text: new Set(text) };
}
