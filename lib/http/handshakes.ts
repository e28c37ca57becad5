import { Server, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Timeout, type Clock } from '../clock.js';

/** Marks a listener of upgrades that only looks on: it takes none. */
export const LOOKS_ON = Symbol.for('nestjs-xmpp:looks-on');

/** As many are waited for before those are looked for that are closed. */
const SWEEP_FROM = 1024;

interface Handshake {
  readonly socket: Socket;
  readonly until: number;
}

/**
 * Cuts connections on which no whole request comes in time: the handshake of TLS is in it, and the request's
 * head, but not its body. Node itself waits a minute and more.
 */
export class Handshakes {
  /** In the order in which they began, which is that of their ends. */
  private readonly waiting = new Map<unknown, Handshake>();
  private readonly timeout: Timeout;
  private sweepAt = SWEEP_FROM;

  /**
   * @param patience milliseconds
   * @param onLate told of each that is cut, with the address of the other side, which may be a proxy
   */
  constructor(
    private readonly server: Server,
    private readonly clock: Clock,
    private readonly patience: number,
    private readonly onLate: (address: string) => void,
  ) {
    this.timeout = new Timeout(clock, () => this.onTimeout());
    server.on('connection', (socket: Socket) => this.begin(socket));
    const end = Object.assign(({ socket }: IncomingMessage): void => this.end(socket), { [LOOKS_ON]: true });
    // Before all others, of whom one may take the request away.
    server.prependListener('request', end);
    server.prependListener('upgrade', end);
  }

  private begin(socket: Socket): void {
    const key = this.keyOf(socket);
    if (this.waiting.size >= this.sweepAt) this.sweep();
    this.waiting.delete(key); // of a connection that was closed
    this.waiting.set(key, { socket, until: this.clock.now() + this.patience });
    if (!this.timeout.running) this.timeout.start(this.patience);
  }

  /** Nobody listens for the end of each: that would cost a connection memory for as long as it lives. */
  private sweep(): void {
    for (const [key, { socket }] of this.waiting) if (socket.destroyed) this.waiting.delete(key);
    this.sweepAt = Math.max(SWEEP_FROM, 2 * this.waiting.size);
  }

  private end(socket: Socket): void {
    if (this.waiting.size > 0) this.waiting.delete(this.keyOf(socket));
  }

  private onTimeout(): void {
    const now = this.clock.now();
    for (const [key, { socket, until }] of this.waiting) {
      if (until > now) return this.timeout.start(until - now);
      this.waiting.delete(key);
      if (socket.destroyed) continue;
      this.onLate(socket.remoteAddress ?? '');
      socket.destroy();
    }
  }

  /** Under TLS, and with HTTP/2, the socket of a request is another one than that of its connection; the peer is the same. */
  private keyOf(socket: Socket): unknown {
    if (this.server instanceof Server || socket.remotePort === undefined) return socket;
    return `${socket.remotePort} ${socket.remoteAddress}`;
  }
}
