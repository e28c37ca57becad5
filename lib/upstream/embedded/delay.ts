import { escapeAttribute, Stanza } from '../../xml/index.js';

const DELAY = 'urn:xmpp:delay';
const QUALIFIED_NAME = /^<([^\s/>]+)/;

/** A copy of a stanza with one more child, given as XML that declares its own namespace. */
export function append(stanza: Stanza, child: string): Stanza {
  const text = stanza.toString();
  if (text.endsWith('/>')) {
    return Stanza.parse(`${text.slice(0, -2)}>${child}</${QUALIFIED_NAME.exec(text)![1]}>`);
  }
  const close = text.lastIndexOf('</');
  return Stanza.parse(text.slice(0, close) + child + text.slice(close));
}

/**
 * A copy of a message that says when the server took it (XEP-0203); itself if this server said so before.
 * @param from the domain that delays it
 * @param time milliseconds since the epoch
 */
export function delayed(stanza: Stanza, from: string, time: number): Stanza {
  const known = stanza
    .children()
    .some((child) => child.is('delay', DELAY) && child.attribute('from') === from);
  if (known) return stanza;
  const stamp = new Date(time).toISOString();
  return append(stanza, `<delay xmlns='${DELAY}' from='${escapeAttribute(from)}' stamp='${stamp}'/>`);
}
