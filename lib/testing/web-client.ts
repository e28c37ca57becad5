import { NS, readEnvelope, Scanner } from '../xml/index.js';
import { BoshHttp, BoshSession, type BoshAnswer } from './bosh-client.js';
import { Mailbox } from './mailbox.js';
import { CLOSE_FRAME, openFrame, RawWebSocket } from './websocket-client.js';

/** Where a gateway is. */
export interface Endpoints {
  /** `ws://…/xmpp-websocket` */
  readonly wsUrl: string;
  /** `http://…/http-bind` */
  readonly boshUrl: string;
}

/** Of a stream header: `to`, `from`, `xml:lang`. */
export type StreamAttributes = Record<string, string>;

/** A stream of a web client, whatever it goes over: for what is to be the same on both transports. */
export interface WebClient {
  /** Sends one element. */
  send(xml: string): void;
  /**
   * The next element that fits; those before it are left. Over WebSocket without `<open/>` and `<close/>`.
   *
   * @throws Error when none comes within 20 s of real time
   */
  next(fits?: (element: string) => boolean): Promise<string>;
  /** A new stream on the same connection. */
  restart(attributes?: StreamAttributes): void;
  /** Is gone without a word. */
  cut(): void;
  /** Ends its stream. */
  close(): void;
}

/** For `describe.each`. */
export const TRANSPORTS = ['websocket', 'bosh'] as const;
/** Over which a web client comes. */
export type WebTransport = (typeof TRANSPORTS)[number];

/**
 * Opens a stream to `example.org`, or where `to` says; what the server opens with comes by {@link WebClient.next},
 * features first.
 *
 * @throws Error when the gateway refuses it
 */
export async function openStream(transport: WebTransport, gateway: Endpoints, attributes: StreamAttributes = {}): Promise<WebClient> {
  const all = { to: 'example.org', ...attributes };
  return transport === 'websocket' ? await WebSocketStream.open(gateway.wsUrl, all) : await BoshStream.open(gateway.boshUrl, all);
}

class WebSocketStream implements WebClient {
  private constructor(private readonly client: RawWebSocket) {}

  static async open(url: string, attributes: StreamAttributes): Promise<WebSocketStream> {
    const client = await RawWebSocket.connect(url);
    client.send(openFrame(attributes));
    return new WebSocketStream(client);
  }

  send(xml: string): void {
    this.client.send(xml);
  }

  next(fits: (element: string) => boolean = () => true): Promise<string> {
    return this.client.frames.take((frame) => !/^<(open|close) /.test(frame) && fits(frame));
  }

  restart(attributes: StreamAttributes = { to: 'example.org' }): void {
    this.client.send(openFrame(attributes));
  }

  cut(): void {
    this.client.socket.terminate();
  }

  close(): void {
    this.client.send(CLOSE_FRAME);
    this.client.socket.close();
  }
}

/** Holds one request, and one more when it has something to say, as clients do. */
class BoshStream implements WebClient {
  private readonly elements = new Mailbox<string>();
  private readonly scanner = new Scanner();
  private readonly waiting: [payload: string, attributes: StreamAttributes][] = [];
  /** Answers are read in the order of their requests. */
  private reading: Promise<unknown> = Promise.resolve();
  private open = 0;
  private over = false;

  private constructor(
    private readonly http: BoshHttp,
    private readonly session: BoshSession,
  ) {
    this.read(session.created);
    this.pump();
  }

  static async open(url: string, attributes: StreamAttributes): Promise<BoshStream> {
    const http = new BoshHttp(url);
    return new BoshStream(http, await BoshSession.open(http, attributes));
  }

  send(xml: string): void {
    this.waiting.push([xml, {}]);
    this.pump();
  }

  next(fits?: (element: string) => boolean): Promise<string> {
    return this.elements.take(fits);
  }

  restart(attributes: StreamAttributes = { to: 'example.org' }): void {
    this.waiting.push(['', { ...attributes, 'xmpp:restart': 'true' }]);
    this.pump();
  }

  cut(): void {
    this.over = true;
    this.http.close();
  }

  close(): void {
    this.waiting.push(['', { type: 'terminate' }]);
    this.pump();
  }

  private pump(): void {
    while (!this.over && this.open < (this.waiting.length > 0 ? 2 : 1)) {
      const [payload, attributes] = this.waiting.shift() ?? ['', {}];
      const answer = this.session.send(payload, attributes);
      this.open++;
      this.reading = Promise.all([answer, this.reading]).then(
        ([{ ...it }]) => {
          this.open--;
          this.read(it);
          this.pump();
        },
        () => (this.over = true),
      );
    }
  }

  private read({ body }: Pick<BoshAnswer, 'body'>): void {
    const { attributes, children } = readEnvelope(Buffer.from(body), this.scanner, NS.client);
    if (attributes.get('type') === 'terminate') this.cut();
    for (const child of children) this.elements.put(child.toString());
  }
}
