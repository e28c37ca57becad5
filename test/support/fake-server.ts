import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { TLSSocket, type TLSSocket as Tls } from 'node:tls';
import { Mailbox } from './mailbox.js';
import type { Identity } from './tls.js';

/** A TCP server that does what a test tells each of its connections to do. */
export class FakeServer {
  private readonly arrivals = new Mailbox<Peer>();
  private readonly peers = new Set<Peer>();
  /** Connections up to now. */
  count = 0;

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  /** Listens on loopback, on a port of its own. */
  static async listen(host = '127.0.0.1'): Promise<FakeServer> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, host);
    await once(server, 'listening');
    const fake = new FakeServer(server, (server.address() as AddressInfo).port);
    server.on('connection', (socket) => {
      const peer = new Peer(socket);
      fake.count++;
      fake.peers.add(peer);
      fake.arrivals.put(peer);
    });
    return fake;
  }

  /** The next connection. */
  accept(): Promise<Peer> {
    return this.arrivals.take();
  }

  async close(): Promise<void> {
    for (const peer of this.peers) peer.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** The server's side of one connection. */
export class Peer {
  /** Chunks as they came; those before TLS in clear. */
  readonly chunks: Buffer[] = [];
  private socket: Socket;
  private unreadChunks: string[] = [];
  private finished = false;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;
  private listeners: [event: string, listener: (chunk: Buffer) => void][] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    this.listen(socket);
  }

  /** What came and was not yet expected. */
  get unread(): string {
    return this.text;
  }

  /** Put together only when somebody looks. */
  private get text(): string {
    if (this.unreadChunks.length > 1) this.unreadChunks = [this.unreadChunks.join('')];
    return this.unreadChunks[0] ?? '';
  }
  private set text(text: string) {
    this.unreadChunks = text === '' ? [] : [text];
  }

  /** All bytes up to now. */
  get raw(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** Waits for it in what came, and takes it with what was before it. */
  async expect(pattern: string | RegExp): Promise<RegExpExecArray> {
    const regexp = typeof pattern === 'string' ? new RegExp(escape(pattern)) : pattern;
    return await this.until(() => {
      const match = regexp.exec(this.text);
      if (match) this.text = this.text.slice(match.index + match[0].length);
      return match ?? undefined;
    }, String(pattern));
  }

  /** Waits until what came ends with it; for when very much comes, all of which {@link expect} would search again and again. */
  async expectLast(text: string): Promise<void> {
    await this.until(() => (this.chunks.slice(-2).join('').endsWith(text) ? true : undefined), text);
  }

  /** So many bytes, taken from what came. */
  async bytes(count: number): Promise<Buffer> {
    await this.until(() => (this.raw.length >= count ? true : undefined), `${count} bytes`);
    return this.raw.subarray(0, count);
  }

  /** The client has closed its side, or the connection is gone. */
  async end(): Promise<void> {
    await this.until(() => this.finished || undefined, 'the end');
  }

  /** The connection is gone on both sides, and all that we sent with it. */
  async closed(): Promise<void> {
    if (!this.socket.closed) await new Promise((resolve) => this.socket.once('close', resolve));
  }

  /** How the connection broke; undefined for an orderly end. */
  get error(): Error | undefined {
    return this.failure;
  }

  send(data: string | Buffer): void {
    this.socket.write(data);
  }

  /** Answers the client's stream header with ours and, unless it is empty, features. */
  async openStream(features = '', attributes = ''): Promise<string> {
    const [header] = await this.expect(/<stream:stream [^>]*>/);
    this.send(`${serverHeader(attributes)}${features}`);
    return header;
  }

  /** The whole negotiation of STARTTLS, up to TLS. */
  async starttls(identity: Identity, alsoInClear = ''): Promise<void> {
    await this.openStream(STARTTLS_FEATURES);
    await this.expect("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    this.send(`<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>${alsoInClear}`);
    await this.secure(identity);
  }

  /** Takes TLS from here on. */
  async secure(identity: Identity, protocols?: string[]): Promise<Tls> {
    const { socket: clear } = this;
    if (this.text !== '') throw new Error(`TLS was to begin, but the client sent ${JSON.stringify(this.text)}`);
    for (const [event, listener] of this.listeners) clear.off(event, listener);
    const socket = new TLSSocket(clear, { isServer: true, ...identity, ...(protocols && { ALPNProtocols: protocols }) });
    this.socket = socket;
    this.listen(socket);
    // A client that refuses our certificate goes without a word.
    await new Promise<void>((resolve) => {
      for (const event of ['secure', 'end', 'close', 'error']) socket.once(event, () => resolve());
    });
    return socket;
  }

  /** Stops taking what the client sends, so that its buffers fill. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Closes our side. */
  finish(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Cuts the connection with a TCP reset. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  private listen(socket: Socket): void {
    const finish = (): void => {
      this.finished = true;
      this.wake?.();
    };
    this.listeners = [
      [
        'data',
        (chunk: Buffer) => {
          this.chunks.push(chunk);
          this.unreadChunks.push(chunk.toString('utf8'));
          this.wake?.();
        },
      ],
      ['end', finish],
      ['close', finish],
    ];
    for (const [event, listener] of this.listeners) socket.on(event, listener);
    socket.on('error', (error) => {
      this.failure = error;
      finish();
    });
  }

  private async until<T>(look: () => T | undefined, what: string): Promise<T> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.wake?.();
    }, 20_000);
    try {
      for (;;) {
        const found = look();
        if (found !== undefined) return found;
        if (late || this.finished) throw new Error(`the client did not send ${what}; it sent ${JSON.stringify(this.text)}`);
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
      this.wake = undefined;
    }
  }
}

export function serverHeader(attributes = ''): string {
  return (
    `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'` +
    ` from='example.org' id='s1' version='1.0' xml:lang='en'${attributes}>`
  );
}

export const STARTTLS_FEATURES =
  "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>";

export const SASL_FEATURES =
  "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>";

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
