import { ConnectRefused, XmppGuard, type ConnectContext, type ConnectRoute, type XmppConnectGuard } from 'nestjs-xmpp';

/** Where the app keeps its customers. */
export abstract class Tenants {
  abstract findByHost(host: string): Promise<{ readonly domain: string; readonly server: string; readonly paid: boolean } | undefined>;
}

@XmppGuard()
export class TenantGuard implements XmppConnectGuard {
  constructor(private readonly tenants: Tenants) {}

  async canConnect({ request }: ConnectContext): Promise<boolean | ConnectRoute> {
    const tenant = await this.tenants.findByHost(request.headers.host ?? '');
    if (!tenant) return false;
    if (!tenant.paid) throw new ConnectRefused('policy-violation', 'This chat is closed');
    return { domain: tenant.domain, upstream: tenant.server };
  }
}
