import { XmppSessionService } from 'nestjs-xmpp';
import type { Browser } from 'playwright-core';
import { startApp, type TestApp } from '../support/app.js';
import { body, BoshHttp, creation } from '../support/bosh-client.js';
import { startChromium } from '../support/chromium.js';
import { Mailbox } from '../support/mailbox.js';
import { packageFile } from '../support/packages.js';
import { startUpstream, UPSTREAMS, type RunningUpstream } from './upstreams.js';

const STROPHE = packageFile('strophe.js', 'dist', 'strophe.umd.cjs');
const ALICE = { domain: 'localhost', username: 'alice', password: 'alice' } as const;
const BOB = { domain: 'localhost', username: 'bob', password: 'bob' } as const;
const message = (to: string, id: string) => `<message xmlns='jabber:client' to='${to}' id='${id}' type='chat'><body>hi</body></message>`;

describe.each(UPSTREAMS)('prebinding at %s', (server) => {
  let running: RunningUpstream | undefined;
  let app: TestApp;
  let http: BoshHttp;
  let sessions: XmppSessionService;

  beforeAll(async () => {
    running = await startUpstream(server);
    app = await startApp({ options: { upstream: running.upstream } });
    http = new BoshHttp(app.boshUrl);
    sessions = app.app.get(XmppSessionService);
  }, 60_000);
  afterAll(async () => {
    http?.close();
    await app?.close();
    await running?.stop();
  });

  it('P7: logs in by SCRAM, and the client goes on with sid and rid', async () => {
    const alice = await sessions.prebind({ ...ALICE, resource: 'page' });
    expect(alice.jid).toMatch(/^alice@localhost\/page/);
    const answer = await http.post(body({ sid: alice.sid, rid: alice.rid }, message(alice.jid, 'self')));
    const later = answer.payload === '' ? await http.post(body({ sid: alice.sid, rid: alice.rid + 1 })) : answer;
    expect(later.payload).toMatch(/id=['"]self['"]/);
    await http.post(body({ sid: alice.sid, rid: alice.rid + (later === answer ? 1 : 2), type: 'terminate' }));
  });

  it('P7: refuses a wrong password', async () => {
    const login = sessions.prebind({ ...ALICE, password: 'sesame' });
    await expect(login).rejects.toMatchObject({ reason: 'not-authorized', condition: 'not-authorized' });
  });

  it('S24: a ticket attaches to a stream that was logged in here', async () => {
    const { jid, ticket } = await sessions.prebind({ ...ALICE, shared: true });
    const shared = { 'xmlns:shared': 'urn:xmpp:tmp:shared-bosh:0', 'shared:key': ticket };
    const answer = await http.post(creation({ to: 'localhost', ...shared }));
    expect(answer.attribute('shared:jid')).toBe(jid);
    await http.post(body({ sid: answer.attribute('sid'), rid: 1001, type: 'terminate' }));
  });

  describe('in Chromium', () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await startChromium();
    }, 60_000);
    afterAll(async () => {
      await browser?.close();
    });

    it('P5, P6, P7: Strophe attaches, says that it is present, and talks', async () => {
      const news = new Mailbox<string>();
      const page = await browser.newPage();
      await page.exposeFunction('report', (text: string) => news.put(text));
      await page.goto(`${app.url}/.well-known/host-meta.json`); // any page of loopback, which alone may talk to it
      await page.addScriptTag({ path: STROPHE });
      const [alice, bob] = [await sessions.prebind(ALICE), await sessions.prebind(BOB)];
      await page.evaluate(`{
        const { Strophe, $pres, $msg } = globalThis;
        const connection = new Strophe.Connection(${JSON.stringify(app.boshUrl)});
        connection.addHandler((stanza) => (report('message ' + stanza.getAttribute('id')), true), null, 'message');
        connection.attach(${JSON.stringify(alice.jid)}, ${JSON.stringify(alice.sid)}, ${alice.rid}, (status) => {
          report('status ' + status);
          if (status !== Strophe.Status.ATTACHED) return;
          connection.send($pres());
          connection.send($msg({ to: ${JSON.stringify(bob.jid)}, id: 'from-page', type: 'chat' }).c('body').t('hi'));
        });
      }`);
      expect(await news.take()).toBe('status 8'); // ATTACHED
      const held = await http.post(body({ sid: bob.sid, rid: bob.rid }));
      expect(held.payload).toMatch(/id=['"]from-page['"]/);
      void http.post(body({ sid: bob.sid, rid: bob.rid + 1 }, message('alice@localhost', 'from-bob')));
      expect(await news.take((text) => text.startsWith('message'))).toBe('message from-bob');
      expect(await sessions.find(alice.jid)).toHaveLength(1);
      await page.close();
      await sessions.terminate(alice.jid);
      await sessions.terminate(bob.jid);
    });
  });
});
