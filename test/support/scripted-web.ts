import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { Mailbox } from './mailbox.js';

/** A BOSH request that waits for the test to answer it. */
export interface BoshRequest {
  readonly xml: string;
  attribute(name: string): string | undefined;
  answer(xml: string): void;
}

/** A WebSocket of a browser. */
export interface WebSocketPeer {
  readonly frames: Mailbox<string>;
  /** One frame each. */
  send(...frames: readonly string[]): void;
}

/** An XMPP server for web clients, over BOSH and WebSocket, that says nothing but what a test makes it say. */
export class ScriptedWeb {
  readonly requests = new Mailbox<BoshRequest>();
  readonly sockets = new Mailbox<WebSocketPeer>();
  private readonly webSockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'xmpp' });

  private constructor(
    private readonly server: Server,
    readonly boshUrl: string,
    readonly wsUrl: string,
  ) {}

  static async start(): Promise<ScriptedWeb> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const web = new ScriptedWeb(server, `http://127.0.0.1:${port}/`, `ws://127.0.0.1:${port}/`);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      response.setHeader('Access-Control-Allow-Origin', '*').setHeader('Access-Control-Allow-Headers', 'Content-Type');
      if (request.method === 'OPTIONS') return void response.end();
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => web.requests.put(boshRequest(Buffer.concat(chunks).toString(), response)));
    });
    server.on('upgrade', (request, socket, head) => {
      web.webSockets.handleUpgrade(request, socket, head, (webSocket) => web.sockets.put(peer(webSocket)));
    });
    return web;
  }

  async close(): Promise<void> {
    for (const webSocket of this.webSockets.clients) webSocket.terminate();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function boshRequest(xml: string, response: ServerResponse): BoshRequest {
  return {
    xml,
    attribute: (name) => attributeOf(xml, name),
    answer: (answer) => void response.setHeader('Content-Type', 'text/xml; charset=utf-8').end(answer),
  };
}

/** Of the first tag. */
export function attributeOf(xml: string, name: string): string | undefined {
  const [tag] = /^<[^>]*>/.exec(xml) ?? [''];
  return new RegExp(`\\s${name}=(?:"([^"]*)"|'([^']*)')`).exec(tag)?.slice(1).find((value) => value !== undefined);
}

function peer(webSocket: WebSocket): WebSocketPeer {
  const frames = new Mailbox<string>();
  webSocket.on('message', (data: Buffer) => frames.put(data.toString()));
  return {
    frames,
    send: (...texts) => {
      for (const text of texts) webSocket.send(text);
    },
  };
}
