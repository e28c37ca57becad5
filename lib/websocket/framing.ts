import type { SessionEnd, StreamCondition } from '../session/index.js';
import { SHARED_EXTENSIONS } from '../shared/index.js';
import type { StreamHeader } from '../upstream/upstream.js';
import { element, escapeAttribute, NS, Stanza, type Element } from '../xml/index.js';

/**
 * `<open/>` of an answer (RFC 7395, section 3.4). Clients compare it as text: attributes declared, nothing prefixed.
 * @param more attributes as they stand in the tag, with a space before each
 */
export function openFrame(header: StreamHeader, more = ''): Buffer {
  const attribute = (name: string, value: string | undefined) =>
    value === undefined ? '' : ` ${name}="${escapeAttribute(value)}"`;
  return Buffer.from(
    `<open xmlns="${NS.framing}"${attribute('from', header.from)}${attribute('to', header.to)}` +
      `${attribute('id', header.id)} version="1.0"${attribute('xml:lang', header.lang)}${more} />`,
  );
}

/** `<close/>` (RFC 7395, section 3.6), byte for byte as Strophe knows it. */
export const CLOSE_FRAME = Buffer.from(`<close xmlns="${NS.framing}" />`);

/** `<close/>` that moves the client elsewhere (RFC 7395, section 3.6.1). */
export function closeFrame(uri: string | undefined): Buffer {
  if (uri === undefined) return CLOSE_FRAME;
  return Buffer.from(`<close xmlns="${NS.framing}" see-other-uri="${escapeAttribute(uri)}" />`);
}

/** The stream error that tells a client why its session ends; none when it ends in order. */
export function errorFrame(end: SessionEnd): Stanza | undefined {
  if (end.error) return end.error;
  return end.condition && streamError(end.condition, end.text);
}

/** `<stream:error/>` (RFC 6120, section 4.9); every child declares its namespace, as Strophe expects. */
export function streamError(condition: StreamCondition, text?: string): Stanza {
  // What only BOSH has a name for gets one of ours (RFC 6120, section 4.9.4).
  const foreign = condition === 'item-not-found';
  const children: Element[] = [element(foreign ? 'undefined-condition' : condition, { xmlns: NS.streamErrors })];
  if (text) children.push(element('text', { 'xmlns': NS.streamErrors, 'xml:lang': 'en' }, text));
  if (foreign) children.push(element(condition, { xmlns: SHARED_EXTENSIONS }));
  return Stanza.of(element('stream:error', { 'xmlns:stream': NS.streams }, ...children));
}
