import { elementsOf } from './attributes.js';
import { IqError, type StreamLink } from './key-source.js';
import type { StropheConnection } from './strophe.js';

/** Milliseconds. */
const PATIENCE = 10_000;

/** For sources that keep keys in the XMPP server. */
export function linkTo(connection: StropheConnection): StreamLink {
  return {
    jid: connection.jid,
    request: (iq) =>
      new Promise((resolve, reject) => {
        // Strophe forgets its own timeouts when the connection ends.
        const timeout = setTimeout(() => reject(new IqError('timeout')), PATIENCE);
        connection.sendIQ(
          new DOMParser().parseFromString(iq, 'text/xml').documentElement,
          (result) => {
            clearTimeout(timeout);
            resolve(result);
          },
          (error) => {
            clearTimeout(timeout);
            reject(new IqError(conditionOf(error)));
          },
        );
        connection.flush();
      }),
  };
}

/** Of an iq that is an error (RFC 6120, section 8.3.3). */
function conditionOf(iq: Element | null): string {
  const error = iq && elementsOf(iq).find((element) => element.localName === 'error');
  return (error && elementsOf(error)[0]?.localName) ?? 'undefined-condition';
}
