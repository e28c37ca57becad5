import { inspect } from 'node:util';
import type { IncomingMessage } from 'node:http';
import { ManualClock } from '../../../lib/clock.js';
import { Attempts } from '../../../lib/shared/attempts.js';
import { LocalKeyStore, type SharedKeyStore } from '../../../lib/shared/index.js';
import { copy, JID, KEY, message, settled, Stage, Tab } from './stage.js';

const OTHER = 'another key, as good';

/** A store of a cluster: what another node has is in `elsewhere`, answers come when the test says so. */
class SlowStore implements SharedKeyStore {
  readonly secret = Buffer.alloc(32, 1);
  readonly log: string[] = [];
  readonly claims: ((done: boolean) => void)[] = [];
  failing = false;

  claim(digest: string): Promise<boolean> {
    this.log.push(`claim ${digest.slice(0, 6)}`);
    if (this.failing) return Promise.reject(new Error('store is down'));
    return new Promise((resolve) => this.claims.push(resolve));
  }
  async release(digest: string): Promise<void> {
    this.log.push(`release ${digest.slice(0, 6)}`);
    if (this.failing) throw new Error('store is down');
  }
  async find(): Promise<string | undefined> {
    return 'node-2';
  }
  async answer(done: boolean): Promise<void> {
    this.claims.shift()!(done);
    await settled();
  }
}

