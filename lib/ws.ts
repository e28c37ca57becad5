import { createRequire } from 'node:module';
import type { WebSocket } from 'ws';

/**
 * `ws` as Nest's own adapter uses it: a dependency of that package, not of ours.
 *
 * @throws Error when `@nestjs/platform-ws` is not installed
 */
export function loadWebSocket(): typeof WebSocket {
  const require = createRequire(import.meta.url);
  return createRequire(require.resolve('@nestjs/platform-ws'))('ws') as typeof WebSocket;
}
