import 'reflect-metadata';
import { Logger, type INestApplication } from '@nestjs/common';
import { NestFactory, type AbstractHttpAdapter } from '@nestjs/core';
import { isIPv6, type AddressInfo } from 'node:net';
import { AppModule } from './app.module.js';
import { readConfig, type SampleConfig } from './config.js';

/** Longer than proxies keep an idle connection (mostly 60 s), so that none sends a request into one that we just closed. Milliseconds. */
const KEEP_ALIVE_TIMEOUT = 75_000;
/** The process ends within 5 s of SIGTERM, whatever still hangs. Milliseconds. */
const SHUTDOWN_DEADLINE = 4_500;

try {
  const config = readConfig(process.env);
  const app = await NestFactory.create<INestApplication>(AppModule.register(config), await httpAdapter(config), {
    logger: ['error', 'warn'],
    abortOnError: false,
    // What goes wrong while starting is told once, below, and not by Nest with its stack as well.
    bufferLogs: true,
    autoFlushLogs: false,
    forceCloseConnections: true,
  });
  app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => setTimeout(() => process.exit(1), SHUTDOWN_DEADLINE).unref());
  }
  app.getHttpServer().keepAliveTimeout = KEEP_ALIVE_TIMEOUT;
  await app.listen(config.port, config.host);
  Logger.flush();
  const { port } = app.getHttpServer().address() as AddressInfo;
  console.log(`listening on http://${isIPv6(config.host) ? `[${config.host}]` : config.host}:${port}`);
} catch (error) {
  console.error(`cannot start: ${oneLine(error)}`);
  process.exit(1);
}

/** Only the chosen platform is loaded. */
async function httpAdapter({ platform }: SampleConfig): Promise<AbstractHttpAdapter> {
  if (platform === 'fastify') {
    const { FastifyAdapter } = await import('@nestjs/platform-fastify');
    return new FastifyAdapter();
  }
  const { ExpressAdapter } = await import('@nestjs/platform-express');
  const adapter = new ExpressAdapter();
  adapter.disable('x-powered-by');
  return adapter;
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\s*\n\s*/g, ' ').trim();
}
