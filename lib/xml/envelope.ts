import { isSpace } from './characters.js';
import { XmlError } from './error.js';
import type { Scanner } from './scanner.js';
import { Scope } from './scope.js';
import { Stanza } from './stanza.js';

/** A document whose root only wraps other elements, such as the `<body/>` of XEP-0124. */
export interface Envelope {
  readonly name: string;
  readonly namespace: string;
  /** Of the root, by names as written; declarations left out. */
  readonly attributes: ReadonlyMap<string, string>;
  /** The declarations of the root: prefix ('' for the default) and URI. */
  readonly declarations: readonly (readonly [prefix: string, uri: string])[];
  /** What it wraps, each standing alone. */
  readonly children: readonly Stanza[];
}

/**
 * Reads an envelope. Character data directly in the root is refused, white space ignored.
 * @param inherit what a child gets that inherits the root's own namespace: an envelope's namespace
 * is none for what it carries
 * @throws {XmlError}
 */
export function readEnvelope(source: Buffer, scanner: Scanner, inherit: string): Envelope {
  const { length } = source;
  let at = skipSpace(source, scanner.declaration(source, 0, length));
  at = scanner.tag(source, at, length);
  const nameStart = scanner.start + 1;
  const { namespace, nameEnd, empty } = scanner;
  const name = source.toString('utf8', scanner.localStart, nameEnd);
  const attributes = scanner.attributesOf();
  const declarations = scanner.declarationsOf();
  const children: Stanza[] = [];
  if (!empty) {
    const scope = scopeOf(declarations, namespace, inherit);
    for (;;) {
      at = skipSpace(source, at);
      if (at >= length) throw new XmlError('not-well-formed', 'unclosed element', at);
      if (source[at] !== 0x3c) throw new XmlError('not-well-formed', 'text between elements', at);
      const next = source[at + 1];
      if (next === 0x2f) break;
      if (next === 0x21 || next === 0x3f) throw new XmlError('restricted-xml', 'comment or declaration', at);
      const end = scanner.element(source, at, length, scope);
      children.push(Stanza.scanned(scanner, source, end, scope));
      at = end;
    }
    at += 2;
    const closed = at + nameEnd - nameStart;
    if (!source.subarray(nameStart, nameEnd).equals(source.subarray(at, closed))) {
      throw new XmlError('not-well-formed', 'end tag without its start tag', at);
    }
    at = skipSpace(source, closed);
    if (source[at++] !== 0x3e) throw new XmlError('not-well-formed', 'malformed end tag', at);
  }
  if (skipSpace(source, at) < length) throw new XmlError('not-well-formed', 'something behind the element', at);
  return { name, namespace, attributes, declarations, children };
}

/** Nearly every envelope declares its own namespace alone. */
const plain = new Map<string, Scope>();

/** What the children inherit. */
function scopeOf(declarations: Envelope['declarations'], namespace: string, inherit: string): Scope {
  if (declarations.length !== 1 || declarations[0]![0] !== '' || declarations[0]![1] !== namespace) {
    return new Scope(declarations.map(([prefix, uri]) => [prefix, uri === namespace ? inherit : uri] as const));
  }
  let scope = plain.get(inherit);
  if (!scope) plain.set(inherit, (scope = new Scope([['', inherit]])));
  return scope;
}

function skipSpace(source: Buffer, at: number): number {
  while (at < source.length && isSpace(source[at]!)) at++;
  return at;
}
