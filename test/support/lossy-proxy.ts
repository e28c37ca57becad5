import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** One connection through a {@link LossyProxy}. */
export interface LossyConnection {
  /** Both sides break, with whatever is on its way. */
  cut(): void;
  /** Nothing passes for so many milliseconds. */
  stall(ms: number): void;
  /** What comes next from the server is lost, and the connection with it; the server believes that it was sent. */
  swallow(): void;
  /** The same after a few bytes of it. */
  truncate(bytes: number): void;
  /** What comes next from the client reaches the server, and the connection breaks then. */
  cutBehindRequest(): void;
}

class Relay implements LossyConnection {
  private allowance: number | undefined;
  private lastRequest = false;
  private stalledUntil = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly near: Socket,
    private readonly far: Socket,
  ) {
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true);
      from.on('data', (chunk: Buffer) => {
        if (from === far && this.allowance !== undefined) return this.lose(chunk);
        if (to.writableEnded) return;
        if (from === near && this.lastRequest) return void to.write(chunk, () => this.cut());
        if (!to.write(chunk)) from.pause();
      });
      from.on('drain', () => {
        if (Date.now() >= this.stalledUntil) to.resume();
      });
      from.on('end', () => to.end());
      from.on('error', () => this.cut());
      from.on('close', () => {
        clearTimeout(this.timer);
        to.destroy();
      });
    }
  }

  cut(): void {
    this.near.destroy();
    this.far.destroy();
  }

  stall(ms: number): void {
    this.stalledUntil = Date.now() + ms;
    this.near.pause();
    this.far.pause();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.near.resume();
      this.far.resume();
    }, ms);
  }

  swallow(): void {
    this.allowance = 0;
  }

  truncate(bytes: number): void {
    this.allowance = bytes;
  }

  cutBehindRequest(): void {
    this.lastRequest = true;
  }

  private lose(chunk: Buffer): void {
    if (this.allowance === 0) return this.cut();
    this.near.write(chunk.subarray(0, this.allowance), () => this.cut());
    this.allowance = 0;
  }
}

/** A TCP relay to a port of this machine that loses things when it is told to. */
export class LossyProxy {
  /** By the client's own port. */
  private readonly relays = new Map<number, Relay>();

  private constructor(private readonly server: Server) {}

  static async to(port: number): Promise<LossyProxy> {
    const server = createServer({ allowHalfOpen: true });
    const proxy = new LossyProxy(server);
    server.on('connection', (near) => {
      const key = near.remotePort!;
      proxy.relays.set(key, new Relay(near, connect({ port, host: '127.0.0.1', allowHalfOpen: true })));
      near.on('close', () => proxy.relays.delete(key));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** That of a client's socket. */
  connection(port: number | undefined): LossyConnection | undefined {
    return port === undefined ? undefined : this.relays.get(port);
  }

  /** All that there are. */
  connections(): LossyConnection[] {
    return [...this.relays.values()];
  }

  async close(): Promise<void> {
    for (const relay of this.relays.values()) relay.cut();
    this.server.close();
    await once(this.server, 'close');
  }
}
