import { messageOf, type Answer, type Examination } from './examination.js';

/** RFC 5737: nobody's. */
const FORGED = '203.0.113.9';

/** Whether the app believes what a client writes into the headers of proxies. It shows in the links of host-meta. */
export async function examineProxies(examination: Examination, domain: string): Promise<void> {
  const url = new URL('/.well-known/host-meta.json', examination.base);
  const scheme = examination.base.protocol === 'https:' ? 'http' : 'https';
  const headers = { 'X-Forwarded-For': FORGED, 'X-Forwarded-Proto': scheme, 'X-Forwarded-Host': `forged.${domain}` };
  let plain: Answer;
  let forged: Answer;
  try {
    plain = await examination.ask(url);
    forged = await examination.ask(url, { headers });
  } catch (error) {
    return examination.note('proxies', `cannot tell whose addresses are believed: ${messageOf(error)}`);
  }
  if (plain.status !== 200 || forged.status !== 200) return;
  if (plain.text === forged.text) {
    examination.ok('proxies', 'X-Forwarded-Proto and X-Forwarded-Host of a client are not believed');
    examination.note('proxies', 'which address the app takes a client for shows in XmppSessionService.list(): it should be yours, not that of a proxy');
  } else if (forged.text.includes(`"${scheme}:`)) {
    const advice = 'let the proxy in front set these headers itself; trustProxy is the number of proxies, and none without one';
    examination.problem('proxies', 'X-Forwarded-For and X-Forwarded-Proto of a client are believed: limits by address are void', advice);
  } else {
    const advice = 'let the proxy in front set X-Forwarded-Host itself';
    examination.warn('proxies', 'X-Forwarded-Host of a client is believed: links can be made to lead elsewhere', advice);
  }
}
