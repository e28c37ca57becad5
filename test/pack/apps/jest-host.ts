// A spec of an app whose jest compiles to CommonJS.
import { Injectable, Module } from '@nestjs/common';
import { XmppEvents, XmppModule } from 'nestjs-xmpp';
import { startXmppApp } from 'nestjs-xmpp/testing';

@Injectable()
class Board {
  readonly online: (string | undefined)[] = [];
  constructor(events: XmppEvents) {
    events.on('session.bound', ({ session }) => this.online.push(session.jid));
  }
}

@Module({ imports: [XmppModule.forRoot({ domains: ['example.org'] })], providers: [Board] })
class AppModule {}

it('runs', async () => {
  expect(typeof require).toBe('function');
  const xmpp = await startXmppApp({ imports: [AppModule] });
  await xmpp.login('alice@example.org/tab', { transport: 'bosh' });
  expect(xmpp.app.get(Board).online).toEqual(['alice@example.org/tab']);
  await xmpp.close();
});
