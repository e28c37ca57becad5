import { isSpace, normalizeLineEnds, unescapeAttribute, unescapeText } from './characters.js';
import { readElement, writeElement, type Element } from './element.js';
import { XmlError } from './error.js';
import { escapeAttribute, escapeText } from './escape.js';
import { NS } from './namespaces.js';
import { Scanner } from './scanner.js';
import { MAX_BINDINGS, Scope } from './scope.js';

/** The three stanzas of RFC 6120, section 8; undefined for any other element. */
export type StanzaKind = 'message' | 'presence' | 'iq' | undefined;

const NO_SPLICE = Buffer.alloc(0);
const NO_NAMESPACE = Buffer.from(' xmlns=""');

/**
 * One top-level element of an XMPP stream that the scanner accepted: a slice of the bytes that
 * came in, and the namespace declarations that it inherited, so that it stands alone (RFC 7395,
 * section 3.3.3). Nothing is decoded, parsed or copied before somebody asks.
 *
 * Immutable.
 */
export class Stanza {
  /** Bytes of the element, standing alone. */
  readonly byteLength: number;
  /** Which stanza it is, by name and namespace `jabber:client`; undefined for features, SASL, stream management. */
  readonly kind: StanzaKind;

  private found: Map<string, string> | undefined;

  private constructor(
    private readonly source: Buffer,
    private readonly start: number,
    private readonly localStart: number,
    private readonly nameEnd: number,
    private readonly tagEnd: number,
    private readonly end: number,
    private readonly empty: boolean,
    /** Namespace of the element; '' for none. */
    readonly namespace: string,
    private readonly splice: Buffer,
    /** Whether it has attributes with a prefix, `xml:lang` too, declarations not counted. */
    readonly qualified: boolean,
  ) {
    this.byteLength = end - start + splice.length;
    this.kind = namespace === NS.client ? kindOf(source, localStart, nameEnd) : undefined;
  }

  /** @internal Of what `scanner` scanned last; `end` is what its `element()` returned. */
  static scanned(scanner: Scanner, source: Buffer, end: number, scope?: Scope): Stanza {
    return new Stanza(
      source,
      scanner.start,
      scanner.localStart,
      scanner.nameEnd,
      scanner.tagEnd,
      end,
      scanner.empty,
      scanner.namespace,
      spliceOf(scanner, scope),
      scanner.qualified,
    );
  }

  /**
   * Reads a document of exactly one element, such as a WebSocket message (RFC 7395, section
   * 3.3.3): an XML declaration may stand before it, white space behind it, nothing else.
   * @param from where it starts in the buffer, and `to` the offset behind it
   * @throws {XmlError}
   */
  static parse(document: string | Buffer, scanner: Scanner = SHARED, from = 0, to = document.length): Stanza {
    let source: Buffer;
    if (typeof document === 'string') {
      source = Buffer.from(document);
      to = source.length;
    } else {
      source = document;
    }
    let start = scanner.declaration(source, from, to);
    if (start > from) while (start < to && isSpace(source[start]!)) start++;
    if (start >= to || source[start] !== 0x3c) {
      throw new XmlError(start < to && isSpace(source[start]!) ? 'bad-format' : 'not-well-formed', 'no element');
    }
    const end = scanner.element(source, start, to);
    const stanza = Stanza.scanned(scanner, source, end);
    for (let i = end; i < to; i++) {
      if (!isSpace(source[i]!)) throw new XmlError('not-well-formed', 'something behind the element', i);
    }
    return stanza;
  }

  /**
   * Writes an element of ours. What comes out has passed the scanner.
   * @throws {XmlError} when the tree makes no legal XML
   */
  static of(tree: Element): Stanza {
    return Stanza.parse(writeElement(tree));
  }

  /** Local name. */
  get name(): string {
    return this.kind ?? this.source.toString('utf8', this.localStart, this.nameEnd);
  }

  /** Whether its name has a prefix, so that another default namespace leaves it where it is. */
  get prefixed(): boolean {
    return this.localStart !== this.start + 1;
  }

  /** Whether this is the element `name` of `namespace`. */
  is(name: string, namespace: string): boolean {
    return this.namespace === namespace && this.name === name;
  }

  /** The value of an attribute by its name as written (`to`, `xml:lang`), undefined if it is not there. */
  attribute(name: string): string | undefined {
    return this.attributes.get(name);
  }

  /** All attributes by their names as written, without namespace declarations. */
  get attributes(): ReadonlyMap<string, string> {
    if (!this.found) {
      this.found = new Map();
      for (const [name, value] of this.rawAttributes()) {
        if (name !== 'xmlns' && !name.startsWith('xmlns:')) this.found.set(name, unescapeAttribute(value));
      }
    }
    return this.found;
  }

