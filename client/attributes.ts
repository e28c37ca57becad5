import type { Attributes } from './strophe.js';

/** The namespace of Shared BOSH: `shared:key`, `shared:result`, `shared:jid`, `shared:sent`, `shared:snapshot`. */
export const SHARED_BOSH = 'urn:xmpp:tmp:shared-bosh:0';
/** Of what the specification lacks: `attach-only`, `scope`; and of the element that holds a stored key. */
export const SHARED_EXTENSIONS = 'urn:nestjs-xmpp:shared:0';

/** What a server says about sharing when it opens a stream. */
export interface SharedAnswer {
  /** undefined: it knows nothing of Shared BOSH. */
  readonly result: 'created' | 'attached' | undefined;
  /** The full JID that the tabs share, where one attached. */
  readonly jid: string | undefined;
}

/** Of the `<body/>` or `<open/>` of an answer. */
export function readAnswer(element: Element): SharedAnswer {
  const result = element.getAttributeNS(SHARED_BOSH, 'result');
  return {
    result: result === 'created' || result === 'attached' ? result : undefined,
    jid: element.getAttributeNS(SHARED_BOSH, 'jid') || undefined,
  };
}

/** For the request that opens a stream. */
export function openingAttributes(key: string, attachOnly: boolean, from: string | undefined): Attributes {
  return {
    'xmlns:shared': SHARED_BOSH,
    'shared:key': key,
    ...(attachOnly && { 'xmlns:sx': SHARED_EXTENSIONS, 'sx:attach-only': 'true' }),
    ...(from !== undefined && { from }),
  };
}

/** Replaces the key of the stream. */
export function rekeyingAttributes(key: string): Attributes {
  return { 'xmlns:shared': SHARED_BOSH, 'shared:newkey': key };
}

/** Whether an answer says that the key was replaced. */
export function isRekeyed(element: Element): boolean {
  return element.getAttributeNS(SHARED_BOSH, 'result') === 'rekeyed';
}

/** For the request that ends a stream: also for the other tabs. */
export const CLOSING_FOR_ALL: Attributes = { 'xmlns:sx': SHARED_EXTENSIONS, 'sx:scope': 'all' };

/**
 * The number of the client that sent a stanza, where that is a copy of what another tab sent; undefined for a
 * stanza that was received. Servers let nobody outside forge it.
 */
export function senderOf(stanza: Element): number | undefined {
  return stanza.hasAttributeNS(SHARED_BOSH, 'sent') ? Number(stanza.getAttributeNS(SHARED_BOSH, 'sent')) : undefined;
}

/** Whether a presence is not news, but told to a tab that came late. */
export function isSnapshot(stanza: Element): boolean {
  return stanza.getAttributeNS(SHARED_BOSH, 'snapshot') === 'true';
}

/** The elements in an element. */
export function elementsOf(parent: Node): Element[] {
  const elements: Element[] = [];
  for (let node = parent.firstChild; node; node = node.nextSibling) {
    if (node.nodeType === 1) elements.push(node as Element);
  }
  return elements;
}

/** The JID without its resource. */
export function bareOf(jid: string): string {
  return jid.split('/', 1)[0]!;
}

/** Whether two JIDs are of one account, as far as a client can tell. */
export function sameAccount(a: string, b: string): boolean {
  return normalized(a) === normalized(b);
}

/** A bare JID as servers compare it, but for their rarer rules. */
export function normalized(jid: string): string {
  return bareOf(jid).normalize('NFKC').toLowerCase();
}
