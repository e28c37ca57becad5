/**
 * Work on long runs of bytes, sixteen at a time, by 128-bit WebAssembly. The bytes are copied into its memory and,
 * where they change, back, so it pays from about a KiB on. Where there is no WebAssembly (`node --jitless`), nothing
 * is done, and the caller's own loop does everything.
 */

const BLOCK = 16;
/** Bytes copied at first; twice as many each time, so that a run that ends soon has cost little. */
const FIRST_PIECE = 1024;
const LARGEST_PIECE = 32_768;
/** Where the bytes lie in the memory, behind the tables. */
const DATA = 1024;
const TABLE_BYTES = 2 * BLOCK;

/** Node has it; TypeScript knows it only together with the browser. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Passes blocks from `at` to `end` that hold no byte of the table. @returns where it stopped; all bits inverted if a byte above 0x7f was passed */
  find(at: number, end: number, table: number): number;
  /** XORs blocks from `at` to `end` with `word`, four bytes at a time. */
  mask(at: number, end: number, word: number): void;
}

/** Of all finders. */
const tables = new Uint8Array(DATA);
let tableBytes = 0;
let exported: Exports | undefined;
let memory = tables;
let asked = false;

/** Finds the next of a set of bytes. */
export class ByteFinder {
  /** Above 0x7f if {@link skip} passed a byte above it. */
  seen = 0;
  private readonly table = tableBytes;

  /** @param wanted which bytes to stop at; their high halves may be of eight kinds, by the low halves that go with them */
  constructor(wanted: (byte: number) => boolean) {
    // A byte is wanted if the entries of its low and its high half share a bit.
    const kinds: number[] = [];
    const low = new Uint8Array(BLOCK);
    const high = new Uint8Array(BLOCK);
    for (let half = 0; half < BLOCK; half++) {
      let row = 0;
      for (let i = 0; i < BLOCK; i++) if (wanted((half << 4) | i)) row |= 1 << i;
      if (row === 0) continue;
      if (!kinds.includes(row)) kinds.push(row);
      high[half] = 1 << kinds.indexOf(row);
    }
    for (let i = 0; i < BLOCK; i++) {
      for (const [kind, row] of kinds.entries()) if (row & (1 << i)) low[i]! |= 1 << kind;
    }
    if (kinds.length > 8 || tableBytes + TABLE_BYTES > DATA) throw new Error('too many kinds of bytes, or of finders');
    tables.set(low, tableBytes);
    tables.set(high, tableBytes + BLOCK);
    tableBytes += TABLE_BYTES;
    if (exported) memory.set(tables);
  }

  /** @returns an offset from `start` to `end`: between `start` and it is no wanted byte, and less than a block behind it is one, or the end */
  skip(source: Uint8Array, start: number, end: number): number {
    this.seen = 0;
    const code = exported ?? load();
    if (!code) return start;
    for (let piece = FIRST_PIECE; ; piece = Math.min(2 * piece, LARGEST_PIECE)) {
      const length = Math.min(piece, end - start) & -BLOCK;
      if (length <= 0) return start;
      memory.set(source.subarray(start, start + length), DATA);
      let stop = code.find(DATA, DATA + length, this.table);
      if (stop < 0) {
        this.seen = 0xff;
        stop = ~stop;
      }
      start += stop - DATA;
      if (stop < DATA + length) return start;
    }
  }
}

/**
 * XORs bytes with the four of `word`, which lie in it as in memory.
 * @returns the offset as far as that was done: a whole number of words behind `start`
 */
export function xorWords(bytes: Uint8Array, start: number, end: number, word: number): number {
  const code = exported ?? load();
  if (!code) return start;
  for (;;) {
    const length = Math.min(LARGEST_PIECE, end - start) & -BLOCK;
    if (length <= 0) return start;
    memory.set(bytes.subarray(start, start + length), DATA);
    code.mask(DATA, DATA + length, word);
    bytes.set(memory.subarray(DATA, DATA + length), start);
    start += length;
  }
}

