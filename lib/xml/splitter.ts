import { isSpace } from './characters.js';
import { XmlError } from './error.js';
import { Scanner } from './scanner.js';
import { Scope } from './scope.js';
import { Stanza } from './stanza.js';

/** What a splitter finds in a stream, in order. */
export interface SplitterHandler {
  /** The stream header: the start tag of the root element, which stays open. */
  onHeader(header: SplitterHeader): void;
  /** One top-level element, whole and standing alone. */
  onElement(stanza: Stanza): void;
  /** The end tag of the root element. Nothing follows. */
  onClose(): void;
}

export interface SplitterHeader {
  readonly name: string;
  readonly namespace: string;
  readonly attributes: ReadonlyMap<string, string>;
}

const enum State {
  /** Before the stream header; white space and an XML declaration may come. */
  Start,
  /** Between top-level elements. */
  Between,
  Text,
  /** Behind a `<`. */
  Open,
  Tag,
  Double,
  Single,
  Close,
  /** Inside `<?`: an XML declaration before the header, illegal elsewhere. */
  Instruction,
  /** Inside `<![CDATA[`, as far as `matched` tells. */
  Marker,
  Cdata,
  Stopped,
}

/** Bytes of a chunk in which it is worth a look whether an element ends. */
const LONG = 4096;
const MARKER = '[CDATA[';
/** What the root of every XMPP stream is called. */
const STREAM = Buffer.from('stream:stream');

/**
 * Cuts a stream of XML into its header and its top-level elements, however the bytes were cut into
 * chunks. It looks at each byte once: an element that comes in a thousand pieces costs no more than
 * one that comes whole. Every element it cuts then passes the scanner, byte for byte.
 */
export class StreamSplitter {
  private state = State.Start;
  /** Open elements, the root not counted. */
  private depth = 0;
  private matched = 0;
  /** The last byte in a tag was a `/`. */
  private slash = false;
  /** Chunks of an element (or header) whose end has not come yet. */
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private scope: Scope | undefined;
  /** Qualified name of the root element. */
  private root = STREAM;
  /** An XML declaration was there. */
  private declared = false;
  /** How often the handler asked to start anew or to stop. */
  private resets = 0;

  constructor(
    private readonly handler: SplitterHandler,
    /** Bytes of one top-level element at most. */
    private readonly maxBytes: number,
    /** One will do for all streams: what it found is read before anybody else is called. */
    private readonly scanner: Scanner = new Scanner(),
  ) {}

  /** Expects a new stream header, after a restart; what was not yet processed, the rest of the chunk at hand too, is dropped. */
  reset(): void {
    this.state = State.Start;
    this.depth = 0;
    this.pending = [];
    this.pendingBytes = 0;
    this.scope = undefined;
    this.declared = false;
    this.resets++;
  }

  /** Takes no further byte, nor the rest of the chunk at hand. */
  stop(): void {
    this.reset();
    this.state = State.Stopped;
  }

  /** Whether bytes wait for the rest of their element. */
  get incomplete(): boolean {
    return this.pendingBytes > 0;
  }

