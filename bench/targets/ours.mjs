import { join } from 'node:path';
import { ROOT } from '../paths.mjs';
import { startNode } from './node.mjs';

/** Limits that would refuse the load itself: it is many sessions from one address. Nothing else is changed. */
export const RAISED_LIMITS = { limits: { maxSessionsPerAddress: 1_000_000, sessionsPerMinute: 1_000_000 } };

function ours(name, platform, more) {
  return {
    ...more,
    name,
    title: `nestjs-xmpp (${platform})`,
    about: `the sample app as shipped on ${platform}, strict scanner and every limit on; raised, since all clients have one address: ${JSON.stringify(RAISED_LIMITS)}`,
    profiled: true,
    inQuick: true,
    async start({ transport, upstreamPort, ...options }) {
      const env = {
        HOST: '127.0.0.1',
        PORT: '0',
        HTTP_PLATFORM: platform,
        XMPP_DOMAINS: 'localhost',
        XMPP_UPSTREAM: `xmpp://127.0.0.1:${upstreamPort}`,
        XMPP_OPTIONS: JSON.stringify(RAISED_LIMITS),
      };
      // As `npm start` does it.
      const args = ['--enable-source-maps', join(ROOT, 'sample', 'dist', 'main.js')];
      const started = await startNode(name, args, { ...options, env });
      return { ...started, transport, path: transport === 'ws' ? '/xmpp-websocket' : '/http-bind' };
    },
  };
}

export const express = ours('ours', 'express', {});
/** Messages pass by the platform: they are measured where that could differ. */
export const fastify = ours('ours-fastify', 'fastify', { families: ['flood', 'chatter', 'login', 'idle'] });
