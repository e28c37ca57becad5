import { jest } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { PLATFORMS } from '../support/app.js';
import { startChromium } from '../support/chromium.js';
import { type Sample, startSample } from '../support/sample.js';

jest.setTimeout(60_000);

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

async function openPage(url: string): Promise<Person> {
  const context = await browser.newContext();
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

/** SASL data, and the session ids of BOSH: what a log must not show. */
function secretsOf(wire: string): string[] {
  const sasl = [...wire.matchAll(/<(?:auth|challenge|response|success)\b[^>]*>([^<]+)</g)].map(([, data]) => data as string);
  const sids = [...wire.matchAll(/<body\b[^>]*\bsid=["']([^"']+)["']/g)].map(([, sid]) => sid as string);
  return [...new Set([...sasl, ...sids])];
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

  it.each(['ws', 'bosh'] as const)('says that a password is wrong over %s', async (transport) => {
    const alice = await logIn(sample.url, 'alice', transport, 'not her password');
    await state(alice, 'failed');
    expect(await alice.page.getByTestId('login-error').innerText()).toContain('address or password is wrong');
    expect(alice.complaints).toEqual([]);
    await alice.page.context().close();
  });
});
