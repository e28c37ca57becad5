import { Controller, Get, Header, Res } from '@nestjs/common';
import { XmppMetrics } from 'nestjs-xmpp';
import type { Reply } from './reply.js';

/** What Prometheus scrapes. */
@Controller('metrics')
export class MetricsController {
  constructor(private readonly metrics: XmppMetrics) {}

  @Get()
  @Header('Cache-Control', 'no-store')
  async scrape(@Res() reply: Reply): Promise<void> {
    const text = await this.metrics.text();
    reply.status(200).header('Content-Type', this.metrics.contentType).send(text);
  }
}
