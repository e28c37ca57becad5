import { once } from 'node:events';
import { WebSocket, type ClientOptions } from 'ws';
import { Mailbox } from './mailbox.js';

/** A WebSocket client that says what a test tells it to. */
export class RawWebSocket {
  /** Messages that came, as text. */
  readonly frames = new Mailbox<string>();
  readonly closed: Promise<number>;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => this.frames.put(data.toString()));
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', resolve));
  }

  static async connect(url: string, protocols: string[] = ['xmpp'], options: ClientOptions = {}): Promise<RawWebSocket> {
    const socket = new WebSocket(url, protocols, options);
    const client = new RawWebSocket(socket);
    await once(socket, 'open');
    return client;
  }

  /** Connects, opens a stream to `to`, and takes the answer and the features. */
  static async open(url: string, to = 'example.org'): Promise<RawWebSocket> {
    const client = await RawWebSocket.connect(url);
    client.send(open({ to }));
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
export async function refusal(
  url: string,
  protocols: string[],
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]> }> {
  const socket = new WebSocket(url, protocols, { headers });
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  response.resume();
  return { status: response.statusCode, headers: response.headers };
}

export function open(attributes: Record<string, string | undefined> = {}): string {
  const all: Record<string, string | undefined> = { version: '1.0', ...attributes };
  const text = Object.entries(all).map(([name, value]) => (value === undefined ? '' : ` ${name}="${value}"`));
  return `<open xmlns="urn:ietf:params:xml:ns:xmpp-framing"${text.join('')} />`;
}

export const CLOSE = '<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />';
