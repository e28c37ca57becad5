import { createHash } from 'node:crypto';
import { element, NS, Stanza } from '../../../../xml/index.js';
import type { EmbeddedResource } from '../../service.js';
import { XMLNS } from '../namespaces.js';

/** Sets of features that are remembered by their hash; the oldest goes first. */
const MAX_CACHED = 1000;

/** XEP-0115 names the hash functions as IANA does. */
const HASHES: Readonly<Record<string, string>> = {
  md5: 'md5',
  'sha-1': 'sha1',
  'sha-224': 'sha224',
  'sha-256': 'sha256',
  'sha-384': 'sha384',
  'sha-512': 'sha512',
};

type Features = ReadonlySet<string>;
const NONE: Features = new Set();

interface Question {
  readonly resource: EmbeddedResource;
  readonly key: string;
  readonly hash: string | undefined;
  readonly ver: string;
}

/**
 * Entity capabilities (XEP-0115): which features a resource has. The first resource that shows a
 * hash is asked; what it answers holds for all others with that hash if the hash is right.
 */
export class Capabilities {
  private readonly cache = new Map<string, Features>();
  private readonly known = new WeakMap<EmbeddedResource, { key: string; features: Features }>();
  private readonly questions = new Map<string, Question>();
  private asked = 0;

  /** @param onKnown the features of a resource became known or changed; `before` is what they had been */
  constructor(private readonly onKnown: (resource: EmbeddedResource, features: Features, before: Features) => void) {}

  /** What is known now; nothing while a resource has not answered. */
  of(resource: EmbeddedResource): Features {
    return this.known.get(resource)?.features ?? NONE;
  }

  /** Looks at what a resource announces with its presence, and asks it when that is new. */
  onPresence(resource: EmbeddedResource, presence: Stanza, initial: boolean): void {
    if (initial) this.known.delete(resource); // what it had been told before, it is told again
    const caps = presence.child('c', XMLNS.caps);
    const node = caps?.attribute('node');
    const ver = caps?.attribute('ver');
    if (node === undefined || ver === undefined) return;
    const hash = caps!.attribute('hash');
    // Without a hash it is the obsolete form, which says nothing about others: for this resource only.
    const key = hash === undefined ? `${node}#${ver} ${resource.jid}` : `${hash} ${ver}`;
    if (this.known.get(resource)?.key === key) return;
    const cached = this.cache.get(key);
    if (cached) this.learn(resource, key, cached);
    else this.ask(resource, { resource, key, hash, ver }, `${node}#${ver}`);
  }

  onAnswer(stanza: Stanza, resource: EmbeddedResource): void {
    const id = stanza.attribute('id') ?? '';
    const question = this.questions.get(id);
    if (question?.resource !== resource) return;
    this.questions.delete(id);
    const info = stanza.attribute('type') === 'result' ? stanza.child('query', XMLNS.discoInfo) : undefined;
    if (!info) return;
    const { key, hash, ver } = question;
    const features = new Set<string>();
    for (const child of info.children()) if (child.name === 'feature') features.add(child.attribute('var') ?? '');
    const algorithm = hash !== undefined && Object.hasOwn(HASHES, hash) ? HASHES[hash] : undefined;
    const proven = algorithm !== undefined && verificationHash(info, algorithm) === ver;
    this.learn(resource, key, features);
    if (!proven) return;
    this.remember(key, features);
    for (const [other, { resource: waiting, key: same }] of this.questions) {
      if (same !== key) continue;
      this.questions.delete(other);
      this.learn(waiting, key, features);
    }
  }

  onGone(resource: EmbeddedResource): void {
    this.known.delete(resource);
    for (const [id, question] of this.questions) if (question.resource === resource) this.questions.delete(id);
  }

  private ask(resource: EmbeddedResource, question: Question, node: string): void {
    // An answer about what it announced before is worth nothing now.
    for (const [id, { resource: same }] of this.questions) if (same === resource) this.questions.delete(id);
    const id = `caps-${++this.asked}`;
    this.questions.set(id, question);
    resource.deliver(
      Stanza.of(
        element(
          'iq',
          { xmlns: NS.client, type: 'get', id, from: resource.jid.domain, to: resource.jid.toString() },
          element('query', { xmlns: XMLNS.discoInfo, node }),
        ),
      ),
    );
  }

  private learn(resource: EmbeddedResource, key: string, features: Features): void {
    const before = this.of(resource);
    this.known.set(resource, { key, features });
    this.onKnown(resource, features, before);
  }

  private remember(key: string, features: Features): void {
    for (const oldest of this.cache.keys()) {
      if (this.cache.size < MAX_CACHED) break;
      this.cache.delete(oldest);
    }
    this.cache.set(key, features);
  }
}

/**
 * The verification string of a disco#info result, hashed (XEP-0115, section 5.1).
 * @returns undefined for a result that proves nothing: with something twice, or with a `<` that makes two
 * results look like one (section 5.4)
 */
function verificationHash(info: Stanza, algorithm: string): string | undefined {
  const identities: string[] = [];
  const features: string[] = [];
  const forms: (readonly [type: string, text: string])[] = [];
  let ambiguous = false;
  const plain = (value: string | undefined): string => {
    ambiguous ||= value?.includes('<') ?? false;
    return value ?? '';
  };
  for (const child of info.children()) {
    if (child.name === 'identity') {
      identities.push(['category', 'type', 'xml:lang', 'name'].map((name) => plain(child.attribute(name))).join('/'));
    } else if (child.name === 'feature') features.push(plain(child.attribute('var')));
    else if (child.is('x', XMLNS.form)) forms.push(formString(child, plain));
  }
  if (ambiguous || [identities, features, forms.map(([type]) => type)].some((all) => new Set(all).size < all.length)) {
    return undefined;
  }
  const text = [
    ...identities.sort(byBytes).map((identity) => `${identity}<`),
    ...features.sort(byBytes).map((feature) => `${feature}<`),
    ...forms.sort(([a], [b]) => byBytes(a, b)).map(([, form]) => form),
  ].join('');
  return createHash(algorithm).update(text).digest('base64');
}

function formString(form: Stanza, plain: (value: string) => string): readonly [type: string, text: string] {
  let type = '';
  const fields: [name: string, text: string][] = [];
  for (const field of form.children()) {
    if (field.name !== 'field') continue;
    const name = plain(field.attribute('var') ?? '');
    const values = field
      .children()
      .filter((child) => child.name === 'value')
      .map((value) => plain(value.text()))
      .sort(byBytes);
    if (name === 'FORM_TYPE') type = values[0] ?? '';
    else fields.push([name, [name, ...values].map((part) => `${part}<`).join('')]);
  }
  return [type, `${type}<${fields.sort(([a], [b]) => byBytes(a, b)).map(([, text]) => text).join('')}`];
}

/** The i;octet collation of RFC 4790. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
