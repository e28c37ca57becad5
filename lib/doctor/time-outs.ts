import { Stanza } from '../xml/index.js';
import { BoshSession } from './bosh.js';
import { messageOf, type Examination } from './examination.js';
import type { Endpoints } from './host-meta.js';
import { StreamSocket } from './web-socket.js';

/** Share of the time that may be missing where an answer is early on purpose. */
const ALMOST = 0.9;

/** Whether what stands between lets a request be held, and a WebSocket be silent, for so long. */
export async function examineTimeOuts(examination: Examination, { websocket, bosh }: Endpoints, domain: string, idle: number): Promise<void> {
  await Promise.all([examineIdle(examination, websocket, domain, idle * 1000), examineHeld(examination, bosh, domain, idle)]);
}

async function examineIdle(examination: Examination, url: URL, domain: string, idle: number): Promise<void> {
  let socket: StreamSocket | undefined;
  try {
    socket = await StreamSocket.connect(url, examination);
    await socket.open(domain);
    const since = performance.now();
    const said = await socket.next('', idle).catch(() => undefined);
    const seconds = Math.round((performance.now() - since) / 1000);
    if (said !== undefined) {
      const what = Stanza.parse(said);
      const why = what.children()[0]?.name ?? what.name;
      return examination.note('time-outs', `the app ended the WebSocket after ${seconds} s (${why}): nobody had logged in; until then it lived`);
    }
    if (socket.closed) {
      const advice = 'let the proxy wait longer than two pings take, 90 s for instance (proxy_read_timeout, timeout tunnel)';
      return examination.problem('time-outs', `an idle WebSocket was cut after ${seconds} s (${socket.closed.code})`, advice);
    }
    const pings = socket.pings.length;
    examination.ok('time-outs', `an idle WebSocket lives for ${idle / 1000} s${pings > 0 ? `, pinged ${pings} times` : ''}`);
  } catch (error) {
    examination.problem('time-outs', `the idle WebSocket: ${messageOf(error)}`, 'see above');
  } finally {
    socket?.cut();
  }
}

async function examineHeld(examination: Examination, url: URL, domain: string, idle: number): Promise<void> {
  const session = new BoshSession(examination, url);
  let since = performance.now();
  try {
    const created = await session.create(domain, idle);
    if (!/features/.test(created.text)) await session.send();
    since = performance.now();
    const wait = session.wait * 1000;
    const { at, body } = await session.send('', { timeout: wait + examination.patience });
    const condition = body.attribute('condition');
    const text = `a request was held for ${Math.round((at - since) / 1000)} s`;
    if (condition) examination.note('time-outs', `${text}: then the app ended the session (${condition}): nobody had logged in`);
    else if (at - since < wait * ALMOST) examination.warn('time-outs', `${text}, of ${session.wait} s`, 'see what answers instead of the app');
    else examination.ok('time-outs', text);
    await session.send('type="terminate"').catch(() => {});
  } catch (error) {
    const seconds = Math.round((performance.now() - since) / 1000);
    const advice = 'let the proxy wait longer than bosh.wait, 90 s for instance (proxy_read_timeout, timeout server)';
    examination.problem('time-outs', `a held request was cut after ${seconds} s: ${messageOf(error)}`, advice);
  }
}
