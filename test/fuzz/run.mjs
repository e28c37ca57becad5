/**
 * The fuzzer, for as long as somebody likes: `npm run build && node test/fuzz/run.mjs [count] [seed]`.
 * Works on the built package. Where there is a python3, its expat judges, too. Ends with 1 and the case
 * at the first thing that is wrong; that case alone: `node test/fuzz/run.mjs 1 SEED`.
 */
import { spawn, spawnSync } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import * as xml from '../../dist/xml/index.js';
import { fuzz } from './differential.mjs';
import { judge, sorted } from './judge.mjs';

const count = Number(process.argv[2] ?? 100_000);
const first = Number(process.argv[3] ?? Date.now() % 1_000_000_000);
const ROUND = 1000;

const expat = spawnSync('python3', ['-c', 'import xml.parsers.expat']).status === 0 ? startExpat() : undefined;
say(`${count} documents from seed ${first}, judged by saxes${expat ? ' and expat' : '; no python3 with expat here'}`);

const total = {};
try {
  for (let done = 0; done < count; done += ROUND) {
    const accepted = [];
    const seen = fuzz(xml, first + done, Math.min(ROUND, count - done), (document) => accepted.push(document));
    for (const [kind, number] of Object.entries(seen)) total[kind] = (total[kind] ?? 0) + number;
    if (expat) await expat.judge(accepted);
    if (process.stdout.isTTY) process.stdout.write(`\r${done + ROUND}`);
  }
  say(`${process.stdout.isTTY ? '\r' : ''}nothing wrong: ${inspect(total, { breakLength: Infinity })}`);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  expat?.end();
}

function say(text) {
  process.stdout.write(`${text}\n`);
}

function startExpat() {
  const child = spawn('python3', [fileURLToPath(new URL('expat.py', import.meta.url))], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    /** Reads documents that the scanner accepted and compares with what saxes reads. */
    async judge(documents) {
      for (const document of documents) {
        const bytes = Buffer.from(document);
        child.stdin.write(`${bytes.length}\n`);
        child.stdin.write(bytes);
      }
      for (const document of documents) {
        const read = JSON.parse((await lines.next()).value);
        if (!read) throw new Error(`expat refuses what we accept: ${JSON.stringify(document)}`);
        const [ours, theirs] = [judge(document).root, read].map((root) => JSON.stringify(normal(root)));
        if (ours !== theirs) throw new Error(`expat differs: ${JSON.stringify(document)}\n  saxes: ${ours}\n  expat: ${theirs}`);
      }
    },
    end: () => child.stdin.end(),
  };
}

function normal({ name, attributes, text, children }) {
  return { name, attributes: sorted(attributes), text, children: children.map(normal) };
}
