import { FeatureFilter } from '../../../lib/session/features.js';
import { passableFeatures } from '../../../lib/session/negotiation.js';
import { NS, Stanza } from '../../../lib/xml/index.js';

function features(...mechanisms: string[]): Stanza {
  const list = mechanisms.map((name) => `<mechanism>${name}</mechanism>`).join('');
  return Stanza.parse(
    `<s:features xmlns:s='${NS.streams}'><starttls xmlns='${NS.tls}'/><mechanisms xmlns='${NS.sasl}'>${list}</mechanisms></s:features>`,
  );
}

describe('FeatureFilter (W16, X6)', () => {
  it.each(['strip', 'pass'] as const)('%s: gives for the same features the same, whether it has seen them or not', (channelBinding) => {
    const filter = new FeatureFilter(channelBinding);
    const offers = [features('PLAIN', 'SCRAM-SHA-1-PLUS'), features('PLAIN'), features('EXTERNAL', 'PLAIN')];
    for (let round = 0; round < 3; round++) {
      for (const offer of offers) {
        expect(filter.passable(offer).toString()).toBe(passableFeatures(offer, channelBinding).toString());
      }
    }
  });

  it('remembers them, but not without end', () => {
    const filter = new FeatureFilter('strip');
    const first = features('PLAIN');
    filter.passable(first);
    const known = filter.passable(features('PLAIN'));
    expect(filter.passable(features('PLAIN'))).toBe(known);
    for (let i = 0; i < 100; i++) expect(filter.passable(features(`X-${i}`)).toString()).toContain(`X-${i}<`);
    expect(filter.passable(first)).not.toBe(known);
    expect(filter.passable(first).toString()).toBe(known.toString());
    const huge = features('X'.repeat(20_000));
    expect(filter.passable(huge)).not.toBe(filter.passable(huge));
  });
});
