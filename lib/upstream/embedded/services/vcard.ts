import { element, readElement, type Element } from '../../../xml/index.js';
import { StanzaError } from '../../../stanza-error.js';
import type { EmbeddedResource, EmbeddedService, EmbeddedServices, Query, QueryHandler } from '../service.js';
import { XMLNS } from './namespaces.js';

/** Largest vCard that is kept: room for an avatar (XEP-0153 recommends 8 KiB). */
const MAX_BYTES = 128 * 1024;

/** vcard-temp (XEP-0054): the own vCard can be read and written, those of others be read. */
export class VCardService implements EmbeddedService {
  private server!: EmbeddedServices;
  /** By bare address, as written. */
  private readonly cards = new Map<string, string>();

  readonly features = [XMLNS.vcard];
  readonly accountFeatures = [XMLNS.vcard];
  readonly queries: readonly QueryHandler[] = [
    { name: 'vCard', namespace: XMLNS.vcard, type: 'get', target: 'account', answer: (query) => this.read(query) },
    { name: 'vCard', namespace: XMLNS.vcard, type: 'set', target: 'account', answer: (query) => this.write(query) },
    {
      // Some clients ask the server for its own card.
      name: 'vCard',
      namespace: XMLNS.vcard,
      type: 'get',
      target: 'domain',
      answer: () => element('vCard', { xmlns: XMLNS.vcard }, element('FN', {}, 'nestjs-xmpp')),
    },
  ];

  attach(server: EmbeddedServices): void {
    this.server = server;
  }

  onUnbound({ jid }: EmbeddedResource): void {
    if (!this.server.exists(jid.bare)) this.cards.delete(jid.bare);
  }

  private read({ to, own }: Query): Element {
    const card = this.cards.get(to.bare);
    // An account without a card looks to others like no account (XEP-0054, section 3.3).
    if (card === undefined) throw new StanzaError(own ? 'item-not-found' : 'service-unavailable');
    return readElement(card);
  }

  private write({ payload, to, own }: Query): undefined {
    if (!own) throw new StanzaError('forbidden');
    if (payload.byteLength > MAX_BYTES) {
      throw new StanzaError('not-acceptable', { text: `a vCard has at most ${MAX_BYTES} bytes` });
    }
    this.cards.set(to.bare, payload.toString());
  }
}
