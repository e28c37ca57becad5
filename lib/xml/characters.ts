/**
 * Letters beyond ASCII that may stand in a name in the fourth edition of XML 1.0 (expat) and the
 * fifth (saxes) alike: first and last of each range.
 */
const LETTERS = [
  0xc0, 0xd6, 0xd8, 0xf6, 0xf8, 0x131, 0x134, 0x13e, 0x141, 0x148, 0x14a, 0x17e, 0x38e, 0x3a1, 0x3a3, 0x3ce, 0x401,
  0x40c, 0x40e, 0x44f, 0x451, 0x45c, 0x5d0, 0x5ea, 0x641, 0x64a, 0x3041, 0x3094, 0x30a1, 0x30fa, 0x4e00, 0x9fa5,
  0xac00, 0xd7a3,
];

/** Whether a character beyond ASCII may stand in a name. */
export function isNameLetter(code: number): boolean {
  for (let i = 0; i < LETTERS.length; i += 2) if (code >= LETTERS[i]! && code <= LETTERS[i + 1]!) return true;
  return false;
}

/** `Char` of XML 1.0. */
export function isXmlCharacter(code: number): boolean {
  return (
    (code >= 0x20 && code <= 0xd7ff) ||
    code === 0x09 ||
    code === 0x0a ||
    code === 0x0d ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff)
  );
}

/** XML white space. */
export function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** The five entities that XML defines. */
export const ENTITIES: Readonly<Record<string, string>> = Object.assign(Object.create(null), {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
});

/** What an attribute value that the scanner accepted means: references resolved, white space normalised. */
export function unescapeAttribute(value: string): string {
  if (value.includes('\n') || value.includes('\t') || value.includes('\r')) {
    value = value.replaceAll('\r\n', ' ').replace(/[\t\n\r]/g, ' ');
  }
  return unescape(value);
}

/** What character data that the scanner accepted means: references resolved, line ends normalised. */
export function unescapeText(value: string): string {
  return unescape(normalizeLineEnds(value));
}

/** Line ends as a parser hands them on (XML 1.0, section 2.11). */
export function normalizeLineEnds(value: string): string {
  return value.includes('\r') ? value.replaceAll('\r\n', '\n').replaceAll('\r', '\n') : value;
}

function unescape(value: string): string {
  if (!value.includes('&')) return value;
  return value.replace(/&(#x[0-9a-fA-F]+|#[0-9]+|[a-z]+);/g, (_, name: string) =>
    name[0] !== '#'
      ? ENTITIES[name]!
      : String.fromCodePoint(name[1] === 'x' ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10)),
  );
}