  /** The child elements, in order, each standing alone. */
  children(): Stanza[] {
    const found: Stanza[] = [];
    if (this.empty) return found;
    const whole = this.bytes;
    // The declarations of this element are the scope of its children.
    const scanner = SHARED;
    const tagEnd = scanner.tag(whole, 0, whole.length);
    const scope = new Scope(scanner.declarationsOf());
    let at = tagEnd;
    for (;;) {
      at = whole.indexOf(0x3c, at);
      if (whole[at + 1] === 0x2f) return found;
      if (whole[at + 1] === 0x21) {
        at = whole.indexOf(']]>', at) + 3;
        continue;
      }
      const end = scanner.element(whole, at, whole.length, scope);
      found.push(Stanza.scanned(scanner, whole, end, scope));
      at = end;
    }
  }

  /** The first child with this name and, where given, namespace. */
  child(name: string, namespace?: string): Stanza | undefined {
    return this.children().find((child) => child.name === name && (namespace ?? child.namespace) === child.namespace);
  }

  /** Character data directly inside, children left out. */
  text(): string {
    if (this.empty) return '';
    const { source } = this;
    const close = source.lastIndexOf(0x3c, this.end - 1);
    const first = source.indexOf(0x3c, this.tagEnd);
    if (first === close) return unescapeText(source.toString('utf8', this.tagEnd, close));
    // Between children and CDATA sections, whose ends are known by the scanner and by their mark.
    const whole = this.bytes;
    const children = this.children();
    let text = '';
    let at = SHARED.tag(whole, 0, whole.length);
    for (let next = 0; ; ) {
      const stop = whole.indexOf(0x3c, at);
      text += unescapeText(whole.toString('utf8', at, stop));
      if (whole[stop + 1] === 0x2f) return text;
      if (whole[stop + 1] === 0x21) {
        at = whole.indexOf(']]>', stop) + 3;
        text += normalizeLineEnds(whole.toString('utf8', stop + CDATA_START, at - 3));
      } else {
        at = children[next++]!.end;
      }
    }
  }

  /** A copy with attributes set (or, for undefined, removed); the rest of its bytes stays as it is. */
  with(changes: Readonly<Record<string, string | undefined>>): Stanza {
    let splice = this.splice.toString();
    if ('xmlns' in changes) splice = splice.replace(DEFAULT, '');
    let tag = `<${this.source.toString('utf8', this.start + 1, this.nameEnd)}${splice}`;
    const left = new Map(Object.entries(changes));
    for (const [name, value, raw] of this.rawAttributes()) {
      if (!left.has(name)) {
        tag += ` ${raw}`;
        continue;
      }
      const change = left.get(name);
      left.delete(name);
      if (change !== undefined) tag += change === unescapeAttribute(value) ? ` ${raw}` : ` ${name}="${escapeAttribute(change)}"`;
    }
    for (const [name, value] of left) if (value !== undefined) tag += ` ${name}="${escapeAttribute(value)}"`;
    tag += this.empty ? '/>' : '>';
    const head = Buffer.from(tag);
    return Stanza.parse(Buffer.concat([head, this.source.subarray(this.tagEnd, this.end)]));
  }

  /** A copy with this content, elements and text, in place of its own. */
  withContent(content: readonly (Stanza | string)[]): Stanza {
    const name = this.source.toString('utf8', this.start + 1, this.nameEnd);
    const attributes = this.source.toString('utf8', this.nameEnd, this.tagEnd - (this.empty ? 2 : 1));
    const inside = content.map((part) => (typeof part === 'string' ? escapeText(part) : part.toString())).join('');
    return Stanza.parse(`<${name}${this.splice.toString()}${attributes}>${inside}</${name}>`);
  }

  /**
   * A copy in which each child element is what `map` makes of it: itself, another, or (undefined)
   * nothing. Everything else stays, byte for byte; the same stanza if nothing changed.
   */
  mapChildren(map: (child: Stanza) => Stanza | undefined): Stanza {
    const whole = this.bytes;
    const pieces: Buffer[] = [];
    let from = 0;
    for (const child of this.children()) {
      const mapped = map(child);
      if (mapped === child) continue;
      pieces.push(whole.subarray(from, child.start));
      if (mapped) pieces.push(mapped.bytes);
      from = child.end;
    }
    if (from === 0) return this;
    pieces.push(whole.subarray(from));
    return Stanza.parse(Buffer.concat(keepLineEnds(pieces)));
  }

  /** As a tree of xml-js, made anew each time. */
  get element(): Element {
    return readElement(this.toString());
  }

