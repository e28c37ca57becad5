import { join } from 'node:path';
import { ROOT } from '../paths.mjs';
import { startNode } from './node.mjs';

const FLOORS = {
  ws: { file: 'websocket.mjs', transport: 'ws-raw', path: '/xmpp-websocket' },
  bosh: { file: 'bosh.mjs', transport: 'bosh', path: '/http-bind' },
};

/** What anybody would write without any XML. */
export const floor = {
  name: 'floor',
  inQuick: true,
  profiled: true,
  title: 'floor',
  about: 'a bare relay without XML: `ws` and `net.Socket` for WebSocket, `node:http` for BOSH',
  async start({ transport, upstreamPort, ...options }) {
    const { file, ...rest } = FLOORS[transport];
    const started = await startNode('floor', [join(ROOT, 'bench', 'floors', file), String(upstreamPort)], options);
    return { ...started, ...rest };
  },
};
