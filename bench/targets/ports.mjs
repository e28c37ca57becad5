import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A TCP port of loopback that is free now; for programs that cannot choose one themselves. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until somebody listens there. */
export async function listening(port, child, seconds = 60) {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    const answer = await Promise.race([fetch(`http://127.0.0.1:${port}/`).then(() => 'there', () => 'not yet'), child.ended]);
    if (answer === 'there') return;
    if (answer !== 'not yet') throw new Error(answer);
    await sleep(100);
  }
  throw new Error(`${child.name} does not listen`);
}
