// An empty ESM app, without a build step: decorators are called by hand.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { XmppModule } from 'nestjs-xmpp';

class AppModule {}
Module({ imports: [XmppModule.forRoot({ domains: ['localhost'] })] })(AppModule);

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
app.enableShutdownHooks(['SIGTERM'], { useProcessExit: true });
await app.listen(0, '127.0.0.1');
process.stdout.write(`listening on http://127.0.0.1:${app.getHttpServer().address().port}\n`);