  /** Standing alone, as one buffer; that of the input where nothing was spliced in. */
  get bytes(): Buffer {
    if (this.splice.length === 0) return this.source.subarray(this.start, this.end);
    const bytes = Buffer.allocUnsafe(this.byteLength);
    this.writeTo(bytes, 0);
    return bytes;
  }

  /**
   * Writes it, standing alone, into `target`.
   * @returns the offset behind it
   */
  writeTo(target: Buffer, offset: number): number {
    const { source, splice } = this;
    if (splice.length === 0) return offset + source.copy(target, offset, this.start, this.end);
    // Two short pieces: a call of the native copy for each would cost more than their bytes.
    for (let at = this.start; at < this.nameEnd; at++) target[offset++] = source[at]!;
    for (let at = 0; at < splice.length; at++) target[offset++] = splice[at]!;
    return offset + source.copy(target, offset, this.nameEnd, this.end);
  }

  /** Appends it, standing alone, to `chunks` without copying. */
  pushTo(chunks: Buffer[]): void {
    const { source, splice } = this;
    if (splice.length === 0) chunks.push(source.subarray(this.start, this.end));
    else chunks.push(source.subarray(this.start, this.nameEnd), splice, source.subarray(this.nameEnd, this.end));
  }

  /** All of them as one piece of the input, where they stand in it one behind the other and stand alone as they are. */
  static adjacent(stanzas: readonly Stanza[]): Buffer | undefined {
    const first = stanzas[0]!;
    let last = first;
    for (let i = 0; i < stanzas.length; i++) {
      const stanza = stanzas[i]!;
      if (stanza.splice.length > 0 || (i > 0 && (stanza.source !== first.source || stanza.start !== last.end))) return undefined;
      last = stanza;
    }
    return first.source.subarray(first.start, last.end);
  }

  /** Its XML, standing alone: inherited namespaces are declared on it. */
  toString(): string {
    return this.bytes.toString();
  }

  /** Name, raw value and the attribute as it stands, of each. */
  private rawAttributes(): [name: string, value: string, raw: string][] {
    const rest = this.source.toString('utf8', this.nameEnd, this.tagEnd);
    const found: [string, string, string][] = [];
    ATTRIBUTE.lastIndex = 0;
    for (let match = ATTRIBUTE.exec(rest); match; match = ATTRIBUTE.exec(rest)) {
      found.push([match[1]!, match[2] ?? match[3]!, match[0]]);
    }
    return found;
  }
}

/**
 * What an element must declare to mean the same wherever it stands. One that is in no namespace
 * itself is left as it is: what that means is for those to say who know where it stands.
 */
function spliceOf({ inherited, bare, namespace }: Scanner, scope: Scope | undefined): Buffer {
  const splice = inherited === 0 ? NO_SPLICE : scope!.splice(inherited);
  if (!bare || namespace === '') return splice;
  return inherited === 0 ? NO_NAMESPACE : Buffer.concat([splice, NO_NAMESPACE]);
}

/** Where what stood between them is gone, a carriage return and a line feed must not become one line end. */
function keepLineEnds(pieces: readonly Buffer[]): Buffer[] {
  const kept = pieces.filter(({ length }) => length > 0);
  for (let i = 1; i < kept.length; i++) {
    const before = kept[i - 1]!;
    if (before[before.length - 1] === 0x0d && kept[i]![0] === 0x0a) kept[i - 1] = Buffer.concat([before.subarray(0, -1), LINE_FEED]);
  }
  return kept;
}

const LINE_FEED = Buffer.from('\n');
const CDATA_START = '<![CDATA['.length;
const DEFAULT = / xmlns="[^"]*"/;
const ATTRIBUTE = /([^\s=/>"']+)[ \t\r\n]*=[ \t\r\n]*(?:"([^"]*)"|'([^']*)')/g;
/** For what was accepted before, or is ours: wider than any limit on the way in. */
const SHARED = new Scanner({ maxDepth: 1024, maxAttributes: 1024, maxNamespaces: MAX_BINDINGS, maxNameBytes: 1024, maxValueBytes: Infinity });

function kindOf(source: Buffer, start: number, end: number): StanzaKind {
  const length = end - start;
  if (length === 7 && matches(source, start, MESSAGE)) return 'message';
  if (length === 8 && matches(source, start, PRESENCE)) return 'presence';
  if (length === 2 && source[start] === 0x69 && source[start + 1] === 0x71) return 'iq';
  return undefined;
}

const MESSAGE = Buffer.from('message');
const PRESENCE = Buffer.from('presence');

function matches(source: Buffer, start: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i++) if (source[start + i] !== name[i]) return false;
  return true;
}
