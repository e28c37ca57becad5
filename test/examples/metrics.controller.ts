import { Controller, Get, Header } from '@nestjs/common';
import { XmppMetrics } from 'nestjs-xmpp';

@Controller('metrics')
export class MetricsController {
  constructor(private readonly metrics: XmppMetrics) {}

  @Get()
  @Header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
  async scrape(): Promise<string> {
    return await this.metrics.text();
  }
}
