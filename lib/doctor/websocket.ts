import type { Stanza } from '../xml/index.js';
import { NS } from '../xml/index.js';
import { messageOf, type Examination } from './examination.js';
import { HandshakeRefused, StreamSocket } from './web-socket.js';

/** Answers to a handshake, and whose they mostly are. */
const REFUSALS: Readonly<Record<number, string>> = {
  200: 'the request was taken for a plain GET: let the proxy pass Upgrade and Connection (docs/DEPLOYMENT.md)',
  400: 'mostly a proxy that passes Upgrade or Sec-WebSocket-Protocol not on: see docs/DEPLOYMENT.md',
  403: 'the origin is refused: see the option origins, and firewalls for web apps',
  404: 'route this path to the app; or the proxy does not pass Upgrade on (docs/DEPLOYMENT.md)',
  426: 'let the proxy pass Upgrade and Connection (docs/DEPLOYMENT.md)',
  429: 'a limit by address: behind a proxy set trustProxy, or all clients count as one',
  502: 'the proxy does not reach the app',
  503: 'the app is going down or full, or the proxy has no node that is ready',
  504: 'the proxy does not reach the app',
};

/** The endpoint of RFC 7395. @returns the domain that it serves, if one was found */
export async function examineWebSocket(examination: Examination, url: URL): Promise<string | undefined> {
  for (const domain of examination.domains) {
    let socket: StreamSocket;
    try {
      socket = await StreamSocket.connect(url, examination);
    } catch (error) {
      reportRefusal(examination, url, error);
      return undefined;
    }
    try {
      const { features, condition } = await socket.open(domain);
      if (condition === 'host-unknown') continue;
      if (features) {
        examination.ok('websocket', `${url.href}: subprotocol xmpp, a stream to ${domain}`);
        reportFeatures(examination, features);
        if (!(await socket.close())) examination.warn('websocket', '<close/> has no answer', 'see what stands between');
        return domain;
      }
      examination.problem('websocket', `the stream to ${domain} ends with ${condition}`, adviceFor(condition));
      return domain;
    } catch (error) {
      const advice = 'see the log of the app; or a proxy that opens WebSockets by itself';
      examination.problem('websocket', `no stream to ${domain}: ${messageOf(error)}`, advice);
      return undefined;
    } finally {
      socket.cut();
    }
  }
  const tried = examination.domains.join(', ');
  examination.problem('websocket', `it serves none of ${tried}`, 'name the XMPP domain with --domain, or see the option domains');
  return undefined;
}

/** What a stream error of the opening means for who runs the app. */
export function adviceFor(condition: string | undefined): string {
  switch (condition) {
    case 'remote-connection-failed':
    case 'connection-timeout':
    case 'internal-server-error':
      return 'the app does not reach its XMPP server: see its log';
    case 'policy-violation':
    case 'resource-constraint':
      return 'a limit was hit: behind a proxy set trustProxy, or all clients count as one address';
    case 'system-shutdown':
      return 'the app is going down: try again';
    default:
      return 'see the log of the app';
  }
}

function reportRefusal(examination: Examination, url: URL, error: unknown): void {
  if (error instanceof HandshakeRefused) {
    const advice = REFUSALS[error.status] ?? 'see what answers there';
    return examination.problem('websocket', `${url.href}: ${error.message}`, advice);
  }
  const text = messageOf(error);
  const advice = /subprotocol/i.test(text)
    ? 'something between removes or changes Sec-WebSocket-Protocol: browsers then close'
    : 'check name, port and proxy; the address is that of host-meta';
  examination.problem('websocket', `${url.href}: ${text}`, advice);
}

function reportFeatures(examination: Examination, features: Stanza): void {
  const offers = (name: string, namespace: string) => features.child(name, namespace);
  if (offers('starttls', NS.tls)) {
    examination.warn('websocket', 'STARTTLS is offered, which makes no sense over WebSocket', 'the gateway in front is not this one');
  }
  const mechanisms = offers('mechanisms', NS.sasl)?.children() ?? [];
  const sasl2 = offers('authentication', NS.sasl2)?.children() ?? [];
  const names = [...new Set([...mechanisms, ...sasl2].filter(({ name }) => name === 'mechanism').map((mechanism) => mechanism.text()))];
  if (names.length > 0) examination.ok('websocket', `logins by ${names.join(', ')}`);
  else examination.problem('websocket', 'no way to log in is offered', 'see the XMPP server: it may offer SASL only over TLS');
}
