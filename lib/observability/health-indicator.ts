import { Injectable } from '@nestjs/common';
import { XmppHealth, type XmppHealthDetails, type XmppHealthReport } from './health.js';

/**
 * What an indicator of `@nestjs/terminus` says, under its key.
 *
 * @publicApi
 */
export type XmppHealthResult<Key extends string, Status extends string> = Record<
  Key,
  XmppHealthDetails & Record<'status', Status>
>;

/**
 * {@link XmppHealth} for `@nestjs/terminus` 11 and 12, an optional peer: `up`, `degraded` when some of the domains have no
 * usable upstream or other nodes of a cluster cannot be reached, `down` when no domain has one or the process shuts down.
 * Version 11 has no `degraded`: there it is `up`, and the details tell the rest.
 *
 * @publicApi
 */
@Injectable()
export class XmppHealthIndicator {
  private knowsDegraded: Promise<boolean> | undefined;

  /** @internal Made by Nest. */
  constructor(private readonly health: XmppHealth) {}

  /**
   * To be called in `HealthCheckService.check()`. Never rejects.
   * @param key under which the result stands
   */
  async isHealthy<const Key extends string = 'xmpp', Status extends string = XmppHealthReport['status']>(
    key: Key = 'xmpp' as Key,
  ): Promise<XmppHealthResult<Key, Status>> {
    const { status, details } = await this.health.check();
    const told = status === 'degraded' && !(await (this.knowsDegraded ??= knowsDegraded())) ? 'up' : status;
    // Versions differ in what a status may be: the type is the one that the caller's version asks for.
    return { [key]: { status: told, ...details } } as XmppHealthResult<Key, Status>;
  }
}

/** Version 11 leaves out whatever is neither `up` nor `down`. */
async function knowsDegraded(): Promise<boolean> {
  const { HealthIndicatorService } = await import('@nestjs/terminus');
  return 'degraded' in new HealthIndicatorService().check('xmpp');
}
