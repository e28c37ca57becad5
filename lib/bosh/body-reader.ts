import type { IncomingMessage } from 'node:http';
import { createGunzip, createInflate, createInflateRaw, type Gunzip, type Inflate, type InflateRaw } from 'node:zlib';
import { Timeout, type Clock } from '../clock.js';

/** Why a request has no body: too many bytes (also when inflated), not what its `Content-Encoding` says, or not all in time. */
export type BodyFault = 'too-large' | 'malformed' | 'timeout';

/** Told once: the body, or why there is none, with what of it is there. Not called when the client is gone before. */
export type OnBody = (body: Buffer, fault?: BodyFault) => void;

/** Milliseconds for a body to come, and for the rest of one that is too large. */
const TIMEOUT = 30_000;
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

/** Reads the bodies of requests, of whatever `Content-Type`, within limits of size and time. */
export class BodyReader {
  private readonly readings: Reading[] = [];
  private readonly timeout: Timeout;

  /** @param limit bytes of a body, also when it is inflated */
  constructor(
    private readonly clock: Clock,
    private readonly limit: number,
  ) {
    this.timeout = new Timeout(clock, () => this.onTimeout());
  }

  read(request: IncomingMessage, done: OnBody): void {
    const { limit } = this;
    if (request.readableEnded) return this.parsed(request, done);
    const declared = Number(request.headers['content-length'] ?? 0);
    let first: Buffer | undefined;
    let more: Buffer[] | undefined;
    let size = 0;
    let over = false;
    const finish = (fault?: BodyFault) => {
      if (over) return;
      over = true;
      if (fault === 'too-large') reading.until = this.clock.now() + TIMEOUT;
      else this.forget(reading);
      const body = more ? Buffer.concat(more) : (first ?? NOTHING);
      if (fault) return done(body, fault);
      const encoding = request.headers['content-encoding'];
      if (encoding === undefined) done(body);
      else inflate(body, encoding, limit, done);
    };
    const now = this.clock.now();
    const reading: Reading = { request, until: now + (declared > limit ? GLANCE : TIMEOUT), fail: finish, place: this.readings.length };
    this.readings.push(reading);
    if (!this.timeout.running) this.timeout.start(reading.until - now);
    else if (declared > limit) this.timeout.start(Math.min(this.timeout.deadline - now, GLANCE));
    request.on('data', (chunk: Buffer) => {
      if (over) return; // the rest is thrown away, so that the client reads the answer and not a reset
      size += chunk.length;
      if (first === undefined) first = chunk;
      else (more ??= [first]).push(chunk);
      if (size > limit || declared > limit) finish('too-large');
    });
    request.on('end', () => {
      this.forget(reading);
      finish();
    });
    request.on('close', () => {
      this.forget(reading);
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
    done(found, found.length > this.limit ? 'too-large' : undefined);
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
      reading.fail(Number(reading.request.headers['content-length'] ?? 0) > this.limit ? 'too-large' : 'timeout');
      // The answer is on its way; nothing else is taken from this connection.
      setImmediate(() => reading.request.socket.destroySoon());
    }
    if (next !== Infinity) this.timeout.start(next - now);
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
