import type { IncomingMessage } from 'node:http';
import { createGunzip, createInflate, createInflateRaw, type Gunzip, type Inflate, type InflateRaw } from 'node:zlib';
import { Timeout, type Clock } from '../clock.js';
import { UnfinishedMessage, type Unfinished } from '../http/index.js';

/**
 * Why a request has no body: too many bytes (also when inflated), not what its `Content-Encoding` says, not all
 * in time, or given up for others whose bodies come faster.
 */
export type BodyFault = 'too-large' | 'malformed' | 'timeout' | 'crowded';

/** Told once: the body, or why there is none, with what of it is there. Not called when the client is gone before. */
export type OnBody = (body: Buffer, fault?: BodyFault) => void;

/** Milliseconds to wait for the first bytes of a body that says itself that it is too large. */
const GLANCE = 1000;
const NOTHING = Buffer.alloc(0);

/** What a body parser of the host's may have left behind. */
type ParsedRequest = IncomingMessage & { readonly body?: unknown; readonly rawBody?: unknown };

export interface BodyLimits {
  /** Bytes of a body, also when it is inflated. */
  readonly maxBytes: number;
  /** Milliseconds for a body to come, and for the rest of one that is too large. */
  readonly timeout: number;
}

const READING = Symbol('reading');
type ReadRequest = IncomingMessage & { [READING]?: Reading | undefined };

/** The body of one request, as far as it is there. A request may be held for long: once its body is read, it holds nothing of this. */
class Reading {
  /** Among the others; -1 when it is over. */
  place = -1;
  private first: Buffer | undefined;
  private assembly: Assembly | undefined;
  /** What has come of it counts; there only for a body that does not come at once. */
  private message: UnfinishedMessage | undefined;
  private size = 0;
  private over = false;

  constructor(
    private readonly reader: BodyReader,
    readonly request: IncomingMessage,
    /** Bytes, by its own word. */
    readonly declared: number,
    /** On the clock's scale. */
    public until: number,
    private readonly done: OnBody,
  ) {}

  take(chunk: Buffer): void {
    if (this.over) return; // the rest is thrown away, so that the client reads the answer and not a reset
    this.size += chunk.length;
    if (this.first === undefined) this.first = chunk;
    else (this.assembly ??= new Assembly(this.first)).add(chunk);
    const { maxBytes } = this.reader.limits;
    if (this.size > maxBytes || this.declared > maxBytes) return this.fail('too-large');
    if (this.size === this.declared) return;
    this.message ??= new UnfinishedMessage(this.reader.unfinished, () => {
      this.fail('crowded');
      hangUp(this.request);
    });
    this.message.add(chunk.length);
  }

  end(): void {
    this.stop();
    if (this.over) return;
    this.over = true;
    const body = this.whole();
    const encoding = this.request.headers['content-encoding'];
    if (encoding === undefined) this.done(body);
    else inflate(body, encoding, this.reader.limits.maxBytes, this.done);
  }

  fail(fault: BodyFault): void {
    if (this.over) return;
    this.over = true;
    this.message?.done();
    if (fault === 'too-large') this.reader.waste(this);
    else this.reader.forget(this);
    this.done(this.whole(), fault);
  }

  /** Nothing comes any more. */
  stop(): void {
    (this.request as ReadRequest)[READING] = undefined;
    this.message?.done();
    this.reader.forget(this);
  }

  private whole(): Buffer {
    const body = this.assembly ? this.assembly.bytes : (this.first ?? NOTHING);
    this.first = this.assembly = undefined;
    return body;
  }
}

function onData(this: ReadRequest, chunk: Buffer): void {
  this[READING]?.take(chunk);
}

function onEnd(this: ReadRequest): void {
  this[READING]?.end();
}

function onClose(this: ReadRequest): void {
  this[READING]?.stop();
}

function onError(): void {}

/** Reads the bodies of requests, of whatever `Content-Type`, within limits of size and time. */
export class BodyReader {
  private readonly readings: Reading[] = [];
  private readonly timeout: Timeout;

  /** @param unfinished what of bodies has come, until they are whole */
  constructor(
    private readonly clock: Clock,
    readonly limits: BodyLimits,
    readonly unfinished: Unfinished,
  ) {
    this.timeout = new Timeout(clock, () => this.onTimeout());
  }

