/**
 * Whether time is linear in the size of the input, for what is accepted and for what is refused:
 * `npm run build && node bench/linear.mjs [seconds per cell]`.
 *
 * Each shape is the worst of its kind that the limits allow, repeated until the document has its size. `parse` is a
 * WebSocket message, `body` a BOSH request, `split` a TCP stream that comes whole, `pieces` one that comes in a
 * thousand pieces, `tree` the same as a tree, for hooks. Prints microseconds for each KiB at 128 KiB and at eight times
 * that, more than any limit lets in from a client, and how many times more a KiB of the large one costs; more than
 * three times is too much, and ends it with 1.
 */
import process from 'node:process';
import { DEFAULT_LIMITS, NS, readEnvelope, Scanner, Stanza, StreamSplitter, XmlError } from '../dist/xml/index.js';

const seconds = Number(process.argv[2] ?? 0.3);
const SMALL = 128 * 1024;
const LARGE = 1024 * 1024;
const TOO_MUCH = 3;

const scanner = new Scanner(DEFAULT_LIMITS);
const fill = (piece, bytes) => piece.repeat(Math.max(1, Math.ceil(bytes / Buffer.byteLength(piece))));
const series = (count, piece) => Array.from({ length: count }, (_, i) => piece(i)).join('');
const long = (count, last) => series(count, (i) => ` ${'a'.repeat(240)}${last(i)}=""`);
const message = (inside) => `<message xmlns="jabber:client">${inside}</message>`;
const repeated = (piece) => (bytes) => message(fill(piece, bytes));
/** A prefix that is looked for among as many as there may be, of its own length. */
const CROWD = (first) => series(14, (i) => ` xmlns:${'p'.repeat(60)}${first + i}="u"`);
const FIRST = `${'p'.repeat(60)}10`;
const crowded = (piece) => (bytes) => message(`<a${CROWD(10)}><b${CROWD(24)}>${fill(piece, bytes)}</b></a>`);

/** How a document of about so many bytes is made. */
const ACCEPTED = {
  'text': repeated('Neither, fair saint, if either thee dislike. '),
  'text beyond ASCII': repeated('床前明月光，疑是地上霜。'),
  'text that is nearly illegal': repeated('\ufffd\uffef]]'),
  'references': repeated('&amp;&#65;&#x1F600;&apos;'),
  'brackets': repeated(']] ]'),
  'CDATA sections': repeated('<![CDATA[]]]]><![CDATA[>]]>'),
  'one CDATA section': (bytes) => message(`<![CDATA[${fill(']] ', bytes)}]]>`),
  'empty elements': repeated('<a/>'),
  'nesting, 63 deep': repeated('<a>'.repeat(63) + '</a>'.repeat(63)),
  'long names': repeated(`<${'a'.repeat(256)}/>`),
  'long names beyond ASCII': repeated(`<${'語'.repeat(85)}/>`),
  'attributes, 100 each': repeated(`<a${series(100, (i) => ` a${i}=""`)}/>`),
  'attributes with long names that differ at the end': repeated(`<a${long(100, (i) => String(i).padStart(3, '0'))}/>`),
  'attributes with prefixes': repeated(`<a xmlns:p="u" xmlns:q="u${'v'.repeat(200)}"${series(49, (i) => ` p:a${i}="" q:a${i}=""`)}/>`),
  'one long attribute': (bytes) => message(`<a b="${fill('\t&amp;é ', bytes)}"/>`),
  'namespaces, 15 each': repeated(`<a${series(15, (i) => ` xmlns:n${i}="u"`)}/>`),
  'namespaces, nested': repeated(series(30, (i) => `<a xmlns:n${i % 15}="u">`) + '</a>'.repeat(30)),
  'prefixes among many': crowded(`<${FIRST}:a/>`),
  'attributes with prefixes among many': crowded(`<a${series(50, (i) => ` ${FIRST}:a${i}=""`)}/>`),
};

