import { Injectable, Module } from '@nestjs/common';
import { Stanza, XmppEvents, XmppModule, XmppSessionService } from 'nestjs-xmpp';
import { startXmppApp, TRANSPORTS, type XmppTestApp } from 'nestjs-xmpp/testing';

/** Of the app: greets whoever comes online. */
@Injectable()
class Greeter {
  constructor(events: XmppEvents, sessions: XmppSessionService) {
    events.on('session.bound', ({ session }) => {
      void sessions.send(session.id, Stanza.parse(`<message xmlns='jabber:client' to='${session.jid}'><body>Welcome</body></message>`));
    });
  }
}

@Module({
  imports: [XmppModule.forRoot({ domains: ['example.org'], upstream: 'xmpp://xmpp.internal:5222' })],
  providers: [Greeter],
})
class AppModule {}

describe.each(TRANSPORTS)('the app, to a client over %s', (transport) => {
  let xmpp: XmppTestApp;
  beforeEach(async () => {
    xmpp = await startXmppApp({ imports: [AppModule] });
  });
  afterEach(() => xmpp.close());

  it('greets whoever comes online', async () => {
    const { client } = await xmpp.login('alice@example.org/tab', { transport });
    expect(await client.next()).toContain('<body>Welcome</body>');
  });

  it('passes what the client says to the server, and what the server says to the client', async () => {
    const { client, stream } = await xmpp.login('alice@example.org/tab', { transport });
    client.send(`<presence xmlns='jabber:client'/>`);
    expect(await stream.seen.take()).toBe(`<presence xmlns='jabber:client'/>`);
    stream.push(`<message xmlns='jabber:client' from='bob@example.org'><body>Hi</body></message>`);
    expect(await client.next((element) => element.includes('bob@example.org'))).toContain('<body>Hi</body>');
  });

  it('ends a session that has not logged in within a minute', async () => {
    await xmpp.connect(transport);
    const stream = await xmpp.upstream.streams.take();
    xmpp.clock.tick(60_000);
    expect(await stream.seen.take()).toBe('close');
  });
});