/** Not before it is needed: its memory is small, but takes gigabytes of addresses. */
function load(): Exports | undefined {
  if (asked) return undefined;
  asked = true;
  try {
    exported = new WebAssembly.Instance(new WebAssembly.Module(assemble())).exports as Exports;
    memory = new Uint8Array(exported.memory.buffer);
    memory.set(tables);
  } catch {
    // None, or one without vectors.
  }
  return exported;
}

/** The module, in the binary format of the WebAssembly specification, section 5. */
function assemble(): Uint8Array {
  const I32 = 0x7f;
  const V128 = 0x7b;
  const VOID = 0x40;
  const [BLOCK_, LOOP, END, BR, BR_IF, SELECT] = [0x02, 0x03, 0x0b, 0x0c, 0x0d, 0x1b];
  const [GET, SET, TEE] = [0x20, 0x21, 0x22];
  const [CONST, GE_U, ADD, XOR] = [0x41, 0x4f, 0x6a, 0x73];
  const MINUS_ONE = 0x7f;
  const vector = (code: number, ...immediates: number[]): number[] => [0xfd, code, ...immediates];
  const load = (offset = 0): number[] => vector(0x00, 0, offset);
  const STORE = vector(0x0b, 0, 0);
  const SWIZZLE = vector(0x0e);
  const SPLAT8 = vector(0x0f);
  const SPLAT32 = vector(0x11);
  const AND = vector(0x4e);
  const OR = vector(0x50);
  const VECTOR_XOR = vector(0x51);
  const ANY_TRUE = vector(0x53);
  const BITMASK = vector(0x64);
  const SHIFT_RIGHT = vector(0x6d);

  /** `work` for each block from local 0 to local 1; it may leave by branching to 1. */
  const blocks = (...work: number[]): number[] => [
    ...[BLOCK_, VOID, LOOP, VOID],
    ...[GET, 0, GET, 1, GE_U, BR_IF, 1],
    ...work,
    ...[GET, 0, CONST, BLOCK, ADD, SET, 0, BR, 0],
    ...[END, END],
  ];
  const [AT, , TABLE, BYTES, ALL, LOW, HIGH] = [0, 1, 2, 3, 4, 5, 6];
  const find = [
    ...[GET, TABLE, ...load(), SET, LOW, GET, TABLE, ...load(BLOCK), SET, HIGH],
    ...blocks(
      ...[GET, LOW, GET, AT, ...load(), TEE, BYTES, CONST, 0x0f, ...SPLAT8, ...AND, ...SWIZZLE],
      ...[GET, HIGH, GET, BYTES, CONST, 4, ...SHIFT_RIGHT, ...SWIZZLE],
      ...[...AND, ...ANY_TRUE, BR_IF, 1],
      ...[GET, ALL, GET, BYTES, ...OR, SET, ALL],
    ),
    ...[GET, AT, CONST, MINUS_ONE, CONST, 0, GET, ALL, ...BITMASK, SELECT, XOR],
  ];
  const WORD = 2;
  const mask = blocks(GET, AT, GET, AT, ...load(), GET, WORD, ...SPLAT32, ...VECTOR_XOR, ...STORE);

  const sized = (bytes: readonly number[]): number[] => [...unsigned(bytes.length), ...bytes];
  const list = (...entries: number[][]): number[] => [entries.length, ...entries.flat()];
  const section = (id: number, contents: number[]): number[] => [id, ...sized(contents)];
  const name = (text: string): number[] => sized([...Buffer.from(text)]);
  const body = (locals: number[][], code: number[]): number[] => sized([...list(...locals), ...code, END]);
  return Uint8Array.from([
    ...Buffer.from('\0asm\x01\0\0\0', 'latin1'),
    ...section(1, list([0x60, ...list([I32], [I32], [I32]), ...list([I32])], [0x60, ...list([I32], [I32], [I32]), ...list()])),
    ...section(3, list([0], [1])),
    ...section(5, list([0, 1])),
    ...section(7, list([...name('memory'), 2, 0], [...name('find'), 0, 0], [...name('mask'), 0, 1])),
    ...section(10, list(body([[4, V128]], find), body([], mask))),
  ]);
}

/** A number as LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >> 7)];
}
