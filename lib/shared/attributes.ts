import type { SharedOpening } from '../session/index.js';
import { escapeAttribute, Scanner, type Stanza } from '../xml/index.js';
import { SHARED_BOSH, SHARED_EXTENSIONS } from './namespaces.js';

/** What a client says about sharing: on `<body/>` or `<open/>`, by namespace, whatever the prefixes are. */
export interface SharedAttributes {
  /** `shared:key`, of the request that opens a session. */
  readonly key: string | undefined;
  /** `attach-only`: it does not want to create a session. */
  readonly attachOnly: boolean;
  /** `shared:newkey`: the key that replaces the present one. */
  readonly newKey: string | undefined;
  /** `scope`, on the request that ends the session: for everybody. */
  readonly scope: 'all' | undefined;
}

/** For the start tags of what was accepted before: wider than any limit on the way in. */
const TAGS = new Scanner({ maxDepth: 1, maxAttributes: 1024, maxNamespaces: 31, maxNameBytes: 1024, maxValueBytes: Infinity });

/**
 * Reads the attributes of an envelope.
 * @param attributes by names as written
 * @param declarations prefix and URI of each namespace declaration in force for them
 * @returns undefined where there are none, which is the common case
 */
export function readSharedAttributes(
  attributes: ReadonlyMap<string, string>,
  declarations: readonly (readonly [prefix: string, uri: string])[],
): SharedAttributes | undefined {
  let found = false;
  const get = (namespace: string, local: string): string | undefined => {
    for (const [prefix, uri] of declarations) {
      const value = uri === namespace && prefix !== '' ? attributes.get(`${prefix}:${local}`) : undefined;
      if (value === undefined) continue;
      found = true;
      return value;
    }
    return undefined;
  };
  const attachOnly = get(SHARED_EXTENSIONS, 'attach-only');
  const read: SharedAttributes = {
    key: get(SHARED_BOSH, 'key'),
    attachOnly: attachOnly === 'true' || attachOnly === '1',
    newKey: get(SHARED_BOSH, 'newkey'),
    scope: get(SHARED_EXTENSIONS, 'scope') === 'all' ? 'all' : undefined,
  };
  return found ? read : undefined;
}

/** As {@link readSharedAttributes}, of an element that stands alone, such as `<open/>`. */
export function sharedAttributesOf(stanza: Stanza): SharedAttributes | undefined {
  return hasPrefixedAttribute(stanza) ? readSharedAttributes(stanza.attributes, declarationsOf(stanza)) : undefined;
}

/** The attributes of the answer, to be written as they are: with their declaration, a space in front. */
export function sharedResult(result: SharedOpening | 'rekeyed'): string {
  const declaration = ` xmlns:shared='${SHARED_BOSH}'`;
  if (result === 'rekeyed') return `${declaration} shared:result='rekeyed'`;
  const jid = result.jid === undefined ? '' : ` shared:jid='${escapeAttribute(result.jid)}'`;
  return `${declaration} shared:result='${result.result}'${jid}`;
}

/** Prefix and URI of each declaration that an element makes, those included that were spliced in. */
export function declarationsOf(stanza: Stanza): [prefix: string, uri: string][] {
  const { bytes } = stanza;
  TAGS.tag(bytes, 0, bytes.length);
  return TAGS.declarationsOf();
}

/** Whether an element has attributes of any namespace but XML's own. */
export function hasPrefixedAttribute(stanza: Stanza): boolean {
  if (!stanza.qualified) return false;
  for (const name of stanza.attributes.keys()) {
    if (name.includes(':') && !name.startsWith('xml:')) return true;
  }
  return false;
}
