import { Injectable, type OnModuleInit } from '@nestjs/common';
import { XmppMetrics } from 'nestjs-xmpp';
import { register } from 'prom-client';

/** The app has metrics of its own, and serves them already. */
@Injectable()
export class OwnRegistry implements OnModuleInit {
  constructor(private readonly metrics: XmppMetrics) {}

  async onModuleInit(): Promise<void> {
    await this.metrics.registerIn(register);
  }
}
