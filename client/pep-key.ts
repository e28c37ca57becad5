import { bareOf } from './attributes.js';
import { IqError, type SharedKeySource, type StreamLink } from './key-source.js';
import { keyElement, keyIn } from './private-xml-key.js';

const PUBSUB = 'http://jabber.org/protocol/pubsub';
const DISCO = 'http://jabber.org/protocol/disco#info';
const NODE = 'urn:nestjs-xmpp:shared:0';
const ITEM = 'current';

/**
 * Keeps the key in the XMPP server, in a private node of the account (XEP-0223); otherwise as `PrivateXmlKey`.
 *
 * A server that does not understand publish-options would show the node to all contacts: there it keeps nothing, and
 * every browser has its own stream.
 */
export class PepKey implements SharedKeySource {
  /** @throws {IqError} also when the node is there and is not private (XEP-0060, section 7.1.5) */
  async settle(_account: string, key: string, link: StreamLink, stale: string | undefined): Promise<string> {
    if (!(await publishesPrivately(link))) return key;
    const found = await read(link);
    if (found !== undefined && found !== stale) return found;
    await publish(link, key);
    // Of two that published at once, the last one counts for both.
    return (await read(link)) ?? key;
  }

  async discard(_account: string, key: string, link: StreamLink | undefined): Promise<void> {
    if (!link || (await read(link)) !== key) return;
    await link.request(iq('set', `<retract node='${NODE}'><item id='${ITEM}'/></retract>`));
  }
}

/** Asked of the account, not of its domain: what the server offers in other places says nothing about this one. */
async function publishesPrivately(link: StreamLink): Promise<boolean> {
  const to = escape(bareOf(link.jid));
  try {
    const info = await link.request(`<iq xmlns='jabber:client' type='get' to='${to}'><query xmlns='${DISCO}'/></iq>`);
    const features = Array.from(info.getElementsByTagNameNS(DISCO, 'feature'));
    return features.some((feature) => feature.getAttribute('var') === `${PUBSUB}#publish-options`);
  } catch (error) {
    if (error instanceof IqError) return false;
    throw error;
  }
}

async function read(link: StreamLink): Promise<string | undefined> {
  try {
    return keyIn(await link.request(iq('get', `<items node='${NODE}'><item id='${ITEM}'/></items>`)));
  } catch (error) {
    if (error instanceof IqError && error.condition === 'item-not-found') return undefined;
    throw error;
  }
}

async function publish(link: StreamLink, key: string): Promise<void> {
  const options = [
    ['FORM_TYPE', `${PUBSUB}#publish-options`, " type='hidden'"],
    ['pubsub#persist_items', 'true', ''],
    ['pubsub#access_model', 'whitelist', ''],
  ].map(([name, value, type]) => `<field var='${name}'${type}><value>${value}</value></field>`);
  await link.request(
    iq(
      'set',
      `<publish node='${NODE}'><item id='${ITEM}'>${keyElement(key)}</item></publish>` +
        `<publish-options><x xmlns='jabber:x:data' type='submit'>${options.join('')}</x></publish-options>`,
    ),
  );
}

function iq(type: 'get' | 'set', content: string): string {
  return `<iq xmlns='jabber:client' type='${type}'><pubsub xmlns='${PUBSUB}'>${content}</pubsub></iq>`;
}

function escape(text: string): string {
  return text.replace(/[<&'"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
