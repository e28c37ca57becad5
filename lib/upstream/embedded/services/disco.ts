import { element, type Element } from '../../../xml/index.js';
import { StanzaError } from '../../../stanza-error.js';
import type {
  DiscoIdentity,
  DiscoItem,
  EmbeddedService,
  EmbeddedServices,
  Query,
  QueryHandler,
} from '../service.js';
import { requirePresence } from './access.js';
import { XMLNS } from './namespaces.js';

/** The result of disco#info (XEP-0030, section 3). */
export function discoInfo(
  node: string | undefined,
  identities: readonly DiscoIdentity[],
  features: readonly string[],
  ...forms: Element[]
): Element {
  return element(
    'query',
    { xmlns: XMLNS.discoInfo, node },
    ...identities.map(({ category, type, name }) => element('identity', { category, type, name })),
    ...[...new Set(features)].map((feature) => element('feature', { var: feature })),
    ...forms,
  );
}

/** The result of disco#items (XEP-0030, section 4). */
export function discoItems(node: string | undefined, items: readonly DiscoItem[]): Element {
  return element(
    'query',
    { xmlns: XMLNS.discoItems, node },
    ...items.map((item) => element('item', { jid: item.jid, node: item.node, name: item.name })),
  );
}

const OWN_FEATURES = [XMLNS.discoInfo, XMLNS.discoItems];

/** Service discovery (XEP-0030) of the server's domains and of bare accounts. */
export class DiscoService implements EmbeddedService {
  private server!: EmbeddedServices;

  readonly features = OWN_FEATURES;
  readonly accountFeatures = OWN_FEATURES;
  readonly identities: readonly DiscoIdentity[] = [{ category: 'server', type: 'im', name: 'nestjs-xmpp' }];
  readonly accountIdentities: readonly DiscoIdentity[] = [{ category: 'account', type: 'registered' }];

  readonly queries: readonly QueryHandler[] = [
    query(XMLNS.discoInfo, 'domain', (asked) => this.domainInfo(asked)),
    query(XMLNS.discoItems, 'domain', (asked) => this.domainItems(asked)),
    query(XMLNS.discoInfo, 'account', (asked) => this.accountInfo(asked)),
    query(XMLNS.discoItems, 'account', (asked) => this.accountItemList(asked)),
  ];

  attach(server: EmbeddedServices): void {
    this.server = server;
  }

  private domainInfo({ payload }: Query): Element {
    if (payload.attribute('node') !== undefined) throw new StanzaError('item-not-found');
    const { services } = this.server;
    return discoInfo(
      undefined,
      services.flatMap((service) => service.identities ?? []),
      services.flatMap((service) => service.features ?? []),
    );
  }

  private domainItems({ payload, to }: Query): Element {
    if (payload.attribute('node') !== undefined) throw new StanzaError('item-not-found');
    const items: DiscoItem[] = [];
    for (const { host, hostName } of this.server.services) {
      if (host === undefined) continue;
      items.push({ jid: `${host}.${to.domain}`, ...(hostName !== undefined && { name: hostName }) });
    }
    return discoItems(undefined, items);
  }

  private accountInfo({ payload, from, to }: Query): Element {
    requirePresence(this.server, to.bare, from);
    const { services } = this.server;
    const node = payload.attribute('node');
    if (node === undefined) {
      return discoInfo(
        undefined,
        services.flatMap((service) => service.accountIdentities ?? []),
        services.flatMap((service) => service.accountFeatures ?? []),
      );
    }
    for (const service of services) {
      const found = service.accountNode?.(to.bare, node, from);
      if (found) return discoInfo(node, found.identities, found.features);
    }
    throw new StanzaError('item-not-found');
  }

  private accountItemList({ payload, from, to }: Query): Element {
    requirePresence(this.server, to.bare, from);
    const { services } = this.server;
    const node = payload.attribute('node');
    if (node === undefined) {
      return discoItems(
        undefined,
        services.flatMap((service) => service.accountItems?.(to.bare, from) ?? []),
      );
    }
    // The nodes that there are have no nodes below them.
    if (services.some((service) => service.accountNode?.(to.bare, node, from))) return discoItems(node, []);
    throw new StanzaError('item-not-found');
  }
}

function query(namespace: string, target: QueryHandler['target'], answer: QueryHandler['answer']): QueryHandler {
  return { name: 'query', namespace, type: 'get', target, answer };
}
