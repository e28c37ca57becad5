import { element, type Stanza } from '../../../../xml/index.js';
import { withChild } from '../../append.js';
import { XMLNS } from '../namespaces.js';
import { timestamp } from '../time.js';

const MAX_MESSAGES = 100;
const MAX_BYTES = 512 * 1024;
/** For who does not say how much. */
const DEFAULT_MESSAGES = 20;

interface Past {
  /** With its `<delay/>`, without `to`. */
  readonly message: Stanza;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** The latest messages of a room (XEP-0045, section 7.2.13), in order. */
export class History {
  private readonly past: Past[] = [];
  private bytes = 0;

  constructor(private readonly room: string) {}

  /** @param message as it was broadcast, without `to` */
  add(message: Stanza, at: number): void {
    const delayed = withChild(message, element('delay', { xmlns: XMLNS.delay, from: this.room, stamp: timestamp(at) }));
    this.past.push({ message: delayed, at });
    this.bytes += delayed.byteLength;
    while (this.past.length > MAX_MESSAGES || this.bytes > MAX_BYTES) {
      this.bytes -= this.past.shift()!.message.byteLength;
    }
  }

  /**
   * What somebody who enters gets.
   * @param limits `<history/>` of its presence
   * @param now milliseconds since the epoch
   */
  select(limits: Stanza | undefined, now: number): Stanza[] {
    const limit = (name: string): number | undefined => {
      const text = limits?.attribute(name);
      return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
    };
    const maxChars = limit('maxchars') ?? Infinity;
    const seconds = limit('seconds');
    const since = Date.parse(limits?.attribute('since') ?? '');
    const limited = maxChars !== Infinity || seconds !== undefined || !Number.isNaN(since);
    const maxMessages = limit('maxstanzas') ?? (limited ? MAX_MESSAGES : DEFAULT_MESSAGES);
    const after = Math.max(
      seconds === undefined ? -Infinity : now - seconds * 1000,
      Number.isNaN(since) ? -Infinity : since,
    );

    const selected: Stanza[] = [];
    let chars = 0;
    for (let i = this.past.length; i-- > 0 && selected.length < maxMessages; ) {
      const { message, at } = this.past[i]!;
      // Characters of whole stanzas are meant; bytes are as many, or more.
      chars += message.byteLength;
      if (at < after || chars > maxChars) break;
      selected.push(message);
    }
    return selected.reverse();
  }
}
