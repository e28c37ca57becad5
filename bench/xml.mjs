/**
 * How fast XML passes: `npm run build && node bench/xml.mjs [seconds per case]`.
 *
 * `parse` is a WebSocket message (scan, make a Stanza), `split` is a TCP stream in chunks of 64 KiB
 * (split, scan, make a Stanza), `pieces` the same stream in chunks of 37 bytes, `body` a BOSH request.
 * Prints MB/s, and microseconds for each document.
 */
import { DEFAULT_LIMITS, NS, readEnvelope, Scanner, Stanza, StreamSplitter } from '../dist/xml/index.js';

const seconds = Number(process.argv[2] ?? 1);

const message =
  `<message xmlns="jabber:client" to="juliet@example.org/balcony" from="romeo@example.org/orchard" type="chat" id="m1a2b3c4">` +
  `<body>Neither, fair saint, if either thee dislike.</body><active xmlns="http://jabber.org/protocol/chatstates"/>` +
  `<request xmlns="urn:xmpp:receipts"/><markable xmlns="urn:xmpp:chat-markers:0"/></message>`;
const bare =
  `<message xmlns="jabber:client" to="juliet@example.org/balcony" from="romeo@example.org/orchard" type="chat" id="m1a2b3c4">` +
  `<body>${'Neither, fair saint, if either thee dislike. '.repeat(4).slice(0, 160)}</body></message>`;
const roster =
  `<iq xmlns="jabber:client" type="result" id="r1"><query xmlns="jabber:iq:roster" ver="ver14">` +
  Array.from(
    { length: 200 },
    (_, i) => `<item jid="contact${i}@example.org" name="Contact &amp; Friend ${i}" subscription="both"><group>Friends</group></item>`,
  ).join('') +
  `</query></iq>`;
const text = (content, bytes) => {
  const body = content.repeat(Math.ceil(bytes / Buffer.byteLength(content)));
  return `<message xmlns="jabber:client" to="juliet@example.org" type="chat"><body>${body}</body></message>`;
};
const presences = Array.from(
  { length: 200 },
  (_, i) =>
    `<presence xmlns="jabber:client" from="room@muc.example.org/nick${i}" to="romeo@example.org/orchard" id="p${i}">` +
    `<show>away</show><c xmlns="http://jabber.org/protocol/caps" hash="sha-1" node="https://client.example.org" ver="QgayPKawpkPSDYmwT/WM94uAlu0="/>` +
    `<x xmlns="http://jabber.org/protocol/muc#user"><item affiliation="member" role="participant" jid="user${i}@example.org/r"/></x></presence>`,
);

const cases = {
  'message, 300 B, plain': [bare],
  'message, 350 B, extensions': [message],
  'roster, 23 kB': [roster],
  'text, 100 kB, ASCII': [text('Neither, fair saint, if either thee dislike. ', 100_000)],
  'text, 100 kB, Cyrillic': [text('Я вас любил: любовь ещё, быть может, ', 100_000)],
  'text, 100 kB, Chinese': [text('床前明月光，疑是地上霜。', 100_000)],
  'presences, 200': presences,
};

const HEADER = Buffer.from(
  `<?xml version='1.0'?><stream:stream xmlns="jabber:client" xmlns:stream="${NS.streams}" id="1" version="1.0">`,
);
const scanner = new Scanner(DEFAULT_LIMITS);

function chunksOf(documents, size) {
  const whole = Buffer.from(documents.map((document) => document.replace(' xmlns="jabber:client"', '')).join(''));
  const chunks = [];
  for (let at = 0; at < whole.length; at += size) chunks.push(whole.subarray(at, at + size));
  return { bytes: whole.length, chunks };
}

function stream(documents, size) {
  const { bytes, chunks } = chunksOf(documents, size);
  const splitter = new StreamSplitter({ onHeader() {}, onElement() {}, onClose() {} }, 1 << 20);
  splitter.push(HEADER);
  return { bytes, run: () => chunks.forEach((chunk) => splitter.push(chunk)) };
}

const ways = {
  parse(documents) {
    const frames = documents.map((document) => Buffer.from(document));
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    return {
      bytes,
      run() {
        for (const frame of frames) Stanza.parse(frame, scanner);
      },
    };
  },
  split: (documents) => stream(documents, 65_536),
  pieces: (documents) => stream(documents, 37),
  body(documents) {
    const body = Buffer.from(
      `<body rid="1" sid="abc" xmlns="${NS.httpbind}" xmlns:stream="${NS.streams}">${documents.join('')}</body>`,
    );
    return { bytes: body.length, run: () => readEnvelope(body, scanner, NS.client) };
  },
};

function measure({ bytes, run }, documents) {
  const until = performance.now() + seconds * 250;
  while (performance.now() < until) run();
  let best = Infinity;
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    // The best of many short runs: what the machine's other work adds is left out.
    const rounds = Math.max(1, Math.ceil(2_000_000 / bytes));
    const start = performance.now();
    for (let i = 0; i < rounds; i++) run();
    best = Math.min(best, (performance.now() - start) / rounds);
  }
  return `${String(Math.round(bytes / best / 1000)).padStart(5)} MB/s ${((best * 1000) / documents).toFixed(2).padStart(8)} µs`;
}

console.log(''.padEnd(28) + Object.keys(ways).map((name) => name.padStart(22)).join(''));
for (const [name, documents] of Object.entries(cases)) {
  const cells = Object.values(ways).map((way) => measure(way(documents), documents.length).padStart(22));
  console.log(name.padEnd(28) + cells.join(''));
}
