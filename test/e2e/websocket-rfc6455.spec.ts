import { createHash, randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { ScriptedUpstream } from '../support/scripted-upstream.js';
import { startGateway, type Gateway } from '../support/gateway.js';
import { CLOSE, open } from '../support/websocket-client.js';

/** The cases of the Autobahn test suite that apply to an endpoint of text messages, with a socket and nothing else. */

const enum Op {
  Continuation = 0,
  Text = 1,
  Binary = 2,
  Close = 8,
  Ping = 9,
  Pong = 10,
}

interface Frame {
  readonly op: number;
  readonly payload: Buffer;
}

interface Shape {
  readonly op?: number;
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly masked?: boolean;
}

const MAX_FRAME = 262_144;
const message = (body: string) => `<message xmlns='jabber:client'><body>${body}</body></message>`;

function frame(payload: string | Buffer, { op = Op.Text, fin = true, rsv = 0, masked = true }: Shape = {}): Buffer {
  const bytes = Buffer.from(payload as string);
  const { length } = bytes;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = (fin ? 0x80 : 0) | rsv | op;
  head[1] = (masked ? 0x80 : 0) | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeUInt32BE(length, 6);
  if (!masked) return Buffer.concat([head, bytes]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, bytes.map((byte, i) => byte ^ mask[i % 4]!)]);
}

const closeWith = (code: number, reason: string | Buffer = '') => {
  const payload = Buffer.concat([Buffer.alloc(2), Buffer.from(reason as string)]);
  payload.writeUInt16BE(code);
  return frame(payload, { op: Op.Close });
};