describe('keys', () => {
  it('S22: are 128 bits that nobody can guess', () => {
    const { keys } = new Stage();
    const made = new Set(Array.from({ length: 100 }, () => keys.generate()));
    expect(made.size).toBe(100);
    for (const key of made) expect(key).toMatch(/^[0-9a-f]{32}$/);
  });

  it('S22: one that was rotated attaches nobody, the new one does, whoever is attached stays', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(1)) as [Tab];
    const key = await stage.keys.rotate(stage.keys.list()[0]!.id);
    expect(stage.refused(new Tab(), { attachOnly: true })).toBe('item-not-found');
    const tab = await stage.attach(new Tab(), { key, attachOnly: true });
    expect(tab.take()[0]).toBe(`open attached ${JID}`);
    a.send(message('m1'));
    expect(tab.take()).toEqual([copy(message('m1'), 1)]);
    await expect(stage.keys.rotate('no-session')).rejects.toThrow(TypeError);
  });

  it('S22: a client replaces its key', async () => {
    const stage = new Stage();
    const [a, b] = (await stage.tabs(2)) as [Tab, Tab];
    b.session.rekey!(OTHER);
    b.session.rekey!(OTHER);
    expect(stage.refused(new Tab(), { attachOnly: true })).toBe('item-not-found');
    await stage.attach(new Tab(), { key: OTHER, attachOnly: true });
    for (const key of ['short', 'ticket.of-my-own-making']) {
      expect(() => a.session.rekey!(key)).toThrow(expect.objectContaining({ condition: 'policy-violation' }));
    }
    stage.open(new Tab(), { key: 'of another session' });
    expect(() => a.session.rekey!('of another session')).toThrow(expect.objectContaining({ condition: 'policy-violation' }));
  });

  it('S22: one that was revoked attaches nobody; a new one can be had', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(1)) as [Tab];
    expect(stage.keys.revoke(KEY)).toBe(true);
    expect(stage.keys.revoke(KEY)).toBe(false);
    expect(stage.refused(new Tab(), { attachOnly: true })).toBe('item-not-found');
    expect(a.take()).toEqual([]);
    const [session] = stage.keys.list();
    expect(session!.hasKey).toBe(false);
    const key = await stage.keys.rotate(session!.id);
    await stage.attach(new Tab(), { key });
    expect(stage.keys.list()).toMatchObject([{ hasKey: true, clients: [{ number: 1 }, { number: 2 }] }]);
  });

  it('S22: one that was revoked, and taken by another session since, stays with that', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(1)) as [Tab];
    stage.keys.revoke(KEY);
    const other = stage.open();
    stage.bind(other, 'bob@example.org/r2');
    a.session.leave({ reason: 'closed' });
    const tab = await stage.attach();
    expect(tab.take()[0]).toBe('open attached bob@example.org/r2');
  });

  it('S22: dies with its stream, and is good for its own domain only', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(1)) as [Tab];
    expect(stage.refused(new Tab(), { attachOnly: true }, {}, 'example.net')).toBe('item-not-found');
    a.session.leave({ reason: 'closed' });
    expect(stage.refused(new Tab(), { attachOnly: true })).toBe('item-not-found');
  });

  it('S22: may have a time to live', async () => {
    const stage = new Stage({ shared: { keyTtl: 3600 } });
    const [a] = (await stage.tabs(1)) as [Tab];
    stage.clock.tick(3_599_000);
    await stage.attach();
    stage.clock.tick(2000);
    expect(stage.refused(new Tab(), { attachOnly: true })).toBe('item-not-found');
    // Who has it next has it for itself.
    const other = stage.open();
    a.session.leave({ reason: 'closed' });
    stage.bind(other, 'bob@example.org/r2');
    const tab = await stage.attach();
    expect(tab.take()[0]).toBe('open attached bob@example.org/r2');
  });

  it('S22: the clients of a session are listed, and can be put out', async () => {
    const stage = new Stage();
    const [, b] = (await stage.tabs(2)) as [Tab, Tab];
    const [session] = stage.keys.list();
    expect(session).toEqual({
      id: stage.sessions.list()[0]!.id,
      domain: 'example.org',
      jid: JID,
      hasKey: true,
      clients: [1, 2].map((number) => ({ number, transport: 'bosh', address: '192.0.2.1', secure: true, attachedAt: expect.any(Date) })),
    });
    expect(stage.keys.detach(session!.id, 2)).toBe(true);
    expect(b.take()).toEqual(['end terminated policy-violation']);
    expect(stage.keys.detach(session!.id, 2)).toBe(false);
    expect(stage.keys.detach('no-session', 1)).toBe(false);
    expect(stage.line.take()).toEqual([]);
    expect(stage.keys.detach(session!.id, 1)).toBe(true);
    expect(stage.line.take()).toEqual(['close']);
  });

  it('S23: are kept nowhere', async () => {
    const stage = new Stage();
    await stage.tabs(1);
    const [session] = stage.keys.list();
    const ticket = stage.keys.ticket(session!.id);
    const { ring } = stage.sharing as unknown as { ring: object };
    const kept = inspect(ring, { depth: 3, maxArrayLength: null, maxStringLength: null, showHidden: true });
    expect(kept).toContain('Map');
    expect(kept).not.toContain(KEY);
    expect(kept).not.toContain(ticket);
    expect(JSON.stringify(stage.keys.list())).not.toContain(KEY);
  });
});

describe('tickets', () => {
  it('S22: attach once, and never create', async () => {
    const stage = new Stage();
    await stage.tabs(1);
    const ticket = stage.keys.ticket(stage.keys.list()[0]!.id);
    const tab = await stage.attach(new Tab(), { key: ticket });
    expect(tab.take()[0]).toBe(`open attached ${JID}`);
    expect(stage.refused(new Tab(), { key: ticket })).toBe('item-not-found');
    expect(stage.events()).toEqual(['attached 2', 'refused ticket 192.0.2.1']);
    expect(stage.upstream.streams).toHaveLength(1);
    expect(() => stage.keys.ticket('no-session')).toThrow(TypeError);
  });

  it('S22: are good for a while', async () => {
    const stage = new Stage();
    await stage.tabs(1);
    const { id } = stage.keys.list()[0]!;
    const [short, long] = [stage.keys.ticket(id, { ttl: 10 }), stage.keys.ticket(id)];
    stage.clock.tick(10_000);
    expect(stage.refused(new Tab(), { key: short })).toBe('item-not-found');
    stage.clock.tick(49_000);
    await stage.attach(new Tab(), { key: long });
    expect(stage.events()).toEqual(['refused ticket 192.0.2.1', 'attached 2']);
  });

  it('S24: can be bound to a web session', async () => {
    const stage = new Stage({
      guard: {
        identify: ({ headers: { cookie } }) => {
          if (cookie === 'broken') throw new Error('a fault of the app');
          return cookie;
        },
      },
    });
    await stage.tabs(1);
    const key = stage.keys.ticket(stage.keys.list()[0]!.id, { boundTo: 'alice' });
    const http = (cookie?: string) => ({ headers: { cookie } }) as IncomingMessage;
    for (const request of [{}, { http: http() }, { http: http('mallory') }, { http: http('broken') }]) {
      expect(stage.refused(new Tab(), { key, ...request })).toBe('item-not-found');
    }
    await stage.attach(new Tab(), { key, http: http('alice') });
    expect(stage.events().at(-1)).toBe('attached 2');
  });

  it('S22: end with their stream', async () => {
    const stage = new Stage();
    const [a] = (await stage.tabs(1)) as [Tab];
    const key = stage.keys.ticket(stage.keys.list()[0]!.id);
    a.session.leave({ reason: 'closed' });
    expect(stage.refused(new Tab(), { key })).toBe('item-not-found');
  });
});

