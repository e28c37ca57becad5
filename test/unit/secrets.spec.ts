import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { KeyRing } from '../../lib/shared/key-ring.js';
import { unguessable } from '../../lib/session/index.js';
import { leaksIn } from '../support/secrets.mjs';

const sid = unguessable();
const plain = (text: string) => Buffer.from(text).toString('base64');

describe('the search of the output for secrets', () => {
  it.each([
    ['a sid', () => `session ${sid} ended`],
    ['a sid in a body', () => `<body rid='1' sid='some-sid'/>`],
    ['a ticket', () => `used ticket.${sid}`],
    ['PLAIN', () => `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${plain('\0zoe\0pw')}</auth>`],
    ['PLAIN alone', () => plain('\0alice\0alice')],
    ['the first message of SCRAM', () => plain('n,,n=zoe,r=fyko+d2lbbFgONRv9qkxdawL')],
    ['the last message of SCRAM', () => `c=biws,r=x,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`],
    ['a challenge', () => `<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>abcd</challenge>`],
    ['a legacy password', () => `<query xmlns='jabber:iq:auth'><password>x</password></query>`],
    ['a key of BOSH', () => `<body key='${'0a'.repeat(20)}'/>`],
    ['a key of the tests', () => 'key 3c1d69981b65bfbd641dcb64c82bb613'],
  ])('R24: finds %s, and does not repeat it', (_what, text) => {
    const leaks = leaksIn(`all is well\n${text()}\n`);
    expect(leaks.length).toBeGreaterThan(0);
    expect(leaks.join('\n')).not.toContain(sid);
  });

  it.each([
    ['what is masked', `<body sid='***' key="***"/><auth mechanism='PLAIN'>***</auth><password>***</password>`],
    ['a session id of the log', '2QwB9xXy0aZ_ websocket alice@example.org from 192.0.2.1: closed after 3 s, 1 in, 2 out'],
    ['a path', '/work/node_modules/@nestjs/common/services/logger.service.js:101:22'],
    ['a digest', KeyRing.generate()],
    ['a sentence', 'upstream of example.org failed: connect ECONNREFUSED 127.0.0.1:5222'],
    ['features', `<auth mechanism='PLAIN'></auth><response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`],
  ])('R24: lets %s be', (_what, text) => {
    expect(leaksIn(text)).toEqual([]);
  });

  it('R24: fails the run, by what a process of its own has kept', () => {
    const directory = mkdtempSync(join(tmpdir(), 'nestjs-xmpp-output-'));
    const support = join(process.cwd(), 'test', 'support');
    const run = (text: string) =>
      execFileSync(
        process.execPath,
        [
          '--input-type=module',
          '-e',
          `import { record } from ${JSON.stringify(join(support, 'secrets.mjs'))};
           import Reporter from ${JSON.stringify(join(support, 'secrets-reporter.mjs'))};
           record(process.argv[1]);
           const reporter = new Reporter();
           const results = { numRuntimeErrorTestSuites: 0 };
           reporter.onRunComplete([], results);
           console.log(results.numRuntimeErrorTestSuites, reporter.getLastError()?.message ?? 'clean');`,
          text,
        ],
        { env: { ...process.env, TEST_OUTPUT_DIR: directory }, encoding: 'utf8', stdio: 'pipe' },
      );
    expect(run('nothing to see')).toBe('0 clean\n');
    expect(run(`session ${sid} ended`)).toMatch(/^1 secrets in the output of this run, 1 times:\nan identifier/);
    rmSync(directory, { recursive: true, force: true });
  });
});
