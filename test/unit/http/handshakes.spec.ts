import { EventEmitter } from 'node:events';
import { Server } from 'node:http';
import type { Socket } from 'node:net';
import { ManualClock } from '../../../lib/clock.js';
import { Handshakes } from '../../../lib/http/index.js';

/** As far as it matters here. */
class Connection extends EventEmitter {
  destroyed = false;

  constructor(readonly remoteAddress: string) {
    super();
  }

  destroy(): void {
    this.destroyed = true;
  }
}

describe('handshakes', () => {
  const server = new Server();
  const clock = new ManualClock();
  const late: string[] = [];
  const watch = new Handshakes(server, clock, 1000, (address) => late.push(address));
  const connect = (address: string) => {
    const connection = new Connection(address);
    server.emit('connection', connection as unknown as Socket);
    return connection;
  };

  it('R9, U14: cuts who sends no request in time, and nobody who did or has gone before', () => {
    const [slow, quick, gone] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map(connect);
    server.emit('request', { socket: quick });
    gone!.destroy();
    clock.tick(1100);
    expect(late).toEqual(['192.0.2.1']);
    expect([slow!.destroyed, quick!.destroyed]).toEqual([true, false]);
  });

  it('R9, U14: keeps few of many who connect and go, and the one who waits among them', () => {
    const slow = connect('192.0.2.4');
    for (let i = 0; i < 10_000; i++) connect('192.0.2.5').destroy();
    expect((watch as unknown as { waiting: Map<unknown, unknown> }).waiting.size).toBeLessThanOrEqual(1024);
    clock.tick(1100);
    expect(slow.destroyed).toBe(true);
  });
});
