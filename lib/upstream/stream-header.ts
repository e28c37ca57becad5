import type { StreamHeader } from './upstream.js';

/** The header that a server sent, from its attributes. */
export function readStreamHeader(attributes: ReadonlyMap<string, string>): StreamHeader {
  return {
    from: attributes.get('from'),
    to: attributes.get('to'),
    id: attributes.get('id'),
    lang: attributes.get('xml:lang'),
    version: attributes.get('version'),
  };
}

/** Whether stream features follow the header (RFC 6120, section 4.7.5). */
export function hasFeatures(header: StreamHeader): boolean {
  return /^[1-9]\d*\.\d+$/.test(header.version ?? '');
}
