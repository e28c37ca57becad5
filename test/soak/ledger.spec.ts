import { Ledger, type Life } from './ledger.js';

describe('the ledger of the soak', () => {
  let ledger: Ledger;
  let alice: Life;
  let bob: Life;
  const reader = { user: 'bob' };
  const send = () => ledger.send(alice, 'bob');
  const get = (...ids: string[]) => ids.forEach((id) => ledger.received(reader, bob, id));
  const faults = () => ledger.account().faults.map((fault) => fault.replace(/\d+\.\d+ s/g, 'T'));

  beforeEach(() => {
    ledger = new Ledger();
    alice = ledger.begin('alice');
    bob = ledger.begin('bob');
  });

  it('finds nothing wrong with what arrived once and in order, or was bounced', () => {
    const [first, second, third] = [send(), send(), send()];
    get(first, second);
    ledger.bounced('alice', third);
    expect(ledger.account()).toMatchObject({ sent: 3, received: 2, bounced: 1, faults: [] });
  });

  it('finds what was lost, though the server had it or its sender lived', () => {
    send();
    send();
    alice.confirm(1);
    expect(ledger.open).toBe(1);
    expect(faults()).toEqual([expect.stringMatching(/m1-0 for bob, .* is lost$/), expect.stringMatching(/m1-1 for bob, .* is lost, and its sender lived$/)]);
  });

  it('finds what came twice, too late, to the wrong one, from nobody, or was bounced besides', () => {
    const [first, second, third] = [send(), send(), send()];
    get(second, first, second, 'm9-9', third);
    ledger.bounced('alice', third);
    get(ledger.send(bob, 'alice'));
    ledger.received({ user: 'alice' }, alice, 'm2-0');
    expect(faults()).toEqual([
      `T: bob got alice's m1-0, sent at T, behind number 1`,
      `T: bob got alice's m1-1, sent at T, 2 times`,
      'T: bob got m9-9, which nobody sent',
      'T: m1-2 was bounced, and bob has it',
      `T: bob got bob's m2-0, which was for alice`,
    ]);
  });

  it('has those who waited in a store overtaken by what comes directly, but not by one another', () => {
    const [first, second, third, fourth] = [send(), send(), send(), send()];
    get(fourth);
    for (const id of [first, third, second]) ledger.received(reader, bob, id, true);
    expect(ledger.account()).toMatchObject({ overtaken: 3, faults: [expect.stringMatching(`${second}, .* behind number 2$`)] });
  });

  it('counts apart what the server did by itself, where somebody saw it', () => {
    const [late, first, second, lost, stuck, never] = [send(), send(), send(), send(), send(), send()];
    get(first, late, second, second);
    alice.confirm(6);
    const now = Date.now();
    const witness = {
      reachedAt: (id: string) => (id === never ? undefined : now),
      deliveredAt: (id: string) => (id === lost || id === never ? undefined : now),
    };
    const { server, faults: left } = ledger.account(witness);
    expect(server).toMatchObject({ lost: 1, doubled: 1, reordered: 1 });
    expect(server!.notes).toHaveLength(3);
    expect(left).toEqual([
      expect.stringMatching(`${stuck} for bob, .* is lost; the server got it at .* s, and sent it at .* s$`),
      expect.stringMatching(`${never} for bob, .* is lost; the server never got it$`),
    ]);
    expect(faults()).toHaveLength(5);
  });

  it('excuses what a busy server sent late to somebody who was cut off by then', () => {
    send();
    alice.confirm(1);
    const later = Date.now() + 60_000;
    bob.leavingAt = bob.goneAt = later - 40_000;
    const again = ledger.begin('bob');
    Object.assign(again, { aliveAt: later, diedAt: later, goneAt: later + 1000 });
    const witness = (at: number) => ({ reachedAt: () => at, deliveredAt: () => at });
    expect(ledger.account(witness(later))).toMatchObject({ lostWithReceiver: 1, faults: [] });
    expect(ledger.account(witness(later - 18_000)).faults).toHaveLength(1);
  });

  it('excuses what was on its way to somebody who was cut off, and what he had already', () => {
    const [first] = [send(), send()];
    get(first);
    ledger.died(bob, 1000);
    const again = ledger.begin('bob');
    ledger.replace(again);
    ledger.received(reader, again, first);
    expect(ledger.account()).toMatchObject({ lostWithReceiver: 1, faults: [] });
  });

  it('excuses what was never confirmed to somebody who was cut off himself', () => {
    send();
    ledger.died(alice, 1000);
    expect(ledger.account()).toMatchObject({ unconfirmed: 1, faults: [] });
  });

  it('has those who share a stream get everything, each of them once', () => {
    const stream = {};
    const [one, other] = [{ user: 'bob', stream }, { user: 'bob', stream }];
    const id = send();
    ledger.received(one, bob, id);
    ledger.received(other, bob, id);
    expect(faults()).toEqual([]);
    ledger.received(other, bob, id);
    ledger.received({ user: 'bob', stream: {} }, bob, id);
    expect(faults()).toHaveLength(2);
  });

  it('knows that whoever comes takes the place of a ghost at the same address, and that another stays: it gets what is sent to nobody', () => {
    const ghosts = ['bob@localhost/web', 'bob@localhost/r'].map((address) => {
      const ghost = ledger.begin('bob', address);
      ledger.died(ghost, 20_000);
      return ghost;
    });
    ledger.replace(ledger.begin('bob', 'bob@localhost/r'));
    expect(ghosts.map(({ goneAt, diedAt }) => goneAt === diedAt! + 20_000)).toEqual([true, false]);
    const id = send();
    alice.confirm(1);
    get(id);
    ledger.bounced('alice', id);
    expect(faults()).toEqual([]);
  });
});
