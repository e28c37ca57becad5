import './record-logs.js';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { XmppModuleOptions } from 'nestjs-xmpp';
import { ScriptedUpstream, startXmppApp, type XmppTestApp } from 'nestjs-xmpp/testing';

export const PLATFORMS = ['express', 'fastify'] as const;
export type Platform = (typeof PLATFORMS)[number];
export type Gateway = XmppTestApp;

export function adapterOf(platform: Platform): AbstractHttpAdapter {
  return platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
}

/** An app with the module on a free port, its time and its XMPP server in the hands of the test. */
export function startGateway(
  platform: Platform = 'express',
  options: Partial<XmppModuleOptions> = {},
  upstream = new ScriptedUpstream(),
): Promise<Gateway> {
  return startXmppApp({ adapter: adapterOf(platform), upstream, options: { domains: ['example.org', 'example.net'], ...options } });
}
