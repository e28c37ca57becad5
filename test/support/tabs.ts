import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import ts from 'typescript';
import { startChromium } from './chromium.js';
import { Mailbox } from './mailbox.js';
import { packageFile } from './packages.js';

const HERE = dirname(fileURLToPath(import.meta.url));
const CLIENT = join(HERE, '..', '..', 'client');
const STROPHE = packageFile('strophe.js', 'dist', 'strophe.esm.js');

const PAGE = `<!doctype html><title>Tab</title>
<link rel="icon" href="data:,">
<script type="importmap">{"imports":{"strophe.js":"/strophe.js","nestjs-xmpp/client":"/client/index.js"}}</script>
<script type="module" src="/tab-page.js"></script>`;

/** What happened in a tab, as its app sees it. */
export type TabEvent =
  | { readonly kind: 'status'; readonly status: string; readonly condition: string | null; readonly result: string | null }
  | { readonly kind: 'received'; readonly xml: string; readonly snapshot: boolean }
  /** Of another tab: to the plugin's handler, and to Strophe's. */
  | { readonly kind: 'sent'; readonly xml: string; readonly sender: number }
  | { readonly kind: 'foreign'; readonly xml: string }
  /** What the plugin overcame. */
  | { readonly kind: 'error'; readonly text: string };

/** Where a tab finds its key; an object: fetched. */
export type KeySourceName = 'stored' | 'private' | 'pep' | 'broken' | { readonly url: string };

export interface TabOptions {
  readonly service: string;
  readonly keys?: readonly KeySourceName[];
  /** Of Strophe. */
  readonly options?: object;
}

interface PageApi {
  readonly tab: Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;
}

/** A tab of a browser with Strophe and the plugin in it. */
export class Tab {
  /** In the order in which they happened; nothing is taken out. */
  private readonly events: TabEvent[] = [];
  readonly news = new Mailbox<TabEvent>();

  private constructor(readonly page: Page) {}

  static async open(context: BrowserContext, url: string, options: TabOptions): Promise<Tab> {
    const tab = new Tab(await context.newPage());
    await tab.page.exposeFunction('reportEvents', (events: readonly TabEvent[]) => {
      tab.events.push(...events);
      for (const event of events) tab.news.put(event);
    });
    await tab.page.goto(url);
    await tab.call('create', options);
    return tab;
  }

  async connect(jid: string | undefined, password?: string): Promise<void> {
    await this.call('connect', jid, password);
  }

  /** Connects and waits until it is online: `CONNECTED` or `ATTACHED`. */
  async goOnline(jid: string | undefined, password?: string): Promise<string> {
    await this.connect(jid, password);
    return await this.online();
  }

  async online(): Promise<string> {
    const { status } = await this.status('CONNECTED', 'ATTACHED', 'CONNFAIL', 'AUTHFAIL', 'DISCONNECTED');
    return status;
  }

  async status(...wanted: readonly string[]): Promise<Extract<TabEvent, { kind: 'status' }>> {
    const fits = (event: TabEvent): boolean => event.kind === 'status' && wanted.includes(event.status);
    return (await this.news.take(fits)) as Extract<TabEvent, { kind: 'status' }>;
  }

  /** The next stanza of a kind of event that contains a text. */
  async stanza(kind: 'received' | 'sent' | 'foreign', text: string): Promise<string> {
    const event = await this.news.take((candidate) => candidate.kind === kind && candidate.xml.includes(text));
    return (event as { readonly xml: string }).xml;
  }

  /** Everything that has happened so far. */
  async history(): Promise<readonly TabEvent[]> {
    await this.call('flush');
    return this.events;
  }

  /** All statuses so far. */
  async statuses(): Promise<string[]> {
    return (await this.history()).flatMap((event) => (event.kind === 'status' ? [event.status] : []));
  }

  async state(): Promise<{ jid: string; result: string | null; connected: boolean }> {
    return await this.call('state');
  }

  async send(xml: string): Promise<void> {
    await this.call('send', xml);
  }

  /** Answers each message from now on: with `re-` and its id as id. */
  async echo(): Promise<void> {
    await this.call('echo');
  }

  async ask(xml: string): Promise<string> {
    return await this.call('ask', xml);
  }

  async disconnect(): Promise<void> {
    await this.call('disconnect');
    await this.status('DISCONNECTED');
  }

  async logoutAll(): Promise<void> {
    await this.call('logoutAll');
    await this.status('DISCONNECTED');
  }

  async rotate(): Promise<void> {
    await this.call('rotate');
  }

  /** What the plugin keeps in the browser: keys by account. */
  async storedKeys(): Promise<Record<string, string>> {
    return JSON.parse((await this.call<string | null>('storage')) ?? '{}') as Record<string, string>;
  }

  async store(keys: Readonly<Record<string, string>>): Promise<void> {
    await this.call('store', JSON.stringify(keys));
  }

  private async call<T>(method: string, ...parameters: readonly unknown[]): Promise<T> {
    return (await this.page.evaluate(
      async ([name, args]) => {
        const api = globalThis as unknown as PageApi;
        // A module runs after the page has loaded.
        while (api.tab === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
        return await api.tab[name]?.(...args);
      },
      [method, parameters] as const,
    )) as T;
  }
}

/** A browser, and a site whose pages have the plugin, compiled from its source. */
export class TabStage {
  private constructor(
    private readonly browser: Browser,
    private readonly site: Server,
    readonly url: string,
  ) {}

  /** @param more serves what the site does not; returns whether it did */
  static async set(more: (request: IncomingMessage, response: ServerResponse) => boolean = () => false): Promise<TabStage> {
    const site = createServer((request, response) => serve(request, response, more));
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    const { port } = site.address() as AddressInfo;
    return new TabStage(await startChromium(), site, `http://127.0.0.1:${port}`);
  }

  /** A profile of its own: cookies, storage, locks. */
  async newContext(): Promise<BrowserContext> {
    return await this.browser.newContext();
  }

  async open(context: BrowserContext, options: TabOptions): Promise<Tab> {
    return await Tab.open(context, `${this.url}/`, options);
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.site.closeAllConnections();
    await new Promise((resolve) => this.site.close(resolve));
  }
}

function serve(
  request: IncomingMessage,
  response: ServerResponse,
  more: (request: IncomingMessage, response: ServerResponse) => boolean,
): void {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  const script = (text: string): void => void response.setHeader('Content-Type', 'text/javascript').end(text);
  if (pathname === '/') return void response.setHeader('Content-Type', 'text/html').end(PAGE);
  if (pathname === '/strophe.js') return script(readFileSync(STROPHE, 'utf8'));
  if (pathname === '/tab-page.js') return script(readFileSync(join(HERE, 'tab-page.js'), 'utf8'));
  const [, module] = /^\/client\/([a-z-]+)\.js$/.exec(pathname) ?? [];
  if (module !== undefined) return script(compile(join(CLIENT, `${module}.ts`)));
  if (!more(request, response)) response.writeHead(404).end();
}

function compile(path: string): string {
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
  return ts.transpileModule(readFileSync(path, 'utf8'), { fileName: path, compilerOptions }).outputText;
}
