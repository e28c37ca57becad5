import type { Socket } from 'node:net';
import { Timeout, type Clock } from '../../clock.js';
import { CLOSE_TIMEOUT } from '../connection.js';

/**
 * Closes a connection that nobody listens to any more: what was written goes out, what still comes
 * is dropped. Not destroyed at once, since that resets the connection when unread data is left,
 * and the other side may then lose what was written.
 */
export function hangUp(socket: Socket, clock: Clock): void {
  if (socket.destroyed) return;
  const patience = new Timeout(clock, () => socket.destroy());
  patience.start(CLOSE_TIMEOUT);
  socket.once('close', () => patience.stop());
  socket.resume();
  socket.end();
}
