const SPECIAL = /[&<>"'\t\n\r]/;
const ALL_SPECIAL = /[&<>"'\t\n\r]/g;
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** Escapes a string for an attribute value in either kind of quotes. */
export function escapeAttribute(value: string): string {
  return SPECIAL.test(value) ? value.replace(ALL_SPECIAL, (char) => ESCAPES[char]!) : value;
}

/** Escapes a string for character data. */
export function escapeText(value: string): string {
  return /[&<>\r]/.test(value) ? value.replace(/[&<>\r]/g, (char) => ESCAPES[char]!) : value;
}
