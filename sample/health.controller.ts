import { Controller, Get, Header, HttpStatus, Res } from '@nestjs/common';
import { XmppHealth } from 'nestjs-xmpp';
import type { Reply } from './reply.js';

/** For load balancers and orchestrators: 200 while the gateway and its upstream are usable, 503 otherwise. */
@Controller('health')
export class HealthController {
  constructor(private readonly health: XmppHealth) {}

  @Get()
  @Header('Cache-Control', 'no-store')
  async check(@Res() reply: Reply): Promise<void> {
    const result = await this.health.check();
    reply
      .status(result.status === 'down' ? HttpStatus.SERVICE_UNAVAILABLE : HttpStatus.OK)
      .header('Content-Type', 'application/json; charset=utf-8')
      .send(JSON.stringify(result));
  }
}
