import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { escapeAttribute, NS, Stanza } from '../xml/index.js';
import { loadWebSocket } from '../ws.js';
import type { Examination } from './examination.js';

/** A handshake that got another answer than a WebSocket. */
export class HandshakeRefused extends Error {
  constructor(readonly status: number) {
    super(`HTTP ${status} instead of a WebSocket`);
  }
}

/** How a stream was answered: by a header and features, or by an error. */
export interface Opened {
  readonly header: Stanza;
  readonly features: Stanza | undefined;
  /** The condition of a stream error. */
  readonly condition: string | undefined;
}

/** A client of RFC 7395 that keeps to its rules. */
export class StreamSocket {
  private readonly frames: string[] = [];
  private wake: (() => void) | undefined;
  private ended: { code: number; at: number } | undefined;
  /** Pings of the server, by their time in milliseconds of a monotonic clock. */
  readonly pings: number[] = [];

  private constructor(
    private readonly socket: WebSocket,
    private readonly patience: number,
  ) {
    socket.on('message', (data) => {
      this.frames.push((data as Buffer).toString());
      this.wake?.();
    });
    socket.on('ping', () => this.pings.push(performance.now()));
    socket.on('error', () => {});
    socket.on('close', (code) => {
      this.ended = { code, at: performance.now() };
      this.wake?.();
    });
  }

  /** @throws HandshakeRefused, or the error of the connection */
  static async connect(url: URL, { origin, patience }: Examination): Promise<StreamSocket> {
    const socket = new (loadWebSocket())(url, ['xmpp'], {
      origin,
      handshakeTimeout: patience,
      rejectUnauthorized: false,
      headers: { 'User-Agent': 'nestjs-xmpp-doctor' },
    });
    const client = new StreamSocket(socket, patience);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
      socket.once('unexpected-response', (_request, response: IncomingMessage) => {
        reject(new HandshakeRefused(response.statusCode!));
        response.destroy();
      });
    });
    return client;
  }

  /** Its code, once the WebSocket is closed, and when that was. */
  get closed(): { code: number; at: number } | undefined {
    return this.ended;
  }

  /**
   * Opens a stream.
   *
   * @throws Error when the answer is none
   */
  async open(domain: string): Promise<Opened> {
    this.socket.send(`<open xmlns="${NS.framing}" to="${escapeAttribute(domain)}" version="1.0" />`);
    const header = Stanza.parse(await this.next('<open/>'));
    if (header.name === 'close') return { header, features: undefined, condition: 'closed' };
    if (header.name !== 'open') throw new Error(`a <${header.name}/> instead of an <open/>`);
    const second = Stanza.parse(await this.next('the features'));
    if (second.name === 'error' && second.namespace === NS.streams) {
      return { header, features: undefined, condition: second.children()[0]?.name ?? 'undefined-condition' };
    }
    return { header, features: second, condition: undefined };
  }

  /** Closes the stream as RFC 7395, section 3.6, has it. @returns whether the server answered so */
  async close(): Promise<boolean> {
    try {
      this.socket.send(`<close xmlns="${NS.framing}" />`);
      return Stanza.parse(await this.next('<close/>')).name === 'close';
    } catch {
      return false;
    } finally {
      this.cut();
    }
  }

  cut(): void {
    this.socket.terminate();
  }

  /** The next frame. @throws Error when none comes */
  async next(what: string, patience = this.patience): Promise<string> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.wake?.();
    }, patience);
    try {
      for (;;) {
        const frame = this.frames.shift();
        if (frame !== undefined) return frame;
        if (this.ended) throw new Error(`closed with ${this.ended.code} before ${what}`);
        if (late) throw new Error(`${what} did not come within ${patience / 1000} s`);
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
