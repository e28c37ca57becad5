import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication, LoggerService, LogLevel, ModuleMetadata } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { Clock, ManualClock } from '../clock.js';
import type { XmppUpstream } from '../upstream/upstream.js';
import { XMPP_MODULE_OPTIONS } from '../xmpp.module-definition.js';
import { XmppModule } from '../xmpp.module.js';
import { resolveOptions, XMPP_OPTIONS, type ResolvedOptions, type XmppModuleOptions } from '../xmpp.options.js';
import { ScriptedUpstream, type ScriptedStream } from './scripted-upstream.js';
import { openStream, type Endpoints, type StreamAttributes, type WebClient, type WebTransport } from './web-client.js';

/** What takes the place of the app's own. */
export interface XmppOverrides<U extends XmppUpstream = ScriptedUpstream> {
  /** Instead of the XMPP server that the app's options name. Default: a new {@link ScriptedUpstream}. */
  readonly upstream?: U | undefined;
  /** Instead of the system's time, for every timeout of the module. Default: a new one, which stands still. */
  readonly clock?: ManualClock | undefined;
  /** Over the app's own options for `XmppModule`, option by option. An `upstream` among them, such as a URL, is dialled. */
  readonly options?: Partial<XmppModuleOptions> | undefined;
}

/** For {@link startXmppApp}. */
export interface XmppAppOptions<U extends XmppUpstream = ScriptedUpstream> extends XmppOverrides<U> {
  /** Modules of the app under test, {@link XmppModule} among or inside them. Default: that alone, for `example.org`. */
  readonly imports?: ModuleMetadata['imports'];
  /** Beside those of {@link imports}. */
  readonly controllers?: ModuleMetadata['controllers'];
  /** Beside those of {@link imports}. */
  readonly providers?: ModuleMetadata['providers'];
  /** `new FastifyAdapter()`, for instance. Default: what Nest takes, which is Express. */
  readonly adapter?: AbstractHttpAdapter | undefined;
  /** Overrides of the app's own providers. */
  readonly override?: ((builder: TestingModuleBuilder) => unknown) | undefined;
  /** What the app's `main.ts` does before it listens: adapters, prefixes, pipes. */
  readonly configure?: ((app: INestApplication) => unknown) | undefined;
  /** Default: errors and warnings. */
  readonly logger?: LoggerService | LogLevel[] | false | undefined;
}

/** For {@link XmppTestApp.login}: over which transport, and more attributes for the stream header. */
export interface LoginOptions {
  /** Default: `websocket`. */
  readonly transport?: WebTransport;
  /** Beside `to`, which is the domain of the JID. */
  readonly attributes?: StreamAttributes;
}

/** Milliseconds of real time between two looks at an app that closes, and those that its clock goes on by: nobody likes to wait. */
const CLOSING_LOOK = 10;
const CLOSING_STEP = 100;

/** A Nest app with the module on a free loopback port, its time and its XMPP server in the hands of the test. */
export class XmppTestApp<U extends XmppUpstream = ScriptedUpstream> implements Endpoints {
  /** `http://127.0.0.1:PORT`, without a slash. */
  readonly url: string;
  /** `ws://127.0.0.1:PORT` and the app's `websocket.path`. */
  readonly wsUrl: string;
  /** {@link url} and the app's `bosh.path`. */
  readonly boshUrl: string;
  /** Free when the app began to listen; another one each time. */
  readonly port: number;
  private readonly clients = new Set<WebClient>();

  /** Of an app that listens. */
  constructor(
    /** The Nest app, for `get(…)`; {@link close} closes it. */
    readonly app: INestApplication,
    /** Stands where the XMPP server would: {@link ScriptedUpstream.streams} has what the gateway opened. */
    readonly upstream: U,
    /** Stands still until the test moves it: `clock.tick(milliseconds)`. */
    readonly clock: ManualClock,
  ) {
    const { websocket, bosh } = app.get<ResolvedOptions>(XMPP_OPTIONS, { strict: false });
    this.port = ((app.getHttpServer() as Server).address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.port}`;
    this.wsUrl = `ws://127.0.0.1:${this.port}${websocket.path}`;
    this.boshUrl = this.url + bosh.path;
  }

  /** A web client that opened a stream, as {@link openStream} has it; cut when the app closes. */
  async connect(transport: WebTransport = 'websocket', attributes: StreamAttributes = {}): Promise<WebClient> {
    const client = await openStream(transport, this, attributes);
    this.clients.add(client);
    return client;
  }

