import { conditionOf, statusOf, streamConditionOf, terminationOf } from '../../../lib/bosh/conditions.js';
import { Stanza } from '../../../lib/xml/index.js';

describe('conditions', () => {
  it.each([
    ['host-unknown', 'host-unknown'],
    ['host-gone', 'host-gone'],
    ['improper-addressing', 'improper-addressing'],
    ['system-shutdown', 'system-shutdown'],
    ['policy-violation', 'policy-violation'],
    ['internal-server-error', 'internal-server-error'],
    ['remote-connection-failed', 'remote-connection-failed'],
    ['not-well-formed', 'bad-request'],
    ['restricted-xml', 'bad-request'],
    ['bad-format', 'bad-request'],
    ['conflict', 'undefined-condition'],
    ['resource-constraint', 'undefined-condition'],
  ] as const)('B27, C6: %s is told as %s', (stream, bosh) => {
    expect(conditionOf(stream)).toBe(bosh);
    expect(terminationOf({ reason: 'error', condition: stream })).toEqual({ condition: bosh });
  });

  it('C20: an end in order has no condition', () => {
    expect(terminationOf({ reason: 'upstream-closed' })).toEqual({});
  });

  it('X7: a stream error of the server goes before all else', () => {
    const error = Stanza.parse(`<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>`);
    expect(terminationOf({ reason: 'upstream-error', error, condition: 'policy-violation' })).toEqual({
      condition: 'remote-stream-error',
      detail: error,
    });
  });

  it('B34: status codes for clients that know no conditions', () => {
    const codes = (['bad-request', 'policy-violation', 'item-not-found', 'host-unknown', undefined] as const).map((condition) => [
      statusOf(condition, true),
      statusOf(condition, false),
    ]);
    expect(codes).toEqual([[400, 200], [403, 200], [404, 200], [200, 200], [200, 200]]);
  });

  it('has a stream error for the log of each', () => {
    expect((['bad-request', 'policy-violation', 'item-not-found'] as const).map(streamConditionOf)).toEqual([
      'bad-format',
      'policy-violation',
      'item-not-found',
    ]);
  });
});