  read(request: IncomingMessage, done: OnBody): void {
    const limit = this.limits.maxBytes;
    if (request.readableEnded) return this.parsed(request, done);
    const declared = Number(request.headers['content-length'] ?? 0);
    const now = this.clock.now();
    const patience = declared > limit ? GLANCE : this.limits.timeout;
    const reading = new Reading(this, request, declared, now + patience, done);
    reading.place = this.readings.push(reading) - 1;
    if (!this.timeout.running) this.timeout.start(patience);
    else if (declared > limit) this.timeout.start(Math.min(this.timeout.deadline - now, GLANCE));
    (request as ReadRequest)[READING] = reading;
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onError);
  }

  /** @internal The rest of a body that is too large is thrown away, for a while. */
  waste(reading: Reading): void {
    reading.until = this.clock.now() + this.limits.timeout;
  }

  /** @internal The last one takes its place. */
  forget(reading: Reading): void {
    const { place } = reading;
    if (place < 0) return;
    const last = this.readings.pop()!;
    if (last !== reading) {
      this.readings[place] = last;
      last.place = place;
    }
    reading.place = -1;
  }

  /** The stream was read to its end before: take what a parser of the host's made of it. */
  private parsed({ body, rawBody }: ParsedRequest, done: OnBody): void {
    const found = Buffer.isBuffer(rawBody) ? rawBody : Buffer.isBuffer(body) ? body : typeof body === 'string' ? Buffer.from(body) : NOTHING;
    done(found, found.length > this.limits.maxBytes ? 'too-large' : undefined);
  }

  private onTimeout(): void {
    const now = this.clock.now();
    let next = Infinity;
    for (const reading of [...this.readings]) {
      if (reading.until > now) {
        next = Math.min(next, reading.until);
        continue;
      }
      this.forget(reading);
      reading.fail(reading.declared > this.limits.maxBytes ? 'too-large' : 'timeout');
      hangUp(reading.request);
    }
    if (next !== Infinity) this.timeout.start(next - now);
  }
}

/** The answer is on its way; nothing else is taken from this connection. */
function hangUp(request: IncomingMessage): void {
  setImmediate(() => request.socket.destroySoon());
}

/**
 * A body, put together from its chunks. They are copied as they come: kept as they are, many small ones would
 * cost a hundred times the bytes that they hold.
 */
class Assembly {
  private length: number;

  constructor(private buffer: Buffer) {
    this.length = buffer.length;
  }

  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  add(chunk: Buffer): void {
    const length = this.length + chunk.length;
    if (length > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.buffer.length));
      this.buffer.copy(larger, 0, 0, this.length);
      this.buffer = larger;
    }
    chunk.copy(this.buffer, this.length);
    this.length = length;
  }
}

/** An encoding that is none we know says nothing: clients put all sorts of things there. */
function inflate(body: Buffer, encoding: string, limit: number, done: OnBody): void {
  const inflater = inflaterOf(encoding.trim().toLowerCase(), body);
  if (!inflater) return done(body);
  const chunks: Buffer[] = [];
  let size = 0;
  let over = false;
  const finish = (result: Buffer, fault?: BodyFault) => {
    if (over) return;
    over = true;
    done(result, fault);
    if (fault) inflater.destroy();
  };
  inflater.on('data', (chunk: Buffer) => {
    size += chunk.length;
    chunks.push(chunk);
    if (size > limit) finish(chunks[0]!, 'too-large');
  });
  inflater.on('end', () => finish(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
  inflater.on('error', () => finish(NOTHING, 'malformed'));
  inflater.end(body);
}

function inflaterOf(encoding: string, body: Buffer): Gunzip | Inflate | InflateRaw | undefined {
  if (encoding === 'gzip' || encoding === 'x-gzip') return createGunzip();
  if (encoding !== 'deflate') return undefined;
  // Some send the bare stream, without the header of zlib that HTTP means by `deflate`.
  const zlib = body.length > 1 && (body[0]! & 0x0f) === 8 && ((body[0]! << 8) | body[1]!) % 31 === 0;
  return zlib ? createInflate() : createInflateRaw();
}
