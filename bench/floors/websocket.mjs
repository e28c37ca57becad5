/**
 * The floor for WebSocket: what anybody would write without any XML. A message becomes a write to the server's socket, and what
 * the server's socket has becomes a message. `node websocket.mjs UPSTREAM_PORT`
 */
import { createServer } from 'node:http';
import { connect } from 'node:net';
import process from 'node:process';
import { WebSocketServer } from 'ws';

const upstreamPort = Number(process.argv[2]);
const server = createServer();
const sockets = new WebSocketServer({ server, path: '/xmpp-websocket', handleProtocols: () => 'xmpp', perMessageDeflate: false });

sockets.on('connection', (client) => {
  const upstream = connect({ port: upstreamPort, host: '127.0.0.1', noDelay: true });
  client.on('message', (data) => upstream.write(data));
  upstream.on('data', (chunk) => client.send(chunk, { binary: false }));
  client.on('close', () => upstream.end());
  client.on('error', () => upstream.destroy());
  upstream.on('close', () => client.close());
  upstream.on('error', () => client.close());
});

server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
