import { examineBosh } from './bosh.js';
import { Examination, type DoctorOptions, type Finding } from './examination.js';
import { examineHostMeta } from './host-meta.js';
import { examineProxies } from './proxies.js';
import { examineTimeOuts } from './time-outs.js';
import { examineTls } from './tls.js';
import { examineWebSocket } from './websocket.js';

export type { Area, DoctorOptions, Finding, Level } from './examination.js';

/**
 * Looks at a deployment from outside, as web clients do: TLS, discovery, WebSocket, BOSH, and what stands between. Logs
 * in as nobody, and leaves nothing behind.
 *
 * @param base `https://` and the host that clients ask for host-meta: the XMPP domain's
 * @returns what was found, in the order of looking; it never throws for what a deployment does
 */
export async function examine(base: URL, options: DoctorOptions = {}): Promise<Finding[]> {
  const examination = new Examination(base, options);
  if (!(await examineTls(examination, base))) return examination.findings;
  const endpoints = await examineHostMeta(examination);
  const hosts = new Set([base.host]);
  for (const endpoint of [endpoints.websocket, endpoints.bosh]) {
    if (hosts.has(endpoint.host)) continue;
    hosts.add(endpoint.host);
    await examineTls(examination, endpoint);
  }
  const overWebSocket = await examineWebSocket(examination, endpoints.websocket);
  const domain = (await examineBosh(examination, endpoints.bosh, overWebSocket)) ?? overWebSocket;
  if (domain === undefined) return examination.findings;
  await examineProxies(examination, domain);
  const { idle = 0 } = options;
  if (idle > 0) await examineTimeOuts(examination, endpoints, domain, idle);
  else examination.note('time-outs', 'not looked at; --idle 55 sees what proxies do to quiet connections');
  return examination.findings;
}
