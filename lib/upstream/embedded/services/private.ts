import { element, readElement, type Element, type Stanza } from '../../../xml/index.js';
import { StanzaError } from '../../../stanza-error.js';
import type { EmbeddedResource, EmbeddedService, EmbeddedServices, Query, QueryHandler } from '../service.js';
import { XMLNS } from './namespaces.js';

const MAX_ELEMENTS = 64;
const MAX_BYTES = 64 * 1024;

/** Private XML storage (XEP-0049): one document for each element name and namespace, for its account only. */
export class PrivateStorageService implements EmbeddedService {
  private server!: EmbeddedServices;
  /** By bare address, then by name and namespace; as written. */
  private readonly documents = new Map<string, Map<string, string>>();

  readonly features = [XMLNS.private];
  readonly accountFeatures = [XMLNS.private];
  readonly queries: readonly QueryHandler[] = [
    { name: 'query', namespace: XMLNS.private, type: 'get', target: 'account', answer: (query) => this.read(query) },
    { name: 'query', namespace: XMLNS.private, type: 'set', target: 'account', answer: (query) => this.write(query) },
  ];

  attach(server: EmbeddedServices): void {
    this.server = server;
  }

  onUnbound({ jid }: EmbeddedResource): void {
    if (!this.server.exists(jid.bare)) this.documents.delete(jid.bare);
  }

  private read(query: Query): Element {
    const asked = documentsOf(query);
    if (asked.length > 1) throw new StanzaError('bad-request');
    const stored = this.documents.get(query.to.bare)?.get(keyOf(asked[0]!));
    // What was never stored comes back as it was asked for, empty (XEP-0049, section 2.2).
    const document =
      stored === undefined ? element(asked[0]!.name, { xmlns: asked[0]!.namespace }) : readElement(stored);
    return element('query', { xmlns: XMLNS.private }, document);
  }

  private write(query: Query): undefined {
    const given = documentsOf(query);
    const documents = this.documents.get(query.to.bare) ?? new Map<string, string>();
    const added = new Set(given.map(keyOf).filter((key) => !documents.has(key)));
    if (documents.size + added.size > MAX_ELEMENTS || given.some(({ byteLength }) => byteLength > MAX_BYTES)) {
      throw new StanzaError('resource-constraint');
    }
    for (const document of given) documents.set(keyOf(document), document.toString());
    this.documents.set(query.to.bare, documents);
  }
}

function documentsOf({ payload, own }: Query): Stanza[] {
  if (!own) throw new StanzaError('forbidden');
  const children = payload.children();
  // Without a namespace of its own an element has no place (XEP-0049, section 2.3).
  if (children.length === 0 || children.some(({ namespace }) => namespace === XMLNS.private || namespace === '')) {
    throw new StanzaError('not-acceptable');
  }
  return children;
}

function keyOf({ namespace, name }: Stanza): string {
  return `{${namespace}}${name}`;
}
