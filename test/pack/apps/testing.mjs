// The testing kit without any test runner, in ESM.
import 'reflect-metadata';
import { startXmppApp } from 'nestjs-xmpp/testing';

const xmpp = await startXmppApp();
for (const transport of ['websocket', 'bosh']) {
  const { client, stream } = await xmpp.login('alice@example.org/tab', { transport });
  stream.push(`<message xmlns='jabber:client' id='${transport}'/>`);
  process.stdout.write(`${await client.next()}\n`);
}
await xmpp.close();
