import { readFile } from 'node:fs/promises';
import { SystemClock } from '../../lib/clock.js';
import { TcpUpstream, type TcpUpstreamOptions } from '../../lib/upstream/tcp/index.js';
import { upstreamFromUrl } from '../../lib/upstream/url.js';
import { Stanza } from '../../lib/xml/index.js';
import { startProsody, type Prosody } from '../support/prosody.js';
import { UpstreamRecorder } from '../support/upstream-recorder.js';

const DOMAIN = 'chat.example';

describe('Prosody as upstream', () => {
  let right: Prosody;
  let wrong: Prosody;
  let ca: Buffer;
  const clock = new SystemClock();

  beforeAll(async () => {
    [right, wrong] = await Promise.all([
      startProsody({ domain: DOMAIN }),
      startProsody({ domain: DOMAIN, certificateNames: ['localhost'] }),
    ]);
    ca = Buffer.concat([await readFile(right.caFile), await readFile(wrong.caFile)]);
  }, 60_000);
  afterAll(async () => {
    clock.stop();
    await Promise.all([right?.stop(), wrong?.stop()]);
  });

  function open(options: TcpUpstreamOptions): UpstreamRecorder {
    return new UpstreamRecorder(new TcpUpstream({ clock, ca, starttls: 'required', ...options }), { domain: DOMAIN });
  }

  /** Logs in, restarts, binds; then ends in order. */
  async function story(session: UpstreamRecorder): Promise<void> {
    const { stream } = session;
    expect((await session.opened()).from).toBe(DOMAIN);
    expect(String(await session.element())).toContain('PLAIN');
    const plain = Buffer.from('\0alice\0alice').toString('base64');
    stream.send(Stanza.parse(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${plain}</auth>`));
    expect((await session.element()).name).toBe('success');
    stream.restart({});
    await session.opened();
    expect(String(await session.element())).toContain('urn:ietf:params:xml:ns:xmpp-bind');
    stream.send(
      Stanza.parse("<iq xmlns='jabber:client' type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>"),
    );
    expect((await session.element()).child('bind')?.child('jid')?.text()).toMatch(/^alice@chat\.example\/r/);
    // Many at once, and a large one.
    for (let i = 0; i < 200; i++) stream.send(echo(i, i === 100 ? 'x'.repeat(100_000) : `${i}`));
    for (let i = 0; i < 200; i++) expect((await session.element()).attribute('id')).toBe(`m${i}`);
    stream.close();
    expect(await session.ended()).toEqual({ reason: 'closed' });
  }

  function echo(i: number, body: string): Stanza {
    return Stanza.parse(`<message xmlns='jabber:client' id='m${i}' type='chat' to='alice@chat.example/r'><body>${body}</body></message>`);
  }

  it('U2: serves a session by STARTTLS with the certificate of the domain', async () => {
    const session = open({ server: { host: '127.0.0.1', port: right.port, tls: 'starttls' } });
    await story(session);
    expect(session.stream.secure).toBe(true);
  });

  it('U1: serves a session by direct TLS', async () => {
    const session = open({ server: { host: 'localhost', port: right.directTlsPort, tls: 'direct' } });
    await story(session);
    expect(session.stream.secure).toBe(true);
  });

  it('U1: serves a session found by SRV records', async () => {
    const record = (port: number) => [{ name: 'localhost', port, priority: 0, weight: 0 }];
    const resolver = {
      resolveSrv: async (name: string) => record(name.startsWith('_xmpps') ? wrong.directTlsPort : right.port),
    };
    await story(open({ resolver, random: () => 0 }));
  });

  it.each(['starttls', 'direct'] as const)('U2: refuses a certificate of another name (%s)', async (tls) => {
    const session = open({ server: { host: 'localhost', port: tls === 'direct' ? wrong.directTlsPort : wrong.port, tls } });
    const end = await session.ended();
    expect(end.reason).toBe('failed');
    expect(end.message).toContain("certificate refused: Host: chat.example. is not in the cert's altnames: DNS:localhost");
    expect(session.log).toEqual(['end']);
  });

  it('U2: refuses a certificate of an unknown authority', async () => {
    const session = open({ ca: undefined, server: { host: 'localhost', port: right.port, tls: 'starttls' } });
    expect((await session.ended()).message).toContain('certificate refused: ');
  });

  it('W3: serves a stream by its WebSocket', async () => {
    const session = new UpstreamRecorder(upstreamFromUrl(right.wsUrl, { clock }), { domain: DOMAIN });
    expect((await session.opened()).from).toBe(DOMAIN);
    expect((await session.element()).name).toBe('features');
    session.stream.close();
    expect((await session.ended()).reason).toBe('closed');
  });

  it('answers a probe, and says why it does not', async () => {
    const server = { host: '127.0.0.1', port: right.port, tls: 'starttls' } as const;
    const upstream = new TcpUpstream({ clock, ca, starttls: 'required', server });
    await upstream.probe(DOMAIN);
    await expect(upstream.probe('other.example')).rejects.toThrow(/stream error host-unknown|certificate refused/);
    await upstreamFromUrl(right.wsUrl, { clock }).probe!(DOMAIN);
  });
});