describe('attempts', () => {
  it('S23: a wrong key never attaches; who tries too often is refused whatever the key, and only it', async () => {
    const stage = new Stage({ shared: { attemptsPerMinute: 5 } });
    await stage.tabs(1);
    const mallory = (): Tab => new Tab('198.51.100.66');
    for (let i = 0; i < 5; i++) {
      expect(stage.refused(mallory(), { key: `${KEY}${i}`, attachOnly: true })).toBe('item-not-found');
    }
    expect(stage.events()).toEqual(new Array(5).fill('refused no-match 198.51.100.66'));
    for (const key of [`${KEY}9`, KEY]) expect(stage.refused(mallory(), { key, attachOnly: true })).toBe('policy-violation');
    expect(stage.events().slice(0, 2)).toEqual(['limit shared.attemptsPerMinute 198.51.100.66', 'refused throttled 198.51.100.66']);
    await stage.attach(new Tab('198.51.100.1'));
    expect(stage.events()).toEqual(['attached 2']);
    stage.clock.tick(12_000);
    await stage.attach(mallory());
    expect(stage.events()).toEqual(['attached 3']);
    expect(stage.upstream.streams).toHaveLength(1);
  });

  it('S23: a session that somebody logs in to was no attempt', async () => {
    const stage = new Stage({ shared: { attemptsPerMinute: 2 } });
    for (let i = 0; i < 10; i++) {
      const tab = stage.open(new Tab(), { key: `${KEY}${i}` });
      stage.bind(tab, `alice@example.org/${i}`);
    }
    stage.open(new Tab(), { key: `${KEY}a` });
    stage.open(new Tab(), { key: `${KEY}b` });
    expect(stage.refused(new Tab(), { key: `${KEY}c` })).toBe('policy-violation');
  });

  it('S23: addresses are forgotten when nothing is left to know of them', () => {
    const clock = new ManualClock();
    const attempts = new Attempts(1, clock);
    for (let i = 0; i < 1024; i++) attempts.spend(`address ${i}`);
    clock.tick(61_000);
    attempts.spend('mallory');
    expect((attempts as unknown as { visitors: Map<string, unknown> }).visitors.size).toBe(1);
    expect(attempts.allows('mallory')).toBe(false);
    expect(attempts.allows('address 1')).toBe(true);
    attempts.restore('nobody');
    expect(attempts.allows('nobody')).toBe(true);
  });
});

