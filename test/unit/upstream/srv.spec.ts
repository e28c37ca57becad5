import type { SrvRecord } from 'node:dns';
import { ManualClock } from '../../../lib/clock.js';
import { inOrder, SrvTargets, type WeightedTarget } from '../../../lib/upstream/tcp/srv.js';

function target(host: string, priority: number, weight: number, tls: 'direct' | 'starttls' = 'starttls'): WeightedTarget {
  return { host, port: 5222, tls, priority, weight };
}

function hosts(targets: readonly { host: string }[]): string {
  return targets.map(({ host }) => host).join(' ');
}

/** A DNS of these records; other names do not exist. */
function dns(zone: Record<string, SrvRecord[] | Error>) {
  const asked: string[] = [];
  return {
    asked,
    async resolveSrv(name: string): Promise<SrvRecord[]> {
      asked.push(name);
      const answer = zone[name] ?? Object.assign(new Error('queryEsrv'), { code: 'ENOTFOUND' });
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
}

const record = (name: string, port: number, priority = 0, weight = 0): SrvRecord => ({ name, port, priority, weight });

describe('order of SRV targets', () => {
  it('U1: takes a lower priority first, whatever the weights', () => {
    const order = inOrder([target('c', 30, 9), target('a', 10, 0), target('b', 20, 5)], () => 0.99);
    expect(hosts(order)).toBe('a b c');
  });

  it('U1: draws within one priority in proportion to the weights (RFC 2782)', () => {
    const rivals = [target('a', 1, 10), target('b', 1, 30), target('c', 1, 60)];
    const first = { a: 0, b: 0, c: 0 };
    // Every outcome of the draw once: 0 to 100.
    for (let drawn = 0; drawn <= 100; drawn++) {
      const [winner] = inOrder(rivals, () => (drawn + 0.5) / 101);
      first[winner!.host as 'a']++;
    }
    expect(first).toEqual({ a: 11, b: 30, c: 60 });
  });

  it('U1: leaves a target without weight its small chance beside one with weight', () => {
    const rivals = [target('heavy', 1, 10), target('zero', 1, 0)];
    expect(hosts(inOrder(rivals, () => 0))).toBe('zero heavy');
    expect(hosts(inOrder(rivals, () => 0.1))).toBe('heavy zero');
  });

  it('U1: shares the load among targets that all have no weight', () => {
    const rivals = [target('a', 1, 0), target('b', 1, 0)];
    expect(hosts(inOrder(rivals, () => 0.4))).toBe('a b');
    expect(hosts(inOrder(rivals, () => 0.6))).toBe('b a');
  });

  it('U1: names every target once', () => {
    const rivals = [target('a', 1, 1), target('b', 1, 1), target('c', 1, 1), target('d', 2, 1)];
    for (const random of [0, 0.3, 0.6, 0.999]) {
      expect(inOrder(rivals, () => random).map(({ host }) => host).sort()).toEqual(['a', 'b', 'c', 'd']);
    }
  });
});

describe('SRV records of a domain', () => {
  const find = (zone: Record<string, SrvRecord[] | Error>, domain = 'example.org') =>
    new SrvTargets(new ManualClock(), dns(zone), () => 0).of(domain);

  it('U1: merges direct TLS and STARTTLS by priority, each with its own kind of TLS', async () => {
    const found = await find({
      '_xmpps-client._tcp.example.org': [record('tls2.example.org', 443, 30), record('tls1.example.org', 5223, 10)],
      '_xmpp-client._tcp.example.org': [record('start.example.org', 5222, 20)],
    });
    expect(found).toEqual([
      { host: 'tls1.example.org', port: 5223, tls: 'direct' },
      { host: 'start.example.org', port: 5222, tls: 'starttls' },
      { host: 'tls2.example.org', port: 443, tls: 'direct' },
    ]);
  });

  it.each(['.', ''])('U1: takes a target of "%s" as not offered and uses the other kind', async (root) => {
    const found = await find({
      '_xmpps-client._tcp.example.org': [record(root, 0)],
      '_xmpp-client._tcp.example.org': [record('start.example.org.', 5222)],
    });
    expect(found).toEqual([{ host: 'start.example.org', port: 5222, tls: 'starttls' }]);
  });

  it('U1: does not fall back to the domain itself when a record says that the service is not offered', async () => {
    await expect(find({ '_xmpps-client._tcp.example.org': [record('', 0)] })).rejects.toThrow('offers no service');
    await expect(find({ '_xmpp-client._tcp.example.org': [record('.', 0)] })).rejects.toThrow('offers no service');
  });

  it('U1: falls back to the domain on port 5222 without records, or without an answer', async () => {
    const fallback = [{ host: 'example.org', port: 5222, tls: 'starttls' }];
    expect(await find({})).toEqual(fallback);
    const timeout = Object.assign(new Error('queryEsrv'), { code: 'ETIMEOUT' });
    const zone = { '_xmpps-client._tcp.example.org': timeout, '_xmpp-client._tcp.example.org': timeout };
    expect(await find(zone)).toEqual(fallback);
  });

  it('asks for an internationalised domain by its A-labels, and for an IP address not at all', async () => {
    const resolver = dns({});
    const targets = new SrvTargets(new ManualClock(), resolver);
    expect(await targets.of('bücher.example')).toEqual([{ host: 'xn--bcher-kva.example', port: 5222, tls: 'starttls' }]);
    expect(resolver.asked).toEqual(['_xmpps-client._tcp.xn--bcher-kva.example', '_xmpp-client._tcp.xn--bcher-kva.example']);
    expect(await targets.of('[::1]')).toEqual([{ host: '::1', port: 5222, tls: 'starttls' }]);
    expect(resolver.asked).toHaveLength(2);
  });

  it('uses records again for half a minute, drawing anew, and then asks again', async () => {
    const clock = new ManualClock();
    const resolver = dns({ '_xmpp-client._tcp.example.org': [record('a', 1, 0, 1), record('b', 1, 0, 1)] });
    const draws = [0.1, 0, 0.9, 0];
    const targets = new SrvTargets(clock, resolver, () => draws.shift() ?? 0);
    expect(hosts(await targets.of('example.org'))).toBe('a b');
    clock.tick(29_000);
    expect(hosts(await targets.of('example.org'))).toBe('b a');
    expect(resolver.asked).toHaveLength(2);
    clock.tick(2_000);
    await targets.of('example.org');
    expect(resolver.asked).toHaveLength(4);
  });
});
