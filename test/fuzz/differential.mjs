import { chunksOf, nextCase, random } from './corpus.mjs';
import { judge, meaningOf } from './judge.mjs';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Gives random documents to the scanner and to an independent parser. Whatever ours accepts the other
 * has to accept too, and both have to read the same; what ours cut out to stand alone has to mean alone
 * what it meant where it stood.
 * @param xml the module under test, `lib/xml`
 * @param {(document: string, kind: string) => void} [onAccepted] for further judges
 * @returns how many documents of each kind were accepted, and how many elements they held
 * @throws {Error} which names seed and number of the case, and the document
 */
export function fuzz(xml, seed, count, onAccepted = () => {}) {
  const seen = { frame: 0, stream: 0, body: 0, refused: 0, elements: 0 };
  for (let i = 0; i < count; i++) {
    // Each case has a seed of its own: it can be run again alone.
    const rng = random(Math.imul(seed + i, 0x9e3779b1));
    const { kind, source } = nextCase(rng);
    try {
      const accepted = CHECKS[kind](xml, source, rng, onAccepted);
      if (accepted === undefined) seen.refused++;
      else {
        seen[kind]++;
        seen.elements += accepted;
      }
    } catch (error) {
      throw new Error(`seed ${seed + i}, ${kind}: ${error.message}\n${JSON.stringify(source.toString('latin1'))}`, { cause: error });
    }
  }
  return seen;
}

/** Each takes a document; returns the number of top-level elements, undefined where it was refused. */
const CHECKS = {
  frame(xml, source, _rng, onAccepted) {
    const stanza = attempt(xml, () => xml.Stanza.parse(source, new xml.Scanner()));
    if (!stanza) return undefined;
    const text = utf8.decode(source);
    const { root, error } = judge(text);
    if (error) throw error;
    onAccepted(text);
    same(meaningOf(stanza), root);
    alone(xml, stanza, root);
    edited(xml, stanza, root);
    return 1;
  },

  body(xml, source, _rng, onAccepted) {
    const envelope = attempt(xml, () => xml.readEnvelope(source, new xml.Scanner(), 'jabber:client'));
    if (!envelope) return undefined;
    const text = utf8.decode(source);
    const { root, error } = judge(text, (uri, rootUri) => (uri === rootUri ? 'jabber:client' : uri));
    if (error) throw error;
    onAccepted(text);
    same([envelope.namespace, envelope.name], root.name);
    same([...envelope.attributes.values()].sort(), root.attributes.map(([, , value]) => value).sort());
    same(envelope.children.length, root.children.length);
    same(root.text.trim(), '');
    envelope.children.forEach((child, i) => alone(xml, child, root.children[i]));
    return envelope.children.length;
  },

  stream(xml, source, rng, onAccepted) {
    const found = [];
    const seen = [];
    const splitter = (elements) => {
      const handler = { onHeader: () => elements.push('header'), onElement: (stanza) => elements.push(stanza), onClose: () => elements.push('close') };
      return new xml.StreamSplitter(handler, 1_000_000);
    };
    const whole = splitter(found);
    attempt(xml, () => whole.push(source));
    const pieces = splitter(seen);
    attempt(xml, () => chunksOf(rng, source).forEach((chunk) => pieces.push(chunk)));
    same(seen.map(String), found.map(String));
    const stanzas = found.filter((item) => typeof item !== 'string');
    if (found.length === 0) return undefined;
    // The other parser reads text: as far as the bytes are text. White space before a declaration, left
    // over from the stream before a restart, is none of XML's business.
    const { root } = judge(longestText(source).replace(/^[ \t\r\n]+/, ''));
    if (!root) throw new Error('a header that the other parser refuses');
    stanzas.forEach((stanza, i) => {
      if (!root.children[i]?.closed) throw new Error('an element that the other parser refuses');
      alone(xml, stanza, root.children[i]);
    });
    onAccepted(stanzas.map(String).at(-1) ?? '<none/>');
    return stanzas.length;
  },
};

/** What stands alone means what it meant where it stood, to both parsers, and so does what is made of it. */
function alone(xml, stanza, expected) {
  const { bytes } = stanza;
  same(bytes.length, stanza.byteLength);
  const { root, error } = judge(utf8.decode(bytes));
  if (error) throw error;
  same(root, expected);
  same(meaningOf(stanza), expected);
  same(meaningOf(xml.Stanza.parse(bytes, new xml.Scanner())), expected);
  stanza.children().forEach((child, i) => same(judge(child.toString()).root, expected.children[i]));
}

/** Changed stanzas say what they should, and so does one that went through a tree. */
function edited(xml, stanza, expected) {
  same(judge(xml.Stanza.of(stanza.element).toString()).root, expected);
  const value = `"'<>&\t\r\n é`;
  const changed = judge(stanza.with({ fuzzed: value }).toString()).root;
  same(changed.attributes.find(([uri, local]) => uri === '' && local === 'fuzzed')[2], value);
  same(
    { ...changed, attributes: changed.attributes.filter(([, local]) => local !== 'fuzzed') },
    { ...expected, attributes: expected.attributes.filter(([, local]) => local !== 'fuzzed') },
  );
  const half = judge(stanza.mapChildren((child) => (child.name === 'a' ? undefined : child)).toString()).root;
  same(half, { ...expected, children: expected.children.filter(({ name }) => name[1] !== 'a') });
}

function longestText(source) {
  for (let end = source.length; ; end--) {
    try {
      return utf8.decode(source.subarray(0, end));
    } catch {
      // one byte less
    }
  }
}

function attempt(xml, act) {
  try {
    return act();
  } catch (error) {
    if (error instanceof xml.XmlError) return undefined;
    throw error;
  }
}

function same(actual, expected) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`they differ\n  ours:  ${a}\n  other: ${b}`);
}
