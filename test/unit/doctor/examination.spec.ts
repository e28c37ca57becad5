import { Examination, messageOf } from '../../../lib/doctor/examination.js';

const at = (address: string, domain?: string) => new Examination(new URL(address), { domain });

describe('an examination', () => {
  it.each([
    ['https://chat.xmpp.example.org', ['chat.xmpp.example.org', 'xmpp.example.org', 'example.org']],
    ['https://example.org:8443/x', ['example.org']],
    ['https://192.0.2.1', ['192.0.2.1']],
    ['https://[2001:db8::1]', ['2001:db8::1']],
    ['http://127.0.0.1:5280', ['localhost', '127.0.0.1']],
    ['https://intranet', ['intranet']],
  ])('of %s tries %j', (address, domains) => {
    expect(at(address).domains).toEqual(domains);
  });

  it('tries no other domain than the one that it was told', () => {
    expect(at('https://chat.example.org', 'example.net').domains).toEqual(['example.net']);
  });

  it('tells nothing that could move the cursor of a terminal, and nothing without end', () => {
    const told: string[] = [];
    const examination = new Examination(new URL('https://example.org'), { onFinding: ({ text }) => told.push(text) });
    examination.note('host-meta', 'wss://\u001B[2J\u009Bm\r\n\u202Eevil');
    examination.warn('host-meta', 'x'.repeat(10_000), 'see');
    expect(told).toEqual(['wss://?[2J?m???evil', `${'x'.repeat(300)}…`]);
    expect(examination.findings).toEqual([
      { level: 'note', area: 'host-meta', text: told[0] },
      { level: 'warning', area: 'host-meta', text: told[1], advice: 'see' },
    ]);
  });

  it('C26: takes an answer for readable by pages that names their origin, or any', () => {
    const examination = at('https://example.org');
    const answer = (allowed?: string) => ({ status: 200, headers: { 'access-control-allow-origin': allowed }, text: '', at: 0 });
    const readable = ['*', examination.origin, 'https://elsewhere.example', undefined].map((allowed) => examination.isReadable(answer(allowed)));
    expect(readable).toEqual([true, true, false, false]);
  });
});

it('messageOf() is one line, of the first of several errors', () => {
  expect(messageOf(new AggregateError([new Error('connect\n  refused'), new Error('other')]))).toBe('connect refused');
});
