import { once } from 'node:events';
import { Agent, request, type ClientRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { readEnvelope, Scanner, Stanza } from '../../lib/xml/index.js';
import type { LossyConnection, LossyProxy } from '../support/lossy-proxy.js';

const FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing';
const HTTPBIND = 'http://jabber.org/protocol/httpbind';
const CLOSE = `<close xmlns="${FRAMING}" />`;
/** Milliseconds until a request that failed is repeated. */
const REPEAT_AFTER = 30;
/** Attempts after which a request is left alone: a gateway takes the eleventh for abuse. */
const MAX_TRIES = 5;
/** Characters of a request after which it takes no further stanza. */
const FULL_BODY = 100_000;
/** Milliseconds in which a gateway that works has answered, whatever the proxy did. */
const PATIENCE = 30_000;

/** What a link tells the client that has it. */
export interface LinkHandler {
  onElement(element: Stanza): void;
  /** The stream is over, and the client did not end it: a stream error, a condition, or `lost`. */
  onGone(reason: string): void;
  /** For whoever looks for the cause of a fault. */
  note(text: string): void;
}

/** A stream of a web client over either transport, through a proxy that loses things. */
export interface Link {
  readonly transport: 'websocket' | 'bosh';
  /** What the shared session answered, where it was asked for. */
  readonly shared: string | undefined;
  /** What the server called the stream, or one before it on the same connection. */
  readonly id: string | undefined;
  send(xml: string): void;
  restart(): void;
  /** Ends the stream, and waits until the gateway has answered. */
  close(): Promise<void>;
  /** Is gone without a word. */
  drop(): void;
  /** Reads nothing for so many milliseconds. */
  sleep(ms: number): void;
  /** Its connections, for faults. */
  connections(): LossyConnection[];
}

export interface Gate {
  readonly proxy: LossyProxy;
  readonly domain: string;
}

/** @param key of a shared session */
export async function openLink(transport: Link['transport'], gate: Gate, handler: LinkHandler, key?: string): Promise<Link> {
  return transport === 'websocket' ? await WebSocketLink.open(gate, handler, key) : await BoshLink.open(gate, handler, key);
}

function sharing(key: string | undefined): string {
  return key === undefined ? '' : ` xmlns:shared="urn:xmpp:tmp:shared-bosh:0" shared:key="${key}"`;
}

const sharedResult = (tag: string): string | undefined => / shared:result=['"]([a-z]+)/.exec(tag)?.[1];

class WebSocketLink implements Link {
  readonly transport = 'websocket';
  shared: string | undefined;
  id: string | undefined;
  private over = false;
  private tcp!: Socket;
  private readonly socket: WebSocket;
  private opened: (() => void) | undefined;
  private failed: ((error: Error) => void) | undefined;
  private reason = 'lost';

  private constructor(
    private readonly gate: Gate,
    private readonly handler: LinkHandler,
    private readonly key: string | undefined,
  ) {
    const createConnection = (options: { port?: number | string; host?: string }): Socket =>
      (this.tcp = connect({ port: Number(options.port), host: options.host! }));
    this.socket = new WebSocket(`ws://127.0.0.1:${gate.proxy.port}/xmpp-websocket`, ['xmpp'], {
      createConnection: createConnection as never,
    });
    this.socket.on('error', () => {});
    this.socket.on('message', (data: Buffer) => this.received(data));
    this.socket.on('close', () => this.gone());
  }

  static async open(gate: Gate, handler: LinkHandler, key?: string): Promise<WebSocketLink> {
    const link = new WebSocketLink(gate, handler, key);
    await new Promise<void>((resolve, reject) => {
      link.opened = resolve;
      link.failed = reject;
      link.socket.once('open', () => link.restart());
    });
    return link;
  }

  send(xml: string): void {
    if (!this.over && this.socket.readyState === WebSocket.OPEN) this.socket.send(xml);
  }

  restart(): void {
    this.send(`<open xmlns="${FRAMING}" to="${this.gate.domain}" version="1.0"${sharing(this.key)}/>`);
  }

  async close(): Promise<void> {
    if (this.socket.readyState !== WebSocket.OPEN) return this.drop();
    const closed = once(this.socket, 'close');
    this.socket.send(CLOSE);
    const timer = setTimeout(() => this.socket.terminate(), 5000);
    await closed;
    clearTimeout(timer);
    this.over = true;
  }

  drop(): void {
    this.over = true;
    this.socket.terminate();
  }

  sleep(ms: number): void {
    this.socket.pause();
    setTimeout(() => this.socket.resume(), ms).unref();
  }

  connections(): LossyConnection[] {
    const found = this.gate.proxy.connection(this.tcp.localPort);
    return found ? [found] : [];
  }

  private received(data: Buffer): void {
    if (this.over) return;
    const element = Stanza.parse(data);
    if (element.namespace !== FRAMING) {
      if (element.is('error', 'http://etherx.jabber.org/streams')) this.reason = element.children()[0]?.name ?? 'error';
      return this.handler.onElement(element);
    }
    if (element.name === 'close') {
      if (this.reason === 'lost') this.reason = 'closed';
      if (this.socket.readyState === WebSocket.OPEN) this.socket.send(CLOSE);
      return this.socket.close();
    }
    this.shared ??= sharedResult(element.toString());
    this.id ??= element.attribute('id');
    this.opened?.();
    this.opened = this.failed = undefined;
  }

  private gone(): void {
    this.failed?.(new Error(`no stream: ${this.reason}`));
    if (this.over) return;
    this.over = true;
    this.handler.onGone(this.reason);
  }
}

interface Attempt {
  readonly rid: number;
  readonly body: string;
  sent: ClientRequest | undefined;
  tries: number;
}

/** A session that can be attached to: the next request has `rid`. */
export interface BoshSession {
  readonly sid: string;
  readonly rid: number;
}

/** Holds one request, and sends with a second, as browsers do; what fails is repeated, byte for byte. */
export class BoshLink implements Link {
  readonly transport = 'bosh';
  shared: string | undefined;
  id: string | undefined;
  private readonly agent = new Agent({ keepAlive: true });
  private readonly scanner = new Scanner();
  private readonly open = new Map<number, Attempt>();
  private readonly answers = new Map<number, string>();
  private readonly waiting: { payload: string; more: string }[] = [];
  /** The answer that is read next. */
  private reading: number;
  private sid = '';
  private over = false;
  private asleep = false;
  private closing = false;
  private ended: (() => void) | undefined;
  private created: (() => void) | undefined;
  private failed: ((error: Error) => void) | undefined;

  private constructor(
    private readonly gate: Gate,
    private readonly handler: LinkHandler,
    private rid: number,
  ) {
    this.reading = rid;
  }

  static async open(gate: Gate, handler: LinkHandler, key?: string): Promise<BoshLink> {
    const link = new BoshLink(gate, handler, 1 + Math.floor(Math.random() * 1e9));
    const ready = new Promise<void>((resolve, reject) => {
      link.created = resolve;
      link.failed = reject;
    });
    link.post(` to='${gate.domain}' ver='1.11' wait='5' hold='1' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0'${sharing(key)}`, '');
    await ready;
    return link;
  }

  /** Goes on with a session that somebody else opened. */
  static attach(gate: Gate, handler: LinkHandler, { sid, rid }: BoshSession): BoshLink {
    const link = new BoshLink(gate, handler, rid);
    link.sid = sid;
    link.pump();
    return link;
  }

  send(payload: string): void {
    this.waiting.push({ payload, more: '' });
    this.pump();
  }

  restart(): void {
    this.waiting.push({ payload: '', more: ` to='${this.gate.domain}' xmlns:xmpp='urn:xmpp:xbosh' xmpp:restart='true'` });
    this.pump();
  }

  async close(): Promise<void> {
    if (this.over) return;
    const ended = new Promise<void>((resolve) => (this.ended = resolve));
    this.closing = true;
    this.waiting.push({ payload: '', more: ` type='terminate'` });
    this.pump();
    const timer = setTimeout(() => this.ended?.(), PATIENCE);
    await ended;
    clearTimeout(timer);
    this.drop();
  }

  drop(): void {
    this.over = true;
    this.agent.destroy();
    for (const { sent } of this.open.values()) sent?.destroy();
  }

  sleep(ms: number): void {
    this.asleep = true;
    setTimeout(() => {
      this.asleep = false;
      this.read();
    }, ms).unref();
  }

  connections(): LossyConnection[] {
    return [...this.open.values()].flatMap(({ sent, tries }) =>
      tries > MAX_TRIES ? [] : (this.gate.proxy.connection(sent?.socket?.localPort) ?? []),
    );
  }

  private pump(): void {
    if (this.sid === '' || this.asleep) return;
    while (!this.over && this.open.size + this.answers.size < (this.waiting.length > 0 ? 2 : 1)) {
      if (this.waiting[0]?.more) {
        const { payload, more } = this.waiting.shift()!;
        this.post(` sid='${this.sid}'${more}`, payload);
      } else {
        let payload = '';
        while (this.waiting.length > 0 && this.waiting[0]!.more === '' && payload.length < FULL_BODY) payload += this.waiting.shift()!.payload;
        this.post(` sid='${this.sid}'`, payload);
      }
    }
  }

  private post(attributes: string, payload: string): void {
    const rid = this.rid++;
    const body = `<body xmlns='${HTTPBIND}' rid='${rid}'${attributes}${payload === '' ? '/>' : `>${payload}</body>`}`;
    const attempt: Attempt = { rid, body, sent: undefined, tries: 0 };
    this.handler.note(`${rid} asks, ${body.length}`);
    this.open.set(rid, attempt);
    this.try(attempt);
  }

  private try(attempt: Attempt): void {
    if (this.over || !this.open.has(attempt.rid)) return;
    const headers = { 'Content-Type': 'text/xml; charset=utf-8', 'Content-Length': Buffer.byteLength(attempt.body) };
    const sent = request({
      host: '127.0.0.1',
      port: this.gate.proxy.port,
      path: '/http-bind',
      method: 'POST',
      headers,
      agent: this.agent,
      timeout: PATIENCE,
    });
    attempt.sent = sent;
    attempt.tries++;
    let done = false;
    const again = (): void => {
      if (done) return;
      done = true;
      this.handler.note(`${attempt.rid} again`);
      sent.destroy();
      if (attempt.sent === sent) setTimeout(() => this.try(attempt), REPEAT_AFTER);
    };
    sent.on('error', again).on('timeout', again).on('close', again);
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more: string) => (text += more));
      response.on('error', again).on('aborted', again);
      response.on('end', () => {
        if (!response.complete || attempt.sent !== sent) return again();
        // Recoverable, also with 503: the same once more.
        if (/^<body[^>]* type='error'/.test(text)) return again();
        // As browsers' clients do: whoever stands in front could not reach anybody.
        if (response.statusCode! >= 500) return again();
        if (response.statusCode !== 200) {
          done = true;
          return this.gone(`HTTP ${response.statusCode}`);
        }
        done = true;
        this.handler.note(`${attempt.rid} answered, ${text.length}`);
        this.open.delete(attempt.rid);
        this.answers.set(attempt.rid, text);
        this.read();
      });
    });
    sent.end(attempt.body);
  }

  /** Answers, in the order of their requests. */
  private read(): void {
    for (let text = this.answers.get(this.reading); text !== undefined && !this.asleep; text = this.answers.get(this.reading)) {
      if (this.over) return;
      this.answers.delete(this.reading++);
      const { attributes, children } = readEnvelope(Buffer.from(text), this.scanner, 'jabber:client');
      const sid = attributes.get('sid');
      if (this.sid === '' && sid !== undefined) {
        this.sid = sid;
        this.shared = sharedResult(text);
        this.id = attributes.get('authid');
        this.created?.();
        this.failed = undefined;
      }
      for (const child of children) this.handler.onElement(child);
      if (attributes.get('type') === 'terminate') return this.gone(attributes.get('condition') ?? 'closed');
    }
    this.pump();
  }

  private gone(reason: string): void {
    if (this.over) return;
    const wanted = this.closing;
    this.drop();
    this.failed?.(new Error(`no stream: ${reason}`));
    if (wanted) this.ended?.();
    else if (this.sid !== '') this.handler.onGone(reason);
  }
}
