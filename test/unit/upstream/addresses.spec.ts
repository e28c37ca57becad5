import { ManualClock } from '../../../lib/clock.js';
import { cautiousLookup, mayDial } from '../../../lib/upstream/tcp/addresses.js';
import { TcpUpstream } from '../../../lib/upstream/tcp/upstream.js';
import { parseUpstreamUrl } from '../../../lib/upstream/url.js';
import { UpstreamRecorder } from '../../support/upstream-recorder.js';

describe('where DNS may lead', () => {
  it.each(['169.254.169.254', '0.0.0.0', '224.0.0.1', '255.255.255.255', '::', 'fe80::1', 'ff02::1', 'fd00:ec2::254', '::ffff:169.254.169.254'])(
    'R16: never to %s',
    (address) => {
      expect([mayDial(address, 'allow'), mayDial(address, 'refuse')]).toEqual([false, false]);
    },
  );

  it.each(['127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.1.1', '100.64.0.1', '::1', 'fd12::1', '::ffff:10.0.0.1'])(
    'R16: to %s only where private targets are allowed',
    (address) => {
      expect([mayDial(address, 'allow'), mayDial(address, 'refuse')]).toEqual([true, false]);
    },
  );

  it.each(['192.0.2.1', '8.8.8.8', '172.32.0.1', '2001:db8::1', '::ffff:8.8.8.8'])('R16: to %s', (address) => {
    expect([mayDial(address, 'allow'), mayDial(address, 'refuse')]).toEqual([true, true]);
  });

  it('R16: a name is looked at when it is dialled', async () => {
    const look = (privateTargets: 'allow' | 'refuse') =>
      new Promise((resolve) => cautiousLookup(privateTargets)('localhost', { family: 4 }, (error, address) => resolve(error?.message ?? address)));
    expect(await look('allow')).toBe('127.0.0.1');
    expect(await look('refuse')).toBe('the name leads to addresses that must not be dialled');
  });

  it.each(['localhost', '127.0.0.1', '169.254.169.254'])('R16: a stream is not opened to %s that SRV records name', async (name) => {
    const resolver = { resolveSrv: async () => [{ name, port: 5222, priority: 0, weight: 0 }] };
    const session = new UpstreamRecorder(new TcpUpstream({ clock: new ManualClock(), resolver, privateTargets: 'refuse' }));
    const { reason, message } = await session.ended();
    expect(reason).toBe('failed');
    expect(message).toContain('must not be dialled');
  });

  it('R16: the URL says so', () => {
    expect(parseUpstreamUrl('srv?private=refuse')).toMatchObject({ kind: 'tcp', privateTargets: 'refuse' });
    expect(() => parseUpstreamUrl('srv?private=maybe')).toThrow('allow, refuse');
    expect(() => parseUpstreamUrl('xmpp://chat.example.org?private=refuse')).toThrow('private');
  });
});
