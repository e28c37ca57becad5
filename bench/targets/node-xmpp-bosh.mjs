import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { CACHE, ROOT } from '../paths.mjs';
import { freePort } from './ports.mjs';
import { startNode } from './node.mjs';

const VERSION = '0.7.10';
const FOLDER = join(CACHE, `node-xmpp-bosh-${VERSION}`);
/** What it asks for does not compile with any Node of these years; this is the first of that package that does. */
const MANIFEST = { private: true, dependencies: { 'node-xmpp-bosh': VERSION }, overrides: { 'node-expat': '2.4.1' } };

export const nodeXmppBosh = {
  name: 'node-xmpp-bosh',
  title: `node-xmpp-bosh ${VERSION}`,
  about: `${VERSION} with node-expat 2.4.1, its own WebSocket dialect (draft-moffitt-xmpp-over-websocket)`,
  mostRounds: 2,
  foreign: true,

  missing() {
    if (existsSync(join(FOLDER, 'ready'))) return undefined;
    console.log(`installing node-xmpp-bosh ${VERSION} into ${FOLDER}`);
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(join(FOLDER, 'package.json'), JSON.stringify(MANIFEST));
    const run = (command, args) => spawnSync(command, args, { cwd: FOLDER, encoding: 'utf8' });
    const install = run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error']);
    const loads = install.status === 0 && run(process.execPath, ['-e', `require('node-xmpp-bosh')`]);
    if (!loads || loads.status !== 0) {
      const said = `${(loads || install).stderr ?? ''}`.trim().split('\n');
      return `npm cannot install it: ${said.find((line) => /error/i.test(line)) ?? said.at(-1)}`;
    }
    writeFileSync(join(FOLDER, 'ready'), '');
    return undefined;
  },

  async start({ transport, upstreamPort, ...options }) {
    const args = ['--no-deprecation', join(ROOT, 'bench', 'peers', 'node-xmpp-bosh.cjs'), FOLDER, String(await freePort()), String(upstreamPort)];
    const started = await startNode('node-xmpp-bosh', args, options);
    return transport === 'ws' ? { ...started, transport: 'ws-raw', path: '/' } : { ...started, transport, path: '/http-bind/' };
  },
};
