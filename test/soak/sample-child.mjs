/**
 * The sample's own main, started as a process of its own, that tells its parent how much it holds. Only here:
 * nothing of this is in the product. Needs `--expose-gc`.
 */
import { readdirSync } from 'node:fs';
import process from 'node:process';
import '../../sample/dist/main.js';

process.on('message', async (what) => {
  if (what !== 'report') return;
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const handles = {};
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
  process.send({ heapUsed, external, rss, sockets: readdirSync('/proc/self/fd').length, handles });
});
