import { StoredKey } from '../../../client/index.js';

/** `localStorage`, with a say in what happens between two steps of a tab. */
class FakeStorage {
  readonly items = new Map<string, string>();
  writes = 0;

  getItem(name: string): string | null {
    return this.items.get(name) ?? null;
  }

  setItem(name: string, value: string): void {
    this.writes++;
    this.items.set(name, value);
  }

  removeItem(name: string): void {
    this.items.delete(name);
  }
}

/** `navigator.locks`: one after the other, as all tabs of an origin. */
class FakeLocks {
  readonly names: string[] = [];
  private last: Promise<unknown> = Promise.resolve();

  readonly request = (async (name: string, run: () => unknown) => {
    this.names.push(name);
    this.last = this.last.then(run);
    return await this.last;
  }) as LockManager['request'];
}

const KEYS = 'nestjs-xmpp.shared-keys';

describe('a key that is stored in the browser', () => {
  let storage: FakeStorage;
  let locks: FakeLocks;
  let tab: StoredKey;

  beforeEach(() => {
    storage = new FakeStorage();
    locks = new FakeLocks();
    tab = new StoredKey({ storage, locks });
  });

  it('S23: is made once, with 128 bits, and is the same for all tabs', async () => {
    const tabs = Array.from({ length: 5 }, () => new StoredKey({ storage, locks }));
    const keys = await Promise.all(tabs.map(async (each) => (await each.acquire('alice@example.org', true))?.key));
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(storage.writes).toBe(1);
    expect(locks.names).toEqual(Array.from({ length: 5 }, () => KEYS));
  });

  it('is not made for a tab that only attaches', async () => {
    expect(await tab.acquire('alice@example.org', false)).toBeUndefined();
    expect(await tab.acquire('example.org', false)).toBeUndefined();
    expect(await tab.acquire(undefined, false)).toBeUndefined();
    expect(storage.items.size).toBe(0);
  });

  it('belongs to an account, however that is written', async () => {
    const alice = await tab.acquire('Alice@Example.org/tab', true);
    const bob = await tab.acquire('bob@example.org', true);
    expect(alice?.jid).toBe('alice@example.org');
    expect(bob?.key).not.toBe(alice?.key);
    expect(await tab.acquire('alice@example.org', true)).toEqual(alice);
    expect(await tab.acquire('bob@example.org', false)).toEqual(bob);
    expect(await tab.acquire('carol@example.org', false)).toBeUndefined();
  });

  it('S2: is that of the account used last, when a tab does not know whose it is', async () => {
    const alice = await tab.acquire('alice@example.org', true);
    await tab.acquire('bob@example.org', true);
    await tab.acquire('carol@example.net', true);
    await tab.acquire('alice@example.org', true);
    await tab.acquire('dave@example.net', true);
    expect(await tab.acquire('example.org', false)).toEqual(alice);
    expect((await tab.acquire(undefined, false))?.jid).toBe('alice@example.org');
  });

  it('S9: of an anonymous login is nobody else’s', async () => {
    const alice = await tab.acquire('alice@example.org', true);
    const anonymous = await tab.acquire('example.org', true);
    expect(anonymous?.key).not.toBe(alice?.key);
    expect(anonymous).not.toHaveProperty('jid');
    expect(await tab.acquire('example.org', false)).toEqual(anonymous);
  });

  it('is replaced by one that was found elsewhere', async () => {
    const own = (await tab.acquire('alice@example.org', true))!.key;
    expect(await tab.settle('alice@example.org', 'of another browser', undefined, own)).toBe('of another browser');
    expect((await tab.acquire('alice@example.org', true))?.key).toBe('of another browser');
  });

  it('S28: is that of the tab that wrote last, when two made one at once', async () => {
    const own = (await tab.acquire('alice@example.org', true))!.key;
    expect(await tab.settle('alice@example.org', own)).toBe(own);
    storage.setItem(KEYS, JSON.stringify({ 'alice@example.org': 'of a tab that saw nothing here' }));
    expect(await tab.settle('alice@example.org', own)).toBe('of a tab that saw nothing here');
    expect((await tab.acquire('alice@example.org', false))?.key).toBe('of a tab that saw nothing here');
  });

  it('is forgotten, but not the one that another tab has made since', async () => {
    const old = (await tab.acquire('alice@example.org', true))!.key;
    await tab.discard('alice@example.org', old);
    expect(storage.items.size).toBe(0);
    const fresh = (await tab.acquire('alice@example.org', true))!.key;
    await tab.discard('alice@example.org', old);
    expect((await tab.acquire('alice@example.org', false))?.key).toBe(fresh);
    expect(fresh).not.toBe(old);
  });

  it.each(['', 'null', 'no JSON', '[]', '{"alice@example.org":5}', '{"__proto__":{"alice@example.org":"x"}}'])(
    'is made anew where somebody else wrote %j',
    async (text) => {
      storage.items.set(KEYS, text);
      expect((await tab.acquire('alice@example.org', true))?.key).toMatch(/^[0-9a-f]{32}$/);
    },
  );

  it('works on pages that have no locks', async () => {
    const plain = new StoredKey({ storage, name: 'other', locks: undefined });
    const key = await plain.acquire('alice@example.org', true);
    expect(await plain.acquire('alice@example.org', true)).toEqual(key);
    expect([...storage.items.keys()]).toEqual(['other']);
  });

  it('fails where the browser allows no storage', async () => {
    storage.getItem = () => {
      throw new Error('denied');
    };
    await expect(tab.acquire('alice@example.org', true)).rejects.toThrow('denied');
  });
});
