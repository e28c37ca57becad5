import { createReadStream } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { startChromium } from '../../support/chromium.js';
import type { Bound, Chat } from './chat.js';
import type { ChatClient, Driver, Listener, Login, ReceivedMessage, ReceivedPresence } from './driver.js';

/** A client that runs in a browser page. */
export interface PageClient extends Pick<Driver, 'name' | 'version' | 'transports' | 'burst'> {
  /** The directory with the client's files for browsers. */
  readonly directory: string;
  /** Those that the page loads, and the script of ours that comes after them. */
  readonly styles: readonly string[];
  readonly scripts: readonly string[];
  readonly chat: string;
}

/** Served like `index.html` by any web server. */
const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.cjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

interface Stage {
  readonly browser: Browser;
  readonly site: Server;
  readonly url: string;
}

type Calls = Required<Chat>;
/** What the page puts into its global scope. */
interface Page {
  readonly chat: Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;
}

/** What the page calls us with: everything that came in since the last call. */
type Arrival = { readonly message: ReceivedMessage } | { readonly presence: ReceivedPresence };

/**
 * A client where its users run it: in a browser page (Chromium), from another origin than the server's, so
 * that CORS, XMLHttpRequest and the browser's own WebSocket take part.
 */
export function inChromium(client: PageClient): Driver {
  let stage: Promise<Stage> | undefined;
  return {
    name: client.name,
    version: client.version,
    host: 'Chromium',
    transports: client.transports,
    ...(client.burst !== undefined && { burst: client.burst }),
    connect: async (login, listener) => await connect(await (stage ??= setStage(client)), login, listener),
    close: async () => {
      if (!stage) return;
      const { browser, site } = await stage;
      stage = undefined;
      await browser.close();
      site.closeAllConnections();
      await new Promise((resolve) => site.close(resolve));
    },
  };
}

async function setStage(client: PageClient): Promise<Stage> {
  const page = pageOf(client);
  const ours = join(dirname(fileURLToPath(import.meta.url)), client.chat);
  const site = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname === '/') {
      response.setHeader('Content-Type', 'text/html; charset=utf-8').end(page);
      return;
    }
    const file = pathname === `/${client.chat}` ? ours : join(client.directory, normalize(decodeURIComponent(pathname)));
    response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream');
    createReadStream(file).on('error', () => response.writeHead(404).end()).pipe(response);
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  const { port } = site.address() as AddressInfo;
  return { browser: await startChromium(), site, url: `http://127.0.0.1:${port}/` };
}

function pageOf({ name, styles, scripts, chat }: PageClient): string {
  return [
    `<!doctype html><meta charset="utf-8"><title>${name}</title><link rel="icon" href="data:,">`,
    ...styles.map((style) => `<link rel="stylesheet" href="/${style}">`),
    '<body>',
    ...[...scripts, chat].map((script) => `<script type="module" src="/${script}"></script>`),
    `<script type="module">
      const arrivals = [];
      const arrived = (arrival) => {
        if (arrivals.push(arrival) > 1) return;
        setTimeout(() => tell(arrivals.splice(0)));
      };
      globalThis.chat = newChat({ message: (message) => arrived({ message }), presence: (presence) => arrived({ presence }) });
    </script>`,
  ].join('\n');
}

async function connect({ browser, url }: Stage, login: Login, listener: Listener): Promise<ChatClient> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true }); // the certificates are those of the test
  const page = await context.newPage();
  await page.exposeFunction('tell', (arrivals: readonly Arrival[]) => {
    for (const arrival of arrivals) {
      if ('message' in arrival) listener.message(arrival.message);
      else listener.presence(arrival.presence);
    }
  });
  await page.goto(url);
  const call = async <M extends keyof Calls>(method: M, ...parameters: Parameters<Calls[M]>): Promise<Awaited<ReturnType<Calls[M]>>> =>
    (await page.evaluate(
      ([name, args]) => (globalThis as unknown as Page).chat[name]?.(...args),
      [method as string, parameters as readonly unknown[]] as const,
    )) as Awaited<ReturnType<Calls[M]>>;
  const bound: Bound = await call('connect', login).catch(async (error: unknown) => {
    await context.close();
    throw error;
  });
  return {
    ...bound,
    addContact: async (jid, name) => await call('addContact', jid, name),
    roster: async () => await call('roster'),
    presence: async (to, status) => await call('presence', to, status),
    sendMessages: async (to, bodies) => await call('sendMessages', to, bodies),
    recover: async () => await call('recover'),
    disconnect: async () => {
      await call('disconnect');
      await context.close();
    },
  };
}