/** A client that sends what it is told to, byte for byte, and checks that what comes are whole, unmasked frames. */
class Wire {
  private buffered = Buffer.alloc(0);
  private wake = () => {};
  ended = false;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.buffered = Buffer.concat([this.buffered, chunk]);
      this.wake();
    });
    socket.on('close', () => {
      this.ended = true;
      this.wake();
    });
    socket.on('error', () => {});
  }

  /** @param behind sent together with the handshake */
  static async open(url: string, behind: Buffer = Buffer.alloc(0)): Promise<Wire> {
    const { port } = new URL(url);
    const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
    const wire = new Wire(socket);
    const key = randomBytes(16).toString('base64');
    const request =
      `GET /xmpp-websocket HTTP/1.1\r\nHost: localhost:${port}\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n` +
      `Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n`;
    socket.write(Buffer.concat([Buffer.from(request), behind]));
    const head = await wire.until(() => wire.buffered.indexOf('\r\n\r\n') + 1 || undefined);
    const answer = wire.buffered.toString('latin1', 0, head! - 1);
    wire.buffered = wire.buffered.subarray(head! + 3);
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    expect(answer).toMatch(/^HTTP\/1\.1 101 /);
    expect(answer.toLowerCase()).toContain(`sec-websocket-accept: ${accept}`.toLowerCase());
    expect(answer.toLowerCase()).not.toContain('sec-websocket-extensions');
    return wire;
  }

  send(...bytes: Buffer[]): void {
    this.socket.write(Buffer.concat(bytes));
  }

  /** Each byte, or each piece of `size` bytes, by itself. */
  async drip(bytes: Buffer, size = 1): Promise<void> {
    for (let at = 0; at < bytes.length; at += size) {
      await new Promise((resolve) => this.socket.write(bytes.subarray(at, at + size), resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The next frame; undefined when the connection is over. */
  next(): Promise<Frame | undefined> {
    return this.until(() => {
      const { buffered } = this;
      if (buffered.length < 2) return undefined;
      const code = buffered[1]!;
      expect(code & 0x80).toBe(0); // a server masks nothing (section 5.1)
      const start = code < 126 ? 2 : code === 126 ? 4 : 10;
      if (buffered.length < start) return undefined;
      const length = code < 126 ? code : code === 126 ? buffered.readUInt16BE(2) : buffered.readUInt32BE(6);
      if (buffered.length < start + length) return undefined;
      this.buffered = buffered.subarray(start + length);
      expect(buffered[0]! & 0xf0).toBe(0x80);
      return { op: buffered[0]! & 0x0f, payload: buffered.subarray(start, start + length) };
    });
  }

  async text(): Promise<string> {
    const found = await this.next();
    expect(found?.op).toBe(Op.Text);
    return found!.payload.toString();
  }

  /** The code of the close frame that comes, whatever comes before it; 'cut' for a connection that ends without. */
  async closed(): Promise<number | 'none' | 'cut'> {
    for (;;) {
      const found = await this.next();
      if (!found) return 'cut';
      if (found.op === Op.Close) return found.payload.length === 0 ? 'none' : found.payload.readUInt16BE(0);
    }
  }

  async over(): Promise<void> {
    await this.until(() => (this.ended ? true : undefined));
  }

  destroy(): void {
    this.socket.destroy();
  }

  private async until<T>(look: () => T | undefined): Promise<T | undefined> {
    for (;;) {
      const found = look();
      if (found !== undefined || this.ended) return found;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

describe('the WebSocket edge by RFC 6455', () => {
  let gateway: Gateway;
  let wire: Wire;
  /** What reached the server. */
  let next: () => Promise<string>;

  const begin = async () => {
    wire = await Wire.open(gateway.wsUrl);
    wire.send(frame(open({ to: 'example.org' })));
    const stream = await gateway.upstream.streams.take();
    expect(await wire.text()).toContain('<open');
    expect(await wire.text()).toContain('<stream:features');
    next = () => stream.seen.take((seen) => seen.includes('<message')) as Promise<string>;
    return stream;
  };

  beforeAll(async () => {
    gateway = await startGateway('express', {}, new ScriptedUpstream());
  });
  afterAll(() => gateway.close());
  afterEach(() => wire.destroy());

  it('section 4.2: takes frames that come together with the handshake, and offers no extension', async () => {
    wire = await Wire.open(gateway.wsUrl, Buffer.concat([frame(open({ to: 'example.org' })), frame(message('early'))]));
    const stream = await gateway.upstream.streams.take();
    expect(await stream.seen.take((seen) => seen.includes('<message'))).toContain('early');
  });

  it.each([0, 1, 8, 60, 61, 125, 126, 127, 128, 1000, 65_400, 65_535, 65_536, 100_000, MAX_FRAME - message('').length])(
    'cases 1, 9: a text message with %i bytes of text comes through whole, both ways',
    async (size) => {
      const stream = await begin();
      const text = message('x'.repeat(size));
      wire.send(frame(text));
      expect((await next()) === text).toBe(true);
      stream.push(text);
      expect((await wire.text()) === text).toBe(true);
    },
  );

  it('section 5.2: a message may be as long as the limit says, and one byte more is 1009', async () => {
    await begin();
    const most = message('x'.repeat(MAX_FRAME - message('').length));
    wire.send(frame(most));
    expect((await next()) === most).toBe(true);
    wire.send(frame(`${most} `));
    expect(await wire.closed()).toBe(1009);
  });

  it.each([1, 2, 3, 7, 997])('case 1: frames that come in pieces of %i bytes', async (size) => {
    await begin();
    const texts = [message('a'), message('ж'.repeat(70)), message('x'.repeat(size === 1 ? 200 : 3000))];
    await wire.drip(Buffer.concat(texts.map((text) => frame(text))), size);
    for (const text of texts) expect(await next()).toBe(text);
  });

  it('case 1: many frames in one packet, in order', async () => {
    await begin();
    const texts = Array.from({ length: 500 }, (_, i) => message(`${i} ${'y'.repeat(i % 40)}`));
    wire.send(...texts.map((text) => frame(text)));
    for (const text of texts) expect(await next()).toBe(text);
  });

  describe('control frames (case 2)', () => {
    it.each([0, 1, 125])('2.1-2.4: a ping of %i bytes is answered with a pong of the same', async (size) => {
      await begin();
      const payload = randomBytes(size);
      wire.send(frame(payload, { op: Op.Ping }));
      const pong = await wire.next();
      expect(pong?.op).toBe(Op.Pong);
      expect(pong!.payload.equals(payload)).toBe(true);
    });

    it('2.5: a ping of 126 bytes is refused', async () => {
      await begin();
      wire.send(frame('x'.repeat(126), { op: Op.Ping }));
      expect(await wire.closed()).toBe(1002);
    });

    it('2.6: a ping byte by byte', async () => {
      await begin();
      await wire.drip(frame('slow', { op: Op.Ping }));
      expect(await wire.next()).toEqual({ op: Op.Pong, payload: Buffer.from('slow') });
    });

    it('2.7-2.9: pongs that nobody asked for are ignored', async () => {
      await begin();
      wire.send(frame('', { op: Op.Pong }), frame('unasked', { op: Op.Pong }), frame('p', { op: Op.Ping }));
      expect(await wire.next()).toEqual({ op: Op.Pong, payload: Buffer.from('p') });
    });

    it('2.10: pings amid messages are answered in order', async () => {
      await begin();
      for (let i = 0; i < 10; i++) wire.send(frame(`${i}`, { op: Op.Ping }), frame(message(`${i}`)));
      for (let i = 0; i < 10; i++) {
        expect((await wire.next())?.payload.toString()).toBe(`${i}`);
        expect(await next()).toBe(message(`${i}`));
      }
    });

    it('a ping that is a fragment is refused', async () => {
      await begin();
      wire.send(frame('x', { op: Op.Ping, fin: false }));
      expect(await wire.closed()).toBe(1002);
    });
  });

  it.each([0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70])('case 3: reserved bits %i are refused, after what came before', async (rsv) => {
    await begin();
    wire.send(frame(message('before')), frame(message('x'), { rsv }));
    expect(await next()).toBe(message('before'));
    expect(await wire.closed()).toBe(1002);
  });

  it.each([3, 4, 5, 6, 7, 11, 12, 13, 14, 15])('case 4: opcode %i is refused', async (op) => {
    await begin();
    wire.send(frame(message('before')), frame('', { op }));
    expect(await next()).toBe(message('before'));
    expect(await wire.closed()).toBe(1002);
  });

  it('section 5.1: a frame without a mask is refused', async () => {
    await begin();
    wire.send(frame(message('x'), { masked: false }));
    expect(await wire.closed()).toBe(1002);
  });

  describe('fragmentation (case 5)', () => {
    const whole = message('in fragments');
    const [one, two, three] = [whole.slice(0, 10), whole.slice(10, 25), whole.slice(25)];

    it('5.3-5.8: fragments make one message, with control frames between them', async () => {
      await begin();
      wire.send(frame(one, { fin: false }), frame('p', { op: Op.Ping }), frame(two, { op: 0, fin: false }), frame('', { op: 0, fin: false }), frame(three, { op: 0 }));
      expect(await wire.next()).toEqual({ op: Op.Pong, payload: Buffer.from('p') });
      expect(await next()).toBe(whole);
      wire.send(frame(message('behind')));
      expect(await next()).toBe(message('behind'));
    });

    it('5.5: fragments byte by byte', async () => {
      await begin();
      await wire.drip(Buffer.concat([frame(one, { fin: false }), frame(two, { op: 0, fin: false }), frame(three, { op: 0 }), frame(message('behind'))]));
      expect(await next()).toBe(whole);
      expect(await next()).toBe(message('behind'));
    });

    it.each([true, false])('5.9-5.14: a continuation (FIN %s) of nothing is refused', async (fin) => {
      await begin();
      wire.send(frame(message('x'), { op: Op.Continuation, fin }));
      expect(await wire.closed()).toBe(1002);
    });

    it.each([true, false])('5.15-5.18: a new message (FIN %s) amid fragments is refused', async (fin) => {
      await begin();
      wire.send(frame(one, { fin: false }), frame(message('x'), { fin }));
      expect(await wire.closed()).toBe(1002);
    });
  });

  describe('UTF-8 (case 6)', () => {
    it('6.2, 6.5-6.8: characters of every length come through, also cut between fragments', async () => {
      await begin();
      const text = message('Hello-µ@ßöäüàá-UTF-8!! κόσμε 𐀀 \u{10fffd} \u{fffd} 日本');
      wire.send(frame(text));
      expect(await next()).toBe(text);
      const bytes = Buffer.from(text);
      wire.send(...Array.from(bytes, (byte, i) => frame(Buffer.from([byte]), { op: i === 0 ? Op.Text : Op.Continuation, fin: i === bytes.length - 1 })));
      expect(await next()).toBe(text);
    });

    it.each([
      ['a continuation alone', '80'],
      ['a lead alone', 'c3'],
      ['an overlong slash', 'c0af'],
      ['an overlong NUL', 'e08080'],
      ['a surrogate', 'eda080'],
      ['beyond Unicode', 'f4908080'],
      ['five bytes', 'f888808080'],
      ['0xff', 'ff'],
      ['a character cut short', 'e282'],
    ])('6.3-6.21: %s is 1007, in a frame, in fragments, in text and outside of it', async (_what, hex) => {
      for (const [before, behind] of [[`<message xmlns='jabber:client'><body>`, '</body></message>'], [message('x'), ''], ['', '']] as const) {
        const bytes = Buffer.concat([Buffer.from(before), Buffer.from(hex, 'hex'), Buffer.from(behind)]);
        for (const frames of [[frame(bytes)], [frame(bytes.subarray(0, 1), { fin: false }), frame(bytes.subarray(1), { op: 0 })]]) {
          await begin();
          wire.send(...frames);
          expect(await wire.closed()).toBe(1007);
          wire.destroy();
        }
      }
    });
  });

  describe('closing (case 7)', () => {
    it('7.1: nothing that follows a close frame is heard, and the server closes the connection', async () => {
      await begin();
      wire.send(closeWith(1000), frame(message('late')), frame('p', { op: Op.Ping }), closeWith(1000));
      expect(await wire.closed()).toBe(1000);
      expect(await wire.next()).toBeUndefined();
    });

    it('7.3.1: an empty close frame is answered', async () => {
      await begin();
      wire.send(frame('', { op: Op.Close }));
      expect(await wire.closed()).toBe('none');
      await wire.over();
    });

    it.each([
      ['7.3.2: one byte', frame('x', { op: Op.Close }), 1002],
      ['7.3.6: a reason of 124 bytes', closeWith(1000, 'x'.repeat(124)), 1002],
      ['7.5.1: a reason that is not UTF-8', closeWith(1000, Buffer.from('ff', 'hex')), 1007],
    ] as const)('%s in a close frame is refused', async (_what, bytes, code) => {
      await begin();
      wire.send(bytes);
      expect(await wire.closed()).toBe(code);
    });

    it.each([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])('7.7: code %i is answered with itself', async (code) => {
      await begin();
      wire.send(closeWith(code, 'x'.repeat(123)));
      expect(await wire.closed()).toBe(code);
      await wire.over();
    });

    it.each([0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])('7.9, 7.13: code %i is refused', async (code) => {
      await begin();
      wire.send(closeWith(code));
      expect(await wire.closed()).toBe(1002);
    });

    it('W10: <close/> and the close frame behind it, in one packet', async () => {
      await begin();
      wire.send(frame(CLOSE), closeWith(1000));
      expect(await wire.text()).toBe(CLOSE);
      expect(await wire.closed()).toBe(1000);
      await wire.over();
    });
  });
});
