import { once, type EventEmitter } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import type { WebSocket } from 'ws';
import { NS } from '../xml/index.js';
import { loadWebSocket } from '../ws.js';
import { Mailbox } from './mailbox.js';

/** A WebSocket of the package `ws`, as far as tests go; its own types need not be there. */
export interface TestSocket extends EventEmitter {
  /** The subprotocol that was agreed on: `xmpp`; empty for none. */
  readonly protocol: string;
  /** As in the DOM. */
  readonly OPEN: 1;
  /** {@link OPEN} while it is. */
  readonly readyState: number;
  /** Sends a frame: of text for a string, unless `binary` says otherwise; `fin: false` for one that goes on in the next. */
  send(data: string | Buffer, options?: { readonly fin?: boolean; readonly binary?: boolean }): void;
  /** Begins the closing handshake (RFC 6455, section 7). */
  close(code?: number, reason?: string): void;
  /** Sends a PING; the PONG comes as an event, `pong`. */
  ping(data?: string | Buffer): void;
  /** Reads no more: plays a client that is slow. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Cuts the connection. */
  terminate(): void;
}

/** How to connect: headers, certificates, and what `ws` adds to that. */
export interface HandshakeOptions extends RequestOptions {
  /** As a browser would send it. */
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

  private constructor(
    /** What frames go through, for what the methods of this class cannot say. */
    readonly socket: TestSocket,
  ) {
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

  /** Sends a message: text for a string, else binary. */
  send(data: string | Buffer): void {
    this.socket.send(data);
  }

  /**
   * The next message.
   * @throws Error when none comes within 20 s of real time
   */
  next(): Promise<string> {
    return this.frames.take();
  }
}

/** A handshake that is refused: the HTTP answer. */
export async function handshakeRefusal(
  url: string,
  protocols: string[] = ['xmpp'],
  headers: Record<string, string> = {},
): Promise<{
  /** HTTP status, such as 429 for too many sessions. */
  status: number;
  /** With names in lower case. */
  headers: IncomingHttpHeaders;
}> {
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
