import { element, type Stanza } from '../../xml/index.js';
import { withChild } from './append.js';

const DELAY = 'urn:xmpp:delay';

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
  const copy = withChild(honest, element('delay', { xmlns: DELAY, from, stamp: new Date(time).toISOString() }));
  stamped.add(copy);
  return copy;
}

/** A copy with another addressee, which is as old as the stanza is. */
export function redirected(stanza: Stanza, to: string): Stanza {
  const copy = stanza.with({ to });
  if (stamped.has(stanza)) stamped.add(copy);
  return copy;
}
