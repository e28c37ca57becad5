import { chunksOf, nextCase, random } from './corpus.mjs';
import { adopted, isPrefixed, judge, meaningOf } from './judge.mjs';
import { passage } from './passage.mjs';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const CLIENT = 'jabber:client';
const HTTPBIND = 'http://jabber.org/protocol/httpbind';
const STREAMS = 'http://etherx.jabber.org/streams';
const FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing';

/**
 * Gives random documents to the gateway's code and to an independent parser. Whatever ours accepts the other
 * has to accept too, and both have to read the same; what ours hands on has to mean, where it arrives, what the
 * sender's own document meant: the same elements, and nothing more.
 * @param code the modules under test; see {@link passage}
 * @param {(document: string) => void} [onAccepted] for further judges: what came in, and what went out
 * @returns how many documents of each kind were accepted, and how many elements they held
 * @throws {Error} which names seed and number of the case, and the document
 */
export function fuzz(code, seed, count, onAccepted = () => {}) {
  const way = passage(code);
  const seen = { frame: 0, stream: 0, body: 0, refused: 0, elements: 0 };
  for (let i = 0; i < count; i++) {
    // Each case has a seed of its own: it can be run again alone.
    const rng = random(caseSeed(seed + i));
    const next = nextCase(rng);
    try {
      const accepted = CHECKS[next.kind](code.xml, way, next, rng, onAccepted);
      if (accepted === undefined) seen.refused++;
      else {
        seen[next.kind]++;
        seen.elements += accepted;
      }
    } catch (error) {
      throw new Error(`seed ${seed + i}, ${next.kind}: ${error.message}\n${JSON.stringify(next.source.toString('latin1'))}`, { cause: error });
    }
  }
  return seen;
}

export const caseSeed = (number) => Math.imul(number, 0x9e3779b1);

/** Each takes a document; returns the number of top-level elements, undefined where it was refused. */
const CHECKS = {
  frame(xml, way, { source }, rng, onAccepted) {
    const stanza = attempt(xml, () => xml.Stanza.parse(source, new xml.Scanner()));
    const { sent, open } = way.frame(source, (bytes) => chunksOf(rng, bytes));
    if (!stanza) {
      same(sent.map(String), []);
      if (open && !/^[ \t\r\n]*$/.test(source.toString('latin1'))) throw new Error('a stream goes on after a faulty message');
      return undefined;
    }
    const text = utf8.decode(source);
    const { root, error } = judge(text);
    if (error) throw error;
    onAccepted(text);
    same(meaningOf(stanza), root);
    alone(xml, stanza, root);
    edited(xml, stanza, root);
    const passes = stanza.namespace !== FRAMING && (stanza.namespace !== STREAMS || stanza.name === 'error');
    arrives(way, sent, passes ? [atHome(root)] : [], onAccepted);
    return 1;
  },

  body(xml, way, { source }, _rng, onAccepted) {
    const envelope = attempt(xml, () => xml.readEnvelope(source, new xml.Scanner(), CLIENT));
    const sent = way.body(source);
    if (!envelope) {
      same(sent, undefined);
      return undefined;
    }
    const text = utf8.decode(source);
    const { root, error } = judge(text, (uri, rootUri) => (uri === rootUri ? CLIENT : uri));
    if (error) throw error;
    onAccepted(text);
    same([envelope.namespace, envelope.name], root.name);
    same([...envelope.attributes.values()].sort(), root.attributes.map(([, , value]) => value).sort());
    same(envelope.children.length, root.children.length);
    same(root.text.trim(), '');
    envelope.children.forEach((child, i) => alone(xml, child, root.children[i]));
    if (sent) {
      same(root.name, [HTTPBIND, 'body']);
      arrives(way, sent, root.children.map(outOfBody), onAccepted);
    }
    return envelope.children.length;
  },

  stream(xml, way, { source, next }, rng, onAccepted) {
    const [whole, pieces] = [
      [[source], next && [next]],
      [chunksOf(rng, source), next && chunksOf(rng, next)],
    ].map(([chunks, more]) => way.stream(chunks, more));
    same(pieces.map((stanzas) => stanzas.map(String)), whole.map((stanzas) => stanzas.map(String)));
    if (whole.length === 0) return undefined;
    let count = 0;
    whole.forEach((stanzas, i) => {
      // The other parser reads text: as far as the bytes are text. White space before a declaration, left
      // over from the stream before a restart, is none of XML's business.
      const { root } = judge(longestText(i === 0 ? source : next).replace(/^[ \t\r\n]+/, ''));
      if (!root) throw new Error('a header that the other parser refuses');
      const expected = root.children.slice(0, stanzas.length);
      stanzas.forEach((stanza, at) => {
        if (!expected[at]?.closed) throw new Error('an element that the other parser refuses');
        alone(xml, stanza, expected[at]);
      });
      for (const [at, message] of way.toWebSocket(stanzas).entries()) {
        onAccepted(message);
        same(judge(message).root, expected[at]);
      }
      const body = way.toBosh(stanzas);
      onAccepted(body);
      const answer = judge(body);
      if (answer.error) throw answer.error;
      same([answer.root.name, answer.root.text, answer.root.children], [[HTTPBIND, 'body'], '', expected]);
      count += stanzas.length;
    });
    return count;
  },
};

/** A top-level element of a client in no namespace is meant for the stream's. */
function atHome(element) {
  return element.name[0] === '' ? adopted(element, CLIENT) : element;
}

/** In a body, so is one in the body's own (XEP-0206, section 2). */
function outOfBody(element) {
  return element.name[0] === HTTPBIND && !isPrefixed(element) ? adopted(element, CLIENT) : atHome(element);
}

/** What a server reads is what its client meant. */
function arrives(way, sent, expected, onAccepted) {
  const text = way.toServer(sent);
  onAccepted(text);
  const { root, error } = judge(text);
  if (error) throw error;
  same([root.text, root.children], ['', expected]);
}

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
