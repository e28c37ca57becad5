import { isUtf8 } from 'node:buffer';
import { ByteFinder } from '../simd.js';
import { Bindings, NONE } from './bindings.js';
import { ENTITIES, isNameLetter, isXmlCharacter, unescapeAttribute } from './characters.js';
import { XmlError, type XmlCondition } from './error.js';
import { NS } from './namespaces.js';
import type { Scope } from './scope.js';

/** What a top-level element may have; one that has more is refused with `policy-violation`. */
export interface ScanLimits {
  /** Levels of elements in one top-level element, itself included. */
  readonly maxDepth: number;
  /** Attributes of one element, namespace declarations included; also the declarations in force at once. */
  readonly maxAttributes: number;
  /** Namespace declarations of one element; at most 31 different prefixes are declared around any element. */
  readonly maxNamespaces: number;
  /** Bytes of a qualified name. */
  readonly maxNameBytes: number;
  /** Bytes of an attribute's value, as written. */
  readonly maxValueBytes: number;
}

export const DEFAULT_LIMITS: ScanLimits = {
  maxDepth: 64,
  maxAttributes: 100,
  maxNamespaces: 15,
  maxNameBytes: 256,
  maxValueBytes: 65_536,
};

const LT = 0x3c;
const GT = 0x3e;
const AMP = 0x26;
const SLASH = 0x2f;
const COLON = 0x3a;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const BANG = 0x21;
const QUESTION = 0x3f;
const BRACKET = 0x5d;

/** What a byte means to the scanner: bits of a class. */
const STOPS_TEXT = 1;
const STOPS_VALUE = 2;
const NAME_START = 4;
const NAME = 8;
const SPACE = 16;

/** The first byte of U+FFFE and U+FFFF in UTF-8, which are no XML characters. */
const NONCHARACTER = 0xef;

