import { ManualClock } from '../../../lib/clock.js';
import { defaultStartTls } from '../../../lib/upstream/tcp/target.js';
import { parseUpstreamUrl, upstreamFromUrl, UpstreamUrlError } from '../../../lib/upstream/url.js';

function refusal(url: string): UpstreamUrlError {
  try {
    parseUpstreamUrl(url);
  } catch (error) {
    if (error instanceof UpstreamUrlError) return error;
    throw error;
  }
  throw new Error(`${url} was accepted`);
}

describe('upstream URLs', () => {
  it.each([
    ['xmpp://chat.example.org:5269', { host: 'chat.example.org', port: 5269, tls: 'starttls' }],
    ['xmpp://chat.example.org', { host: 'chat.example.org', port: 5222, tls: 'starttls' }],
    ['xmpp://localhost/', { host: 'localhost', port: 5222, tls: 'starttls' }],
    ['xmpps://chat.example.org', { host: 'chat.example.org', port: 5223, tls: 'direct' }],
    ['xmpps://192.0.2.1:443', { host: '192.0.2.1', port: 443, tls: 'direct' }],
    ['xmpp://[::1]:5300', { host: '::1', port: 5300, tls: 'starttls' }],
    ['XMPP://[2001:db8::1]', { host: '2001:db8::1', port: 5222, tls: 'starttls' }],
  ])('reads %s', (url, server) => {
    expect(parseUpstreamUrl(url)).toMatchObject({ kind: 'tcp', server, verify: undefined });
  });

  it('reads srv, with and without parameters', () => {
    expect(parseUpstreamUrl('srv')).toMatchObject({ kind: 'tcp', starttls: undefined });
    expect(parseUpstreamUrl('srv')).not.toHaveProperty('server');
    expect(parseUpstreamUrl('srv?starttls=optional&proxy-protocol=2')).toMatchObject({ starttls: 'optional', proxyProtocol: 2 });
  });

  it('reads the parameters', () => {
    for (const starttls of ['required', 'optional', 'never']) {
      expect(parseUpstreamUrl(`xmpp://h?starttls=${starttls}`)).toMatchObject({ starttls });
    }
    expect(parseUpstreamUrl('xmpps://h?verify=false')).toMatchObject({ verify: false });
    expect(parseUpstreamUrl('xmpps://h?verify=true')).toMatchObject({ verify: true });
    expect(parseUpstreamUrl('xmpp://h:1?proxy-protocol=1')).toMatchObject({ proxyProtocol: 1 });
  });

  it('takes its own parameters out of a WebSocket URL and leaves the others to the server', () => {
    const address = parseUpstreamUrl('wss://chat.example.org/ws?room=a%20b&verify=true&proxy-protocol=2');
    expect(address).toMatchObject({ kind: 'websocket', verify: true, proxyProtocol: 2 });
    expect(String((address as { url: URL }).url)).toBe('wss://chat.example.org/ws?room=a+b');
    expect(String((parseUpstreamUrl('ws://[::1]:5280/xmpp-websocket') as { url: URL }).url)).toBe('ws://[::1]:5280/xmpp-websocket');
  });

  it.each([
    ['http://chat.example.org', 'http://chat.example.org', 'xmpp://host:port'],
    ['chat.example.org', 'chat.example.org', 'srv'],
    ['embedded', 'embedded', 'srv'],
    ['srv.example.org', 'srv.example.org', 'srv'],
    ['xmpp://', 'xmpp://', 'host:port'],
    ['xmpp://h:0', 'xmpp://h:0', 'host:port'],
    ['xmpp://h:65536', 'xmpp://h:65536', 'host:port'],
    ['xmpp://h:x', 'xmpp://h:x', 'host:port'],
    ['xmpp://h/path', 'xmpp://h/path', 'host:port'],
    ['xmpp://[::g]', 'xmpp://[::g]', 'host:port'],
    ['wss://', 'wss://', 'wss://host/path'],
    ['wss://h/#fragment', 'wss://h/#fragment', 'wss://host/path'],
    ['xmpp://h?starttls=maybe', 'maybe', 'required, optional, never'],
    ['xmpp://h?verify=no', 'no', 'true, false'],
    ['xmpp://h?proxy-protocol=3', '3', '1, 2'],
    ['xmpp://h?tls=on', 'tls', 'starttls, verify, proxy-protocol'],
    ['xmpps://h?starttls=never', 'starttls', 'verify, proxy-protocol'],
    ['wss://h?starttls=never', 'never', 'nothing'],
    ['xmpp://h?verify=true&verify=false', 'false', 'each parameter once'],
  ])('refuses %s and says what is allowed', (url, value, allowed) => {
    const error = refusal(url);
    expect(error.value).toBe(value);
    expect(error.message).toContain(JSON.stringify(value));
    expect(error.allowed).toContain(allowed);
    expect(error.message).toContain(error.allowed);
  });

  it('keeps a password out of the message', () => {
    expect(refusal('xmpp://user:secret@h:5222').message).not.toContain('secret');
    expect(refusal('https://user:secret@h').message).not.toContain('secret');
    expect(refusal('http://h?token=secret').message).not.toContain('secret');
  });

  it('makes the upstream, named without secrets', () => {
    const clock = new ManualClock();
    expect(upstreamFromUrl('xmpp://[::1]', { clock }).name).toBe('xmpp://[::1]:5222');
    expect(upstreamFromUrl('xmpps://Chat.Example.org', { clock }).name).toBe('xmpps://chat.example.org:5223');
    expect(upstreamFromUrl('srv', { clock }).name).toBe('srv');
    expect(upstreamFromUrl('wss://u:p@h/ws?token=secret', { clock }).name).toBe('wss://h/ws');
  });

  it('refuses a host to be redirected to that is none', () => {
    expect(() => upstreamFromUrl('xmpp://h', { clock: new ManualClock(), redirects: ['not a host'] })).toThrow('"not a host"');
  });
});

describe('STARTTLS where nothing is said', () => {
  it.each(['localhost', 'LOCALHOST.', '127.0.0.1', '127.8.9.10', '::1'])('is optional for loopback host %s', (host) => {
    expect(defaultStartTls(host)).toBe('optional');
  });

  it.each(['example.org', '192.0.2.1', '128.0.0.1', '::2', 'localhost.example.org', '127.0.0.1.example.org'])(
    'is required for %s',
    (host) => {
      expect(defaultStartTls(host)).toBe('required');
    },
  );
});
