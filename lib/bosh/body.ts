import { escapeAttribute, NS, readEnvelope, XmlError, type Scanner, type Stanza } from '../xml/index.js';
import { readSharedAttributes, type SharedAttributes } from '../shared/index.js';
import { conditionOfXml, type BoshCondition, type Termination } from './conditions.js';

/** A request whose `<body/>` cannot be served. Fatal for the session that it names. */
export class BodyError extends Error {
  override readonly name = 'BodyError';

  constructor(
    readonly condition: BoshCondition,
    message: string,
    /** The session that it names, as far as that could be read. */
    readonly sid?: string,
    /** It would have made a session for a client that knows no conditions: it has no `ver`. */
    readonly legacy = false,
    /** The option whose limit it crosses. */
    readonly limit?: string,
  ) {
    super(message);
  }
}

/** The `<body/>` of a request (XEP-0124, section 6), with the attributes that every request may have. */
export interface RequestBody {
  /** None in a request that creates a session. */
  readonly sid: string | undefined;
  readonly rid: number;
  /** By names as written; for the request that creates a session. */
  readonly attributes: ReadonlyMap<string, string>;
  /** `xmpp:version` of XEP-0206, whatever the prefix is. */
  readonly version: string | undefined;
  readonly terminate: boolean;
  readonly restart: boolean;
  /** Seconds. */
  readonly pause: number | undefined;
  readonly ack: number | undefined;
  readonly key: string | undefined;
  readonly newKey: string | undefined;
  /** What it says about sharing the session; undefined for nothing. */
  readonly shared: SharedAttributes | undefined;
  readonly stanzas: readonly Stanza[];
}

/**
 * Reads a request.
 * @throws {BodyError}
 */
export function readBody(source: Buffer, scanner: Scanner): RequestBody {
  try {
    const { name, namespace, attributes, declarations, children } = readEnvelope(source, scanner, NS.client);
    const sid = attributes.get('sid');
    if (name !== 'body' || namespace !== NS.httpbind) throw new BodyError('bad-request', 'no body of BOSH');
    const rid = integer(attributes, 'rid');
    if (rid === undefined) throw faulty(attributes, 'no rid');
    let version: string | undefined;
    let restart = false;
    for (const [prefix, uri] of declarations) {
      if (uri !== NS.xbosh || prefix === '') continue;
      version ??= attributes.get(`${prefix}:version`);
      const value = attributes.get(`${prefix}:restart`);
      restart ||= value === 'true' || value === '1';
    }
    const type = attributes.get('type');
    return {
      sid,
      rid,
      attributes,
      version,
      terminate: type === 'terminate' || type === 'terminal', // gloox means the same by the other word
      restart,
      pause: integer(attributes, 'pause'),
      ack: integer(attributes, 'ack'),
      key: attributes.get('key'),
      newKey: attributes.get('newkey'),
      shared: readSharedAttributes(attributes, declarations),
      stanzas: children.some(isMisnamed) ? children.map(inClientNamespace) : children,
    };
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    const { condition, message, limit } = error;
    throw new BodyError(conditionOfXml(condition), message, sidOf(source, scanner), false, limit && `limits.${limit}`);
  }
}

/** The session that a request names, if its start tag can be read: the rest may be faulty, or missing. */
export function sidOf(source: Buffer, scanner: Scanner): string | undefined {
  try {
    const start = source.indexOf('<body');
    if (start < 0) return undefined;
    scanner.tag(source, start, source.length);
    return scanner.namespace === NS.httpbind ? scanner.attributesOf().get('sid') : undefined;
  } catch {
    return undefined;
  }
}

/** An attribute of a request that has a value it cannot have. */
export function faulty(attributes: ReadonlyMap<string, string>, message: string): BodyError {
  const sid = attributes.get('sid');
  return new BodyError('bad-request', message, sid, sid === undefined && !attributes.has('ver'));
}

/**
 * An attribute that is a whole number of at most 2^53-1.
 * @returns undefined when it is not there
 * @throws {BodyError}
 */
export function integer(attributes: ReadonlyMap<string, string>, name: string): number | undefined {
  const value = attributes.get(name);
  if (value === undefined) return undefined;
  const number = /^[0-9]{1,16}$/.test(value) ? Number(value) : NaN;
  if (!Number.isSafeInteger(number)) throw faulty(attributes, `${name} is no number`);
  return number;
}

/** Old clients put stanzas into the namespace of the body (XEP-0206, section 2), or into none. */
function isMisnamed({ namespace, prefixed }: Stanza): boolean {
  return namespace === '' || (namespace === NS.httpbind && !prefixed);
}

function inClientNamespace(stanza: Stanza): Stanza {
  return isMisnamed(stanza) ? stanza.with({ xmlns: NS.client }) : stanza;
}

const START = `<body xmlns='${NS.httpbind}'`;
const HEAD = Buffer.from(`${START} xmlns:stream='${NS.streams}'>`);
const TAIL = Buffer.from('</body>');

/** The answer that says nothing. */
export const EMPTY_BODY: Buffer = Buffer.from(`${START}/>`);
/** The recoverable error: the request is to be repeated (XEP-0124, section 17.3). */
export const ERROR_BODY: Buffer = Buffer.from(`${START} type='error'/>`);

/**
 * Writes an answer.
 * @param attributes of the body, as they are to stand there, each with a space before it
 */
export function writeBody(attributes: string, stanzas: readonly Stanza[]): Buffer {
  if (stanzas.length === 0) return attributes === '' ? EMPTY_BODY : Buffer.from(`${START}${attributes}/>`);
  const head = attributes === '' ? HEAD : Buffer.from(`${START} xmlns:stream='${NS.streams}'${attributes}>`);
  let length = head.length + TAIL.length;
  for (const stanza of stanzas) length += stanza.byteLength;
  // It is kept until the client has it: a slice of Node's pool would keep its neighbours as well.
  const body = Buffer.allocUnsafeSlow(length);
  let at = head.copy(body, 0);
  for (const stanza of stanzas) at = stanza.writeTo(body, at);
  TAIL.copy(body, at);
  return body;
}

/** An answer that ends the session, with what still waited for the client. */
export function writeTermination({ condition, detail }: Termination, stanzas: readonly Stanza[] = []): Buffer {
  return writeBody(
    attribute('type', 'terminate') + attribute('condition', condition),
    detail ? [...stanzas, detail] : stanzas,
  );
}

/** An attribute as it stands in a start tag, nothing for undefined. */
export function attribute(name: string, value: string | number | undefined): string {
  if (value === undefined) return '';
  return ` ${name}='${typeof value === 'number' ? value : escapeAttribute(value)}'`;
}
