import { randomUUID } from 'node:crypto';
import { element, type Element, type Stanza } from '../../../../xml/index.js';
import { StanzaError } from '../../../../stanza-error.js';
import type { Jid } from '../../jid.js';
import type {
  DiscoIdentity,
  DiscoItem,
  DiscoNode,
  EmbeddedResource,
  EmbeddedService,
  EmbeddedServices,
  Query,
  QueryHandler,
} from '../../service.js';
import { seesPresence } from '../access.js';
import { readBoolean, readForm, writeForm } from '../form.js';
import { XMLNS } from '../namespaces.js';
import { applyForm, CONFIG_FORM, configFields, DEFAULT_CONFIG, meets, type NodeConfig } from './config.js';
import { pubsubError, unsupported } from './errors.js';
import { itemElement, Node, type Item } from './node.js';
import { Notifier } from './notifier.js';

const MAX_NODES = 128;
const MAX_PAYLOAD_BYTES = 128 * 1024;
const MAX_NAME = 1023;

/** Only what is there (XEP-0060, section 10). */
const FEATURES = [
  'access-open',
  'access-presence',
  'access-whitelist',
  'auto-create',
  'auto-subscribe',
  'config-node',
  'config-node-max',
  'create-and-configure',
  'create-nodes',
  'delete-items',
  'delete-nodes',
  'filtered-notifications',
  'item-ids',
  'last-published',
  'multi-items',
  'persistent-items',
  'presence-notifications',
  'publish',
  'publish-options',
  'purge-nodes',
  'retract-items',
  'retrieve-default',
  'retrieve-items',
].map((feature) => `${XMLNS.pubsub}#${feature}`);

const LEAF: DiscoNode = { identities: [{ category: 'pubsub', type: 'leaf' }], features: [XMLNS.pubsub] };

/**
 * Personal eventing (XEP-0163): every account is a publish-subscribe service (XEP-0060) of its own,
 * with interest told by presence and capabilities instead of subscriptions. Nodes of the access
 * model `whitelist` are private storage (XEP-0223): nobody but the owner is on the list.
 */
export class PepService implements EmbeddedService {
  private server!: EmbeddedServices;
  private notifier!: Notifier;
  /** By bare address, then by name. */
  private readonly accounts = new Map<string, Map<string, Node>>();

  readonly accountFeatures = [XMLNS.pubsub, ...FEATURES];
  readonly accountIdentities: readonly DiscoIdentity[] = [{ category: 'pubsub', type: 'pep' }];

  readonly queries: readonly QueryHandler[] = [
    handler(XMLNS.pubsub, 'get', (query) => this.get(query)),
    handler(XMLNS.pubsub, 'set', (query) => this.set(query)),
    handler(XMLNS.pubsubOwner, 'get', (query) => this.ownerGet(query)),
    handler(XMLNS.pubsubOwner, 'set', (query) => this.ownerSet(query)),
  ];

  attach(server: EmbeddedServices): void {
    this.server = server;
    this.notifier = new Notifier(server, this.accounts);
  }

  onAvailable(resource: EmbeddedResource, presence: Stanza, initial: boolean): void {
    this.notifier.capabilities.onPresence(resource, presence, initial);
  }

  onUnavailable(resource: EmbeddedResource): void {
    this.notifier.capabilities.onGone(resource);
  }

  onUnbound(resource: EmbeddedResource): void {
    this.notifier.capabilities.onGone(resource);
    if (!this.server.exists(resource.jid.bare)) this.accounts.delete(resource.jid.bare);
  }

  onAnswer(stanza: Stanza, resource: EmbeddedResource): void {
    this.notifier.capabilities.onAnswer(stanza, resource);
  }

  onSubscription(owner: string, contact: string, subscribed: boolean): void {
    if (subscribed) this.notifier.sendLastItems(owner, contact);
  }

  accountItems(owner: string, reader: Jid): DiscoItem[] {
    const items: DiscoItem[] = [];
    for (const node of this.accounts.get(owner)?.values() ?? []) {
      if (this.refusal(node, reader)) continue;
      items.push({ jid: owner, node: node.name, ...(node.config.title !== '' && { name: node.config.title }) });
    }
    return items;
  }

