import { jest } from '@jest/globals';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { PLATFORMS } from '../support/app.js';
import { startChromium } from '../support/chromium.js';
import { type Sample, startSample } from '../support/sample.js';

jest.setTimeout(60_000);

/** The page's own; its policy lets nobody evaluate text. */
declare const localStorage: { readonly length: number };

const PASSWORDS = { alice: 'correct horse', bob: 'battery staple' } as const;
type User = keyof typeof PASSWORDS;
type Transport = 'ws' | 'bosh';

/** A person in a window of their own. */
interface Person {
  readonly page: Page;
  /** What the browser complained about. */
  readonly complaints: readonly string[];
  /** Everything that went over the wire, as the browser saw it. */
  wire(): Promise<string>;
}

let browser: Browser;

beforeAll(async () => {
  browser = await startChromium();
});

afterAll(async () => {
  await browser?.close();
});

async function openPage(url: string, context?: BrowserContext): Promise<Person> {
  context ??= await browser.newContext();
  const page = await context.newPage();
  const complaints: string[] = [];
  const traffic: (string | Promise<string>)[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('websocket', (socket) => {
    for (const event of ['framesent', 'framereceived'] as const) {
      socket.on(event as 'framesent', ({ payload }) => traffic.push(String(payload)));
    }
  });
  page.on('requestfinished', (request) => {
    if (!request.url().endsWith('/http-bind')) return;
    traffic.push(request.postData() ?? '');
    // A held request may be answered while the window closes; then nobody reads it.
    traffic.push(request.response().then(async (response) => (await response?.text()) ?? '').catch(() => ''));
  });
  await page.goto(url);
  return { page, complaints, wire: async () => (await Promise.all(traffic)).join('\n') };
}

async function logIn(url: string, user: User, transport: Transport, password: string = PASSWORDS[user]): Promise<Person> {
  const person = await openPage(url);
  const { page } = person;
  await page.getByTestId('jid').fill(`${user}@localhost`);
  await page.getByTestId('password').fill(password);
  await page.locator('label', { has: page.getByTestId(`transport-${transport}`) }).click();
  await page.getByTestId('connect').click();
  return person;
}

/** Another tab of the same browser. */
async function openTab({ page }: Person, link: string): Promise<Person> {
  return await openPage(new URL(link, page.url()).href, page.context());
}

async function state({ page }: Person, wanted: string): Promise<void> {
  await page.locator(`[data-testid=status][data-state=${wanted}]`).waitFor();
}

async function chooseContact({ page }: Person, jid: string): Promise<void> {
  await page.locator(`[data-testid=contacts] button[data-jid="${jid}"]`).click();
}

async function say({ page }: Person, text: string): Promise<void> {
  await page.getByTestId('message').fill(text);
  await page.getByTestId('send').click();
}

/** The texts of the conversation that is shown, once there are `count` of a direction. */
async function bubbles({ page }: Person, direction: 'in' | 'out', count: number): Promise<string[]> {
  const items = page.locator(`[data-testid=messages] li[data-direction=${direction}] .bubble`);
  await items.nth(count - 1).waitFor();
  return await items.allTextContents();
}

/** Says how many other tabs there are. */
async function others({ page }: Person, count: number): Promise<void> {
  await page.locator(`[data-testid=shared][data-others="${count}"]:visible`).waitFor();
}

/** The key that it found opens nothing any more. */
async function findsNoSession({ page }: Person): Promise<void> {
  await page.waitForFunction(() => localStorage.length === 0);
}

async function asksForPassword(person: Person): Promise<void> {
  await state(person, 'offline');
  await person.page.getByTestId('password').waitFor();
  expect(await person.page.getByTestId('login-error').isVisible()).toBe(false);
}

/** SASL data, the keys of shared sessions, and the session ids of BOSH: what a log must not show. */
function secretsOf(wire: string): string[] {
  const sasl = [...wire.matchAll(/<(?:auth|challenge|response|success)\b[^>]*>([^<]+)</g)].map(([, data]) => data as string);
  const sids = [...wire.matchAll(/<body\b[^>]*\bsid=["']([^"']+)["']/g)].map(([, sid]) => sid as string);
  const keys = [...wire.matchAll(/\bshared:key=["']([^"']+)["']/g)].map(([, key]) => key as string);
  return [...new Set([...sasl, ...sids, ...keys])];
}

describe.each(PLATFORMS)('the demo page on %s', (platform) => {
  let sample: Sample;

  beforeAll(async () => {
    const accounts = Object.entries(PASSWORDS).map((account) => account.join(':'));
    sample = await startSample({ HTTP_PLATFORM: platform, XMPP_USERS: accounts.join(',') });
  });

  afterAll(async () => {
    await sample?.stop();
  });

  it('lets two people talk, one over WebSocket and one over BOSH, and shows the wire without secrets', async () => {
    const alice = await logIn(sample.url, 'alice', 'ws');
    const bob = await logIn(sample.url, 'bob', 'bosh');
    await state(alice, 'online');
    await state(bob, 'online');

    await alice.page.locator('#add-jid').fill('bob@localhost');
    await alice.page.locator('#add-jid').press('Enter');
    await bob.page.locator('#requests [data-jid="alice@localhost"] button.primary').click();
    for (const [person, other] of [[alice, 'bob@localhost'], [bob, 'alice@localhost']] as const) {
      await person.page.locator(`[data-testid=contacts] button[data-jid="${other}"][data-presence=online]`).waitFor();
      await chooseContact(person, other);
    }

    const lines = ['Good morning, Bob 👋', '<b>not bold</b> & "quoted"', 'Grüße 𝄞'];
    for (const line of lines) {
      await say(alice, `A: ${line}`);
      await say(bob, `B: ${line}`);
    }
    expect(await bubbles(bob, 'in', lines.length)).toEqual(lines.map((line) => `A: ${line}`));
    expect(await bubbles(alice, 'in', lines.length)).toEqual(lines.map((line) => `B: ${line}`));
    for (const person of [alice, bob]) {
      await person.page.locator('[data-testid=messages] li[data-direction=out][data-state=delivered]').nth(lines.length - 1).waitFor();
    }

    for (const person of [alice, bob]) {
      const secrets = secretsOf(await person.wire());
      expect(secrets.length).toBeGreaterThanOrEqual(4); // the steps of SCRAM
      await person.page.getByTestId('wire').locator('li[data-direction=out]').first().waitFor();
      const shown = await person.page.getByTestId('wire').innerText();
      await person.page.getByTestId('wire-raw').click();
      const raw = await person.page.getByTestId('wire').innerText();
      for (const text of [shown, raw]) {
        expect(text).toContain('not bold');
        expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
      }
    }

    for (const person of [alice, bob]) {
      await person.page.getByTestId('disconnect').click();
      await state(person, 'offline');
      expect(person.complaints).toEqual([]);
      await person.page.context().close();
    }
  });

  it.each([['ws', 'bosh'], ['bosh', 'ws']] as const)('lets the tabs of a browser share a session: two over %s, a third over %s', async (transport, other) => {
    const bob = await logIn(sample.url, 'bob', 'ws');
    await state(bob, 'online');
    const first = await logIn(sample.url, 'alice', transport);
    await state(first, 'online');
    await others(first, 0);
    const second = await openTab(first, `/?transport=${transport}`);
    await state(second, 'online');
    const jid = await first.page.locator('#me-jid').innerText();
    expect(await second.page.locator('#me-jid').innerText()).toBe(jid);
    for (const tab of [first, second]) {
      await others(tab, 1);
      await tab.page.locator('#add-jid').fill('bob@localhost');
    }

    // A contact that one tab adds, the other has, too.
    await first.page.locator('#add-jid').press('Enter');
    const request = bob.page.locator('#requests [data-jid="alice@localhost"] button.primary');
    const contact = bob.page.locator('[data-testid=contacts] button[data-jid="alice@localhost"][data-presence=online]');
    await request.or(contact).first().waitFor();
    if (await request.isVisible()) await request.click();
    await contact.waitFor();
    await chooseContact(bob, 'alice@localhost');
    for (const tab of [first, second]) {
      await tab.page.locator('[data-testid=contacts] button[data-jid="bob@localhost"][data-presence=online]').waitFor();
      await chooseContact(tab, 'bob@localhost');
    }

    await say(first, 'from the first');
    expect(await bubbles(second, 'out', 1)).toEqual(['from the first']);
    await say(second, 'from the second');
    expect(await bubbles(first, 'out', 2)).toEqual(['from the first', 'from the second']);
    expect(await bubbles(bob, 'in', 2)).toEqual(['from the first', 'from the second']);
    await say(bob, 'to both');
    for (const tab of [first, second]) {
      expect(await bubbles(tab, 'in', 1)).toEqual(['to both']);
      // Confirmed to one tab, confirmed to all.
      await tab.page.locator('[data-testid=messages] li[data-direction=out][data-state=delivered]').nth(1).waitFor();
      expect(await tab.page.getByTestId('wire').locator('.frame-copy').allInnerTexts()).toContainEqual(expect.stringMatching(/^copy of tab \d$/));
      expect((await bubbles(tab, 'out', 2)).length).toBe(2);
    }
    // Both got it, one said so.
    await bob.page.locator('[data-testid=messages] li[data-direction=out][data-state=delivered]').waitFor();
    const receipts = [...(await bob.wire()).matchAll(/<received\b[^>]*urn:xmpp:receipts/g)];
    expect(receipts.length).toBe(3); // two of his own, one for him

    // A tab that is loaded again joins again; so does one over the other transport, with those who are online.
    await second.page.reload();
    await state(second, 'online');
    await others(second, 1);
    const third = await openTab(first, (await first.page.getByTestId(`new-${other}`).getAttribute('href')) ?? '');
    await state(third, 'online');
    expect(await third.page.getByTestId('status').innerText()).toContain(other === 'ws' ? 'WebSocket' : 'BOSH');
    await third.page.locator('[data-testid=contacts] button[data-jid="bob@localhost"][data-presence=online]').waitFor();
    for (const tab of [first, second, third]) {
      await others(tab, 2);
      expect(await tab.page.locator('#me-jid').innerText()).toBe(jid);
      await chooseContact(tab, 'bob@localhost');
    }

    // The first one goes, with its password; the others stay.
    await first.page.close();
    for (const tab of [second, third]) await others(tab, 1);
    await say(third, 'from the third');
    expect(await bubbles(second, 'out', 1)).toEqual(['from the third']);
    await say(bob, 'still there?');
    for (const tab of [second, third]) expect(await bubbles(tab, 'in', 1)).toEqual(['still there?']);
    await second.page.getByTestId('disconnect').click();
    await asksForPassword(second);
    await others(third, 0);
    await say(bob, 'and you?');
    expect(await bubbles(third, 'in', 2)).toEqual(['still there?', 'and you?']);
    await contact.waitFor();

    for (const tab of [second, third]) {
      const secrets = secretsOf(await tab.wire());
      expect(secrets.some((secret) => /^[0-9a-f]{32}$/.test(secret))).toBe(true);
      const shown = await tab.page.getByTestId('wire').innerText();
      expect(shown).toContain('shared:key="••••"');
      expect(secrets.filter((secret) => shown.includes(secret))).toEqual([]);
      expect(tab.complaints).toEqual([]);
    }

    // The last one goes: a new tab starts anew.
    await third.page.close();
    await bob.page.locator('[data-testid=contacts] button[data-jid="alice@localhost"][data-presence=offline]').waitFor();
    const late = await openTab(second, `/?transport=${transport}`);
    await findsNoSession(late);
    await asksForPassword(late);
    expect([...late.complaints, ...bob.complaints]).toEqual([]);
    await late.page.context().close();
    await bob.page.context().close();
  });

  it('logs out in all tabs, and shares nothing that is not to be shared', async () => {
    const first = await logIn(sample.url, 'alice', 'ws');
    await state(first, 'online');
    const tabs = [first, await openTab(first, '/?transport=bosh'), await openTab(first, '/')];
    const alone = await openTab(first, '/?share=off&jid=alice@localhost');
    await asksForPassword(alone);
    await alone.page.getByTestId('password').fill(PASSWORDS.alice);
    await alone.page.getByTestId('connect').click();
    await state(alone, 'online');
    expect(await alone.page.getByTestId('shared').isVisible()).toBe(false);
    expect(await alone.page.getByTestId('logout-all').isVisible()).toBe(false);
    const somebody = await openTab(first, '/?jid=');
    await asksForPassword(somebody);
    for (const tab of tabs) await others(tab, 2);

    await tabs[1]?.page.getByTestId('logout-all').click();
    for (const tab of tabs) {
      await asksForPassword(tab);
      expect(await tab.page.getByTestId('status').innerText()).toMatch(/^Logged out/);
    }
    await state(alone, 'online');
    expect(await first.page.evaluate(() => Object.values(localStorage))).toEqual([]);
    await first.page.reload();
    await asksForPassword(first);
    expect([...tabs, alone, somebody].flatMap(({ complaints }) => complaints)).toEqual([]);
    await first.page.context().close();
  });

  it.each(['ws', 'bosh'] as const)('says that a password is wrong over %s', async (transport) => {
    const alice = await logIn(sample.url, 'alice', transport, 'not her password');
    await state(alice, 'failed');
    expect(await alice.page.getByTestId('login-error').innerText()).toContain('address or password is wrong');
    expect(alice.complaints).toEqual([]);
    await alice.page.context().close();
  });
});

describe('the demo page of a server that shares nothing', () => {
  let sample: Sample;

  beforeAll(async () => {
    sample = await startSample({ XMPP_USERS: `alice:${PASSWORDS.alice}`, XMPP_OPTIONS: '{"shared":{"enabled":false}}' });
  });

  afterAll(async () => {
    await sample?.stop();
  });

  it.each(['ws', 'bosh'] as const)('is what it was over %s: each tab signs in', async (transport) => {
    const first = await logIn(sample.url, 'alice', transport);
    await state(first, 'online');
    expect(await first.page.getByTestId('shared').isVisible()).toBe(false);
    const second = await openTab(first, `/?transport=${transport}`);
    await findsNoSession(second);
    await asksForPassword(second);
    await second.page.getByTestId('jid').fill('alice@localhost');
    await second.page.getByTestId('password').fill(PASSWORDS.alice);
    await second.page.getByTestId('connect').click();
    await state(second, 'online');
    expect(await second.page.locator('#me-jid').innerText()).not.toBe(await first.page.locator('#me-jid').innerText());
    for (const tab of [first, second]) {
      await tab.page.getByTestId('disconnect').click();
      await state(tab, 'offline');
      expect(tab.complaints).toEqual([]);
    }
    await first.page.context().close();
  });
});
