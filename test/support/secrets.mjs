import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** Keys and passwords of tests that stand nowhere else: where one of them is, it was let out. */
const KNOWN = ['3c1d69981b65bfbd641dcb64c82bb613', 'a-shared-key-of-a-user-0123456789', 'wonderland', 'sesame'];

/** What secrets look like, masked ones excepted. */
const LOOKS = [
  ['a ticket', /\bticket\.[\w-]{20,}/],
  // sids, stream ids and the secret part of tickets: 160 bits as base64url, digits and letters of either case.
  ['an identifier that nobody may guess', /(?<![\w/.-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[\w-]{27}(?![\w/-])/],
  ['a sid', /\bsid=(?:"(?!\*\*\*")[^"]+"|'(?!\*\*\*')[^']+')/],
  ['a key', /\b(?:key|newkey)=(?:"(?!\*\*\*")[0-9a-fA-F]{32,}"|'(?!\*\*\*')[0-9a-fA-F]{32,}')/],
  ['a password in clear', /<password[^>]*>(?!\*\*\*<)[^<]+</],
  ['SASL data', /<(?:auth|response|challenge|initial-response|additional-data)\b[^>]*>(?!\*\*\*<|<|=<)[^<]+</],
  ['PLAIN for a user of the tests', /(?:AGFsaWNl|AGJvYg|AGNhcm9s)[A-Za-z0-9+/]*/],
  ['SCRAM data', /\b(?:biws|Yz1iaXdz|[rsv]=[A-Za-z0-9+/]{20,}=*,|p=[A-Za-z0-9+/]{26,}=)/],
];

/**
 * @param {string} text what was printed
 * @returns {string[]} a sentence for each secret in it, without the secret
 */
export function leaksIn(text) {
  const found = [];
  for (const line of text.split('\n')) {
    const where = () => line.slice(0, 60).replace(/[\w+/=-]{16,}/g, '…');
    for (const known of KNOWN) if (line.includes(known)) found.push(`a secret of the tests: ${where()}`);
    for (const [what, pattern] of LOOKS) if (pattern.test(line)) found.push(`${what}: ${where()}`);
  }
  return found;
}

/**
 * Keeps what was printed until the end of the run; for nothing where no run asked for it.
 * @param {string} text
 */
export function record(text) {
  const { TEST_OUTPUT_DIR } = process.env;
  if (!TEST_OUTPUT_DIR) return;
  mkdirSync(TEST_OUTPUT_DIR, { recursive: true });
  appendFileSync(join(TEST_OUTPUT_DIR, `${process.pid}.log`), text.endsWith('\n') ? text : `${text}\n`);
}

/**
 * Everything that a run has kept, which is gone then.
 * @param {string} directory
 */
export function takeRecords(directory) {
  try {
    return readdirSync(directory).map((file) => readFileSync(join(directory, file), 'utf8')).join('\n');
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
