import { EmbeddedUpstream, XmppTrace, type XmppTraceLine } from 'nestjs-xmpp';
import { PLATFORMS, startApp, type TestApp } from '../support/app.js';
import { BoshHttp, BoshSession } from '../support/bosh-client.js';
import { openStream, TRANSPORTS, type WebClient } from '../support/web-client.js';

const PASSWORD = 'r0cks-4nd-s4nd';
const PLAIN = Buffer.from(`\0romeo\0${PASSWORD}`).toString('base64');
const KEY = '3c1d69981b65bfbd641dcb64c82bb613';
const AUTH = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${PLAIN}</auth>`;
const BIND = `<iq xmlns='jabber:client' type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`;

describe.each(PLATFORMS)('the trace of a login on %s', (platform) => {
  let gateway: TestApp;
  const lines: XmppTraceLine[] = [];
  beforeEach(async () => {
    lines.length = 0;
    gateway = await startApp({ platform, options: { upstream: new EmbeddedUpstream({ domains: ['localhost'], users: { romeo: PASSWORD } }) } });
  });
  afterEach(() => gateway.close());
  const trace = () => gateway.app.get(XmppTrace);

  async function until(client: WebClient, part: string): Promise<string> {
    for (;;) {
      const element = await client.next();
      if (element.includes(part)) return element;
    }
  }

  it.each(TRANSPORTS)('R24: over %s shows all of it but its secrets', async (transport) => {
    trace().start('127.0.0.1', (line) => void lines.push(line));
    const attributes = { 'to': 'localhost', 'xmlns:shared': 'urn:xmpp:tmp:shared-bosh:0', 'shared:key': KEY };
    const client = await openStream(transport, gateway, attributes);
    await until(client, 'mechanisms');
    client.send(AUTH);
    await until(client, '<success');
    client.restart({ to: 'localhost' });
    client.send(BIND);
    await until(client, '<jid>');
    client.send(`<enable xmlns='urn:xmpp:sm:3' resume='true'/>`);
    client.send(`<iq xmlns='jabber:client' type='set' id='p1'><query xmlns='jabber:iq:private'><x xmlns='a'>${KEY}</x></query></iq>`);
    await until(client, 'p1');
    const all = lines.map(({ direction, text }) => `${direction} ${text}`).join('\n');
    expect(all).toContain(`note opening for 127.0.0.1 over ${transport}`);
    expect(all).toMatch(/^in <auth [^>]*mechanism='PLAIN'>\*\*\*<\/auth>$/m);
    expect(all).toMatch(/^note bound as romeo@localhost\//m);
    expect(all).toContain(`jabber:iq:private`);
    for (const secret of [PLAIN, PASSWORD, KEY]) expect(all).not.toContain(secret);
    client.cut();
  });

  it('R25: is started by the sid of a BOSH session, alone or shared', async () => {
    const http = new BoshHttp(gateway.boshUrl);
    const alone = await BoshSession.open(http, { to: 'localhost' });
    const shared = await BoshSession.open(http, { 'to': 'localhost', 'xmlns:shared': 'urn:xmpp:tmp:shared-bosh:0', 'shared:key': KEY });
    for (const { sid } of [alone, shared]) trace().start(sid, (line) => void lines.push(line));
    expect(trace().list().flatMap(({ sessions }) => sessions)).toHaveLength(2);
    await Promise.all([alone.send(AUTH), shared.send(AUTH)]);
    expect(lines.filter(({ direction, text }) => direction === 'in' && text.startsWith('<auth'))).toHaveLength(2);
    expect(JSON.stringify([lines, trace().list()])).not.toMatch(new RegExp(`${alone.sid}|${shared.sid}`));
    expect(trace().stop(shared.sid)).toBe(true);
    http.close();
  });
});
