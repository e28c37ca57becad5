import { SHARED_EXTENSIONS } from './attributes.js';
import type { SharedKeySource, StreamLink } from './key-source.js';

/**
 * Keeps the key in the XMPP server, as private XML (XEP-0049): for tabs of several origins or devices. Nobody but the
 * account can read it. A tab must log in to find it, and then moves to the stream of the others; put a `StoredKey`
 * before it, so that this happens only once in a browser.
 */
export class PrivateXmlKey implements SharedKeySource {
  async settle(_account: string, key: string, link: StreamLink, stale: string | undefined): Promise<string> {
    const found = await read(link);
    if (found !== undefined && found !== stale) return found;
    await write(link, key);
    // Of two that wrote at once, the last one counts for both.
    return (await read(link)) ?? key;
  }

  async discard(_account: string, key: string, link: StreamLink | undefined): Promise<void> {
    if (link && (await read(link)) === key) await write(link, '');
  }
}

async function read(link: StreamLink): Promise<string | undefined> {
  return keyIn(await link.request(iq('get', '')));
}

async function write(link: StreamLink, key: string): Promise<void> {
  await link.request(iq('set', key));
}

function iq(type: 'get' | 'set', key: string): string {
  return `<iq xmlns='jabber:client' type='${type}'><query xmlns='jabber:iq:private'>${keyElement(key)}</query></iq>`;
}

/** The element that holds a key in the XMPP server. */
export function keyElement(key: string): string {
  const text = key.replace(/[<&>]/g, (character) => `&#${character.charCodeAt(0)};`);
  return `<key xmlns='${SHARED_EXTENSIONS}'>${text}</key>`;
}

/** The key in the answer to a request for it. */
export function keyIn(answer: Element): string | undefined {
  return answer.getElementsByTagNameNS(SHARED_EXTENSIONS, 'key')[0]?.textContent || undefined;
}
