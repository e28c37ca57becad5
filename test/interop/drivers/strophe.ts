import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { startChromium } from '../../support/chromium.js';
import type { ChatClient, Driver, Listener, Login, ReceivedMessage, ReceivedPresence, RosterItem } from './driver.js';

const STROPHE = join(dirname(createRequire(import.meta.url).resolve('strophe.js/package.json')), 'dist', 'strophe.umd.cjs');
const PAGE_SCRIPT = join(dirname(fileURLToPath(import.meta.url)), 'strophe-page.js');

/** What strophe-page.js puts into the page. */
interface Page {
  readonly chat: Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;
}

interface Stage {
  readonly browser: Browser;
  /** Serves the empty page that Strophe runs in. */
  readonly site: Server;
  readonly url: string;
}

let stage: Promise<Stage> | undefined;

/**
 * Strophe where its users run it: in a browser page (Chromium), from another origin than the server's, so
 * that CORS, XMLHttpRequest and the browser's own WebSocket take part.
 */
export const strophe: Driver = {
  name: 'Strophe',
  transports: ['websocket', 'bosh'],
  connect: async (login, listener) => await connect(await (stage ??= setStage()), login, listener),
  close: async () => {
    if (!stage) return;
    const { browser, site } = await stage;
    stage = undefined;
    await browser.close();
    site.closeAllConnections();
    await new Promise((resolve) => site.close(resolve));
  },
};

async function setStage(): Promise<Stage> {
  const site = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>Strophe</title>');
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  const { port } = site.address() as AddressInfo;
  return { browser: await startChromium(), site, url: `http://127.0.0.1:${port}/` };
}

async function connect({ browser, url }: Stage, login: Login, listener: Listener): Promise<ChatClient> {
  const page = await browser.newPage();
  await page.exposeFunction('chatMessage', (message: ReceivedMessage) => listener.message(message));
  await page.exposeFunction('chatPresence', (presence: ReceivedPresence) => listener.presence(presence));
  await page.goto(url);
  await page.addScriptTag({ path: STROPHE });
  await page.addScriptTag({ path: PAGE_SCRIPT });
  const call = async <T>(method: string, ...parameters: readonly unknown[]): Promise<T> =>
    (await page.evaluate(
      ([name, args]) => (globalThis as unknown as Page).chat[name]?.(...args),
      [method, parameters] as const,
    )) as T;
  const { jid, mechanism } = await call<{ jid: string; mechanism: string }>('connect', login).catch(async (error: unknown) => {
    await page.close();
    throw error;
  });
  return {
    jid,
    mechanism,
    addContact: async (contact, name) => await call('addContact', contact, name),
    roster: async () => await call<RosterItem[]>('roster'),
    presence: async (to, status) => await call('presence', to, status),
    sendMessage: async (to, body) => await call('sendMessage', to, body),
    disconnect: async () => {
      await call('disconnect');
      await page.close();
    },
  };
}
