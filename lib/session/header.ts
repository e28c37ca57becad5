import type { StreamHeader } from '../upstream/upstream.js';

/** Bytes of an address: three parts of 1023 and what stands between them (RFC 7622, section 3.1). */
const MAX_ADDRESS = 3071;
/** RFC 5646, section 2.1, which asks nobody to take more than 35 characters. */
const LANGUAGE = /^[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,7}$/;

/** Whether the `from` of a client's header can be an address at all; it goes into the header for the server. */
export function mayBeAddress(from: string | undefined): boolean {
  return from === undefined || Buffer.byteLength(from) <= MAX_ADDRESS;
}

/** The `xml:lang` of a client's header, which goes into the header for the server; undefined for what is no language. */
export function languageOf(lang: string | undefined): string | undefined {
  return lang !== undefined && LANGUAGE.test(lang) ? lang : undefined;
}

/** A client's header, for the server. Written out: an object that is made by spreading may have a shape of its own, larger than it. */
export function addressed({ from, lang, version }: StreamHeader, to: string): StreamHeader {
  return { from, to, lang, version };
}
