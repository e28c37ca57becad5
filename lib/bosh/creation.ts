import { languageOf, mayBeAddress } from '../session/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import type { BoshOptions } from '../xmpp.options.js';
import { attribute, faulty, integer, type RequestBody } from './body.js';
import { XML_TYPE } from './exchange.js';
import { KeySequence } from './key-sequence.js';
import { NS } from '../xml/index.js';

/** The version of XEP-0124 that we speak. */
const VERSION = [1, 11] as const;
const MEDIA_TYPE = /^[\w!#$&^.+-]{1,64}\/[\w!#$&^.+-]{1,64}(?:[ \t]*;[ \t]*[\w!#$&^.+-]{1,64}=(?:[\w!#$&^.+-]{1,64}|"[\w !#$&^.+/:-]{0,64}"))*$/;

/** What a session is granted on the request that makes it (XEP-0124, section 7). */
export interface Grant {
  readonly rid: number;
  /** As the client named it. */
  readonly to: string | undefined;
  /** Seconds that a request is held at most. */
  readonly wait: number;
  readonly hold: number;
  /** Requests that the client may have open, and how far their `rid`s may be ahead. */
  readonly requests: number;
  /** Requests are never held: the client comes and asks (section 12). */
  readonly polling: boolean;
  /** Seconds without an open request after which it ends. */
  readonly inactivity: number;
  /** The client acknowledges answers, and wants its requests acknowledged (section 9). */
  readonly acks: boolean;
  /** `Content-Type` of all answers. */
  readonly contentType: string;
  readonly newKey: string | undefined;
  /** No `ver`: it knows HTTP status codes and no conditions (section 17.1). */
  readonly legacy: boolean;
  readonly version: string;
}

/**
 * What the session may have of what it asks for.
 * @throws {BodyError}
 */
export function grant(body: RequestBody, options: BoshOptions): Grant {
  const { attributes, rid, newKey } = body;
  const ver = attributes.get('ver');
  const contentType = attributes.get('content') ?? XML_TYPE;
  // It goes into a header.
  if (contentType.length > 200 || !MEDIA_TYPE.test(contentType)) throw faulty(attributes, 'content is no media type');
  if (!mayBeAddress(attributes.get('from'))) throw faulty(attributes, 'from is no address');
  if (newKey !== undefined && !KeySequence.isKey(newKey)) throw faulty(attributes, 'newkey is no SHA-1');
  if (rid === Number.MAX_SAFE_INTEGER) throw faulty(attributes, 'rid leaves no room for another');
  const wait = Math.min(integer(attributes, 'wait') ?? options.wait, options.wait);
  const hold = Math.min(integer(attributes, 'hold') ?? options.hold, options.hold);
  const polling = wait === 0 || hold === 0;
  return {
    rid,
    to: attributes.get('to'),
    wait,
    hold,
    requests: hold + 1,
    polling,
    // A client that only comes now and then may miss one time.
    inactivity: polling ? options.inactivity + 2 * options.polling : options.inactivity,
    acks: attributes.get('ack') === '1',
    contentType: contentType === XML_TYPE ? XML_TYPE : contentType, // not a copy for each
    newKey,
    legacy: ver === undefined,
    version: ver === undefined ? VERSION.join('.') : lowerVersion(ver, attributes),
  };
}

/** For the server. */
export function headerOf({ attributes, version }: RequestBody): StreamHeader {
  return { from: attributes.get('from'), lang: languageOf(attributes.get('xml:lang')), version: version ?? '1.0' };
}

/**
 * What a session has that was made without a request: all that a client takes for granted, who is told only its `sid`
 * and the next `rid`.
 */
export function standardGrant(rid: number, to: string, options: BoshOptions): Grant {
  return {
    rid,
    to,
    wait: options.wait,
    hold: 1,
    requests: 2,
    polling: false,
    inactivity: options.inactivity,
    acks: false,
    contentType: XML_TYPE,
    newKey: undefined,
    legacy: false,
    version: VERSION.join('.'),
  };
}

function lowerVersion(ver: string, attributes: ReadonlyMap<string, string>): string {
  const match = /^([0-9]{1,9})\.([0-9]{1,9})$/.exec(ver);
  if (!match) throw faulty(attributes, 'ver is no version');
  const asked = [Number(match[1]), Number(match[2])] as const;
  const lower = asked[0] < VERSION[0] || (asked[0] === VERSION[0] && asked[1] < VERSION[1]) ? asked : VERSION;
  return lower.join('.');
}

/** The attributes of the answer that tells the client of its session. */
export function creationAttributes(granted: Grant, options: BoshOptions, sid: string, from: string): string {
  return (
    ` xmlns:xmpp='${NS.xbosh}'` +
    attribute('sid', sid) +
    attribute('wait', granted.wait) +
    attribute('requests', granted.requests) +
    attribute('hold', granted.hold) +
    attribute('inactivity', granted.inactivity) +
    attribute('polling', options.polling || undefined) +
    attribute('maxpause', options.maxpause || undefined) +
    attribute('ver', granted.version) +
    attribute('from', from) +
    attribute('accept', 'gzip,deflate') +
    attribute('ack', granted.acks ? granted.rid : undefined) +
    ` xmpp:version='1.0' xmpp:restartlogic='true'`
  );
}
