import './record-logs.js';
import type { INestApplication, Type } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { XmppModule, type XmppModuleOptions } from 'nestjs-xmpp';
import type { AddressInfo } from 'node:net';
import { adapterOf, type Platform } from './gateway.js';

export { PLATFORMS, type Platform } from './gateway.js';

export interface AppOptions {
  readonly platform?: Platform;
  /** For `XmppModule.forRoot()`; the domain is `localhost` and the upstream the embedded one unless given. */
  readonly options?: Partial<XmppModuleOptions>;
  /** Further modules of the host app. */
  readonly imports?: readonly Type[];
  /** Whether those modules see what ours exports without importing it. */
  readonly global?: boolean;
  /** Runs before the app listens, as a host's main.ts would: adapters, prefixes, pipes. */
  readonly configure?: (app: INestApplication) => void;
}

/** A Nest app in this process that serves XMPP on a free loopback port. */
export interface TestApp {
  readonly app: INestApplication;
  /** `http://127.0.0.1:PORT`, without a slash. */
  readonly url: string;
  readonly wsUrl: string;
  readonly boshUrl: string;
  close(): Promise<void>;
}

export async function startApp({ platform = 'express', options = {}, imports = [], global = false, configure }: AppOptions = {}): Promise<TestApp> {
  const xmpp: XmppModuleOptions = { domains: ['localhost'], ...options };

  @Module({ imports: [XmppModule.forRoot({ ...xmpp, isGlobal: global }), ...imports] })
  class HostModule {}

  const app = await NestFactory.create<INestApplication>(HostModule, adapterOf(platform), { logger: ['error'], abortOnError: false });
  configure?.(app);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return {
    app,
    url: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}${xmpp.websocket?.path ?? '/xmpp-websocket'}`,
    boshUrl: `http://127.0.0.1:${port}${xmpp.bosh?.path ?? '/http-bind'}`,
    close: async () => await app.close(),
  };
}
