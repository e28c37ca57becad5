// An empty CommonJS app: the ESM-only package comes in through require().
require('reflect-metadata');
const { Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { XmppModule } = require('nestjs-xmpp');

class AppModule {}
Module({ imports: [XmppModule.forRoot({ domains: ['localhost'] })] })(AppModule);

async function main() {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  app.enableShutdownHooks(['SIGTERM']);
  await app.listen(0, '127.0.0.1');
  process.stdout.write(`listening on http://127.0.0.1:${app.getHttpServer().address().port}\n`);
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
