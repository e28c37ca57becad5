import { Stanza, writeElement, type Element } from '../../xml/index.js';

const QUALIFIED_NAME = /^<([^\s/>]+)/;

/** A copy with one more child at the end, everything else byte for byte. The child declares its own namespace. */
export function withChild(stanza: Stanza, child: Element): Stanza {
  const text = stanza.toString();
  const content = writeElement(child);
  // Only a root without content ends so: any other ends with its end tag.
  if (text.endsWith('/>')) return Stanza.parse(`${text.slice(0, -2)}>${content}</${QUALIFIED_NAME.exec(text)![1]}>`);
  const close = text.lastIndexOf('</');
  return Stanza.parse(text.slice(0, close) + content + text.slice(close));
}
