import { Jid } from '../../../lib/upstream/embedded/jid.js';

describe('Jid', () => {
  it.each([
    ['alice@example.org', 'alice', 'example.org', ''],
    ['Alice@EXAMPLE.org/Phone', 'alice', 'example.org', 'Phone'],
    ['example.org', '', 'example.org', ''],
    ['example.org/server', '', 'example.org', 'server'],
    ['room@conference.example.org/a nick/with @ all', 'room', 'conference.example.org', 'a nick/with @ all'],
    ['\uff21lice@example.org', 'alice', 'example.org', ''],
    ['alice@example.org.', 'alice', 'example.org', ''],
  ])('RFC 7622: reads %s', (text, local, domain, resource) => {
    expect(Jid.parse(text)).toMatchObject({ local, domain, resource });
  });

  it.each([
    '',
    '@example.org',
    'alice@',
    'alice@example.org/',
    'al ice@example.org',
    'al"ice@example.org',
    `al'ice@example.org`,
    'al&ice@example.org',
    'al:ice@example.org',
    'al<ice@example.org',
    'alice@exa mple.org',
    'alice@bob@example.org',
    'alice@example.org/a\u0000b',
    `${'a'.repeat(1024)}@example.org`,
    `alice@${'a'.repeat(1024)}`,
    `alice@example.org/${'\u00e4'.repeat(512)}`,
  ])('RFC 7622: refuses %j', (text) => {
    expect(Jid.parse(text)).toBeUndefined();
  });

  it('writes equal addresses alike', () => {
    expect(String(Jid.parse('ALICE@Example.Org/Phone'))).toBe('alice@example.org/Phone');
    expect(Jid.parse('Alice@example.org/x')!.withResource('').toString()).toBe('alice@example.org');
    expect(Jid.parse(`alice@example.org/${'a'.repeat(1023)}`)).toBeDefined();
  });
});
