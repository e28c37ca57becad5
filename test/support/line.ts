import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A loopback address that leads to another one, until it is cut. */
export interface Line {
  /** The same URL with this line's address in it. */
  through(url: string): string;
  /**
   * Ends every connection without a word, as a network that goes away does. Who connects again is left waiting
   * until {@link mend}.
   */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

/** A TCP relay to a port of this machine. */
export async function startLine(port: number): Promise<Line> {
  const sockets = new Set<Socket>();
  let waiting: (() => void)[] | undefined;

  const keep = (socket: Socket, other: () => Socket | undefined): void => {
    sockets.add(socket);
    socket.setNoDelay(true);
    // Either end takes the other along, also where one of them broke.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      other()?.destroy();
    });
  };

  const server = createServer((near) => {
    let far: Socket | undefined;
    keep(near, () => far);
    const relay = (): void => {
      if (near.destroyed) return;
      far = connect(port, '127.0.0.1');
      keep(far, () => near);
      near.pipe(far).pipe(near);
    };
    if (waiting) waiting.push(relay);
    else relay();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: ownPort } = server.address() as AddressInfo;

  return {
    through: (url) => {
      const address = new URL(url);
      address.port = String(ownPort);
      return address.href;
    },
    cut: () => {
      waiting ??= [];
      for (const socket of sockets) socket.destroy();
    },
    mend: () => {
      const relays = waiting ?? [];
      waiting = undefined;
      for (const relay of relays) relay();
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
