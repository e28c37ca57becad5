/**
 * A crowd that means no good, in front of a running sample: connections that say nothing, or not all of it, or
 * rubbish, that never read, never log in, never finish. One client that behaves has its messages answered all the while.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { WebSocket } from 'ws';

const UPGRADE =
  'GET /xmpp-websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n';
const OPEN = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>`;
const CREATE = `<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='localhost' ver='1.11' wait='60' hold='1' xmlns:xmpp='urn:xmpp:xbosh' xmpp:version='1.0'/>`;
const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';

/** A frame of a client, masked with zeros; `length` is what it announces. */
function frame(opcode, payload, length = payload.length) {
  const head = Buffer.alloc(14);
  head[0] = 0x80 | opcode;
  head[1] = 0xff;
  head.writeUInt32BE(length, 6);
  return Buffer.concat([head, payload]);
}

function post(body, length = Buffer.byteLength(body)) {
  return `POST /http-bind HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n${body}`;
}

const PING = Buffer.concat(Array(200).fill(frame(9, Buffer.alloc(100, 0x61))));

/** What each kind of guest sends; those who never read are paused from the start. */
const GUESTS = [
  { name: 'silent', say: () => [] },
  { name: 'half a head', say: () => ['POST /http-bind HTTP/1.1\r\nHost: loc'] },
  { name: 'slow body', say: () => [post(`<body>${' '.repeat(20_000)}`, 200_000)] },
  { name: 'rubbish', say: () => [Buffer.from('\x16\x03\x01\x02\x00rubbish, and more of it\r\n\r\n')] },
  { name: 'no <open/>', say: () => [UPGRADE] },
  { name: 'no login', say: () => [UPGRADE, frame(1, Buffer.from(OPEN))] },
  { name: 'half a frame', say: () => [UPGRADE, frame(1, Buffer.alloc(20_000, 0x20), 200_000)] },
  { name: 'no reader of BOSH', say: () => [post(CREATE)], reads: false },
  { name: 'pings, reads nothing', say: () => [UPGRADE, ...Array(10).fill(PING)], reads: false },
  { name: 'faulty XML', say: () => [UPGRADE, frame(1, Buffer.from('<a><b></a>'))] },
];

/** Comes from an address of loopback that it shares with few others, as a real crowd would. */
function guest(port, index) {
  const { say, reads = true } = GUESTS[index % GUESTS.length];
  return new Promise((resolve) => {
    const from = Math.floor(index / 50) + 2;
    const socket = connect({ port, host: '127.0.0.1', localAddress: `127.1.${from >> 8}.${from & 0xff}` });
    if (reads) socket.resume();
    else socket.pause();
    socket.on('error', () => {});
    socket.once('close', () => resolve(socket));
    socket.once('connect', () => {
      for (const bytes of say()) socket.write(bytes);
      resolve(socket);
    });
  });
}

/** Logs in over WebSocket, and has each message that it sends to itself back before the next. */
class Regular {
  constructor(url) {
    this.socket = new WebSocket(url, ['xmpp'], { perMessageDeflate: false });
    this.frames = [];
    this.wake = () => {};
    this.socket.on('message', (data) => {
      this.frames.push(data.toString());
      this.wake();
    });
    this.over = new Promise((_resolve, reject) => {
      this.socket.once('close', (code) => reject(new Error(`the client that behaves was closed: ${code}`)));
      this.socket.once('error', reject);
    });
    this.over.catch(() => {});
  }

  async login() {
    await Promise.race([this.over, new Promise((resolve) => this.socket.once('open', resolve))]);
    this.socket.send(OPEN);
    await this.next('<stream:features');
    this.socket.send(`<auth xmlns='${SASL}' mechanism='PLAIN'>${Buffer.from('\0alice\0alice').toString('base64')}</auth>`);
    await this.next('<success');
    this.socket.send(OPEN);
    await this.next('<stream:features');
    this.socket.send(`<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`);
    this.jid = /<jid>([^<]+)</.exec(await this.next('<jid>'))[1];
  }

  async echo(text) {
    this.socket.send(`<message xmlns='jabber:client' to='${this.jid}'><body>${text}</body></message>`);
    const [, back] = /<body>([^<]*)</.exec(await this.next('<message'));
    if (back !== text) throw new Error(`sent ${text}, and ${back} came back`);
  }

  /** The next frame, which has to be that one. */
  async next(start) {
    for (;;) {
      const found = this.frames.shift();
      if (found?.startsWith('<open')) continue;
      if (found !== undefined) {
        if (!found.includes(start)) throw new Error(`waited for ${start}, and another frame came`);
        return found;
      }
      await Promise.race([this.over, new Promise((resolve) => (this.wake = resolve))]);
    }
  }
}

/** Resident bytes of a process. */
export function residentBytes(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

/**
 * Lets the crowd in, some at a time, and the client that behaves talk meanwhile.
 * @param {{ url: string, pid: number, count: number, onProgress?: (there: number, bytes: number) => void }} options
 * @returns what was seen: echoes, the longest wait for one in ms, resident bytes before and at most
 * @throws Error when the client that behaves is not served
 */
export async function crowd({ url, pid, count, onProgress = () => {} }) {
  const port = Number(new URL(url).port);
  const regular = new Regular(`${url.replace(/^http/, 'ws')}/xmpp-websocket`);
  await regular.login();
  const before = residentBytes(pid);
  const sockets = [];
  let most = before;
  let longest = 0;
  let echoes = 0;
  const talk = async () => {
    const at = performance.now();
    await regular.echo(`message ${echoes++}`);
    longest = Math.max(longest, performance.now() - at);
    most = Math.max(most, residentBytes(pid));
  };
  try {
    while (sockets.length < count) {
      const more = Array.from({ length: Math.min(100, count - sockets.length) }, (_, i) => guest(port, sockets.length + i));
      await talk();
      sockets.push(...(await Promise.all(more)));
      if (sockets.length % 1000 === 0) onProgress(sockets.length, residentBytes(pid));
    }
    for (let i = 0; i < 50; i++) await talk();
    return { echoes, longest, before, most, there: sockets.filter(({ destroyed }) => !destroyed).length };
  } finally {
    for (const socket of sockets) socket.destroy();
    regular.socket.terminate();
  }
}
