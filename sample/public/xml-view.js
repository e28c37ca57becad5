const MASK = '••••';
/** Elements whose text is a secret: SASL (RFC 6120 and XEP-0388), passwords, tokens. */
const SECRET_TEXT = new Set([
  'auth', 'challenge', 'response', 'success', 'initial-response', 'additional-data', 'password', 'digest', 'token', 'key', 'ticket',
]);
/** Attributes that are one, by local name of element and attribute: whoever has them has the session. */
const SECRET_ATTRIBUTE = {
  body: new Set(['sid', 'key', 'newkey', 'ticket']),
  open: new Set(['key', 'newkey', 'ticket']),
  token: new Set(['token']),
  enabled: new Set(['id']),
  resume: new Set(['previd']),
  resumed: new Set(['previd']),
};

const TOKEN = /<!\[CDATA\[[^]*?\]\]>|<[!?][^]*?>|<\/?[^\s/>]+(?:"[^"]*"|'[^']*'|[^'">])*>|[^<]+|</g;
const ATTRIBUTE = /(\s+)([^\s=]+)(\s*=\s*)("[^"]*"|'[^']*')/g;

/**
 * @typedef {{ kind: string, text: string }} Part a run of characters of one colour
 * @typedef {{ type: 'open' | 'close' | 'empty' | 'text', name: string, parts: Part[] }} Token
 */

/**
 * The text cut into tokens, secrets masked, every other character as it came.
 * @param {string} xml
 * @returns {Token[]}
 */
export function tokenize(xml) {
  const path = [];
  return (xml.match(TOKEN) ?? []).map((text) => {
    if (text[0] !== '<' || text.length === 1 || /^<[!?]/.test(text)) {
      const secret = SECRET_TEXT.has(path.at(-1)) && text.trim() !== '';
      return { type: 'text', name: '', parts: [secret ? { kind: 'mask', text: MASK } : { kind: 'text', text }] };
    }
    const [, slash, name, rest, end] = /^<(\/?)([^\s/>]+)([^]*?)(\/?>)$/.exec(text);
    const local = localName(name);
    const type = slash ? 'close' : end === '/>' ? 'empty' : 'open';
    if (type === 'open') path.push(local);
    if (type === 'close') path.pop();
    return { type, name, parts: [{ kind: 'mark', text: `<${slash}` }, { kind: 'tag', text: name }, ...attributes(local, rest), { kind: 'mark', text: end }] };
  });
}

function attributes(element, text) {
  const parts = [];
  let at = 0;
  for (const { 0: whole, 1: space, 2: name, 3: equals, 4: value, index } of text.matchAll(ATTRIBUTE)) {
    if (index > at) parts.push({ kind: 'mark', text: text.slice(at, index) });
    const secret = SECRET_ATTRIBUTE[element]?.has(localName(name)) && value.length > 2;
    const quote = value[0];
    parts.push({ kind: 'mark', text: space }, { kind: 'name', text: name }, { kind: 'mark', text: equals });
    if (secret) parts.push({ kind: 'mark', text: quote }, { kind: 'mask', text: MASK }, { kind: 'mark', text: quote });
    else parts.push({ kind: 'value', text: value });
    at = index + whole.length;
  }
  if (at < text.length) parts.push({ kind: 'mark', text: text.slice(at) });
  return parts;
}

function localName(name) {
  return name.slice(name.indexOf(':') + 1);
}

/**
 * @param {Token[]} tokens
 * @param {{ pretty: boolean, limit: number }} options pretty: each element on a line of its own, indented; nothing
 *   else changes. limit: characters shown.
 * @returns {DocumentFragment}
 */
export function render(tokens, { pretty, limit }) {
  const fragment = document.createDocumentFragment();
  let line = newLine(fragment, 0);
  let depth = 0;
  let shown = 0;
  tokens.forEach((token, index) => {
    if (shown > limit) return;
    if (token.type === 'close') depth = Math.max(0, depth - 1);
    if (pretty && index > 0 && breaksBefore(tokens, index)) line = newLine(fragment, depth);
    for (const { kind, text } of token.parts) {
      const span = document.createElement('span');
      span.className = `x-${kind}`;
      span.textContent = text;
      line.append(span);
      shown += text.length;
    }
    if (token.type === 'open') depth++;
  });
  if (shown > limit) newLine(fragment, 0).append('… cut here: the frame goes on');
  return fragment;
}

/** A block, so that the rest of a long line can hang below its own beginning. */
function newLine(fragment, depth) {
  const line = document.createElement('span');
  line.className = 'line';
  line.style.setProperty('--depth', String(depth));
  fragment.append(line);
  return line;
}

/** Text, and the tags right beside it, stay on one line: a line break there would read as part of the text. */
function breaksBefore(tokens, index) {
  const [before, token] = [tokens[index - 1], tokens[index]];
  if (token.type === 'text' || before.type === 'text') return false;
  return !(before.type === 'open' && token.type === 'close');
}

/** The name of the outermost element and, for a BOSH body, of what is in it: `body › message`. */
export function title(tokens) {
  const [outer, inner] = tokens.filter(({ type }) => type === 'open' || type === 'empty');
  if (outer === undefined) return 'text';
  return outer.name === 'body' && inner !== undefined ? `body › ${inner.name}` : outer.name;
}
