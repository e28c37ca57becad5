/**
 * The fuzzer: `npm run fuzz -- [--minutes N | --count N] [--seed N]`. Works on the built package.
 *
 * Random documents go through the gateway's code, and one in twenty through a gateway that runs; what it took and
 * what it handed on is read by saxes, expat, xmldom and ltx. Ends with 1 and the case at the first thing that is
 * wrong; that case alone: `npm run fuzz -- --count 1 --seed SEED`.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { readBody, writeBody } from '../../dist/bosh/body.js';
import { ManualClock } from '../../dist/clock.js';
import { Outbox } from '../../dist/upstream/tcp/outbox.js';
import { WebSocketClient } from '../../dist/websocket/client.js';
import { FrameReader } from '../../dist/websocket/frame-reader.js';
import { FrameWriter } from '../../dist/websocket/frame-writer.js';
import * as xml from '../../dist/xml/index.js';
import { requireTool } from '../support/tools.mjs';
import { fuzz } from './differential.mjs';
import { compare, Expat } from './parsers.mjs';
import { fuzzWire } from './wire-cases.mjs';
import { Wire } from './wire.mjs';

const CODE = { xml, WebSocketClient, FrameReader, FrameWriter, readBody, writeBody, Outbox, ManualClock };
const ROUND = 1000;
/** Of a round, through the gateway that runs. */
const WIRED = 50;
/** The parsers that are slow look at one document in so many. */
const LOOK_AT = 10;
const REPORT_EVERY = 60_000;

const { values } = parseArgs({
  options: { minutes: { type: 'string' }, count: { type: 'string' }, seed: { type: 'string' } },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
const count = values.minutes === undefined ? Number(values.count ?? 100_000) : Infinity;
const until = values.minutes === undefined ? Infinity : Date.now() + Number(values.minutes) * 60_000;
if (![seed, count === Infinity ? 0 : count, until === Infinity ? 0 : until].every(Number.isSafeInteger)) {
  process.stderr.write('--minutes, --count and --seed are numbers\n');
  process.exit(2);
}

const expat = new Expat(requireTool('python3'));
const wire = await Wire.start();
const total = { documents: 0 };
const started = Date.now();
let reported = started;
let looked = 0;
say(`seed ${seed}: ${count === Infinity ? `${values.minutes} minutes` : `${count} documents`}, read by saxes, expat, xmldom and ltx`);
try {
  while (total.documents < count && Date.now() < until) {
    const size = Math.min(ROUND, count - total.documents);
    const first = seed + total.documents;
    const documents = [];
    add(fuzz(CODE, first, size, (document) => documents.push(document)));
    for (let i = 0; i < documents.length; i++) {
      if (size > 1 && looked++ % LOOK_AT !== 0) continue;
      try {
        compare(documents[i]);
      } catch (error) {
        throw new Error(`seed ${first} to ${first + size - 1}: ${error.message}\n${JSON.stringify(documents[i])}`, { cause: error });
      }
    }
    await expat.compare(documents);
    add(await fuzzWire(CODE, wire, first, Math.min(WIRED, size)));
    total.documents += size;
    total.read = (total.read ?? 0) + documents.length;
    if (Date.now() - reported >= REPORT_EVERY) {
      reported = Date.now();
      say(`${minutes()} min: ${show()}`);
    }
  }
  say(`nothing wrong in ${minutes()} min: ${show()}`);
} catch (error) {
  process.stderr.write(`after ${minutes()} min and ${total.documents} documents: ${error.stack}\n`);
  process.exitCode = 1;
} finally {
  expat.close();
  await wire.close();
}

function add(seen) {
  for (const [kind, number] of Object.entries(seen)) total[kind] = (total[kind] ?? 0) + number;
}

function minutes() {
  return ((Date.now() - started) / 60_000).toFixed(1);
}

function show() {
  return Object.entries(total)
    .map(([kind, number]) => `${kind} ${number}`)
    .join(', ');
}

function say(text) {
  process.stdout.write(`${text}\n`);
}
