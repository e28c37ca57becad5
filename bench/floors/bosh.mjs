/**
 * The floor for BOSH: what anybody would write on bare node:http without any XML. The wrapper is found by searching for its
 * ends, `rid` and `sid` by a regular expression; what it holds goes to the server as it is, and what the server says goes into
 * the oldest request. No key, no acknowledgement, no repeats. `node bosh.mjs UPSTREAM_PORT`
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import process from 'node:process';

const upstreamPort = Number(process.argv[2]);
const HEADER = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>`;
const WRAPPER = `xmlns='http://jabber.org/protocol/httpbind' xmlns:stream='http://etherx.jabber.org/streams'`;
const sessions = new Map();

class Session {
  constructor(sid, rid) {
    this.sid = sid;
    this.next = rid;
    this.parked = new Map();
    this.held = [];
    this.waiting = [];
    this.created = false;
    this.upstream = connect({ port: upstreamPort, host: '127.0.0.1', noDelay: true });
    this.upstream.write(HEADER);
    this.upstream.on('data', (chunk) => this.received(chunk));
    this.upstream.on('close', () => this.end());
    this.upstream.on('error', () => this.end());
  }

  received(chunk) {
    // A stream header is not for the client; it stands at the start of what the server says.
    if (chunk.subarray(0, 5).equals(Buffer.from('<?xml'))) chunk = chunk.subarray(chunk.indexOf('<stream:features'));
    this.waiting.push(chunk);
    this.flush();
  }

  request(rid, body, response) {
    if (rid !== this.next) {
      this.parked.set(rid, [body, response]);
      return;
    }
    this.next++;
    const tag = body.indexOf('>');
    const last = body.lastIndexOf('</body>');
    if (last > 0) this.upstream.write(body.subarray(tag + 1, last));
    const head = body.toString('latin1', 0, tag);
    if (head.includes('restart=')) this.upstream.write(HEADER);
    this.hold(response);
    if (head.includes(`type='terminate'`)) this.upstream.end('</stream:stream>');
    const parked = this.parked.get(this.next);
    if (parked) {
      this.parked.delete(this.next);
      this.request(this.next, ...parked);
    }
  }

  hold(response) {
    const timer = setTimeout(() => this.answer([]), 60_000);
    this.held.push({ response, timer });
    if (this.held.length > 1) this.answer([]);
    this.flush();
  }

  flush() {
    if (this.waiting.length === 0 || this.held.length === 0) return;
    const { waiting } = this;
    this.waiting = [];
    this.answer(waiting);
  }

  answer(chunks, attributes = '') {
    const { response, timer } = this.held.shift();
    clearTimeout(timer);
    if (!this.created) attributes += ` sid='${this.sid}' wait='60' hold='1' requests='2' inactivity='60' ver='1.6'`;
    this.created = true;
    const body = Buffer.concat([Buffer.from(`<body ${WRAPPER}${attributes}>`), ...chunks, Buffer.from('</body>')]);
    response.writeHead(200, {
      'Content-Type': 'text/xml; charset=utf-8',
      'Content-Length': body.length,
      'Access-Control-Allow-Origin': '*',
    });
    response.end(body);
  }

  end() {
    if (!sessions.delete(this.sid)) return;
    while (this.held.length > 0) this.answer(this.waiting.splice(0), ` type='terminate'`);
  }
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    const head = body.toString('latin1', 0, body.indexOf('>'));
    const rid = Number(/ rid='(\d+)'/.exec(head)?.[1]);
    let session = sessions.get(/ sid='([^']+)'/.exec(head)?.[1]);
    if (!session) {
      const sid = randomUUID();
      session = new Session(sid, rid + 1);
      sessions.set(sid, session);
      session.hold(response);
      return;
    }
    session.request(rid, body, response);
  });
});
server.keepAliveTimeout = 75_000;
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