/** The same, with a fault at the very end. */
const REFUSED = {
  'an element without an end': (bytes) => `<message xmlns="jabber:client">${fill('x ', bytes)}`,
  'a tag without an end': (bytes) => `<message xmlns="jabber:client" a="${fill('x ', bytes)}"`,
  'an attribute without an end': (bytes) => `<message xmlns="jabber:client" a="${fill('x ', bytes)}`,
  'a name without an end': (bytes) => message(`<${fill('a', bytes)}`),
  'a CDATA section without an end': (bytes) => message(`<![CDATA[${fill(']]', bytes)}`),
  'an end tag without an end': (bytes) => `<message xmlns="jabber:client"></message${fill(' ', bytes)}`,
  'white space in a tag': (bytes) => `<message${fill(' ', bytes)}`,
  'depth without an end': (bytes) => fill('<a>', bytes),
  'attributes without an end': (bytes) => `<message xmlns="jabber:client"${fill(' a', bytes)}`,
  'UTF-8 that breaks at the end': (bytes) => Buffer.concat([Buffer.from('<message xmlns="jabber:client">'), Buffer.from(fill('é', bytes)), Buffer.from([0xc3]), Buffer.from('</message>')]),
  'many elements, the last one open': (bytes) => message(`${fill('<a><b/></a>', bytes)}<a>`),
  'a declaration without an end': (bytes) => `<?xml ${fill('version="1.0" ', bytes)}`,
  'a comment': (bytes) => message(`<!--${fill('-', bytes)}`),
  'a DTD': (bytes) => `<!DOCTYPE a [${fill('<!ENTITY a "b">', bytes)}]>`,
};

const BODY = [`<body rid="1" sid="s" xmlns="${NS.httpbind}" xmlns:stream="${NS.streams}">`, '</body>'];
const HEADER = Buffer.from(`<stream:stream xmlns="jabber:client" xmlns:stream="${NS.streams}" id="1" version="1.0">`);

function split(document, chunks) {
  const splitter = new StreamSplitter({ onHeader() {}, onElement() {}, onClose() {} }, 1 << 30);
  splitter.push(HEADER);
  for (const chunk of chunks) splitter.push(chunk);
}

function cut(document, count) {
  const size = Math.max(1, Math.ceil(document.length / count));
  const chunks = [];
  for (let at = 0; at < document.length; at += size) chunks.push(document.subarray(at, at + size));
  return chunks;
}

const WAYS = {
  parse: (document) => () => Stanza.parse(document, scanner),
  body(document) {
    const whole = Buffer.concat([Buffer.from(BODY[0]), document, Buffer.from(BODY[1])]);
    return () => readEnvelope(whole, scanner, NS.client);
  },
  split: (document) => () => split(document, [document]),
  pieces(document) {
    const chunks = cut(document, 1000);
    return () => split(document, chunks);
  },
  tree: (document) => () => void Stanza.parse(document, scanner).element,
};

/** @returns microseconds for a KiB: the best of many runs, so that the machine's other work is left out */
function cost(run, document) {
  const attempt = () => {
    try {
      run();
    } catch (error) {
      if (!(error instanceof XmlError)) throw error;
    }
  };
  let best = Infinity;
  const end = performance.now() + seconds * 1000;
  for (let rounds = 0; rounds < 5 || performance.now() < end; rounds++) {
    const start = performance.now();
    attempt();
    best = Math.min(best, performance.now() - start);
  }
  return (best * 1000) / (document.length / 1024);
}

const bad = [];
let worst = { kib: 0 };
console.log(`${'µs/KiB at 128 KiB, at 1 MiB'.padEnd(52)}${Object.keys(WAYS).map((way) => way.padStart(24)).join('')}`);
for (const [kind, shapes] of Object.entries({ accepted: ACCEPTED, refused: REFUSED })) {
  for (const [name, shape] of Object.entries(shapes)) {
    const cells = Object.entries(WAYS).map(([way, prepare]) => {
      if (way === 'tree' && kind === 'refused') return '';
      const [few, many] = [SMALL, LARGE].map((bytes) => Buffer.from(shape(bytes)));
      let [small, large, times] = [0, 0, Infinity];
      // Other work on the machine may be in the way once.
      for (let tries = 0; tries < 3 && times > TOO_MUCH; tries++) {
        small = cost(prepare(few), few);
        large = cost(prepare(many), many);
        // What is refused at its beginning costs nothing, however large it is.
        times = large / Math.max(small, 0.05);
      }
      if (times > TOO_MUCH) bad.push(`${kind}: ${name}, ${way}: ${times.toFixed(1)} times`);
      if (way !== 'tree' && large > worst.kib) worst = { kib: large, name: `${name}, ${way}` };
      return `${small.toFixed(2)} ${large.toFixed(2)} x${times.toFixed(1)}`;
    });
    console.log(`${`${kind}: ${name}`.padEnd(52)}${cells.map((cell) => cell.padStart(24)).join('')}`);
  }
}
console.log(`\nthe slowest: ${worst.name}, ${(1000 / 1.024 / worst.kib).toFixed(1)} MB/s`);
if (bad.length > 0) {
  console.error(`more than linear:\n  ${bad.join('\n  ')}`);
  process.exitCode = 1;
}
