import { normalized } from './attributes.js';
import { generateKey, type SharedKey, type SharedKeySource, type StreamLink } from './key-source.js';

/** For {@link StoredKey}; what is not given is taken from the page. */
export interface StoredKeyOptions {
  /** Name of the storage item and of the lock. Default: `nestjs-xmpp.shared-keys`. */
  readonly name?: string;
  /** Default: `localStorage`, which all tabs of an origin share. */
  readonly storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  /** Default: `navigator.locks`; there only on pages from https or localhost. */
  readonly locks?: Pick<LockManager, 'request'>;
}

/** Keys by account; the one used last comes last. */
type Keys = Record<string, string>;

/**
 * Keeps keys in the browser, for all tabs of the origin. Two tabs that open at once agree on one key with the help
 * of Web Locks. A browser may still show one of them what was there before: each looks again when it has logged in,
 * and then joins the other.
 *
 * Scripts of the origin can read them, as they can read everything that a page uses.
 */
export class StoredKey implements SharedKeySource {
  private readonly name: string;

  constructor(private readonly options: StoredKeyOptions = {}) {
    this.name = options.name ?? 'nestjs-xmpp.shared-keys';
  }

  async acquire(account: string | undefined, create: boolean): Promise<SharedKey | undefined> {
    return await this.exclusive((keys) => {
      const slot = create && account !== undefined ? normalized(account) : slotOf(keys, account);
      if (slot === undefined) return undefined;
      const key = keys[slot] ?? (create ? generateKey() : undefined);
      if (key === undefined) return undefined;
      put(keys, slot, key);
      return slot.includes('@') ? { key, jid: slot } : { key };
    });
  }

  async settle(account: string, key: string, _link?: StreamLink, stale?: string): Promise<string> {
    return await this.exclusive((keys) => {
      const slot = normalized(account);
      const found = keys[slot];
      if (found !== undefined && found !== key && found !== stale) return found;
      put(keys, slot, key);
      return key;
    });
  }

  async discard(_account: string, key: string): Promise<void> {
    await this.exclusive((keys) => {
      // Not one that another tab has made since.
      for (const slot of Object.keys(keys)) if (keys[slot] === key) delete keys[slot];
    });
  }

  /** Nobody else reads or writes meanwhile. */
  private async exclusive<T>(change: (keys: Keys) => T): Promise<T> {
    const { storage = localStorage, locks = globalThis.navigator?.locks } = this.options;
    const run = (): T => {
      const before = storage.getItem(this.name);
      const keys = parse(before);
      const result = change(keys);
      const after = JSON.stringify(keys);
      if (after === '{}') storage.removeItem(this.name);
      else if (after !== before) storage.setItem(this.name, after);
      return result;
    };
    return locks ? ((await locks.request(this.name, run)) as T) : run();
  }
}

/** That of an account; of a domain, or of nothing, the one used last. */
function slotOf(keys: Keys, account: string | undefined): string | undefined {
  const wanted = account && normalized(account);
  if (wanted !== undefined && wanted in keys) return wanted;
  if (wanted?.includes('@')) return undefined;
  return Object.keys(keys).reverse().find((slot) => wanted === undefined || slot.endsWith(`@${wanted}`));
}

function put(keys: Keys, slot: string, key: string): void {
  delete keys[slot];
  keys[slot] = key;
}

/** What somebody else wrote there counts for nothing. */
function parse(text: string | null): Keys {
  const keys: Keys = Object.create(null) as Keys;
  try {
    for (const [slot, key] of Object.entries(JSON.parse(text ?? '{}') as object)) {
      if (typeof key === 'string') keys[slot] = key;
    }
  } catch {
    return keys;
  }
  return keys;
}
