import { chunksOf, nextCase, random } from './corpus.mjs';
import { judge } from './judge.mjs';
import { caseSeed } from './differential.mjs';
import { passage } from './passage.mjs';

const STREAMS = 'http://etherx.jabber.org/streams';

/**
 * Random documents through a gateway that runs: it does what its code does without sockets, whose meaning
 * {@link fuzz} has looked at.
 * @returns how many documents were sent, and how many elements arrived
 */
export async function fuzzWire(code, wire, seed, count) {
  const way = passage(code);
  const seen = { wired: 0, arrived: 0 };
  for (let i = 0; i < count; i++) {
    const rng = random(caseSeed(seed + i));
    const { kind, source } = nextCase(rng);
    try {
      seen.arrived += await CASES[kind](way, wire, source, rng);
      seen.wired++;
    } catch (error) {
      throw new Error(`seed ${seed + i}, ${kind} on the wire: ${error.message}\n${JSON.stringify(source.toString('latin1'))}`, { cause: error });
    }
  }
  return seen;
}

const CASES = {
  async frame(way, wire, source) {
    const { sent, open } = way.frame(source);
    const seen = await wire.frame(source);
    same(seen, { elements: judge(way.toServer(sent)).root.children, open });
    return seen.elements.length;
  },

  async body(way, wire, original) {
    // One that creates a session would be another story.
    const source = Buffer.from(original.toString('latin1').replace(/(\s)to(?=\s*=)/g, '$1at'), 'latin1');
    const sent = way.body(source);
    const seen = await wire.body(source);
    if (!sent) {
      same(seen.elements, []);
    } else if (seen.elements.length > 0 || (FITS.test(source.toString('latin1')) && isPlain(judge(source.toString()).root))) {
      same(seen, { elements: judge(way.toServer(sent)).root.children, open: true });
    }
    return seen.elements.length;
  },

  async stream(way, wire, source, rng) {
    const [stanzas = []] = way.stream([source]);
    const { header } = stanzas;
    const chunks = chunksOf(rng, source);
    const seen = await wire.stream(chunks, rng() < 0.5 ? 'websocket' : 'bosh');
    const expected = way
      .toWebSocket(header?.name === 'stream' && header.namespace === STREAMS ? upToError(stanzas) : [])
      .map((message) => judge(message).root);
    same(seen, expected.filter(({ name }) => name[0] !== STREAMS && name[0] !== FRAMING));
    return seen.length;
  },
};

const FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing';
const PLAIN = new Set(['rid', 'sid', 'lang', 'at', 'version']);

/** What the harness knows to put the session's own values into. */
const FITS = /^(?=[^>]*\ssid=['"]s['"])[^>]*\srid=['"]\d/;

/** A request that says nothing but its number and what it carries. */
function isPlain({ attributes }) {
  const value = (name) => attributes.find(([uri, local]) => uri === '' && local === name)?.[2];
  return value('sid') === 's' && /^\d+$/.test(value('rid')) && attributes.every(([, local]) => PLAIN.has(local));
}

/** A stream error ends the stream, and what a client takes for `<close/>` ends its connection. */
function upToError(stanzas) {
  const end = stanzas.findIndex(({ namespace, name }) => namespace === FRAMING || (namespace === STREAMS && name === 'error'));
  return end < 0 ? stanzas : stanzas.slice(0, end);
}

function same(actual, expected) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`they differ\n  arrived: ${a}\n  meant:   ${b}`);
}
