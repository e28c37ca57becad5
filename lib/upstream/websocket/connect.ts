import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { proxyHeader, type Endpoint } from '../tcp/proxy-protocol.js';

interface Options {
  readonly host: string;
  readonly port: number | string;
}

/**
 * Makes the connection of a WebSocket that begins with a header of the PROXY protocol; for the
 * `createConnection` of `node:http`.
 */
export function connectBehindHeader(version: 1 | 2, client: Endpoint, secure: boolean) {
  return (options: Options, done: (error: Error | null, socket?: Socket) => void): undefined => {
    const { host } = options;
    const port = Number(options.port);
    const socket = connectTcp({ host, port, noDelay: true });
    const failed = (error: Error): void => done(error);
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      socket.write(proxyHeader(version, client, { address: socket.remoteAddress ?? '', port: socket.remotePort ?? port }));
      done(null, secure ? connectTls({ ...options, port, socket, servername: isIP(host) ? '' : host }) : socket);
    });
  };
}
