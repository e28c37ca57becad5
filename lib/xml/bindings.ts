import { unescapeAttribute } from './characters.js';
import { NS } from './namespaces.js';
import { MAX_BINDINGS, type Scope } from './scope.js';

/** No namespace. */
export const NONE = -1;
/** The prefix `xml`, which needs no declaration. */
const XML = -2;
/** Binding n of the scope is `IN_SCOPE - n`. */
const IN_SCOPE = -3;

/** Start and end of the prefix, start and end of the URI, depth of the element, whether no other has the prefix. */
const FIELDS = 6;

const CLIENT = Buffer.from(NS.client);

/**
 * The namespace declarations in force while an element is scanned. They are offsets in what is
 * scanned: most declarations are never asked for, and nothing else in a scan would make strings.
 */
export class Bindings {
  /** Bit n is set when binding n of the scope was used. */
  inherited = 0;

  private readonly fields: Int32Array;
  /** URIs that somebody asked for. */
  private readonly uris: (string | undefined)[] = [];
  private count = 0;
  /** Different prefixes in force, those of the scope included. */
  private distinct = 0;
  private source: Buffer = CLIENT;
  private scope: Scope | undefined;

  constructor(
    /** Declarations in force at once. */
    private readonly maxInForce: number,
    /** Declarations of one element. */
    private readonly maxOfElement: number,
  ) {
    this.fields = new Int32Array(maxInForce * FIELDS);
  }

  begin(source: Buffer, scope: Scope | undefined): void {
    this.source = source;
    this.scope = scope;
    this.count = 0;
    this.inherited = 0;
    this.distinct = scope ? scope.size : 0;
  }

  /**
   * Adds a declaration of the element at `depth`.
   * @returns false when there are too many. However they are spread, {@link MAX_BINDINGS} prefixes are
   * the most that an element can have to declare when it stands alone.
   */
  add(prefixStart: number, prefixEnd: number, uriStart: number, uriEnd: number, depth: number): boolean {
    const { fields, count, maxOfElement } = this;
    if (count === this.maxInForce) return false;
    if (count >= maxOfElement && fields[(count - maxOfElement) * FIELDS + 4] === depth) return false;
    const known = this.find(prefixStart, prefixEnd) >= 0 || this.indexInScope(prefixStart, prefixEnd) >= 0;
    if (!known && ++this.distinct > MAX_BINDINGS) return false;
    const at = count * FIELDS;
    fields[at] = prefixStart;
    fields[at + 1] = prefixEnd;
    fields[at + 2] = uriStart;
    fields[at + 3] = uriEnd;
    fields[at + 4] = depth;
    fields[at + 5] = known ? 0 : 1;
    this.uris[count] = undefined;
    this.count++;
    return true;
  }

  /** Drops the declarations of elements at `depth` and below. */
  forget(depth: number): void {
    const { fields } = this;
    let { count } = this;
    while (count > 0 && fields[(count - 1) * FIELDS + 4]! >= depth) {
      count--;
      this.distinct -= fields[count * FIELDS + 5]!;
    }
    this.count = count;
  }

  /**
   * What a prefix (an empty one: the default namespace) stands for.
   * @returns a number for {@link uri}; undefined when it stands for nothing
   */
  resolve(prefixStart: number, prefixEnd: number): number | undefined {
    const found = this.find(prefixStart, prefixEnd);
    if (found >= 0) return found;
    if (prefixEnd - prefixStart === 3 && this.text(prefixStart, prefixEnd) === 'xml') return XML;
    const index = this.indexInScope(prefixStart, prefixEnd);
    if (index >= 0) {
      this.inherited |= 1 << index;
      return IN_SCOPE - index;
    }
    return prefixStart === prefixEnd ? NONE : undefined;
  }

  /** The URI of what {@link resolve} found. */
  uri(binding: number): string {
    if (binding === NONE) return '';
    if (binding === XML) return NS.xml;
    if (binding < 0) return this.scope!.uri(IN_SCOPE - binding);
    return (this.uris[binding] ??= this.read(binding * FIELDS));
  }

  private read(at: number): string {
    const { source, fields } = this;
    const start = fields[at + 2]!;
    const end = fields[at + 3]!;
    // Nearly all are jabber:client, which needs no string of its own.
    return isClient(source, start, end) ? NS.client : unescapeAttribute(this.text(start, end));
  }

  private find(prefixStart: number, prefixEnd: number): number {
    const { source, fields } = this;
    const length = prefixEnd - prefixStart;
    search: for (let binding = this.count; binding-- > 0; ) {
      const start = fields[binding * FIELDS]!;
      if (fields[binding * FIELDS + 1]! - start !== length) continue;
      for (let i = 0; i < length; i++) if (source[start + i] !== source[prefixStart + i]) continue search;
      return binding;
    }
    return -1;
  }

  private indexInScope(prefixStart: number, prefixEnd: number): number {
    const { scope } = this;
    if (!scope) return -1;
    return prefixStart === prefixEnd ? scope.defaultIndex : scope.indexOf(this.text(prefixStart, prefixEnd));
  }

  private text(start: number, end: number): string {
    return this.source.toString('utf8', start, end);
  }
}

function isClient(source: Buffer, start: number, end: number): boolean {
  if (end - start !== CLIENT.length) return false;
  for (let i = 0; i < CLIENT.length; i++) if (source[start + i] !== CLIENT[i]) return false;
  return true;
}
