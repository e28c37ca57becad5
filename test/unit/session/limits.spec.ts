import { ManualClock } from '../../../lib/clock.js';
import { Admission, networkOf, SessionRefused, type AdmissionLimits, type Place } from '../../../lib/session/index.js';

function admission(limits: Partial<AdmissionLimits> = {}): { clock: ManualClock; hits: string[]; enter: (address?: string) => Place | SessionRefused; it: Admission } {
  const clock = new ManualClock();
  const hits: string[] = [];
  const it = new Admission({ maxSessions: 1000, maxSessionsPerAddress: 100, sessionsPerMinute: 600, ...limits }, clock, (limit) => hits.push(limit));
  const enter = (address = '192.0.2.1'): Place | SessionRefused => {
    try {
      return it.enter(address);
    } catch (error) {
      return error as SessionRefused;
    }
  };
  return { clock, hits, enter, it };
}

function place(entered: Place | SessionRefused): Place {
  if (entered instanceof SessionRefused) throw entered;
  return entered;
}

describe('Admission', () => {
  it('takes so many sessions in all, and a place once when one is given back', () => {
    const { enter, hits, it: counted } = admission({ maxSessions: 3 });
    const places = ['a', 'b', 'c'].map((address) => place(enter(address)));
    expect(enter('d')).toMatchObject({ condition: 'resource-constraint', status: 503, retryAfter: 10 });
    expect(hits).toEqual(['maxSessions']);
    places[0]!.release();
    places[0]!.release();
    expect(counted.sessions).toBe(2);
    place(enter('d'));
    expect(enter('e')).toBeInstanceOf(SessionRefused);
  });

  it('takes so many sessions from one address, and others all the same', () => {
    const { enter, hits } = admission({ maxSessionsPerAddress: 2 });
    const first = place(enter());
    place(enter());
    expect(enter()).toMatchObject({ condition: 'policy-violation', status: 429, retryAfter: 10 });
    expect(hits).toEqual(['maxSessionsPerAddress']);
    place(enter('192.0.2.2'));
    first.release();
    place(enter());
    expect(enter()).toBeInstanceOf(SessionRefused);
  });

  it('takes so many new sessions a minute from one address, ended ones counted too', () => {
    const { clock, enter, hits } = admission({ sessionsPerMinute: 6 });
    for (let i = 0; i < 6; i++) place(enter()).release();
    expect(enter()).toMatchObject({ condition: 'policy-violation', status: 429, retryAfter: 60 });
    expect(hits).toEqual(['sessionsPerMinute']);
    place(enter('192.0.2.2'));
    clock.tick(9900);
    expect(enter()).toBeInstanceOf(SessionRefused);
    clock.tick(100);
    place(enter()).release();
    expect(enter()).toBeInstanceOf(SessionRefused);
    clock.tick(3_600_000);
    for (let i = 0; i < 6; i++) place(enter()).release();
    expect(enter()).toBeInstanceOf(SessionRefused);
  });

  it('does not count who was refused', () => {
    const { clock, enter, it: counted } = admission({ sessionsPerMinute: 2, maxSessionsPerAddress: 1 });
    const first = place(enter());
    for (let i = 0; i < 10; i++) expect(enter()).toBeInstanceOf(SessionRefused);
    first.release();
    place(enter()).release();
    expect(counted.sessions).toBe(0);
    clock.tick(30_000);
    place(enter());
  });

  it('forgets addresses of which nothing is left to know, and no others', () => {
    const { clock, enter, it: counted } = admission({ sessionsPerMinute: 2, maxSessions: 100_000 });
    const held = place(enter('held'));
    for (let i = 0; i < 5000; i++) place(enter(`a${i}`)).release();
    place(enter('late')).release();
    place(enter('late')).release();
    const { visitors } = counted as unknown as { visitors: Map<string, unknown> };
    clock.tick(120_000);
    place(enter('late')).release();
    place(enter('late')).release();
    for (let i = 0; i < 10_000; i++) place(enter(`b${i}`)).release();
    expect(visitors.has('a0')).toBe(false);
    expect(visitors.has('held')).toBe(true);
    expect(enter('late')).toBeInstanceOf(SessionRefused);
    held.release();
    expect(counted.sessions).toBe(0);
  });
});

describe('an address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['', ''],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:0DB8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ])('R9: %j counts as %j', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  it('R9: of an IPv6 network counts for all of it, and one next to it for itself', () => {
    const { enter } = admission({ maxSessionsPerAddress: 2 });
    place(enter('2001:db8:0:1::1'));
    place(enter('2001:db8:0:1:ffff::2'));
    expect(enter('2001:db8:0:1::3')).toBeInstanceOf(SessionRefused);
    place(enter('2001:db8:0:2::1'));
  });
});

it('R9: sessionsPerMinute lets a minute’s worth in at once, and as much again in the first minute: evenly', () => {
  const { clock, enter } = admission({ sessionsPerMinute: 60, maxSessionsPerAddress: 1000 });
  const count = () => {
    let entered = 0;
    while (!(enter() instanceof SessionRefused)) entered++;
    return entered;
  };
  expect(count()).toBe(60);
  for (let second = 0; second < 120; second++) {
    clock.tick(1000);
    expect(count()).toBe(1);
  }
});
