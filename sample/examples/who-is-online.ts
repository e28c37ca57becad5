import { Injectable, Logger } from '@nestjs/common';
import { OnXmpp, type XmppEventMap } from 'nestjs-xmpp';

@Injectable()
export class WhoIsOnline {
  private readonly logger = new Logger(WhoIsOnline.name);
  private readonly online = new Map<string, number>();

  @OnXmpp('session.bound')
  @OnXmpp('session.resumed')
  enter({ session: { jid = '' } }: XmppEventMap['session.bound']): void {
    const [user = ''] = jid.split('/', 1);
    this.online.set(user, (this.online.get(user) ?? 0) + 1);
  }

  @OnXmpp('session.closed')
  async leave({ session: { jid }, end: { reason } }: XmppEventMap['session.closed']): Promise<void> {
    if (jid === undefined) return;
    const [user = ''] = jid.split('/', 1);
    const left = (this.online.get(user) ?? 0) - 1;
    if (left > 0) this.online.set(user, left);
    else if (this.online.delete(user)) this.logger.log(`${user} is gone: ${reason}`);
  }

  list(): string[] {
    return [...this.online.keys()];
  }
}
