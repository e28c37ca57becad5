/**
 * The way of bytes through the gateway, without sockets: what its own code takes in on one side and writes on
 * the other.
 */
import { EventEmitter } from 'node:events';

const OPEN = Buffer.from(`<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="example.org" version="1.0"/>`);
/** Around what the gateway sends to a server. */
const STREAM = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>`;

const MAX_FRAME = 1_000_000;

/** A text message as a client sends it (RFC 6455, section 5.2). */
function masked(payload) {
  const length = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8;
  const frame = Buffer.alloc(6 + length + payload.length);
  frame[0] = 0x81;
  frame[1] = 0x80 | (length === 0 ? payload.length : length === 2 ? 126 : 127);
  if (length === 2) frame.writeUInt16BE(payload.length, 2);
  else if (length === 8) frame.writeBigUInt64BE(BigInt(payload.length), 2);
  const mask = Buffer.from([0x5a, payload.length & 0xff, 0x81, 0x3c]);
  mask.copy(frame, 2 + length);
  for (let i = 0; i < payload.length; i++) frame[6 + length + i] = payload[i] ^ mask[i & 3];
  return frame;
}

/** As much of a socket as a writer sees. */
class Sink extends EventEmitter {
  writable = true;
  writableLength = 0;
  writableNeedDrain = false;
  chunks = [];
  write(chunk, callback) {
    this.chunks.push(Buffer.from(chunk));
    if (callback) process.nextTick(callback);
    return true;
  }
  cork() {}
  uncork() {}
  take() {
    const bytes = Buffer.concat(this.chunks);
    this.chunks = [];
    return bytes;
  }
}

/** @param code the modules of the gateway: `xml`, `WebSocketClient`, `FrameReader`, `FrameWriter`, `readBody`, `writeBody`, `Outbox`, `ManualClock` */
export function passage(code) {
  const { xml, WebSocketClient, FrameReader, FrameWriter, readBody, writeBody, Outbox, ManualClock } = code;
  const clock = new ManualClock();
  const scanner = new xml.Scanner();
  const options = {
    domains: ['example.org'],
    websocket: { openTimeout: 10, pingInterval: 0 },
    limits: { maxBufferedBytes: 1_000_000 },
  };
  const fence = Buffer.from(`<presence xmlns="jabber:client" id="fence"/>`);

  /** What a server reads of these stanzas, as one document. */
  function toServer(stanzas) {
    const sink = new Sink();
    const outbox = new Outbox(() => {});
    outbox.attach(sink);
    for (const stanza of stanzas) outbox.push(stanza);
    outbox.finish('</stream:stream>');
    outbox.detach();
    return STREAM + sink.take().toString();
  }

  return {
    toServer,

    /**
     * A message on an open WebSocket.
     * @param {(bytes: Buffer) => Buffer[]} [cut] how its frame arrives
     * @returns {{ sent: object[], open: boolean }} what went to the session, and whether the stream goes on
     */
    frame(source, cut = (bytes) => [bytes]) {
      const sent = [];
      let left = false;
      const session = {
        domain: 'example.org',
        send(stanza) {
          if (!left) sent.push(stanza);
          return true;
        },
        leave: () => (left = true),
        restart() {},
        drained() {},
        bounceAll() {},
      };
      const socket = Object.assign(new EventEmitter(), { pause() {}, resume() {}, close() {}, terminate() {}, ping() {} });
      const context = {
        options,
        clock,
        scanner,
        sharing: { enabled: false },
        sessions: {
          domainOf: (to = 'example.org') => to,
          open: () => session,
          entrance: { enter: (_context, _client, open) => open({}) },
          events: { emit() {} },
        },
        onGone() {},
        onError(error) {
          throw error;
        },
      };
      const client = new WebSocketClient(socket, { socket: new Sink() }, { address: '127.0.0.1', port: 1, secure: true }, context);
      const reader = new FrameReader(client, MAX_FRAME, () => {});
      reader.push(masked(OPEN));
      client.onOpen({ id: 'x' });
      for (const chunk of cut(masked(source))) reader.push(chunk);
      const { length } = sent;
      reader.push(masked(fence));
      const open = !left && sent.length === length + 1;
      if (sent.length > length + 1 || (left && sent.length > length)) throw new Error('the stream goes on behind what ended it');
      client.terminate();
      socket.emit('close');
      return { sent: sent.slice(0, length), open };
    },

    /** A body of BOSH: what goes to the session, undefined where it is refused. */
    body(source) {
      try {
        return readBody(source, scanner).stanzas;
      } catch (error) {
        if (error?.name === 'BodyError') return undefined;
        throw error;
      }
    },

    /**
     * What comes from a server, in these chunks. Behind `<success/>` the stream is opened anew by what `next` holds.
     * @returns for each stream that was opened: its elements, and (`header`) what it was opened with
     */
    stream(chunks, next) {
      const streams = [];
      let restart = false;
      const handler = {
        onHeader: (header) => streams.push(Object.assign([], { header })),
        onElement(stanza) {
          streams.at(-1).push(stanza);
          if (next && streams.length === 1 && stanza.is('success', 'urn:ietf:params:xml:ns:xmpp-sasl')) {
            restart = true;
            splitter.reset();
          }
        },
        onClose() {},
      };
      const splitter = new xml.StreamSplitter(handler, 1_000_000);
      try {
        for (const chunk of chunks) {
          splitter.push(chunk);
          if (restart) break;
        }
        if (restart) for (const chunk of next) splitter.push(chunk);
      } catch (error) {
        if (!(error instanceof xml.XmlError)) throw error;
      }
      return streams;
    },

    /** What a WebSocket client reads of these stanzas: a document for each message. */
    toWebSocket(stanzas) {
      const sink = new Sink();
      const writer = new FrameWriter(sink, 1_000_000, () => {});
      for (const stanza of stanzas) writer.write(stanza);
      writer.end();
      return messagesOf(sink.take());
    },

    /** What a BOSH client reads of these stanzas, as one document. */
    toBosh: (stanzas) => writeBody('', stanzas).toString(),
  };
}

/** Unmasked frames of RFC 6455, each a message. */
function messagesOf(bytes) {
  const messages = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== 0x81) throw new Error('no whole text message');
    let length = bytes[at + 1];
    at += 2;
    if (length === 126) {
      length = bytes.readUInt16BE(at);
      at += 2;
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(at));
      at += 8;
    }
    messages.push(bytes.toString('utf8', at, at + length));
    at += length;
  }
  return messages;
}
