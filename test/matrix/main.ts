import type { INestApplication } from '@nestjs/common';
import { HOSTS, start, TESTING, type Platform } from './hosts.js';

// Every host of the matrix on one platform, in one process: tells its parent where they listen, closes them when told to.

const apps: INestApplication[] = [];
const platform = process.env['PLATFORM'] as Platform;

async function startAll(): Promise<Record<string, number>> {
  const ports: Record<string, number> = {};
  for (const name of [...Object.keys(HOSTS), TESTING]) {
    try {
      const app = await start(name, platform);
      apps.push(app);
      ports[name] = app.getHttpServer().address().port;
    } catch (error) {
      throw new Error(`host "${name}": ${error instanceof Error ? error.stack : String(error)}`, { cause: error });
    }
  }
  return ports;
}

process.once('message', () => {
  void Promise.all(apps.map((app) => app.close())).then(() => process.disconnect());
});

startAll().then(
  (ports) => process.send!(ports),
  (error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
