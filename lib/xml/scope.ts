import { escapeAttribute } from './escape.js';

/** As many as an integer has bits to name them. */
export const MAX_BINDINGS = 31;

/** More are not remembered. */
const MAX_KNOWN = 64;
const known = new Map<string, Scope>();

/**
 * The namespace declarations around a top-level element: those of a stream header or of a
 * `<body/>`. What an element inherits from here is spliced into its start tag, so that it stands
 * alone.
 */
export class Scope {
  private splices: Map<number, Buffer> | undefined;

  /** Of the default namespace, -1 for none. */
  readonly defaultIndex: number;

  constructor(private readonly bindings: readonly (readonly [prefix: string, uri: string])[]) {
    if (bindings.length > MAX_BINDINGS) throw new RangeError(`a scope has at most ${MAX_BINDINGS} bindings`);
    this.defaultIndex = this.indexOf('');
  }

  /** As the constructor; streams of one server, whose headers are all alike, share one. */
  static shared(bindings: readonly (readonly [prefix: string, uri: string])[]): Scope {
    const key = JSON.stringify(bindings);
    let scope = known.get(key);
    if (!scope) {
      scope = new Scope(bindings);
      if (known.size < MAX_KNOWN) known.set(key, scope);
    }
    return scope;
  }

  get size(): number {
    return this.bindings.length;
  }

  /** The binding of a prefix ('' for the default namespace), -1 for none. */
  indexOf(prefix: string): number {
    for (let i = this.bindings.length; i-- > 0; ) if (this.bindings[i]![0] === prefix) return i;
    return -1;
  }

  uri(index: number): string {
    return this.bindings[index]![1];
  }

  /** The declarations of the bindings whose bits are set, as they are spliced in behind an element's name. */
  splice(bits: number): Buffer {
    let splice = this.splices?.get(bits);
    if (!splice) {
      let text = '';
      this.bindings.forEach(([prefix, uri], i) => {
        if (bits & (1 << i)) text += ` xmlns${prefix && ':'}${prefix}="${escapeAttribute(uri)}"`;
      });
      (this.splices ??= new Map()).set(bits, (splice = Buffer.from(text)));
    }
    return splice;
  }
}
