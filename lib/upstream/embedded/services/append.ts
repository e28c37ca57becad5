import { writeElement, type Element, type Stanza } from '../../../xml/index.js';
import { append } from '../delay.js';

/** A copy with one more child at the end, everything else byte for byte. The child declares its own namespace. */
export function withChild(stanza: Stanza, child: Element): Stanza {
  return append(stanza, writeElement(child));
}