/** The class of each byte. */
const CLASS = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  let bits = 0;
  if (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) bits |= STOPS_TEXT | STOPS_VALUE;
  if (byte === LT || byte === AMP || byte === NONCHARACTER) bits |= STOPS_TEXT | STOPS_VALUE;
  if (byte === BRACKET) bits |= STOPS_TEXT;
  if (byte === QUOTE || byte === APOSTROPHE) bits |= STOPS_VALUE;
  const letter = (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x5f;
  if (letter) bits |= NAME_START | NAME;
  if ((byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x2e) bits |= NAME;
  if (byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d) bits |= SPACE;
  CLASS[byte] = bits;
}

/** Bytes of a text before it counts as long. */
const SHORT_TEXT = 512;
const textStops = new ByteFinder((byte) => (CLASS[byte]! & STOPS_TEXT) !== 0);

/** Attributes, by four numbers each: start and end of the name, start and end of the value. */
const FIELDS = 4;

/**
 * The one XML scanner of the project, for every direction. It accepts strictly less than the
 * parsers on either side of it do: valid UTF-8, XML characters, one balanced element, declared
 * prefixes, attributes unique by expanded name, the five entities and references to legal
 * characters; no DTD, comment or processing instruction (RFC 6120, section 11.1). What it accepted
 * is forwarded as the bytes that it read, so no two parsers can read a stanza differently.
 *
 * It builds nothing: results are offsets, valid until the next call.
 */
export class Scanner {
  /** Of the element scanned last: offset of its `<`. */
  start = 0;
  /** Offset of the first byte of the local name. */
  localStart = 0;
  /** Offset behind the qualified name. */
  nameEnd = 0;
  /** Offset behind the `>` of the start tag. */
  tagEnd = 0;
  /** Whether the start tag is also the end. */
  empty = false;
  /** Its namespace; '' for none. */
  namespace = '';
  /** It, or an element inside it, is in no namespace only because none is declared around it. */
  bare = false;
  /** It has attributes with a prefix, declarations not counted. */
  qualified = false;
  /** Attributes of the start tag scanned last. */
  private readonly attributes: Int32Array;
  private attributeCount = 0;
  /** Attributes with a prefix: start and end of the local name, and what the prefix stands for. */
  private readonly expanded: Int32Array;

  private readonly names: Int32Array;
  private readonly bindings: Bindings;
  /** Whether what is missing is asked for quietly: {@link tryElement}. */
  private tentative = false;

  private source: Buffer = Buffer.alloc(0);
  private end = 0;
  private position = 0;
  /** All bytes of the element or'ed: above 0x7f, UTF-8 needs a check. */
  private seen = 0;
  private rootPrefixed = false;

  constructor(readonly limits: ScanLimits = DEFAULT_LIMITS) {
    this.attributes = new Int32Array(limits.maxAttributes * FIELDS);
    this.expanded = new Int32Array(limits.maxAttributes * 3);
    this.names = new Int32Array(limits.maxDepth * 2);
    this.bindings = new Bindings(limits.maxAttributes, limits.maxNamespaces);
  }

  /** Bit n is set when the element scanned last uses binding n of its scope without declaring it. */
  get inherited(): number {
    return this.bindings.inherited;
  }

  /**
   * Scans one element that starts at `start`.
   * @returns the offset behind it, at most `end`
   * @throws {XmlError}
   */
  element(source: Uint8Array, start: number, end: number, scope?: Scope): number {
    this.begin(source, start, end, scope);
    this.startTag(0);
    // Results describe the outermost element, scanning goes on below it.
    const { localStart, nameEnd, tagEnd, empty, namespace } = this;
    if (!empty) this.content();
    this.localStart = localStart;
    this.nameEnd = nameEnd;
    this.tagEnd = tagEnd;
    this.empty = empty;
    this.namespace = namespace;
    this.finish(start);
    return this.position;
  }

  /**
   * As {@link element}, for input that may not be all there.
   * @returns -1 where {@link element} would throw
   */
  tryElement(source: Uint8Array, start: number, end: number, scope?: Scope): number {
    this.tentative = true;
    try {
      return this.element(source, start, end, scope);
    } catch (error) {
      if (error === FAILED) return -1;
      throw error;
    } finally {
      this.tentative = false;
    }
  }

  /**
   * Scans one start tag, such as a stream header or the `<body>` of a BOSH request.
   * @returns the offset behind its `>`
   * @throws {XmlError}
   */
  tag(source: Uint8Array, start: number, end: number, scope?: Scope): number {
    this.begin(source, start, end, scope);
    this.startTag(0);
    this.finish(start);
    return this.position;
  }

  /**
   * Skips an XML declaration, where one is allowed.
   * @returns the offset behind it; `start` if there is none
   * @throws {XmlError} `unsupported-encoding` for anything but UTF-8
   */
  declaration(source: Uint8Array, start: number, end: number): number {
    if (source[start] !== LT || source[start + 1] !== QUESTION) return start;
    const limit = Math.min(end, start + 128);
    let stop = start + 2;
    while (stop < limit && source[stop] !== GT) stop++;
    if (stop === limit) throw new XmlError('restricted-xml', 'processing instruction', start);
    const text = Buffer.from(source.buffer, source.byteOffset + start, stop + 1 - start).toString('latin1');
    const match = DECLARATION.exec(text);
    if (!match) throw new XmlError('restricted-xml', 'processing instruction', start);
    const encoding = match[1];
    if (encoding !== undefined && encoding.slice(1, -1).toLowerCase() !== 'utf-8') {
      throw new XmlError('unsupported-encoding', 'encoding is not UTF-8', start);
    }
    return stop + 1;
  }

  /** The attributes of the start tag scanned last by {@link tag}, values as they mean, namespace declarations left out. */
  attributesOf(): Map<string, string> {
    const { attributes } = this;
    const found = new Map<string, string>();
    for (let at = 0; at < this.attributeCount * FIELDS; at += FIELDS) {
      if (!this.isDeclaration(at)) found.set(this.text(attributes[at]!, attributes[at + 1]!), this.value(at));
    }
    return found;
  }

  /** The declarations of the start tag scanned last by {@link tag}: prefix ('' for the default) and URI. */
  declarationsOf(): [prefix: string, uri: string][] {
    const { attributes } = this;
    const found: [string, string][] = [];
    for (let at = 0; at < this.attributeCount * FIELDS; at += FIELDS) {
      if (!this.isDeclaration(at)) continue;
      const end = attributes[at + 1]!;
      found.push([this.text(Math.min(end, attributes[at]! + 6), end), this.value(at)]);
    }
    return found;
  }

  private begin(source: Uint8Array, start: number, end: number, scope: Scope | undefined): void {
    this.source = Buffer.isBuffer(source) ? source : Buffer.from(source.buffer, source.byteOffset, source.length);
    this.start = start;
    this.position = start;
    this.end = end;
    this.seen = 0;
    this.bare = false;
    this.bindings.begin(this.source, scope);
    if (source[start] !== LT || start >= end) this.fail('not-well-formed', 'no element');
    const next = source[start + 1];
    if (next === BANG || next === QUESTION) this.fail('restricted-xml', 'declaration, comment or instruction');
  }

  private finish(start: number): void {
    if (this.seen > 0x7f && !isUtf8(this.source.subarray(start, this.position))) {
      this.fail('bad-format', 'invalid UTF-8', start);
    }
  }

  /** From behind the start tag of the outermost element to behind its end tag. */
  private content(): void {
    const { source, names, end } = this;
    let depth = 1;
    let position = this.position;
    let seen = this.seen;
    names[0] = this.start + 1;
    names[1] = this.nameEnd;
    for (;;) {
      let byte = 0;
      // Four at a time, in a long one sixteen.
      const fours = Math.min(position + SHORT_TEXT, end) - 3;
      while (position < fours) {
        const a = source[position]!;
        const b = source[position + 1]!;
        const c = source[position + 2]!;
        const d = source[position + 3]!;
        if ((CLASS[a]! | CLASS[b]! | CLASS[c]! | CLASS[d]!) & STOPS_TEXT) break;
        seen |= a | b | c | d;
        position += 4;
      }
      if (position >= fours && end - position > SHORT_TEXT) {
        position = textStops.skip(source, position, end);
        seen |= textStops.seen;
      }
      while (position < end && (CLASS[(byte = source[position]!)]! & STOPS_TEXT) === 0) {
        seen |= byte;
        position++;
      }
      if (position >= end) this.fail('not-well-formed', 'unclosed element', position);
      if (byte !== LT) {
        position = this.special(byte, position, true);
        if (byte === NONCHARACTER) seen |= 0x80;
        continue;
      }
      const next = position + 1 < end ? source[position + 1]! : 0;
      if (next === SLASH) {
        // The end tag names what the start tag named, byte for byte.
        const nameStart = names[depth * 2 - 2]!;
        const nameEnd = names[depth * 2 - 1]!;
        position += 2;
        for (let at = nameStart; at < nameEnd; at++, position++) {
          if (source[position] !== source[at]) this.fail('not-well-formed', 'end tag without its start tag', position);
        }
        while (position < end && CLASS[source[position]!]! & SPACE) position++;
        if (position >= end || source[position] !== GT) this.fail('not-well-formed', 'malformed end tag', position);
        position++;
        this.bindings.forget(depth - 1);
        if (--depth === 0) break;
      } else if (next === BANG) {
        position = this.cdata(position);
        seen |= this.seen;
      } else if (next === QUESTION) {
        this.fail('restricted-xml', 'processing instruction', position);
      } else {
        if (depth >= this.limits.maxDepth) this.cross('maxDepth', 'elements nested too deeply', position);
        this.position = position;
        this.startTag(depth);
        if (!this.empty) {
          names[depth * 2] = position + 1;
          names[depth * 2 + 1] = this.nameEnd;
          depth++;
        } else {
          this.bindings.forget(depth);
        }
        position = this.position;
      }
    }
    this.seen |= seen;
    this.position = position;
  }

  /** Scans the start tag at `position`: name, attributes, declarations; resolves its namespace. */
  private startTag(depth: number): void {
    const { source, end, attributes } = this;
    const start = this.position;
    let position = this.qualifiedName(start + 1);
    const nameEnd = position;
    const localStart = this.localStart;
    let count = 0;
    let colons = 0;
    let seen = this.seen;
    for (;;) {
      const before = position;
      while (position < end && CLASS[source[position]!]! & SPACE) position++;
      if (position >= end) this.fail('not-well-formed', 'unclosed tag', position);
      const byte = source[position]!;
      if (byte === GT) {
        this.empty = false;
        position++;
        break;
      }
      if (byte === SLASH) {
        if (position + 1 >= end || source[position + 1] !== GT) this.fail('not-well-formed', 'malformed tag', position);
        this.empty = true;
        position += 2;
        break;
      }
      if (before === position) this.fail('not-well-formed', 'no space before attribute', position);
      if (count === this.limits.maxAttributes) this.cross('maxAttributes', 'too many attributes', position);
      const at = count++ * FIELDS;
      attributes[at] = position;
      position = this.qualifiedName(position);
      attributes[at + 1] = position;
      if (this.localStart !== attributes[at]) colons++;
      while (position < end && CLASS[source[position]!]! & SPACE) position++;
      if (position >= end || source[position] !== EQUALS) this.fail('not-well-formed', 'attribute without value', position);
      position++;
      while (position < end && CLASS[source[position]!]! & SPACE) position++;
      const quote = position < end ? source[position]! : 0;
      if (quote !== QUOTE && quote !== APOSTROPHE) this.fail('not-well-formed', 'attribute value without quotes', position);
      attributes[at + 2] = ++position;
      for (;;) {
        let inside = 0;
        while (position < end && (CLASS[(inside = source[position]!)]! & STOPS_VALUE) === 0) {
          seen |= inside;
          position++;
        }
        if (position >= end) this.fail('not-well-formed', 'unclosed attribute value', position);
        if (inside === quote) break;
        if (inside === QUOTE || inside === APOSTROPHE) position++;
        else if (inside === LT) this.fail('not-well-formed', '< in an attribute value', position);
        else {
          position = this.special(inside, position, false);
          if (inside === NONCHARACTER) seen |= 0x80;
        }
      }
      if (position - attributes[at + 2]! > this.limits.maxValueBytes) this.cross('maxValueBytes', 'attribute value too long', position);
      attributes[at + 3] = position++;
      if (this.isDeclaration(at)) this.declare(at, depth);
      for (let other = 0; other < at; other += FIELDS) {
        if (this.sameBytes(attributes[other]!, attributes[other + 1]!, attributes[at]!, attributes[at + 1]!)) {
          this.fail('not-well-formed', 'attribute given twice', attributes[at]);
        }
      }
    }
    this.seen |= seen;
    this.attributeCount = count;
    this.position = this.tagEnd = position;
    this.nameEnd = nameEnd;
    this.localStart = localStart;
    const qualified = colons > 0 && this.resolveAttributes(count);
    const prefixed = localStart !== start + 1;
    if (depth === 0) {
      this.qualified = qualified;
      this.rootPrefixed = prefixed;
      const binding = this.resolve(start + 1, prefixed ? localStart - 1 : start + 1);
      this.bare = binding === NONE;
      this.namespace = this.bindings.uri(binding);
    } else if (prefixed) {
      this.resolve(start + 1, localStart - 1);
    } else if (this.rootPrefixed && this.resolve(start + 1, start + 1) === NONE) {
      this.bare = true; // what it inherits, or that it inherits nothing, must be declared on the root
    }
  }

  /** Whether the attribute at `at` declares a namespace. */
  private isDeclaration(at: number): boolean {
    const start = this.attributes[at]!;
    const length = this.attributes[at + 1]! - start;
    return length >= 5 && this.isXmlns(start) && (length === 5 || this.source[start + 5] === COLON);
  }

  /** `position` is at an attribute's name: does it start with xmlns? */
  private isXmlns(position: number): boolean {
    const { source } = this;
    return (
      source[position] === 0x78 &&
      source[position + 1] === 0x6d &&
      source[position + 2] === 0x6c &&
      source[position + 3] === 0x6e &&
      source[position + 4] === 0x73
    );
  }

  private sameBytes(start: number, end: number, otherStart: number, otherEnd: number): boolean {
    const { source } = this;
    if (end - start !== otherEnd - otherStart) return false;
    for (let i = start, j = otherStart; i < end; i++, j++) if (source[i] !== source[j]) return false;
    return true;
  }

  /** A namespace declaration (Namespaces in XML 1.0, sections 2 and 3). */
  private declare(at: number, depth: number): void {
    const { attributes, source } = this;
    const where = attributes[at]!;
    const prefixEnd = attributes[at + 1]!;
    const prefixStart = Math.min(prefixEnd, where + 6);
    const start = attributes[at + 2]!;
    const end = attributes[at + 3]!;
    if (!this.bindings.add(prefixStart, prefixEnd, start, end, depth)) {
      this.cross('maxNamespaces', 'too many namespaces', where);
    }
    let plain = true;
    for (let i = start; i < end; i++) {
      const byte = source[i]!;
      // Parsers normalise white space in different ways; some trim that of Unicode, too.
      if (CLASS[byte]! & SPACE) this.fail('not-well-formed', 'white space in a namespace', i);
      if (byte === AMP || byte > 0x7f) plain = false;
    }
    // Only what may be one of the two reserved namespaces, or uses a reserved prefix, needs a string.
    const length = end - start;
    const suspect = !plain || length === NS.xml.length || length === NS.xmlns.length;
    if (!suspect && (length > 0 || prefixEnd === prefixStart) && source[prefixStart] !== 0x78) return;
    const prefix = this.text(prefixStart, prefixEnd);
    const uri = this.value(at);
    if (
      /[\s\u0085]/.test(uri) ||
      prefix === 'xmlns' ||
      (prefix === 'xml') !== (uri === NS.xml) ||
      uri === NS.xmlns ||
      (prefix !== '' && uri === '')
    ) {
      this.fail('not-well-formed', 'illegal namespace declaration', where);
    }
  }

  /** What a prefix stands for here; an empty one: the default namespace. */
  private resolve(prefixStart: number, prefixEnd: number): number {
    return this.bindings.resolve(prefixStart, prefixEnd) ?? this.fail('not-well-formed', 'undeclared prefix', prefixStart);
  }

  /**
   * Prefixes of attributes are declared, and no two attributes have the same expanded name.
   * @returns whether there are such attributes
   */
  private resolveAttributes(count: number): boolean {
    const { attributes, source, bindings, expanded } = this;
    let found = 0;
    for (let at = 0; at < count * FIELDS; at += FIELDS) {
      const start = attributes[at]!;
      const end = attributes[at + 1]!;
      let colon = start;
      while (colon < end && source[colon] !== COLON) colon++;
      if (colon === end || this.isDeclaration(at)) continue;
      const binding = this.resolve(start, colon);
      for (let other = 0; other < found; other += 3) {
        if (
          this.sameBytes(expanded[other]!, expanded[other + 1]!, colon + 1, end) &&
          bindings.uri(expanded[other + 2]!) === bindings.uri(binding)
        ) {
          this.fail('not-well-formed', 'attribute given twice', start);
        }
      }
      expanded[found++] = colon + 1;
      expanded[found++] = end;
      expanded[found++] = binding;
    }
    return found > 0;
  }

  /**
   * Scans a name with at most one colon; sets {@link localStart}.
   * @returns the offset behind it
   */
  private qualifiedName(position: number): number {
    const { source, end } = this;
    const start = position;
    let local = position;
    for (;;) {
      if (position < end && CLASS[source[position]!]! & NAME_START) position++;
      else position = this.letter(position, true);
      for (;;) {
        if (position < end && CLASS[source[position]!]! & NAME) position++;
        else if (position < end && source[position]! > 0x7f) position = this.letter(position, false);
        else break;
      }
      if (position >= end || source[position] !== COLON) break;
      if (local !== start) this.fail('not-well-formed', 'name with two colons', position);
      local = ++position;
    }
    if (position - start > this.limits.maxNameBytes) this.cross('maxNameBytes', 'name too long', start);
    this.localStart = local;
    return position;
  }

  /** A letter beyond ASCII. */
  private letter(position: number, first: boolean): number {
    const { source, end } = this;
    const lead = position < end ? source[position]! : 0;
    const length = lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : 0;
    if (length === 0 || position + length > end) {
      this.fail('not-well-formed', first ? 'illegal start of a name' : 'illegal character in a name', position);
    }
    let code = lead & (length === 2 ? 0x1f : 0x0f);
    for (let i = 1; i < length; i++) code = (code << 6) | (source[position + i]! & 0x3f);
    this.seen |= 0x80;
    return isNameLetter(code) ? position + length : this.fail('not-well-formed', 'illegal character in a name', position);
  }

  /**
   * A byte of text or of an attribute value that needs a look.
   * @returns the offset to go on from
   */
  private special(byte: number, position: number, text: boolean): number {
    const { source, end } = this;
    switch (byte) {
      case AMP:
        return this.reference(position);
      case BRACKET:
        if (text && position + 2 < end && source[position + 1] === BRACKET && source[position + 2] === GT) {
          this.fail('not-well-formed', ']]> in text', position);
        }
        return position + 1;
      case NONCHARACTER: // U+FFFE or U+FFFF, or a character near them
        if (position + 2 < end && source[position + 1] === 0xbf && source[position + 2]! >= 0xbe) {
          this.fail('not-well-formed', 'illegal character', position);
        }
        return position + 1;
      default:
        return this.fail('not-well-formed', 'illegal character', position);
    }
  }

  /** `&amp;` and its like, or a reference to a legal character. */
  private reference(position: number): number {
    const { source, end } = this;
    for (const entity of ENTITY_BYTES) {
      let i = 0;
      while (i < entity.length && source[position + 1 + i] === entity[i]) i++;
      if (i === entity.length && position + i < end) return position + 1 + i;
    }
    const limit = Math.min(end, position + 12);
    let stop = position + 1;
    while (stop < limit && source[stop] !== 0x3b) stop++;
    const name = this.text(position + 1, stop);
    if (/^[A-Za-z_:]/.test(name)) this.fail('restricted-xml', 'entity reference', position);
    const match = stop < limit ? REFERENCE.exec(name) : null;
    if (!match) return this.fail('not-well-formed', 'malformed reference', position);
    const code = match[1] ? parseInt(match[1], 16) : parseInt(match[2]!, 10);
    if (!isXmlCharacter(code)) this.fail('not-well-formed', 'reference to an illegal character', position);
    return stop + 1;
  }

  /** `<![CDATA[` at `position`. */
  private cdata(position: number): number {
    const { source, end } = this;
    for (let i = 0; i < CDATA.length; i++) {
      if (position + i >= end || source[position + i] !== CDATA[i]) {
        this.fail('restricted-xml', 'comment or declaration', position);
      }
    }
    position += CDATA.length;
    for (;;) {
      let byte = 0;
      while (position < end && (CLASS[(byte = source[position]!)]! & STOPS_TEXT) === 0) {
        this.seen |= byte;
        position++;
      }
      if (position >= end) this.fail('not-well-formed', 'unclosed CDATA section', position);
      if (byte === LT || byte === AMP) position++;
      else if (byte === BRACKET) {
        if (position + 2 < end && source[position + 1] === BRACKET && source[position + 2] === GT) return position + 3;
        position++;
      } else {
        if (byte === NONCHARACTER) this.seen |= 0x80;
        position = this.special(byte, position, false);
      }
    }
  }

  private text(start: number, end: number): string {
    return this.source.toString('utf8', start, end);
  }

  /** The value of the attribute at `at`, as it means. */
  private value(at: number): string {
    return unescapeAttribute(this.text(this.attributes[at + 2]!, this.attributes[at + 3]!));
  }

  private fail(condition: XmlCondition, message: string, offset = this.position): never {
    if (this.tentative) throw FAILED;
    throw new XmlError(condition, message, offset);
  }

  private cross(limit: keyof ScanLimits, message: string, offset: number): never {
    if (this.tentative) throw FAILED;
    throw new XmlError('policy-violation', message, offset, limit);
  }
}

/** Thrown where nobody wants to know more, since an error with its stack costs more than a stanza. */
const FAILED = Symbol('failed');
const CDATA = Buffer.from('<![CDATA[');
const ENTITY_BYTES = Object.keys(ENTITIES).map((name) => Buffer.from(`${name};`));
const REFERENCE = /^#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,9}))$/;
const DECLARATION =
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:'1\.0'|"1\.0")(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*('[A-Za-z0-9._-]+'|"[A-Za-z0-9._-]+"))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:'(?:yes|no)'|"(?:yes|no)"))?[ \t\r\n]*\?>$/;