  /**
   * Takes the next chunk and calls the handler for everything that ends in it.
   * @throws {XmlError} after which the splitter takes nothing more
   */
  push(chunk: Buffer): void {
    try {
      this.run(chunk);
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  private run(chunk: Buffer): void {
    const { length } = chunk;
    const { resets } = this;
    /** Where the element at hand starts in this chunk; it may have started in an earlier one. */
    let start = 0;
    let i = 0;
    while (i < length) {
      switch (this.state) {
        case State.Start:
        case State.Between: {
          const byte = chunk[i]!;
          if (byte === 0x3c) {
            // Most elements lie whole in one chunk: the scanner tells where they end.
            const end = this.scope && isLikelyWhole(chunk, i) ? this.scanner.tryElement(chunk, i, length, this.scope) : -1;
            if (end >= 0) {
              this.deliver(chunk, i, end);
              if (this.resets !== resets) return;
              i = end;
              break;
            }
            start = i++;
            this.state = State.Open;
          } else if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
            i++;
          } else {
            throw new XmlError('not-well-formed', 'text between elements', i);
          }
          break;
        }
        case State.Text: {
          const next = nextLt(chunk, i);
          if (next < 0) {
            i = length;
          } else {
            i = next + 1;
            this.state = State.Open;
          }
          break;
        }
        case State.Open: {
          const byte = chunk[i]!;
          if (byte === 0x2f) {
            if (this.scope === undefined) throw new XmlError('not-well-formed', 'end tag without its start tag', i);
            this.state = State.Close;
            i++;
          } else if (byte === 0x3f) {
            if (this.scope !== undefined) throw new XmlError('restricted-xml', 'processing instruction', i);
            this.state = State.Instruction;
            i++;
          } else if (byte === 0x21) {
            if (this.depth === 0) throw new XmlError('restricted-xml', 'comment or declaration', i);
            this.state = State.Marker;
            this.matched = 0;
            i++;
          } else {
            this.state = State.Tag;
            this.slash = false;
          }
          break;
        }
        case State.Tag: {
          let byte = 0;
          let last = this.slash ? 0x2f : 0;
          for (; i < length; i++) {
            byte = chunk[i]!;
            if (byte === 0x3e || byte === 0x22 || byte === 0x27) break;
            last = byte;
          }
          this.slash = last === 0x2f;
          if (i === length) break;
          i++;
          if (byte === 0x22) this.state = State.Double;
          else if (byte === 0x27) this.state = State.Single;
          else if (this.scope === undefined) {
            if (this.slash) throw new XmlError('not-well-formed', 'empty stream', i);
            start = this.header(chunk, start, i);
            if (this.resets !== resets) return;
          } else if (!this.slash) {
            this.depth++;
            this.state = State.Text;
          } else if (this.depth === 0) {
            start = this.element(chunk, start, i);
            if (this.resets !== resets) return;
          } else {
            this.state = State.Text;
          }
          break;
        }
        case State.Double:
        case State.Single: {
          const quote = this.state === State.Double ? 0x22 : 0x27;
          while (i < length && chunk[i] !== quote) i++;
          if (i < length) {
            i++;
            this.state = State.Tag;
            this.slash = false;
          }
          break;
        }
        case State.Close: {
          while (i < length && chunk[i] !== 0x3e) i++;
          if (i === length) break;
          i++;
          if (this.depth === 0) {
            this.close(this.take(chunk, start, i));
            return;
          }
          if (--this.depth > 0) {
            this.state = State.Text;
            break;
          }
          start = this.element(chunk, start, i);
          if (this.resets !== resets) return;
          break;
        }
        case State.Instruction: {
          while (i < length && chunk[i] !== 0x3e) i++;
          if (i === length) break;
          i++;
          const whole = this.take(chunk, start, i);
          if (this.declared) throw new XmlError('restricted-xml', 'second XML declaration', i);
          this.declared = true;
          this.scanner.declaration(whole, 0, whole.length);
          this.state = State.Start;
          break;
        }
        case State.Marker: {
          if (chunk[i] !== MARKER.charCodeAt(this.matched)) throw new XmlError('restricted-xml', 'comment or declaration', i);
          i++;
          if (++this.matched === MARKER.length) {
            this.state = State.Cdata;
            this.matched = 0;
          }
          break;
        }
        case State.Cdata: {
          // `matched` counts the brackets seen last, as far as they matter.
          const byte = chunk[i++]!;
          if (byte === 0x5d) this.matched = Math.min(2, this.matched + 1);
          else if (byte === 0x3e && this.matched === 2) this.state = State.Text;
          else this.matched = 0;
          break;
        }
        case State.Stopped:
          return;
      }
    }
    if (this.state === State.Start || this.state === State.Between || this.state === State.Stopped) return;
    const rest = start === 0 ? chunk : chunk.subarray(start);
    this.pendingBytes += rest.length;
    if (this.pendingBytes > this.maxBytes) throw tooLarge();
    this.pending.push(rest);
  }

  /** The bytes from the start of the element at hand to `end` of this chunk, as one buffer. */
  private take(chunk: Buffer, start: number, end: number): Buffer {
    if (this.pendingBytes === 0) {
      if (end - start > this.maxBytes) throw tooLarge();
      return chunk.subarray(start, end);
    }
    if (this.pendingBytes + end > this.maxBytes) throw tooLarge();
    this.pending.push(chunk.subarray(0, end));
    const whole = Buffer.concat(this.pending);
    this.pending = [];
    this.pendingBytes = 0;
    return whole;
  }

  private header(chunk: Buffer, start: number, end: number): number {
    const { scanner } = this;
    const whole = this.take(chunk, start, end);
    scanner.tag(whole, 0, whole.length);
    this.scope = Scope.shared(scanner.declarationsOf());
    const root = whole.subarray(1, scanner.nameEnd);
    this.root = root.equals(STREAM) ? STREAM : Buffer.from(root);
    this.state = State.Between;
    this.handler.onHeader({
      name: whole.toString('utf8', scanner.localStart, scanner.nameEnd),
      namespace: scanner.namespace,
      attributes: scanner.attributesOf(),
    });
    return end;
  }

  /** An element that came in pieces, or that the scanner would not take whole. */
  private element(chunk: Buffer, start: number, end: number): number {
    const source = this.take(chunk, start, end);
    if (this.scanner.element(source, 0, source.length, this.scope) !== source.length) {
      throw new XmlError('not-well-formed', 'something behind the element', end);
    }
    this.deliver(source, 0, source.length);
    return end;
  }

  /** The element that the scanner took last. */
  private deliver(source: Buffer, start: number, end: number): void {
    if (end - start > this.maxBytes) throw tooLarge();
    this.state = State.Between;
    const stanza = Stanza.scanned(this.scanner, source, end, this.scope);
    // Whoever wraps it must not lend it a namespace.
    this.handler.onElement(stanza.namespace === '' && this.scanner.bare ? stanza.with({ xmlns: '' }) : stanza);
  }

  private close(tag: Buffer): void {
    const { root } = this;
    const nameEnd = 2 + root.length;
    let at = nameEnd;
    while (at < tag.length && isSpace(tag[at]!)) at++;
    if (!tag.subarray(2, nameEnd).equals(root) || at !== tag.length - 1) {
      throw new XmlError('not-well-formed', 'end tag without its start tag');
    }
    this.stop();
    this.handler.onClose();
  }
}

/** Whether the scanner is likely to find the end of the element at `start`: what it looks at in vain is looked at again. */
function isLikelyWhole(chunk: Buffer, start: number): boolean {
  if (chunk[chunk.length - 1] === 0x3e) return true;
  if (chunk.length - start <= LONG) return false;
  // A long text that is cut has neither behind its start tag.
  const tagEnd = chunk.indexOf(0x3e, start);
  return tagEnd > 0 && (chunk[tagEnd - 1] === 0x2f || chunk.indexOf('</', tagEnd, 'latin1') > 0);
}

function tooLarge(): XmlError {
  return new XmlError('policy-violation', 'element too large', 0, 'maxBytes');
}

/** The next `<`. Text is mostly short; a long one is left to the native search. */
function nextLt(chunk: Buffer, from: number): number {
  const near = Math.min(chunk.length, from + 64);
  for (let i = from; i < near; i++) if (chunk[i] === 0x3c) return i;
  return near === chunk.length ? -1 : chunk.indexOf(0x3c, near);
}
