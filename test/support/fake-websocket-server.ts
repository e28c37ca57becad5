import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { Mailbox } from './mailbox.js';
import type { Identity } from './tls.js';

/** An RFC 7395 server that does what a test tells each of its connections to do. */
export class FakeWebSocketServer {
  private readonly arrivals = new Mailbox<WebSocketPeer>();

  private constructor(
    private readonly http: ReturnType<typeof createHttpServer>,
    private readonly wss: WebSocketServer,
    readonly url: string,
    readonly port: number,
  ) {}

  /** @param protocol that it takes; none, where it is empty */
  static async listen(identity?: Identity, protocol = 'xmpp'): Promise<FakeWebSocketServer> {
    const http = identity ? createHttpsServer({ ...identity }) : createHttpServer();
    const wss = new WebSocketServer({ server: http, path: '/ws', handleProtocols: () => protocol || false });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const { port } = http.address() as AddressInfo;
    const server = new FakeWebSocketServer(http, wss, `${identity ? 'wss' : 'ws'}://localhost:${port}/ws`, port);
    wss.on('connection', (socket, request) => server.arrivals.put(new WebSocketPeer(socket, request)));
    return server;
  }

  accept(): Promise<WebSocketPeer> {
    return this.arrivals.take();
  }

  async close(): Promise<void> {
    for (const client of this.wss.clients) client.terminate();
    this.wss.close();
    this.http.closeAllConnections();
    this.http.close();
    await once(this.http, 'close');
  }
}

/** The server's side of one WebSocket. */
export class WebSocketPeer {
  private readonly frames = new Mailbox<string>();
  private readonly closes = new Mailbox<number>();
  /** Chunks of the connection up to now, WebSocket framing and all. */
  chunks = 0;

  constructor(
    readonly socket: WebSocket,
    readonly request: IncomingMessage,
  ) {
    request.socket.on('data', () => this.chunks++);
    socket.on('message', (data) => this.frames.put(String(data)));
    socket.on('close', (code) => this.closes.put(code));
    socket.on('error', () => {});
  }

  /** The next frame. */
  frame(): Promise<string> {
    return this.frames.take();
  }

  /** The code that the WebSocket was closed with; 1006 without a close frame. */
  closed(): Promise<number> {
    return this.closes.take();
  }

  send(frame: string): void {
    this.socket.send(frame);
  }

  /** Answers the client's `<open/>` with ours and, unless it is empty, features. */
  async openStream(features = FEATURES): Promise<string> {
    const open = await this.frame();
    this.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='example.org' id='s1' version='1.0' xml:lang='en'/>");
    if (features !== '') this.send(features);
    return open;
  }
}

export const FEATURES =
  "<stream:features xmlns:stream='http://etherx.jabber.org/streams'><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" +
  '<mechanism>PLAIN</mechanism></mechanisms></stream:features>';
