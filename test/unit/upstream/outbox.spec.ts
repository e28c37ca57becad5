import { Writable } from 'node:stream';
import { Outbox } from '../../../lib/upstream/tcp/outbox.js';
import { Scope, Scanner, Stanza } from '../../../lib/xml/index.js';

/** Counts writes as the operating system would see them: what was corked comes as one. */
class Wire extends Writable {
  readonly writes: Buffer[][] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.writes.push([chunk]);
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.writes.push(chunks.map(({ chunk }) => chunk));
    done();
  }

  get text(): string {
    return Buffer.concat(this.writes.flat()).toString();
  }
}

function open(wire: Wire, drained = () => {}): Outbox {
  const outbox = new Outbox({ drained });
  outbox.attach(wire);
  return outbox;
}

const tick = () => new Promise<void>((resolve) => setImmediate(resolve));
const message = (body: string) => Stanza.parse(`<message xmlns='jabber:client'><body>${body}</body></message>`);

describe('outbox', () => {
  it('makes one write of all stanzas of one tick', async () => {
    const wire = new Wire();
    const outbox = open(wire);
    for (let i = 0; i < 100; i++) outbox.push(message(`m${i}`));
    expect(wire.writes).toHaveLength(0);
    await tick();
    expect(wire.writes).toHaveLength(1);
    expect(wire.writes[0]).toHaveLength(1);
    expect(wire.text.match(/<body>m\d+</g)).toEqual(Array.from({ length: 100 }, (_, i) => `<body>m${i}<`));
    expect(outbox.bytes).toBe(0);
  });

  it('does not wait for another tick with the next stanza', async () => {
    const wire = new Wire();
    const outbox = open(wire);
    outbox.push(message('one'));
    await tick();
    outbox.push(message('two'));
    await tick();
    expect(wire.writes).toHaveLength(2);
  });

  it('writes a large stanza where it lies, between its neighbours', async () => {
    const wire = new Wire();
    const outbox = open(wire);
    const large = message('x'.repeat(100_000));
    for (const stanza of [message('a'), message('b'), large, message('c')]) outbox.push(stanza);
    await tick();
    expect(wire.writes).toHaveLength(1);
    expect(wire.writes[0]).toHaveLength(3);
    expect(wire.writes[0]![1]!.buffer).toBe(large.bytes.buffer);
    expect(wire.text).toBe([message('a'), message('b'), large, message('c')].join(''));
  });

  it('P25: writes stanzas that lie one behind the other as they lie, and others in one piece', async () => {
    const scanner = new Scanner();
    const cut = (text: string, count: number): Stanza[] => {
      const source = Buffer.from(text);
      let at = 0;
      return Array.from({ length: count }, () => {
        at = scanner.element(source, source.indexOf('<', at), source.length);
        return Stanza.scanned(scanner, source, at);
      });
    };
    const text = [message('a'), message('b'), message('c')].join('');
    for (const [stanzas, lie] of [[cut(text, 3), true], [cut(text, 2), true], [cut(text, 3).reverse(), false], [cut(text.replaceAll('><m', '> <m'), 3), false]] as const) {
      const wire = new Wire();
      const outbox = open(wire);
      for (const stanza of stanzas) outbox.push(stanza);
      await tick();
      expect(wire.writes.map((write) => write.length)).toEqual([1]);
      expect(wire.writes[0]![0]!.byteOffset === stanzas[0]!.bytes.byteOffset).toBe(lie);
      expect(wire.text).toBe(stanzas.join(''));
    }
  });

  it('writes the namespaces that a stanza inherited', async () => {
    const scope = new Scope([['', 'jabber:client']]);
    const scanner = new Scanner();
    const source = Buffer.from('<iq/>');
    const inherited = Stanza.scanned(scanner, source, scanner.element(source, 0, source.length, scope), scope);
    const wire = new Wire();
    const outbox = open(wire);
    outbox.push(inherited);
    outbox.push(inherited);
    await tick();
    expect(wire.text).toBe('<iq xmlns="jabber:client"/>'.repeat(2));
  });

  it('keeps what comes before there is a connection, and its order', async () => {
    const wire = new Wire();
    const outbox = new Outbox({ drained() {} });
    outbox.push(message('early'));
    expect(outbox.bytes).toBe(message('early').byteLength);
    await tick();
    outbox.attach(wire);
    outbox.push(message('late'));
    await tick();
    expect(wire.writes).toHaveLength(1);
    expect(wire.text).toBe(`${message('early')}${message('late')}`);
  });

  it('writes what waits before its last word, at once and together', () => {
    const wire = new Wire();
    const outbox = open(wire);
    outbox.push(message('last but one'));
    outbox.finish('</stream:stream>');
    expect(wire.writes).toHaveLength(1);
    expect(wire.text).toBe(`${message('last but one')}</stream:stream>`);
  });

  it('tells of a batch that was taken at once, since the wire will not', async () => {
    const wire = new Wire();
    const drains: string[] = [];
    wire.on('drain', () => drains.push('wire'));
    const outbox = open(wire, () => drains.push('outbox'));
    outbox.push(message('x'.repeat(4000)));
    await tick();
    expect(drains).toEqual(['outbox']);
    // In several pieces it is held back until all are there: then the wire tells.
    for (const length of [4000, 100_000, 4000]) outbox.push(message('x'.repeat(length)));
    await tick();
    expect(drains).toEqual(['outbox', 'wire']);
  });

  it('writes nothing once it is detached', async () => {
    const wire = new Wire();
    const outbox = open(wire);
    outbox.push(message('never'));
    outbox.detach();
    await tick();
    expect(wire.writes).toHaveLength(0);
    expect(outbox.bytes).toBe(0);
  });
});
