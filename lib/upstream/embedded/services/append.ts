import { Stanza, writeElement, type Element } from '../../../xml/index.js';

/** A copy with one more child at the end, everything else byte for byte. The child declares its own namespace. */
export function withChild(stanza: Stanza, child: Element): Stanza {
  const xml = stanza.toString();
  const content = writeElement(child);
  // Only a root without content ends so: any other ends with its end tag.
  if (xml.endsWith('/>')) {
    const name = /^<([^\s/>]+)/.exec(xml)![1]!;
    return Stanza.parse(`${xml.slice(0, -2)}>${content}</${name}>`);
  }
  const end = xml.lastIndexOf('</');
  return Stanza.parse(xml.slice(0, end) + content + xml.slice(end));
}