describe('a login for others', () => {
  it('S24: leaves a stream that lives without clients for a time, and then like any other', async () => {
    const stage = new Stage();
    const [login] = (await stage.tabs(1)) as [Tab];
    const session = stage.sharing.handOver(login.session, 60);
    expect(session).toMatchObject({ jid: JID });
    stage.clock.tick(59_000);
    expect([...stage.line.take(), ...login.take()]).toEqual([]);
    const tab = await stage.attach(new Tab(), { key: stage.keys.ticket(session.id) });
    stage.clock.tick(600_000);
    expect(stage.line.take()).toEqual([]);
    tab.session.leave({ reason: 'closed' });
    expect(stage.line.take()).toEqual(['close']);
  });

  it('S24: ends when nobody comes', async () => {
    const stage = new Stage();
    const [login] = (await stage.tabs(1)) as [Tab];
    stage.sharing.handOver(login.session, 60);
    stage.clock.tick(60_050);
    expect(stage.line.take()).toEqual(['close']);
    expect(() => stage.sharing.handOver(login.session, 60)).toThrow(TypeError);
  });

  it('S24: needs a resource, and a session that is shared', () => {
    const stage = new Stage();
    const tab = stage.open();
    expect(() => stage.sharing.handOver(tab.session, 60)).toThrow(TypeError);
    expect(() => stage.sharing.handOver(stage.sessions.open('example.org', {}, new Tab()), 60)).toThrow(TypeError);
  });
});

describe('the store of keys', () => {
  it('S27: in one process takes a digest once', () => {
    const store = new LocalKeyStore();
    expect([store.claim('d'), store.claim('d'), store.find('d')]).toEqual([true, false, 'local']);
    store.release('d');
    expect([store.find('d'), store.claim('d')]).toEqual([undefined, true]);
  });

  it('S27: of a cluster is asked first; meanwhile the creator, and who comes after it, waits', async () => {
    const store = new SlowStore();
    const stage = new Stage({ store });
    const creator = stage.open();
    const second = stage.open(new Tab(), { attachOnly: true });
    creator.send('<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN"/>');
    expect(stage.upstream.streams).toHaveLength(0);
    await store.answer(true);
    expect(stage.line.take()).toEqual(['<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN"/>']);
    stage.bind(creator);
    expect(second.take()[0]).toBe(`open attached ${JID}`);
    expect(store.log).toHaveLength(1);
    creator.session.leave({ reason: 'closed' });
    second.session.leave({ reason: 'closed' });
    expect(store.log[1]).toBe(store.log[0]!.replace('claim', 'release'));
  });

  it('S27: when another node has the key, nobody gets a session here', async () => {
    const store = new SlowStore();
    const stage = new Stage({ store });
    const creator = stage.open();
    const second = stage.open();
    await store.answer(false);
    for (const tab of [creator, second]) expect(tab.take()).toEqual(['end error item-not-found']);
    expect(stage.upstream.streams).toHaveLength(0);
    expect(store.log).toHaveLength(1); // another node's claim is not ours to release
    store.failing = true;
    const third = stage.open();
    await settled();
    expect(third.take()).toEqual(['end error item-not-found']);
  });

  it('S27: a claim that comes when its creator is gone is given up', async () => {
    const store = new SlowStore();
    const stage = new Stage({ store });
    stage.open().session.leave({ reason: 'lost' });
    await store.answer(true);
    expect(store.log.map((entry) => entry.split(' ')[0])).toEqual(['claim', 'release']);
    expect(stage.upstream.streams).toHaveLength(0);
  });

  it('S27: a new key that cannot be claimed leaves the old one', async () => {
    const store = new SlowStore();
    const stage = new Stage({ store });
    const creator = stage.open();
    await store.answer(true);
    stage.bind(creator);
    const rotated = stage.keys.rotate(stage.keys.list()[0]!.id);
    await store.answer(false);
    await expect(rotated).rejects.toThrow('could not be stored');
    await stage.attach();
    const again = stage.keys.rotate(stage.keys.list()[0]!.id);
    await store.answer(true);
    const tab = await stage.attach(new Tab(), { key: await again, attachOnly: true });
    expect(tab.take()[0]).toBe(`open attached ${JID}`);
    expect(stage.refused(new Tab(), { attachOnly: true })).toBe('item-not-found');
  });

  it('S27: a store that says at once that another node has the key', () => {
    const store: SharedKeyStore = { claim: () => false, release: () => {}, find: () => 'node-2' };
    const stage = new Stage({ store });
    expect(stage.refused()).toBe('item-not-found');
    expect(stage.upstream.streams).toHaveLength(0);
  });
});
