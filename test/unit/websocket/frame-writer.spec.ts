import { Duplex } from 'node:stream';
import { FrameWriter } from '../../../lib/websocket/frame-writer.js';
import { Stanza } from '../../../lib/xml/index.js';

/** A socket whose peer reads when it is told to. */
class SlowSocket extends Duplex {
  private readonly held: ((error?: Error) => void)[] = [];

  override _read(): void {}

  override _write(_chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.held.push(done);
  }

  /** The peer reads one write. */
  async peerReads(): Promise<void> {
    this.held.shift()?.();
    await turn();
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const message = (id: number) => Stanza.parse(`<message xmlns="jabber:client" id="${id}"/>`);
const ids = (stanzas: readonly Stanza[]) => stanzas.map((stanza) => Number(stanza.attribute('id')));

describe('FrameWriter', () => {
  it('P29: knows what has not left, in order', async () => {
    const socket = new SlowSocket();
    const writer = new FrameWriter(socket, 1000, () => {});
    writer.write(Buffer.from('<open/>'));
    writer.write(message(1));
    await turn();
    writer.write(message(2));
    writer.write(message(3));
    await turn();
    writer.write(message(4));
    expect(ids(writer.unsent)).toEqual([1, 2, 3, 4]);
    await socket.peerReads();
    expect(ids(writer.unsent)).toEqual([2, 3, 4]);
    await socket.peerReads();
    await socket.peerReads();
    expect(writer.unsent).toEqual([]);
  });

  it('P29: keeps what had not left when the connection broke, and tells nobody to go on', async () => {
    const socket = new SlowSocket();
    socket.on('error', () => {});
    let drained = 0;
    const writer = new FrameWriter(socket, 10, () => drained++);
    expect(writer.write(message(1))).toBe(false);
    await turn();
    expect(writer.write(message(2))).toBe(false);
    await turn();
    socket.destroy(new Error('reset'));
    await turn();
    writer.write(message(3));
    await turn();
    expect(ids(writer.unsent)).toEqual([1, 2, 3]);
    expect(drained).toBe(0);
  });

  it('W5: writes messages of any size in order, each as one frame, small ones together', async () => {
    const socket = new SlowSocket();
    const chunks: Buffer[] = [];
    socket._writev = (written, done) => {
      chunks.push(...written.map(({ chunk }) => chunk as Buffer));
      done();
    };
    socket._write = (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    };
    const writer = new FrameWriter(socket, 10_000_000, () => {});
    const sizes = [0, 125, 126, 300, 16_384, 16_385, 16_385, 7, 65_535, 65_536, 100_000, 40];
    const texts = [...sizes, ...Array.from({ length: 1000 }, (_, i) => 90 + (i % 300))].map((size, i) => String.fromCharCode(97 + (i % 26)).repeat(size));
    texts.forEach((text, i) => writer.write(i % 2 ? Buffer.from(text) : Stanza.parse(`<a>${text}</a>`)));
    await turn();
    const bytes = Buffer.concat(chunks);
    const seen: string[] = [];
    for (let at = 0; at < bytes.length; ) {
      expect(bytes[at]).toBe(0x81);
      const code = bytes[at + 1]!;
      at += 2;
      const length = code < 126 ? code : code === 126 ? bytes.readUInt16BE(at) : Number(bytes.readBigUInt64BE(at));
      at += code < 126 ? 0 : code === 126 ? 2 : 8;
      seen.push(bytes.toString('latin1', at, (at += length)));
    }
    expect(seen).toEqual(texts.map((text, i) => (i % 2 ? text : `<a>${text}</a>`)));
    expect(chunks.length).toBeLessThan(20);
    expect(writer.unsent).toEqual([]);
  });

  it('tells once when what waited has left', async () => {
    const socket = new SlowSocket();
    let drained = 0;
    const writer = new FrameWriter(socket, 60, () => drained++);
    expect(writer.write(message(1))).toBe(true);
    await turn();
    expect(writer.write(message(2))).toBe(false);
    expect(writer.isFull).toBe(true);
    await turn();
    await socket.peerReads();
    expect(drained).toBe(0);
    await socket.peerReads();
    expect([drained, writer.isFull]).toEqual([1, false]);
  });
});
