// A spec of an app in TypeScript, against the published types of the testing kit. Compiled, never run.
import { EmbeddedUpstream, ManualClock } from 'nestjs-xmpp';
import { startXmppApp, type WebClient, type XmppTestApp } from 'nestjs-xmpp/testing';
import { ForRoot } from './consumer.js';

export async function spec(): Promise<string> {
  const xmpp: XmppTestApp = await startXmppApp({ imports: [ForRoot] });
  const { client, stream } = await xmpp.login('alice@example.org/tab', { transport: 'bosh' });
  stream.push(`<message xmlns='jabber:client'/>`);
  xmpp.clock.tick(1000);
  const next: string = await (client as WebClient).next();
  await xmpp.close();
  return next;
}

export async function withEmbedded(): Promise<void> {
  const clock = new ManualClock();
  const xmpp = await startXmppApp({ upstream: new EmbeddedUpstream({ domains: ['example.org'], clock }), clock });
  // @ts-expect-error the embedded server plays no script
  await xmpp.login();
  await xmpp.close();
}
