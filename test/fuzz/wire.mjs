/**
 * The same through a gateway that runs: WebSocket and BOSH on one side, a server on TCP on the other, with every
 * byte going over sockets. Works on the built package.
 */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { WebSocket } from 'ws';
import { XmppModule } from '../../dist/index.js';
import { judge } from './judge.mjs';

const HTTPBIND = 'http://jabber.org/protocol/httpbind';
const STREAMS = 'http://etherx.jabber.org/streams';
const FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing';
const OPEN = `<open xmlns="${FRAMING}" to="example.org" version="1.0"/>`;
const CLOSE = `<close xmlns="${FRAMING}" />`;
const FENCE = `<presence xmlns="jabber:client" id="fence"/>`;
const HEADER = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='${STREAMS}' from='example.org' id='s' version='1.0'>`;
const FEATURES = `<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>`;
const PATIENCE = 60_000;
const HUGE = 1_000_000;

/** A connection of the gateway, on the server's side: what it read, and who waits for more. */
class Peer {
  read = '';
  over = false;
  /** What it answers the next stream header with, instead of its own. */
  next;
  #wake = () => {};

  constructor(socket) {
    this.socket = socket;
    let headers = 0;
    socket.setEncoding('utf8').on('data', (text) => {
      this.read += text;
      for (const count = this.read.split('<stream:stream ').length - 1; headers < count; headers++) {
        if (!this.next || headers === 0) socket.write(HEADER + FEATURES);
        else this.next();
      }
      if (this.read.endsWith('</stream:stream>') && !socket.writableEnded) socket.end('</stream:stream>');
      this.#wake();
    });
    socket.on('end', () => socket.end());
    for (const event of ['end', 'close', 'error']) {
      socket.on(event, () => {
        this.over = true;
        this.#wake();
      });
    }
  }

  /** Until it has read this, or the connection is over. */
  async until(text) {
    while (!this.over && !this.read.includes(text)) await new Promise((resolve) => (this.#wake = resolve));
  }

  /** The top-level elements that a server reads here, as an independent parser sees them. */
  elements() {
    return this.read
      .split(`<?xml version='1.0'?>`)
      .slice(1)
      .flatMap((stream) => {
        const { root, error } = judge(stream.endsWith('</stream:stream>') ? stream : `${stream}</stream:stream>`);
        if (error) throw new Error(`the server reads what is no XML: ${error.message}\n${stream}`);
        if (root.text.trim() !== '') throw new Error('the server reads text between elements');
        return root.children;
      })
      .filter(({ attributes }) => !attributes.some(([, local, value]) => local === 'id' && value === 'fence'));
  }
}

export class Wire {
  #peers = [];
  #arrived = () => {};
  /** A connection for each request: one that is kept may be closed by the server just when it is used again. */
  #agent = new Agent({ keepAlive: false });

  static async start() {
    const wire = new Wire();
    const server = (wire.server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      wire.#peers.push(new Peer(socket));
      wire.#arrived();
    }));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const upstream = `xmpp://127.0.0.1:${server.address().port}?starttls=never`;
    const limits = { maxSessionsPerAddress: HUGE, maxSessions: HUGE, sessionsPerMinute: HUGE };
    class Host {}
    Module({ imports: [XmppModule.forRoot({ domains: ['example.org'], upstream, ingress: 'server', limits, bosh: { polling: 0 } })] })(Host);
    wire.app = await NestFactory.create(Host, new ExpressAdapter(), { logger: ['error'], abortOnError: false });
    await wire.app.listen(0, '127.0.0.1');
    wire.port = wire.app.getHttpServer().address().port;
    return wire;
  }

  async close() {
    this.#agent.destroy();
    await this.app.close();
    this.server.close();
  }

  /** A WebSocket message. @returns what the server reads of it, and whether the stream goes on */
  async frame(source) {
    return await patient(async () => {
      const socket = await this.#webSocket();
      const peer = await this.#peer();
      socket.send(source, { binary: false });
      socket.send(FENCE);
      await peer.until(`id="fence"/>`);
      const result = { elements: peer.elements(), open: !peer.over };
      await this.#drop(peer, () => socket.terminate());
      return result;
    });
  }

  /** The body of a BOSH request; its `rid` and `sid` are made to fit. */
  async body(source) {
    return await patient(async () => {
      const sid = await this.#session();
      const peer = await this.#peer();
      const fitting = source
        .toString('latin1')
        .replace(/(\srid=['"])\d+/, '$11001')
        .replace(/(\ssid=['"])s(?=['"])/, `$1${sid}`);
      let answered = false;
      const answer = this.#post(Buffer.from(fitting, 'latin1')).then(() => (answered = true));
      const fence = this.#post(`<body xmlns='${HTTPBIND}' rid='1002' sid='${sid}'>${FENCE}</body>`);
      const seen = peer.until(`id="fence"/>`);
      await Promise.race([answer, seen]);
      // It was not for this session, so the next request is what it should have been.
      const missing = answered && !peer.over && !peer.read.includes('fence');
      const next = missing ? this.#post(`<body xmlns='${HTTPBIND}' rid='1001' sid='${sid}'/>`) : undefined;
      await seen;
      const result = { elements: peer.elements(), open: !peer.over };
      await this.#drop(peer, () => {});
      await Promise.all([answer, fence, next]);
      return result;
    });
  }

  /** What a server sends when its stream was opened anew, in these chunks. @returns the elements that the client reads */
  async stream(chunks, transport) {
    return await patient(async () => {
      const read = transport === 'websocket' ? await this.#overWebSocket(chunks) : await this.#overBosh(chunks);
      return read.filter(({ name }) => name[0] !== STREAMS && name[0] !== FRAMING);
    });
  }

  async #overWebSocket(chunks) {
    const elements = [];
    const socket = await this.#webSocket((text) => elements.push(whole(text)));
    const peer = await this.#peer();
    peer.next = () => void pour(peer.socket, chunks);
    const closed = once(socket, 'close');
    elements.length = 0;
    socket.send(OPEN);
    await closed;
    return elements;
  }

  async #overBosh(chunks) {
    const elements = [];
    const sid = await this.#session();
    const peer = await this.#peer();
    peer.next = () => void pour(peer.socket, chunks);
    let more = ` xmlns:x='urn:xmpp:xbosh' x:restart='true'`;
    for (let rid = 1001; ; rid++, more = '') {
      const answer = whole(await this.#post(`<body xmlns='${HTTPBIND}' rid='${rid}' sid='${sid}'${more}/>`));
      if (answer.text !== '') throw new Error('an answer has text between elements');
      elements.push(...answer.children);
      if (answer.attributes.some(([, local, value]) => local === 'type' && value === 'terminate')) return elements;
    }
  }

  async #webSocket(onText = () => {}) {
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}/xmpp-websocket`, ['xmpp']);
    socket.on('error', () => {});
    let count = 0;
    const ready = new Promise((resolve, reject) => {
      socket.on('close', () => reject(new Error('the gateway refuses a WebSocket')));
      socket.on('message', (data) => {
        const text = data.toString();
        if (text.startsWith('<close ')) {
          socket.send(CLOSE);
          socket.close();
        }
        onText(text);
        if (++count === 2) resolve();
      });
    });
    await once(socket, 'open');
    socket.send(OPEN);
    await ready;
    return socket;
  }

  async #session() {
    const answer = await this.#post(`<body xmlns='${HTTPBIND}' rid='1000' to='example.org' wait='60' hold='1' ver='1.11'/>`);
    return / sid='([^']+)'/.exec(answer)[1];
  }

  #post(body) {
    return new Promise((resolve, reject) => {
      const headers = { 'Content-Type': 'text/xml', 'Content-Length': Buffer.byteLength(body) };
      const sent = request({ host: '127.0.0.1', port: this.port, path: '/http-bind', method: 'POST', headers, agent: this.#agent }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (more) => (text += more));
        response.on('end', () => resolve(text));
      });
      sent.on('error', reject).end(body);
    });
  }

  async #peer() {
    while (this.#peers.length === 0) await new Promise((resolve) => (this.#arrived = resolve));
    return this.#peers.shift();
  }

  /** Ends a stream from both sides. */
  async #drop(peer, leave) {
    const { socket } = peer;
    const closed = socket.closed ? undefined : once(socket, 'close');
    if (!socket.writableEnded) socket.end('</stream:stream>');
    leave();
    await closed;
  }
}

async function pour(socket, chunks) {
  for (const chunk of chunks) {
    if (socket.destroyed) return;
    socket.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
}

function whole(text) {
  const { root, error } = judge(text);
  if (error) throw new Error(`the client reads what is no XML: ${error.message}\n${text}`);
  return root;
}

async function patient(act) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('nothing more happens')), PATIENCE);
  });
  try {
    return await Promise.race([act(), late]);
  } finally {
    clearTimeout(timer);
  }
}
