/**
 * The soak: `npm run soak -- [--minutes N] [--seed N] [--upstream embedded|prosody] [--platform express|fastify]
 * [--people N] [--households N] [--cut-server SECONDS] [--log DIRECTORY]`. Ends with 1 when a message was lost, doubled or reordered where its transport lived,
 * when a stream ended that nothing was done to, or when memory, sockets or timers do not return to their start.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { rootOf } from './gateway.js';
import { show, soak } from './soak.js';
import { verdict } from './verdict.js';

const { values } = parseArgs({
  options: {
    'minutes': { type: 'string', default: '1' },
    'warm-up': { type: 'string' },
    'seed': { type: 'string', default: String(Date.now() % 1_000_000) },
    'upstream': { type: 'string', default: 'embedded' },
    'platform': { type: 'string', default: 'express' },
    'people': { type: 'string', default: '24' },
    'cut-server': { type: 'string', default: '0' },
    'log': { type: 'string' },
    'households': { type: 'string', default: '3' },
  },
});
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const minutes = Number(values.minutes);
const { upstream, platform } = values;
if ((upstream !== 'embedded' && upstream !== 'prosody') || (platform !== 'express' && platform !== 'fastify') || !(minutes > 0)) {
  process.stderr.write('--upstream is embedded or prosody, --platform express or fastify, --minutes a number\n');
  process.exit(2);
}

say(`seed ${values.seed}: ${values.people} people and ${values.households} households for ${minutes} min, ${upstream} behind ${platform}`);
const started = Date.now();
const result = await soak({
  duration: minutes * 60_000,
  warmUp: Number(values['warm-up'] ?? Math.min(60, 10 + minutes * 6)) * 1000,
  seed: Number(values.seed),
  upstream,
  cutEvery: Number(values['cut-server']) * 1000,
  platform,
  people: Number(values.people),
  households: Number(values.households),
  root: rootOf(import.meta.url),
  say,
});
const { account, comparison, counts, before, after } = result;
say(`\n${Object.entries(counts).sort().map(([what, number]) => `${what}: ${number}`).join('; ')}`);
say(
  `messages: ${account.sent} sent, ${account.received} received, ${account.bounced} bounced, ${account.unconfirmed} of senders that were cut off ` +
    `and never confirmed, ${account.crossed} crossed with receivers who left without stream management, ${account.lostWithReceiver} lost with receivers that were cut off; ${account.overtaken} waited in the server's store and came behind newer ones`,
);
if (account.server && comparison) {
  const { lost, doubled, reordered } = account.server;
  say(
    `compared with what the server sent and got: ${comparison.streams} streams, ${comparison.elements} elements, ${comparison.faults.length} faults; ` +
      `the server itself: ${reordered} reordered, ${doubled} doubled, ${lost} lost`,
  );
}
say(`before: ${show(before)}\nafter:  ${show(after)}`);
const faults = verdict(result);
for (const fault of faults.slice(0, 25)) say(`FAULT: ${fault}`);
if (faults.length > 35) say('…');
for (const fault of faults.slice(Math.max(25, faults.length - 10))) say(`FAULT: ${fault}`);
if (values.log !== undefined) {
  mkdirSync(values.log, { recursive: true });
  if (account.server) writeFileSync(join(values.log, 'server.log'), `${account.server.notes.join('\n')}\n`);
  for (const [user, history] of result.histories) writeFileSync(join(values.log, `${user}.log`), `${history.join('\n')}\n`);
}
say(`${faults.length === 0 ? 'nothing wrong' : `${faults.length} faults`} in ${((Date.now() - started) / 60_000).toFixed(1)} min`);
process.exit(faults.length === 0 ? 0 : 1);
