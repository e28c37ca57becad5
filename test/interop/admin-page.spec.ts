import { jest } from '@jest/globals';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { PLATFORMS } from '../support/app.js';
import { startChromium } from '../support/chromium.js';
import { type Sample, spawnSample, startSample } from '../support/sample.js';
import { openStream, type WebClient, type WebTransport } from '../support/web-client.js';

jest.setTimeout(60_000);

const TOKEN = 'dGhlIG9wZXJhdG9ycyBrbm93';
const AUTH = (name: string) =>
  `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${Buffer.from(`\0${name}\0pw-of-${name}`).toString('base64')}</auth>`;
const BIND = `<iq xmlns='jabber:client' type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>web</resource></bind></iq>`;

/** The page's own. */
declare const document: { readonly documentElement: { readonly scrollWidth: number; readonly clientWidth: number } };

let browser: Browser;
beforeAll(async () => {
  browser = await startChromium();
});
afterAll(async () => {
  await browser?.close();
});

async function until(client: WebClient, part: string): Promise<string> {
  for (;;) {
    const element = await client.next();
    if (element.includes(part)) return element;
  }
}

describe('the page of the administration', () => {
  let sample: Sample;
  const clients: WebClient[] = [];

  beforeAll(async () => {
    sample = await startSample({ HTTP_PLATFORM: 'fastify', ADMIN_TOKEN: TOKEN, XMPP_USERS: 'romeo:pw-of-romeo,juliet:pw-of-juliet' });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.cut();
  });
  afterAll(async () => {
    await sample?.stop();
  });

  async function login(name: string, transport: WebTransport): Promise<WebClient> {
    const client = await openStream(transport, sample, { to: 'localhost' });
    clients.push(client);
    await until(client, 'mechanisms');
    client.send(AUTH(name));
    await until(client, '<success');
    client.restart({ to: 'localhost' });
    client.send(BIND);
    await until(client, '<jid>');
    return client;
  }

  async function openPage(options: BrowserContextOptions = {}): Promise<{ page: Page; complaints: string[]; elsewhere: string[] }> {
    const page = await (await browser.newContext(options)).newPage();
    const complaints: string[] = [];
    const elsewhere: string[] = [];
    page.on('console', (message) => {
      // Chromium itself tells of every answer that is no success.
      if (['error', 'warning'].includes(message.type()) && !message.text().startsWith('Failed to load resource')) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(sample.url)) elsewhere.push(request.url());
      if (request.url().includes(TOKEN)) elsewhere.push('the token in a URL');
    });
    await page.goto(`${sample.url}/admin`);
    return { page, complaints, elsewhere };
  }

  async function signIn(page: Page, token = TOKEN): Promise<void> {
    await page.getByTestId('token').fill(token);
    await page.getByTestId('sign-in').click();
  }

  const row = (page: Page, jid: string) => page.locator(`[data-testid=rows] tr[data-jid="${jid}"]`);
  const rows = (page: Page) => page.locator('[data-testid=rows] tr');

  it('shows nothing but a form to those who have no token', async () => {
    await login('romeo', 'websocket');
    const { page, complaints } = await openPage();
    await signIn(page, 'not-the-token-of-the-operators');
    await page.getByText('That is not the token.').waitFor();
    expect(await page.getByTestId('rows').isVisible()).toBe(false);
    expect(await page.content()).not.toContain('romeo');
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('shows the sessions as they come and go, and finds one', async () => {
    await login('romeo', 'websocket');
    const { page, complaints, elsewhere } = await openPage();
    await signIn(page);
    await row(page, 'romeo@localhost/web').waitFor();
    expect(await page.getByTestId('status').getAttribute('data-state')).toBe('live');
    const juliet = await login('juliet', 'bosh');
    await row(page, 'juliet@localhost/web').waitFor();
    expect(await page.getByTestId('sessions-now').textContent()).toBe('2');
    await page.locator('#sessions-spark path.line[d]').first().waitFor({ state: 'attached' });
    expect(await row(page, 'juliet@localhost/web').textContent()).toContain('BOSH');
    await page.getByTestId('search').fill('ROMEO');
    await row(page, 'juliet@localhost/web').waitFor({ state: 'detached' });
    expect(await page.getByTestId('count').textContent()).toBe('1');
    await page.getByTestId('search').fill('nobody at all');
    await page.getByText('No session is like that.').waitFor();
    await page.getByTestId('search').fill('');
    await page.getByTestId('transport').selectOption('bosh');
    await row(page, 'romeo@localhost/web').waitFor({ state: 'detached' });
    await page.getByTestId('transport').selectOption('');
    await row(page, 'romeo@localhost/web').waitFor();
    juliet.close();
    await row(page, 'juliet@localhost/web').waitFor({ state: 'detached' });
    // A reload needs no second sign-in, a sign-out forgets.
    await page.reload();
    await row(page, 'romeo@localhost/web').waitFor();
    await page.getByTestId('sign-out').click();
    await page.reload();
    await page.getByTestId('token').waitFor();
    expect(complaints).toEqual([]);
    expect(elsewhere).toEqual([]);
    await page.context().close();
  });

  it('ends a session when its operator has said so twice', async () => {
    const romeo = await login('romeo', 'websocket');
    const { page } = await openPage();
    await signIn(page);
    const kick = row(page, 'romeo@localhost/web').getByTestId('kick');
    await kick.click();
    await page.getByTestId('confirm').getByText('romeo@localhost/web').waitFor();
    await page.getByTestId('confirm-no').click();
    await page.getByTestId('confirm').waitFor({ state: 'hidden' });
    expect(await rows(page).count()).toBe(1);
    // By the keyboard alone, too.
    await kick.focus();
    await page.keyboard.press('Enter');
    await page.keyboard.type('Good night');
    await page.keyboard.press('Enter');
    expect(await until(romeo, 'stream:error')).toContain('Good night');
    await row(page, 'romeo@localhost/web').waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('sends clients elsewhere, says so, and takes them again', async () => {
    const { page, complaints } = await openPage();
    await signIn(page);
    await page.getByTestId('drain').click();
    await page.locator('#confirm input[name=websocket]').fill('nonsense');
    await page.getByTestId('confirm-yes').click();
    await page.locator('#confirm-error', { hasText: 'no ws(s): or http(s): URI' }).waitFor();
    await page.locator('#confirm input[name=websocket]').fill('ws://other.example/xmpp-websocket');
    await page.getByTestId('confirm-yes').click();
    await page.locator('[data-testid=drain-notice]', { hasText: 'ws://other.example/xmpp-websocket' }).waitFor();
    await page.getByTestId('undrain').click();
    await page.getByTestId('drain-notice').waitFor({ state: 'hidden' });
    await login('romeo', 'websocket');
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('R24: shows one session and what passes in it, secrets masked, and no markup that it holds', async () => {
    const romeo = await login('romeo', 'websocket');
    const { page, complaints } = await openPage();
    await signIn(page);
    await row(page, 'romeo@localhost/web').getByTestId('inspect').click();
    await page.getByTestId('details').getByText('WebSocket, not encrypted').waitFor();
    await page.getByTestId('trace').click();
    await page.locator('[data-testid=trace][aria-pressed=true]').waitFor();
    romeo.send(`<iq xmlns='jabber:client' type='set' id='s'><query xmlns='jabber:iq:private'><x xmlns='a'>S3CR3T</x></query></iq>`);
    romeo.send(`<message xmlns='jabber:client' to='romeo@localhost'><body>&lt;img src=x onerror=alert(1)&gt;</body></message>`);
    await page.locator('[data-testid=trace-lines] li', { hasText: 'onerror' }).first().waitFor();
    const lines = await page.getByTestId('trace-lines').textContent();
    expect(lines).toContain('jabber:iq:private');
    expect(lines).not.toContain('S3CR3T');
    expect(await page.locator('[data-testid=trace-lines] img').count()).toBe(0);
    await page.locator('#details-close').click();
    const traces = async () => await (await fetch(`${sample.url}/admin/api/traces`, { headers: { Authorization: `Bearer ${TOKEN}` } })).json();
    for (let left = 50; left > 0 && JSON.stringify(await traces()) !== '{"traces":[]}'; left--);
    expect(await traces()).toEqual({ traces: [] });
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('fits a telephone, in the dark', async () => {
    await login('romeo', 'websocket');
    const { page } = await openPage({ viewport: { width: 360, height: 740 }, colorScheme: 'dark' });
    await signIn(page);
    await row(page, 'romeo@localhost/web').waitFor();
    const { scrollWidth, clientWidth } = await page.evaluate(() => {
      const { scrollWidth: inside, clientWidth: outside } = document.documentElement;
      return { scrollWidth: inside, clientWidth: outside };
    });
    expect(scrollWidth).toBeLessThanOrEqual(clientWidth);
    expect(await row(page, 'romeo@localhost/web').getByTestId('kick').isVisible()).toBe(true);
    await page.context().close();
  });

  it('says who reads it by name: every control has one', async () => {
    await login('romeo', 'websocket');
    const { page } = await openPage();
    await signIn(page);
    await row(page, 'romeo@localhost/web').waitFor();
    await page.getByRole('button', { name: 'End the session of romeo@localhost/web' }).waitFor();
    await page.getByRole('searchbox', { name: 'Search by address or JID' }).waitFor();
    await page.getByRole('combobox', { name: 'Transport' }).waitFor();
    await page.getByRole('img', { name: /now 1 sessions/ }).waitFor();
    for (const control of await page.locator('button:visible, input:visible, select:visible').all()) {
      const name = await control.evaluate((element) => {
        const { ariaLabel, textContent, labels } = element as unknown as {
          ariaLabel: string | null;
          textContent: string;
          labels?: ArrayLike<{ textContent: string }>;
        };
        return (ariaLabel ?? '') + textContent + (labels?.[0]?.textContent ?? '');
      });
      expect(name.trim()).not.toBe('');
    }
    await page.context().close();
  });
});

describe('the administration of the sample', () => {
  it.each(PLATFORMS)('R23: is behind its token on %s, the page itself in front of it', async (platform) => {
    const sample = await startSample({ HTTP_PLATFORM: platform, ADMIN_TOKEN: TOKEN });
    for (const [path, status, type] of [
      ['/admin', 200, 'text/html'],
      ['/admin/admin.js', 200, 'text/javascript'],
      ['/admin/admin.css', 200, 'text/css'],
      ['/tokens.css', 200, 'text/css'],
      ['/admin/api', 401, 'application/json'],
      ['/admin/api/sessions', 401, 'application/json'],
    ] as const) {
      const { status: found, headers } = await fetch(`${sample.url}${path}`);
      expect([path, found, headers.get('content-type')?.split(';', 1)[0]]).toEqual([path, status, type]);
      if (status === 200) expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self';/);
    }
    const shown = async (authorization: string) => (await fetch(`${sample.url}/admin/api`, { headers: { authorization } })).status;
    expect(await shown(`Bearer ${TOKEN}x`)).toBe(401);
    expect(await shown(`Basic ${TOKEN}`)).toBe(401);
    expect(await shown(`bearer ${TOKEN}`)).toBe(200);
    await sample.stop();
  });

  it('is not there without ADMIN_TOKEN', async () => {
    const sample = await startSample();
    for (const path of ['/admin', '/admin/admin.js', '/admin/api', '/admin/api/sessions']) {
      expect((await fetch(`${sample.url}${path}`)).status).toBe(404);
    }
    await sample.stop();
  });

  it('does not start with a token that could be guessed, and does not repeat it', async () => {
    const child = spawnSample({ ADMIN_TOKEN: 'sesame' });
    expect((await child.exit).code).not.toBe(0);
    expect(child.output).toContain('ADMIN_TOKEN is no token; allowed: 16 to 256');
    expect(child.output).not.toContain('sesame');
  });
});
