import { once, type EventEmitter } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import type { WebSocket } from 'ws';
import { NS } from '../xml/index.js';
import { loadWebSocket } from '../ws.js';
import { Mailbox } from './mailbox.js';

/** A WebSocket of the package `ws`, as far as tests go; its own types need not be there. */
export interface TestSocket extends EventEmitter {
  readonly protocol: string;
  readonly OPEN: 1;
  /** {@link OPEN} while it is. */
  readonly readyState: number;
  send(data: string | Buffer, options?: { readonly fin?: boolean; readonly binary?: boolean }): void;
  close(code?: number, reason?: string): void;
  ping(data?: string | Buffer): void;
  pause(): void;
  resume(): void;
  /** Cuts the connection. */
  terminate(): void;
}

/** How to connect: headers, certificates, and what `ws` adds to that. */
export interface HandshakeOptions extends RequestOptions {
  readonly origin?: string;
  /** Whether pings are answered; true unless given. */
  readonly autoPong?: boolean;
}

/** A WebSocket that says what a test tells it to: no rule of RFC 7395 is kept for it. */
export class RawWebSocket {
  /** Messages that came, as text. */
  readonly frames = new Mailbox<string>();
  /** The code with which it was closed; never rejects. */
  readonly closed: Promise<number>;

  private constructor(readonly socket: TestSocket) {
    socket.on('message', (data: Buffer) => this.frames.put(data.toString()));
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', resolve));
  }

  /** @throws Error when the handshake is refused; see {@link handshakeRefusal} */
  static async connect(url: string, protocols: string[] = ['xmpp'], options: HandshakeOptions = {}): Promise<RawWebSocket> {
    const socket = connect(url, protocols, options);
    const client = new RawWebSocket(socket);
    await once(socket, 'open');
    return client;
  }

  /** Connects, opens a stream to `to`, and takes the answer and the features. */
  static async open(url: string, to = 'example.org'): Promise<RawWebSocket> {
    const client = await RawWebSocket.connect(url);
    client.send(openFrame({ to }));
    await client.next();
    await client.next();
    return client;
  }

  send(data: string | Buffer): void {
    this.socket.send(data);
  }

  next(): Promise<string> {
    return this.frames.take();
  }
}

/** A handshake that is refused: the HTTP answer. */
export async function handshakeRefusal(
  url: string,
  protocols: string[] = ['xmpp'],
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: IncomingHttpHeaders }> {
  const socket = connect(url, protocols, { headers });
  socket.on('error', () => {});
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  response.resume();
  return { status: response.statusCode!, headers: response.headers };
}

/** `<open/>` with these attributes; undefined leaves one out. */
export function openFrame(attributes: Record<string, string | undefined> = {}): string {
  const all: Record<string, string | undefined> = { version: '1.0', ...attributes };
  const text = Object.entries(all).map(([name, value]) => (value === undefined ? '' : ` ${name}="${value}"`));
  return `<open xmlns="${NS.framing}"${text.join('')} />`;
}

/** `<close/>`. */
export const CLOSE_FRAME = `<close xmlns="${NS.framing}" />`;

let webSocketClass: typeof WebSocket | undefined;

function connect(url: string, protocols: string[], options: HandshakeOptions): WebSocket {
  webSocketClass ??= loadWebSocket();
  return new webSocketClass(url, protocols, options);
}
