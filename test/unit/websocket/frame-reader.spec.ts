import { FrameReader } from '../../../lib/websocket/frame-reader.js';

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;

function frame(payload: string | Buffer, { opcode = TEXT, fin = true, mask = [0x37, 0xfa, 0x21, 0x3d], rsv = 0 } = {}): Buffer {
  const bytes = Buffer.from(payload as string);
  const { length } = bytes;
  const size = length < 126 ? Buffer.alloc(0) : Buffer.alloc(length < 65_536 ? 2 : 8);
  if (size.length === 2) size.writeUInt16BE(length);
  else if (size.length === 8) size.writeUInt32BE(length, 4);
  const code = length < 126 ? length : length < 65_536 ? 126 : 127;
  const head = Buffer.from([(fin ? 0x80 : 0) | rsv | opcode, (mask.length ? 0x80 : 0) | code]);
  const masked = mask.length ? bytes.map((byte, i) => byte ^ mask[i % 4]!) : bytes;
  return Buffer.concat([head, size, Buffer.from(mask), masked]);
}

function reader(limit = 262_144) {
  const texts: string[] = [];
  const foreign: Buffer[] = [];
  const receiver = {
    isReceiving: true,
    onText: (data: Buffer, start: number, end: number) => void texts.push(data.toString('utf8', start, end)),
  };
  const made = new FrameReader(receiver, limit, (bytes) => void foreign.push(Buffer.from(bytes)));
  return { reader: made, receiver, texts, passed: () => Buffer.concat(foreign) };
}

const LENGTHS = [0, 1, 2, 3, 4, 15, 16, 17, 125, 126, 127, 300, 4095, 4097, 65_535, 65_536, 100_000];

describe('FrameReader', () => {
  it.each(LENGTHS)('reads whole text frames of %i bytes, wherever they lie', (length) => {
    const text = Array.from({ length }, (_, i) => String.fromCharCode(0x21 + (i % 90))).join('');
    for (let offset = 0; offset < 8; offset++) {
      const seen = reader();
      const two = Buffer.concat([Buffer.alloc(offset), frame(text), frame('next')]).subarray(offset);
      seen.reader.push(two);
      expect(seen.texts.map((found) => found.length)).toEqual([length, 4]);
      expect(seen.texts).toEqual([text, 'next']);
      expect(seen.passed()).toHaveLength(0);
    }
  });

  it('reads the same, and passes the same on, however the bytes were cut', () => {
    const texts = ['<a/>', '', 'ж'.repeat(200), 'x'.repeat(5000)];
    const [ping, first, rest, binary, close] = [
      frame('ping', { opcode: PING }),
      frame('part', { fin: false }),
      frame('ial', { opcode: 0 }),
      frame('b', { opcode: BINARY }),
      frame('', { opcode: CLOSE }),
    ];
    const [a, b, c, d] = texts.map((text) => frame(text));
    const whole = Buffer.concat([a!, ping, b!, first, ping, rest, c!, binary, d!, close, frame('too late')]);
    const passed = Buffer.concat([ping, first, ping, rest, binary, close]);
    const check = (chunks: readonly Buffer[]) => {
      const seen = reader();
      for (const chunk of chunks) seen.reader.push(Buffer.from(chunk));
      expect(seen.texts).toEqual(texts);
      expect(seen.passed().equals(passed)).toBe(true);
    };
    for (const size of [1, 2, 3, 7, 64, 1000, whole.length]) {
      check(Array.from({ length: Math.ceil(whole.length / size) }, (_, i) => whole.subarray(i * size, (i + 1) * size)));
    }
    for (let at = 1; at < 600; at++) check([whole.subarray(0, at), whole.subarray(at)]);
  });

  it.each([
    ['a binary one', frame('x', { opcode: BINARY })],
    ['a ping', frame('x', { opcode: PING })],
    ['one with a reserved bit', frame('x', { rsv: 0x40 })],
    ['one without a mask', frame('x', { mask: [] })],
    ['a reserved opcode', frame('x', { opcode: 3 })],
    ['a first fragment', frame('x', { fin: false })],
    ['one beyond the limit', frame('x'.repeat(101))],
    ['one that announces more than there can be', Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5])],
  ])('leaves %s to ws, byte for byte', (_what, bytes) => {
    for (let at = 0; at < bytes.length; at++) {
      const seen = reader(100);
      if (at > 0) seen.reader.push(bytes.subarray(0, at));
      seen.reader.push(bytes.subarray(at));
      expect(seen.passed().equals(bytes)).toBe(true);
      expect(seen.texts).toEqual([]);
    }
  });

  it('leaves the whole of a fragmented message to ws, and what comes behind it is its own again', () => {
    const seen = reader();
    const fragments = [frame('<a', { fin: false }), frame('x', { opcode: PING }), frame('b', { opcode: 0, fin: false }), frame('/>', { opcode: 0 })];
    seen.reader.push(Buffer.concat([...fragments, frame('behind')]));
    expect(seen.passed().equals(Buffer.concat(fragments))).toBe(true);
    expect(seen.texts).toEqual(['behind']);
  });

  it('a text frame amid fragments, which is an error, is for ws to refuse', () => {
    const seen = reader();
    const all = Buffer.concat([frame('<a', { fin: false }), frame('<b/>')]);
    seen.reader.push(all);
    expect(seen.passed().equals(all)).toBe(true);
  });

  it('leaves everything to ws when messages are not wanted', () => {
    const seen = reader();
    seen.receiver.isReceiving = false;
    seen.reader.push(frame('<a/>'));
    expect(seen.passed().equals(frame('<a/>'))).toBe(true);
  });

  it('drops what comes behind a close frame, and everything once it was stopped', () => {
    const seen = reader();
    seen.reader.push(Buffer.concat([frame('\x03\xe8', { opcode: CLOSE }), frame('<a/>')]));
    seen.reader.push(frame('<b/>'));
    expect(seen.texts).toEqual([]);
    const stopped = reader();
    stopped.reader.push(frame('<a/>').subarray(0, 7));
    stopped.reader.stop();
    stopped.reader.push(frame('<a/>').subarray(7));
    expect([stopped.texts, stopped.passed().length]).toEqual([[], 0]);
  });

  it('R8: holds no more memory than twice what came, whatever was announced', () => {
    const seen = reader();
    seen.reader.push(frame('x'.repeat(200_000)).subarray(0, 100));
    const { frame: held } = seen.reader as unknown as { frame: Buffer };
    expect(held.length).toBeLessThanOrEqual(4096);
  });
});
