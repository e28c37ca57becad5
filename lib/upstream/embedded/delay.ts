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

/** Stanzas that the server stamped: what a stanza says of itself may be a lie. */
const stamped = new WeakSet<Stanza>();

/**
 * A copy of a message that says when the server took it (XEP-0203); itself if the server stamped it
 * before. What somebody else wrote in the server's name is left out.
 * @param from the domain that delays it
 * @param time milliseconds since the epoch
 */
export function delayed(stanza: Stanza, from: string, time: number): Stanza {
  if (stamped.has(stanza)) return stanza;
  const honest = stanza.mapChildren((child) => {
    return child.is('delay', DELAY) && child.attribute('from') === from ? undefined : child;
  });
  const copy = append(
    honest,
    `<delay xmlns='${DELAY}' from='${escapeAttribute(from)}' stamp='${new Date(time).toISOString()}'/>`,
  );
  stamped.add(copy);
  return copy;
}

/** A copy with another addressee, which is as old as the stanza is. */
export function redirected(stanza: Stanza, to: string): Stanza {
  const copy = stanza.with({ to });
  if (stamped.has(stanza)) stamped.add(copy);
  return copy;
}
