import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { Clock, ManualClock, XmppModule, type XmppModuleOptions } from 'nestjs-xmpp';
import { ScriptedUpstream } from './scripted-upstream.js';

export const PLATFORMS = ['express', 'fastify'] as const;
export type Platform = (typeof PLATFORMS)[number];

export interface Gateway {
  readonly app: INestApplication;
  readonly upstream: ScriptedUpstream;
  /** Stands still until a test moves it. */
  readonly clock: ManualClock;
  readonly port: number;
  readonly url: string;
  readonly wsUrl: string;
  readonly boshUrl: string;
  close(): Promise<void>;
}

/** An app with the module on a free port, its time and its XMPP server in the hands of the test. */
export async function startGateway(
  platform: Platform = 'express',
  options: Partial<XmppModuleOptions> = {},
  upstream = new ScriptedUpstream(),
): Promise<Gateway> {
  const clock = new ManualClock();
  const testing = await Test.createTestingModule({
    imports: [XmppModule.forRoot({ domains: ['example.org', 'example.net'], upstream, ...options })],
  })
    .overrideProvider(Clock)
    .useValue(clock)
    .compile();
  const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  const app = testing.createNestApplication(adapter, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    app,
    upstream,
    clock,
    port,
    url,
    wsUrl: `ws://127.0.0.1:${port}/xmpp-websocket`,
    boshUrl: `${url}/http-bind`,
    close: () => app.close(),
  };
}
