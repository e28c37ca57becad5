/** `npm run crowd -- 10000`: so many hostile clients in front of the sample, and one that behaves. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { crowd } from './crowd.mjs';

const count = Number(process.argv[2] ?? 10_000);
if (!Number.isInteger(count) || count < 1) throw new RangeError('npm run crowd -- COUNT');
const main = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'sample', 'dist', 'main.js');
const sample = spawn(process.execPath, [main], { env: { PATH: process.env.PATH, PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] });
sample.once('exit', (code) => {
  process.exitCode ??= 1;
  process.stderr.write(`the sample is over: ${code}\n`);
  process.exit();
});
const [line] = await once(sample.stdout, 'data');
const url = /http:\S+/.exec(String(line))[0];
const mb = (bytes) => `${Math.round(bytes / 1_000_000)} MB`;
const started = performance.now();
const result = await crowd({ url, pid: sample.pid, count, onProgress: (there, bytes) => process.stdout.write(`${there} came, ${mb(bytes)}\n`) });
const metrics = await (await fetch(`${url}/metrics`)).text();
process.stdout.write(
  `${count} guests in ${((performance.now() - started) / 1000).toFixed(1)} s, ${result.there} there at the end; ` +
    `${result.echoes} messages answered, the slowest in ${result.longest.toFixed(0)} ms; ` +
    `resident ${mb(result.before)} before, ${mb(result.most)} at most\n` +
    metrics.split('\n').filter((each) => /^xmpp_(limit_hits_total|sessions\{|clients )/.test(each)).join('\n') + '\n',
);
sample.removeAllListeners('exit');
sample.kill('SIGTERM');
await once(sample, 'exit');
process.exit(0);
