import { element, NS, Stanza, XmlError } from '../xml/index.js';
import type { SharedOptions } from '../xmpp.options.js';
import { declarationsOf, hasPrefixedAttribute } from './attributes.js';
import { CARBONS, FORWARD, SHARED_BOSH } from './namespaces.js';

type Changes = Record<string, string | undefined>;

/**
 * What came from the server without attributes of the sharing: nobody outside can make a stanza look
 * like a copy of one that another tab sent. Only the top element's attributes mean anything.
 */
export function withoutMarks(stanza: Stanza): Stanza {
  if (!hasPrefixedAttribute(stanza)) return stanza;
  const changes: Changes = {};
  removeMarks(stanza, declarationsOf(stanza), changes);
  return Object.keys(changes).length === 0 ? stanza : stanza.with(changes);
}

/** A copy with an attribute of the sharing, and other changes. */
export function marked(stanza: Stanza, local: 'sent' | 'snapshot', value: string, changes: Changes = {}): Stanza {
  const declarations = declarationsOf(stanza);
  const marks: Changes = { ...changes };
  if (hasPrefixedAttribute(stanza)) removeMarks(stanza, declarations, marks);
  let prefix = declarations.find(([name, uri]) => uri === SHARED_BOSH && name !== '')?.[0];
  if (prefix === undefined) {
    prefix = 'shared';
    for (let i = 1; declarations.some(([name]) => name === prefix); i++) prefix = `shared${i}`;
    marks[`xmlns:${prefix}`] = SHARED_BOSH;
  }
  marks[`${prefix}:${local}`] = value;
  try {
    return stanza.with(marks);
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    return stanza.with(changes); // it has as many namespaces as there can be: a plain copy
  }
}

/**
 * What the other clients get of a stanza that one of them sent: made once, the same object for all.
 * @param sender the client's number
 * @param jid the full JID that they share, from which the server would say that it comes
 */
export function copyOf(stanza: Stanza, sender: number, jid: string, mode: SharedOptions['copies']): Stanza {
  const changes: Changes = { from: jid };
  if (mode === 'plain') return withoutMarks(stanza).with(changes);
  // A room sends to everybody what one says in it: a carbon would tell of it twice (XEP-0280, section 6.1).
  const type = stanza.kind === 'message' ? stanza.attribute('type') : 'groupchat';
  if (mode === 'carbons' && type !== 'groupchat' && type !== 'error') return carbon(withoutMarks(stanza).with(changes), jid, type);
  return marked(stanza, 'sent', String(sender), changes);
}

/** XEP-0280, section 8: from the own bare JID, the only one from which a client believes it. */
function carbon(message: Stanza, jid: string, type: string | undefined): Stanza {
  const hull = Stanza.of(
    element(
      'message',
      { xmlns: NS.client, from: bareOf(jid), to: jid, type },
      element('sent', { xmlns: CARBONS }, element('forwarded', { xmlns: FORWARD }, element('message', { xmlns: NS.client }))),
    ),
  );
  return hull.mapChildren((sent) => sent.mapChildren((forwarded) => forwarded.mapChildren(() => message)));
}

export function bareOf(jid: string): string {
  const slash = jid.indexOf('/');
  return slash < 0 ? jid : jid.slice(0, slash);
}

function removeMarks(stanza: Stanza, declarations: readonly (readonly [string, string])[], changes: Changes): void {
  for (const [prefix, uri] of declarations) {
    if (uri !== SHARED_BOSH || prefix === '') continue;
    for (const name of stanza.attributes.keys()) if (name.startsWith(`${prefix}:`)) changes[name] = undefined;
  }
}
