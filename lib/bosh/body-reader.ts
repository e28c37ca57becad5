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

interface Reading {
  readonly request: IncomingMessage;
  until: number;
  readonly fail: (fault: BodyFault) => void;
  /** Its place among the others; -1 when it is over. */
  place: number;
}

/** What a body parser of the host's may have left behind. */
type ParsedRequest = IncomingMessage & { readonly body?: unknown; readonly rawBody?: unknown };

export interface BodyLimits {
  /** Bytes of a body, also when it is inflated. */
  readonly maxBytes: number;
  /** Milliseconds for a body to come, and for the rest of one that is too large. */
  readonly timeout: number;
}

/** Reads the bodies of requests, of whatever `Content-Type`, within limits of size and time. */
export class BodyReader {
  private readonly readings: Reading[] = [];
  private readonly timeout: Timeout;

  /** @param unfinished what of bodies has come, until they are whole */
  constructor(
    private readonly clock: Clock,
    private readonly limits: BodyLimits,
    private readonly unfinished: Unfinished,
  ) {
    this.timeout = new Timeout(clock, () => this.onTimeout());
  }

  read(request: IncomingMessage, done: OnBody): void {
    const limit = this.limits.maxBytes;
    if (request.readableEnded) return this.parsed(request, done);
    const declared = Number(request.headers['content-length'] ?? 0);
    let first: Buffer | undefined;
    let assembly: Assembly | undefined;
    /** What has come of it counts; there only for a body that does not come at once. */
    let message: UnfinishedMessage | undefined;
    let size = 0;
    let over = false;
    const finish = (fault?: BodyFault) => {
      if (over) return;
      over = true;
      message?.done();
      if (fault === 'too-large') reading.until = this.clock.now() + this.limits.timeout;
      else this.forget(reading);
      const body = assembly ? assembly.bytes : (first ?? NOTHING);
      if (fault) return done(body, fault);
      const encoding = request.headers['content-encoding'];
      if (encoding === undefined) done(body);
      else inflate(body, encoding, limit, done);
    };
    const now = this.clock.now();
    const patience = declared > limit ? GLANCE : this.limits.timeout;
    const reading: Reading = { request, until: now + patience, fail: finish, place: this.readings.length };
    this.readings.push(reading);
    if (!this.timeout.running) this.timeout.start(patience);
    else if (declared > limit) this.timeout.start(Math.min(this.timeout.deadline - now, GLANCE));
    request.on('data', (chunk: Buffer) => {
      if (over) return; // the rest is thrown away, so that the client reads the answer and not a reset
      size += chunk.length;
      if (first === undefined) first = chunk;
      else (assembly ??= new Assembly(first)).add(chunk);
      if (size > limit || declared > limit) return finish('too-large');
      if (size === declared) return;
      message ??= new UnfinishedMessage(this.unfinished, () => {
        finish('crowded');
        hangUp(request);
      });
      message.add(chunk.length);
    });
    request.on('end', () => {
      this.forget(reading);
      finish();
    });
    request.on('close', () => {
      this.forget(reading);
      message?.done();
      over = true;
    });
    request.on('error', () => {});
  }

  /** The last one takes its place. */
  private forget(reading: Reading): void {
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
      const declared = Number(reading.request.headers['content-length'] ?? 0);
      reading.fail(declared > this.limits.maxBytes ? 'too-large' : 'timeout');
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
