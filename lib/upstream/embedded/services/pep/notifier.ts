import { element, NS, Stanza, type Element } from '../../../../xml/index.js';
import type { EmbeddedResource, EmbeddedServices } from '../../service.js';
import { seesPresence } from '../access.js';
import { XMLNS } from '../namespaces.js';
import { timestamp } from '../time.js';
import { Capabilities } from './caps.js';
import { itemElement, type Node } from './node.js';

/**
 * Tells who is interested of what happens to nodes (XEP-0163, section 4): those resources of the
 * owner and, where the access model lets them, of the subscribers to the owner's presence that have
 * the feature `<node>+notify`.
 */
export class Notifier {
  readonly capabilities: Capabilities;
  private sent = 0;

  /** @param nodesOf the nodes of every account that has some, by its bare address */
  constructor(
    private readonly server: EmbeddedServices,
    private readonly nodesOf: ReadonlyMap<string, ReadonlyMap<string, Node>>,
  ) {
    this.capabilities = new Capabilities((resource, features, before) => {
      for (const feature of features) {
        if (feature.endsWith('+notify') && !before.has(feature)) {
          this.sendLastOf(feature.slice(0, -'+notify'.length), resource);
        }
      }
    });
  }

  /** @param content children of `<event/>` */
  notify(node: Node, ...content: Element[]): void {
    if (!node.config.deliverNotifications) return;
    const message = this.message(node, undefined, ...content);
    for (const resource of this.audience(node)) this.send(message, resource);
  }

  /** The last items of an account, to a contact that may see them from now on. */
  sendLastItems(owner: string, contact: string): void {
    const nodes = this.nodesOf.get(owner);
    if (!nodes) return;
    for (const resource of this.server.resources(contact)) {
      if (!resource.available) continue;
      for (const node of nodes.values()) {
        if (this.capabilities.of(resource).has(`${node.name}+notify`)) this.sendLast(node, resource);
      }
    }
  }

  private sendLastOf(name: string, resource: EmbeddedResource): void {
    for (const nodes of this.nodesOf.values()) {
      const node = nodes.get(name);
      if (node) this.sendLast(node, resource);
    }
  }

  private sendLast(node: Node, resource: EmbeddedResource): void {
    const { config, owner, last } = node;
    if (config.sendLast === 'never' || !config.deliverNotifications || !last) return;
    const own = resource.jid.bare === owner;
    if (!own && (config.accessModel === 'whitelist' || !seesPresence(this.server, owner, resource.jid))) return;
    const items = element('items', { node: node.name }, itemElement(last, config.deliverPayloads));
    this.send(this.message(node, last.published, items), resource);
  }

  private *audience(node: Node): Generator<EmbeddedResource> {
    yield* this.interested(node.owner, node.name);
    if (node.config.accessModel === 'whitelist') return; // for the owner only
    for (const contact of this.server.subscribers(node.owner)) {
      if (contact !== node.owner) yield* this.interested(contact, node.name);
    }
  }

  private *interested(account: string, node: string): Generator<EmbeddedResource> {
    for (const resource of this.server.resources(account)) {
      if (resource.available && this.capabilities.of(resource).has(`${node}+notify`)) yield resource;
    }
  }

  private message(node: Node, published: number | undefined, ...content: Element[]): Stanza {
    return Stanza.of(
      element(
        'message',
        { xmlns: NS.client, type: 'headline', from: node.owner },
        element('event', { xmlns: XMLNS.pubsubEvent }, ...content),
        published === undefined
          ? undefined
          : element('delay', { xmlns: XMLNS.delay, from: node.owner, stamp: timestamp(published) }),
      ),
    );
  }

  private send(message: Stanza, resource: EmbeddedResource): void {
    this.server.route(message.with({ to: resource.jid.toString(), id: `pep-${++this.sent}` }));
  }
}