  /**
   * A web client whose session is authenticated and bound, and the server's side of its stream; what was said on the
   * way is taken. For the scripted upstream.
   *
   * @param jid full JID that the server binds
   */
  async login(
    this: XmppTestApp<ScriptedUpstream>,
    jid = 'alice@example.org/tab',
    { transport = 'websocket', attributes = {} }: LoginOptions = {},
  ): Promise<{
    /** The web's side. */
    client: WebClient;
    /** The server's side. */
    stream: ScriptedStream;
  }> {
    const [, domain] = /^(?:[^@/]+@)?([^/]+)/.exec(jid) as unknown as [string, string];
    const [client, stream] = await Promise.all([
      this.connect(transport, { to: domain, ...attributes }),
      this.upstream.streams.take(({ request }) => request.domain === domain),
    ]);
    await client.next((element) => element.startsWith('<stream:features'));
    stream.bound(jid);
    await client.next((element) => element.startsWith('<success'));
    await client.next((element) => element.startsWith('<iq') && element.includes(`<jid>${jid}</jid>`));
    return { client, stream };
  }

  /** Closes the app as a process that ends would: clients are told. Time goes on meanwhile, also on the manual clock. */
  async close(): Promise<void> {
    const time = setInterval(() => this.clock.tick(CLOSING_STEP), CLOSING_LOOK);
    try {
      await this.app.close();
    } finally {
      clearInterval(time);
      for (const client of this.clients) client.cut();
      this.clients.clear();
    }
  }
}

/**
 * Overrides the module's upstream, clock and options, for a test that makes its Nest app by itself.
 *
 * @returns what stands there now
 */
export function overrideXmpp<U extends XmppUpstream = ScriptedUpstream>(
  builder: TestingModuleBuilder,
  { upstream = new ScriptedUpstream() as unknown as U, clock = new ManualClock(), options = {} }: XmppOverrides<U> = {},
): {
  /** What the test speaks through for the XMPP server. */
  readonly upstream: U;
  /** Moved by `tick(milliseconds)`. */
  readonly clock: ManualClock;
} {
  builder.overrideProvider(Clock).useValue(clock);
  builder.overrideProvider(XMPP_OPTIONS).useFactory({
    factory: (own: XmppModuleOptions) => resolveOptions(merge({ ...own, upstream }, options)),
    inject: [XMPP_MODULE_OPTIONS],
  });
  return { upstream, clock };
}

/**
 * Starts a Nest app that has the module, on a free port of 127.0.0.1, with an upstream and a clock that the test owns.
 *
 * @throws whatever keeps the app from starting
 */
export async function startXmppApp<U extends XmppUpstream = ScriptedUpstream>(
  options: XmppAppOptions<U> = {},
): Promise<XmppTestApp<U>> {
  const { imports = [XmppModule.forRoot({ domains: ['example.org'] })], controllers = [], providers = [], adapter } = options;
  const builder = Test.createTestingModule({ imports, controllers, providers });
  const { upstream, clock } = overrideXmpp(builder, options);
  options.override?.(builder);
  const testing = await builder.compile();
  const settings = { logger: options.logger ?? (['error', 'warn'] satisfies LogLevel[]) };
  const app = adapter ? testing.createNestApplication(adapter, settings) : testing.createNestApplication(settings);
  try {
    await options.configure?.(app);
    await app.listen(0, '127.0.0.1');
    return new XmppTestApp<U>(app, upstream, clock);
  } catch (error) {
    await app.close().catch(() => {}); // the test is to see what was wrong, not what followed from it
    throw error;
  }
}

/** Option by option: those of a group that are not given stay the app's. */
function merge(own: XmppModuleOptions, over: Partial<XmppModuleOptions>): XmppModuleOptions {
  const merged: Record<string, unknown> = { ...own };
  for (const [name, theirs] of Object.entries(over)) {
    const ours = merged[name];
    merged[name] = isGroup(ours) && isGroup(theirs) ? { ...ours, ...theirs } : theirs;
  }
  return merged as unknown as XmppModuleOptions;
}

function isGroup(thing: unknown): thing is object {
  return typeof thing === 'object' && thing !== null && Object.getPrototypeOf(thing) === Object.prototype;
}