  accountNode(owner: string, name: string, reader: Jid): DiscoNode | undefined {
    const node = this.accounts.get(owner)?.get(name);
    return node && !this.refusal(node, reader) ? LEAF : undefined;
  }

  private get({ payload, from, to }: Query): Element {
    const request = payload.children()[0];
    if (request?.name !== 'items') throw unsupportedRequest(request);
    const node = this.node(to.bare, request);
    const refusal = this.refusal(node, from);
    if (refusal) throw refusal;
    const ids = request
      .children()
      .filter((child) => child.name === 'item')
      .map((item) => item.attribute('id') ?? '');
    let items: Item[];
    if (ids.length > 0) {
      items = ids.map((id) => node.item(id)).filter((item) => item !== undefined);
      if (items.length === 0) throw new StanzaError('item-not-found');
    } else {
      const count = request.attribute('max_items');
      if (count !== undefined && !/^[1-9]\d{0,9}$/.test(count)) throw new StanzaError('bad-request');
      items = node.recent(count === undefined ? undefined : Number(count));
    }
    return element(
      'pubsub',
      { xmlns: XMLNS.pubsub },
      element('items', { node: node.name }, ...items.map((item) => itemElement(item))),
    );
  }

  private set({ payload, to, own }: Query): Element | undefined {
    const request = payload.children()[0];
    const { bare: owner } = to;
    switch (request?.name) {
      case 'publish':
        requireOwner(own);
        return this.publish(owner, payload, request);
      case 'retract':
        requireOwner(own);
        this.retract(owner, request);
        return undefined;
      case 'create': {
        requireOwner(own);
        const name = nodeName(request);
        if (this.accounts.get(owner)?.has(name)) throw new StanzaError('conflict');
        const configure = payload.child('configure', XMLNS.pubsub);
        this.create(owner, name, configure);
        return undefined;
      }
      default:
        throw unsupportedRequest(request);
    }
  }

  private publish(owner: string, payload: Stanza, request: Stanza): Element {
    const name = nodeName(request);
    const given = request.children().filter((child) => child.name === 'item');
    if (given.length === 0) throw pubsubError('bad-request', 'item-required');
    const published = this.server.wallClock();
    const items = given.map((item): Item => {
      const content = item.children();
      if (content.length === 0) throw pubsubError('bad-request', 'payload-required');
      if (content.length > 1) throw pubsubError('bad-request', 'invalid-payload');
      if (content[0]!.byteLength > MAX_PAYLOAD_BYTES) throw pubsubError('not-acceptable', 'payload-too-big');
      return { id: itemId(item) ?? randomUUID(), payload: content[0]!.toString(), published };
    });

    const options = payload.child('publish-options', XMLNS.pubsub);
    const preconditions = options && readForm(options);
    let node = this.accounts.get(owner)?.get(name);
    if (!node) node = this.create(owner, name, options);
    else if (preconditions && !meets(node.config, preconditions)) {
      throw pubsubError('conflict', 'precondition-not-met', 'cancel');
    }
    for (const item of items) node.put(item);
    const { deliverPayloads } = node.config;
    this.notifier.notify(
      node,
      element('items', { node: name }, ...items.map((item) => itemElement(item, deliverPayloads))),
    );
    return element(
      'pubsub',
      { xmlns: XMLNS.pubsub },
      element('publish', { node: name }, ...items.map(({ id }) => element('item', { id }))),
    );
  }

  /** @param options has the form with the configuration, if any */
  private create(owner: string, name: string, options: Stanza | undefined): Node {
    const form = options && readForm(options);
    const config = form ? applyForm(DEFAULT_CONFIG, form) : DEFAULT_CONFIG;
    if (!config) throw new StanzaError('not-acceptable', { text: 'an option or a value that is not supported' });
    let nodes = this.accounts.get(owner);
    if (!nodes) this.accounts.set(owner, (nodes = new Map()));
    if (nodes.size >= MAX_NODES) throw pubsubError('resource-constraint', 'max-nodes-exceeded');
    const node = new Node(owner, name, config);
    nodes.set(name, node);
    return node;
  }

