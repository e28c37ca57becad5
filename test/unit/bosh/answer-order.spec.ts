import { AnswerOrder } from '../../../lib/bosh/answer-order.js';
import { ManualClock } from '../../../lib/clock.js';

describe('the order of answers on their way', () => {
  let clock: ManualClock;
  let certain: number;
  let order: AnswerOrder;
  const connection = {};
  beforeEach(() => {
    certain = 0;
    clock = new ManualClock();
    order = new AnswerOrder(2, clock, { onCertain: () => certain++ });
  });

  it('B13: lets stanzas leave where no answer is on its way', () => {
    expect(order.isCertain).toBe(true);
  });

  it.each<[string, () => void]>([
    ['asks for more with nothing else open', () => order.came(8, undefined, true)],
    ['uses the connection of the answer again', () => order.came(8, connection, false)],
    ['has sent as many requests as it may since', () => order.came(9, undefined, false)],
    ['acknowledges the answer', () => order.acknowledged(7)],
  ])('B13: knows that a client has an answer when it %s', (_what, proof) => {
    order.gave(7, connection);
    expect(order.isCertain).toBe(false);
    proof();
    expect(order.isCertain).toBe(true);
    clock.tick(5000);
    expect(certain).toBe(0);
  });

  it.each<[string, () => void]>([
    ['sends a stanza on another connection', () => order.came(8, {}, false)],
    ['uses a connection that carries several answers at once', () => order.came(8, undefined, false)],
    ['acknowledges the answer before', () => order.acknowledged(6)],
  ])('B13: knows nothing when a client %s', (_what, sign) => {
    order.gave(7, undefined);
    sign();
    expect(order.isCertain).toBe(false);
  });

  it('B13: waits a moment once the network has the answer, and tells when it is over', () => {
    order.gave(7, connection);
    order.left(7);
    expect(order.isCertain).toBe(false);
    clock.tick(100);
    expect([certain, order.isCertain]).toEqual([1, true]);
  });

  it('B13: waits longer while the network does not take the answer, and not for ever', () => {
    order.gave(7, connection);
    order.left(6);
    clock.tick(1000);
    expect(order.isCertain).toBe(false);
    clock.tick(1100);
    expect([certain, order.isCertain]).toEqual([1, true]);
  });

  it('B13: tells nobody after the end', () => {
    order.gave(7, connection);
    expect(order.isCertain).toBe(false);
    order.stop();
    clock.tick(5000);
    expect(certain).toBe(0);
  });
});
