// Starts the installed node-xmpp-bosh on a port, in front of one server: node node-xmpp-bosh.cjs FOLDER PORT UPSTREAM_PORT
const { EventEmitter } = require('node:events');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const process = require('node:process');

const [folder, port, upstreamPort] = process.argv.slice(2);
const peer = createRequire(join(folder, 'package.json'))('node-xmpp-bosh');

// Its own looks for SRV records, which a loopback server has none of.
peer.lookup.LookupService = class extends EventEmitter {
  connect(socket) {
    socket.once('connect', (event) => this.emit('connect', event));
    socket.once('error', (error) => this.emit('error', error));
    socket.connect(Number(upstreamPort), '127.0.0.1');
  }
};

const options = {
  port: Number(port),
  host: '127.0.0.1',
  path: /^\/http-bind\/?$/,
  logging: 'ERROR',
  // As its own example of a configuration has it: the features are in the first answer.
  pidgin_compatible: true,
  // Larger than its defaults, so that it takes the load.
  max_data_held: 64 * 1024 * 1024,
  max_xmpp_stanza_size: 1024 * 1024,
};
const bosh = peer.start_bosh(options);
bosh.on('error', (error) => console.error(error));
peer.start_websocket(bosh, options);
bosh.server.once('listening', () => console.log(`listening on http://127.0.0.1:${port}`));
