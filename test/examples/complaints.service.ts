import { Injectable } from '@nestjs/common';
import { XmppTrace, type XmppTraceLine } from 'nestjs-xmpp';

/** A user complains: what passes in the next five minutes is kept for whoever looks into it. */
@Injectable()
export class Complaints {
  readonly lines: XmppTraceLine[] = [];

  constructor(private readonly trace: XmppTrace) {}

  lookAt(jid: string): void {
    this.trace.start(jid, (line) => this.lines.push(line), { seconds: 300 });
  }
}
