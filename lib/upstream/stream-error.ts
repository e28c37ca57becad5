import { NS, type Stanza } from '../xml/index.js';
import { oneLine } from './failure.js';

/** The condition of a `<stream:error/>` (RFC 6120, section 4.9), for the log. */
export function streamErrorCondition(error: Stanza): string {
  const condition = error.children().find(({ namespace, name }) => namespace === NS.streamErrors && name !== 'text');
  return condition ? oneLine(condition.name) : 'undefined-condition';
}

/** Where a stream error sends us (RFC 6120, section 4.9.3.19); undefined for any other element. */
export function seeOtherHost(element: Stanza): string | undefined {
  if (!element.is('error', NS.streams)) return undefined;
  return element.child('see-other-host', NS.streamErrors)?.text().trim();
}

/** A stream error of ours, standing alone. */
export function streamError(condition: string): string {
  return `<stream:error xmlns:stream='${NS.streams}'><${condition} xmlns='${NS.streamErrors}'/></stream:error>`;
}
