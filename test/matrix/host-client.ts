import { once } from 'node:events';
import { request as requestHttp, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { gunzipSync } from 'node:zlib';
import { WebSocket } from 'ws';
import { boshBody, boshCreation, openFrame, RawWebSocket } from 'nestjs-xmpp/testing';

/** An HTTP answer, inflated. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

/** Asks one host of the matrix, over TLS where it has a CA. */
export class HostClient {
  constructor(
    readonly port: number,
    private readonly ca?: Buffer,
  ) {}

  private get scheme(): string {
    return this.ca ? 's' : '';
  }

  get wsBase(): string {
    return `ws${this.scheme}://localhost:${this.port}`;
  }

  async ask(path: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Answer> {
    const target = { host: '127.0.0.1', servername: 'localhost', port: this.port, path, method, headers, agent: false, ca: this.ca };
    const sent = this.ca ? requestHttps(target) : requestHttp(target);
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const text = (response.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString();
    return { status: response.statusCode!, headers: response.headers, text };
  }

  /** Several requests over one connection of HTTP/2, at once. */
  async askHttp2(...asked: (Asked & { readonly path: string })[]): Promise<Answer[]> {
    const session = connectHttp2(`https://localhost:${this.port}`, { ca: this.ca });
    try {
      return await Promise.all(
        asked.map(async ({ path, method = 'GET', headers = {}, body }) => {
          const stream = session.request({ ':method': method, ':path': path, ...headers });
          stream.end(body);
          const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }];
          let text = '';
          for await (const chunk of stream) text += String(chunk);
          return { status: answer[':status'], headers: answer, text };
        }),
      );
    } finally {
      session.close();
    }
  }

  /** Asks for a BOSH session. */
  create(path = '/http-bind', { to = 'example.org', headers = { 'Content-Type': 'text/xml' } as OutgoingHttpHeaders } = {}): Promise<Answer> {
    return this.ask(path, { method: 'POST', headers, body: boshCreation({ to, wait: 5 }) });
  }

  /** A BOSH request that the host holds. */
  hold(created: Answer, path = '/http-bind'): Promise<Answer> {
    const sid = / sid='([^']+)'/.exec(created.text)?.[1];
    return this.ask(path, { method: 'POST', body: boshBody({ sid, rid: 1001 }) });
  }

  /** Opens a stream over WebSocket. @returns the client and what came: `<open/>`, features */
  async open(path = '/xmpp-websocket', to = 'example.org'): Promise<{ client: RawWebSocket; came: [string, string] }> {
    const client = await RawWebSocket.connect(this.wsBase + path, ['xmpp'], { ca: this.ca });
    client.send(openFrame({ to }));
    return { client, came: [await client.next(), await client.next()] };
  }

  /** A WebSocket without a subprotocol, as gateways of the host have it. */
  async chat(path = '/chat'): Promise<WebSocket> {
    const socket = new WebSocket(this.wsBase + path);
    await once(socket, 'open');
    return socket;
  }
}
