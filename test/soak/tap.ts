import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import type { Prosody } from '../support/prosody.js';
import { Tape } from './tape.js';

/** Stands between the gateway and a server, ends the TLS of both, and records what each of them wrote. */
export class Tap {
  private readonly sockets = new Set<TLSSocket>();

  private constructor(
    private readonly server: Server,
    readonly tape: Tape,
  ) {}

  static async before({ domain, directTlsPort, caFile, certificate }: Prosody): Promise<Tap> {
    const [ca, cert, key] = await Promise.all([readFile(caFile), readFile(certificate.certFile), readFile(certificate.keyFile)]);
    const tap = new Tap(createServer({ cert, key }), new Tape());
    tap.server.on('secureConnection', (near) => tap.join(near, connect({ port: directTlsPort, host: '127.0.0.1', servername: domain, ca })));
    tap.server.listen(0, '127.0.0.1');
    await once(tap.server, 'listening');
    return tap;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(near: TLSSocket, far: TLSSocket): void {
    const { up, down } = this.tape.record();
    for (const [from, to, track] of [
      [near, far, up],
      [far, near, down],
    ] as const) {
      this.sockets.add(from);
      from.on('data', (chunk: Buffer) => track.feed(chunk));
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.sockets.delete(from);
        if (!from.readableEnded) to.destroy();
      });
    }
  }
}