  private retract(owner: string, request: Stanza): void {
    const node = this.node(owner, request);
    const item = request.child('item', XMLNS.pubsub);
    const id = item && itemId(item);
    if (id === undefined) throw pubsubError('bad-request', 'item-required');
    if (!node.retract(id)) throw new StanzaError('item-not-found');
    if (readBoolean(request.attribute('notify')) ?? node.config.notifyRetract) {
      this.notifier.notify(node, element('items', { node: node.name }, element('retract', { id })));
    }
  }

  private ownerGet({ payload, to, own }: Query): Element {
    requireOwner(own);
    const request = payload.children()[0];
    switch (request?.name) {
      case 'configure': {
        const { name, config } = this.node(to.bare, request);
        return configuration('configure', name, config);
      }
      case 'default':
        return configuration('default', undefined, DEFAULT_CONFIG);
      default:
        throw unsupportedRequest(request);
    }
  }

  private ownerSet({ payload, to, own }: Query): undefined {
    requireOwner(own);
    const request = payload.children()[0];
    switch (request?.name) {
      case 'configure': {
        const node = this.node(to.bare, request);
        const form = readForm(request);
        if (!form) throw new StanzaError('bad-request');
        if (form.type === 'cancel') return;
        const config = applyForm(node.config, form);
        if (!config) throw new StanzaError('not-acceptable', { text: 'an option or a value that is not supported' });
        node.configure(config);
        return;
      }
      case 'delete': {
        const node = this.node(to.bare, request);
        const nodes = this.accounts.get(to.bare)!;
        nodes.delete(node.name);
        if (nodes.size === 0) this.accounts.delete(to.bare);
        if (node.config.notifyDelete) this.notifier.notify(node, element('delete', { node: node.name }));
        return;
      }
      case 'purge': {
        const node = this.node(to.bare, request);
        node.purge();
        if (node.config.notifyRetract) this.notifier.notify(node, element('purge', { node: node.name }));
        return;
      }
      default:
        throw unsupportedRequest(request);
    }
  }

  /** @throws {StanzaError} item-not-found */
  private node(owner: string, request: Stanza): Node {
    const name = nodeName(request);
    const node = this.accounts.get(owner)?.get(name);
    if (!node) throw new StanzaError('item-not-found');
    return node;
  }

  /** Why this reader does not get the items of the node; undefined when it does. */
  private refusal(node: Node, reader: Jid): StanzaError | undefined {
    if (reader.bare === node.owner) return undefined;
    switch (node.config.accessModel) {
      case 'open':
        return undefined;
      case 'presence':
        return seesPresence(this.server, node.owner, reader)
          ? undefined
          : pubsubError('not-authorized', 'presence-subscription-required');
      case 'whitelist':
        return pubsubError('not-allowed', 'closed-node');
    }
  }
}

function handler(namespace: string, type: 'get' | 'set', answer: QueryHandler['answer']): QueryHandler {
  return { name: 'pubsub', namespace, type, target: 'account', answer };
}

function requireOwner(own: boolean): void {
  if (!own) throw new StanzaError('forbidden');
}

/** @throws {StanzaError} nodeid-required */
function nodeName(request: Stanza): string {
  const name = request.attribute('node');
  if (name === undefined || name === '') throw pubsubError('bad-request', 'nodeid-required');
  if (name.length > MAX_NAME) throw new StanzaError('not-acceptable', { text: 'the name of the node is too long' });
  return name;
}

function itemId(item: Stanza): string | undefined {
  const id = item.attribute('id');
  if (id !== undefined && id.length > MAX_NAME) throw new StanzaError('not-acceptable', { text: 'the id is too long' });
  return id === '' ? undefined : id;
}

function configuration(name: string, node: string | undefined, config: NodeConfig): Element {
  return element(
    'pubsub',
    { xmlns: XMLNS.pubsubOwner },
    element(name, { node }, writeForm('form', CONFIG_FORM, configFields(config))),
  );
}

/** Requests that we do not know, by the features that stand for them. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  subscribe: 'subscribe',
  unsubscribe: 'subscribe',
  options: 'subscription-options',
  subscriptions: 'retrieve-subscriptions',
  affiliations: 'retrieve-affiliations',
};

function unsupportedRequest(request: Stanza | undefined): StanzaError {
  const feature = request && Object.hasOwn(UNSUPPORTED, request.name) ? UNSUPPORTED[request.name] : undefined;
  return feature === undefined ? new StanzaError('bad-request') : unsupported(feature);
}
