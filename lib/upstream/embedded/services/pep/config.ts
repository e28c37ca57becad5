import { readBoolean, type FilledForm, type FormField } from '../form.js';

/** Most items of a node, which is also what `max` means (XEP-0060, section 8.2.3). */
export const MAX_ITEMS = 256;

export type AccessModel = 'open' | 'presence' | 'whitelist';
export type SendLast = 'never' | 'on_sub_and_presence';

/** What a node's owner can set (XEP-0060, section 16.4.4). */
export interface NodeConfig {
  readonly title: string;
  readonly type: string;
  readonly accessModel: AccessModel;
  readonly persistItems: boolean;
  /** At least 1. */
  readonly maxItems: number;
  readonly sendLast: SendLast;
  readonly deliverPayloads: boolean;
  readonly deliverNotifications: boolean;
  readonly notifyRetract: boolean;
  readonly notifyDelete: boolean;
}

/** Of a node that is made by publishing to it (XEP-0163, section 5). */
export const DEFAULT_CONFIG: NodeConfig = {
  title: '',
  type: '',
  accessModel: 'presence',
  persistItems: true,
  maxItems: 1,
  sendLast: 'on_sub_and_presence',
  deliverPayloads: true,
  deliverNotifications: true,
  notifyRetract: true,
  notifyDelete: true,
};

const MAX_TEXT = 1024;

/** One option: how it is written, and how it is read (undefined: not a value that we take). */
interface Option<K extends keyof NodeConfig> {
  readonly key: K;
  readonly label: string;
  readonly type: FormField['type'];
  readonly options?: readonly string[];
  write(value: NodeConfig[K]): string;
  read(text: string): NodeConfig[K] | undefined;
}

function flag<K extends keyof NodeConfig>(key: K & FlagKey, label: string): Option<K> {
  return {
    key,
    label,
    type: 'boolean',
    write: (value) => (value ? '1' : '0'),
    read: (text) => readBoolean(text) as NodeConfig[K] | undefined,
  };
}

type FlagKey = { [K in keyof NodeConfig]: NodeConfig[K] extends boolean ? K : never }[keyof NodeConfig];

function text(key: 'title' | 'type', label: string): Option<'title' | 'type'> {
  return {
    key,
    label,
    type: 'text-single',
    write: (value) => value,
    read: (value) => (value.length <= MAX_TEXT ? value : undefined),
  };
}

const ACCESS_MODELS: readonly AccessModel[] = ['open', 'presence', 'whitelist'];
const SEND_LAST: readonly SendLast[] = ['never', 'on_sub_and_presence'];

const accessModel: Option<'accessModel'> = {
  key: 'accessModel',
  label: 'Who may read',
  type: 'list-single',
  options: ACCESS_MODELS,
  write: (value) => value,
  read: (value) => ACCESS_MODELS.find((model) => model === value),
};

const sendLast: Option<'sendLast'> = {
  key: 'sendLast',
  label: 'When to send the last item',
  type: 'list-single',
  options: SEND_LAST,
  write: (value) => value,
  // Everybody who is told here is told by presence, so that subscribing means it too.
  read: (value) => (value === 'on_sub' ? 'on_sub_and_presence' : SEND_LAST.find((when) => when === value)),
};

const maxItems: Option<'maxItems'> = {
  key: 'maxItems',
  label: 'Items kept',
  type: 'text-single',
  write: String,
  read: (value) => {
    if (value === 'max') return MAX_ITEMS;
    if (!/^\d{1,6}$/.test(value)) return undefined;
    const items = Number(value);
    return items >= 1 && items <= MAX_ITEMS ? items : undefined;
  },
};

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each entry is checked on its own
const OPTIONS: Readonly<Record<string, Option<any>>> = {
  'pubsub#title': text('title', 'Name'),
  'pubsub#type': text('type', 'Namespace of the payloads'),
  'pubsub#access_model': accessModel,
  'pubsub#persist_items': flag('persistItems', 'Keep items'),
  'pubsub#max_items': maxItems,
  'pubsub#send_last_published_item': sendLast,
  'pubsub#deliver_payloads': flag('deliverPayloads', 'Send payloads with notifications'),
  'pubsub#deliver_notifications': flag('deliverNotifications', 'Send notifications'),
  'pubsub#notify_retract': flag('notifyRetract', 'Tell when an item is retracted'),
  'pubsub#notify_delete': flag('notifyDelete', 'Tell when the node is deleted'),
};

/** Options that have one value here; to ask for that one is no error. */
const FIXED: Readonly<Record<string, string>> = {
  'pubsub#publish_model': 'publishers',
  'pubsub#node_type': 'leaf',
};

export const CONFIG_FORM = 'http://jabber.org/protocol/pubsub#node_config';
export const OPTIONS_FORM = 'http://jabber.org/protocol/pubsub#publish-options';

/** The fields of a configuration form. */
export function configFields(config: NodeConfig): FormField[] {
  const fields = Object.entries(OPTIONS).map(([name, option]): FormField => ({
    name,
    type: option.type,
    label: option.label,
    values: [option.write(config[option.key as keyof NodeConfig])],
    ...(option.options && { options: option.options }),
  }));
  for (const [name, value] of Object.entries(FIXED)) {
    fields.push({ name, type: 'list-single', values: [value], options: [value] });
  }
  return fields;
}

/**
 * What a form asks for, over a configuration.
 * @returns undefined when there is a field or a value that we do not have
 */
export function applyForm(config: NodeConfig, form: FilledForm): NodeConfig | undefined {
  const changed: Record<string, unknown> = { ...config };
  for (const [name, values] of form.values) {
    const value = values[0] ?? '';
    const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
    if (option) {
      const read: unknown = option.read(value);
      if (read === undefined) return undefined;
      changed[option.key] = read;
    } else if (!Object.hasOwn(FIXED, name) || FIXED[name] !== value) return undefined;
  }
  return changed as unknown as NodeConfig;
}

/** Whether a configuration is what the preconditions of a publisher ask for (XEP-0060, section 7.1.5). */
export function meets(config: NodeConfig, preconditions: FilledForm): boolean {
  const wanted = applyForm(config, preconditions);
  if (!wanted) return false;
  return Object.entries(wanted).every(([key, value]) => config[key as keyof NodeConfig] === value);
}
