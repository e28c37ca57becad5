// The testing kit without any test runner, in CommonJS.
require('reflect-metadata');
const { startXmppApp } = require('nestjs-xmpp/testing');

async function main() {
  const xmpp = await startXmppApp();
  for (const transport of ['websocket', 'bosh']) {
    const { client, stream } = await xmpp.login('alice@example.org/tab', { transport });
    stream.push(`<message xmlns='jabber:client' id='${transport}'/>`);
    process.stdout.write(`${await client.next()}\n`);
  }
  await xmpp.close();
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
