import { Module, type DynamicModule } from '@nestjs/common';
import { EmbeddedUpstream, XmppModule, type XmppModuleOptions } from 'nestjs-xmpp';
import { AdminModule } from './admin/admin.module.js';
import type { SampleConfig } from './config.js';
import { HealthController } from './health.controller.js';
import { LoginModule } from './login/login.module.js';
import { MetricsController } from './metrics.controller.js';
import { PageModule } from './page/page.module.js';

@Module({})
export class AppModule {
  /** @throws XmppOptionsError when `XMPP_OPTIONS` holds what is no option, or a value out of range. */
  static register(config: SampleConfig): DynamicModule {
    const { domains } = config.options;
    const embedded = config.upstream === 'embedded';
    const upstream = embedded ? new EmbeddedUpstream({ domains, users: config.users }) : config.upstream;
    // Whatever XMPP_OPTIONS holds is looked at by forRoot(), option by option.
    const options: XmppModuleOptions = { ...(config.options as unknown as XmppModuleOptions), upstream };
    return {
      module: AppModule,
      imports: [
        XmppModule.forRoot({ ...options, isGlobal: true }),
        PageModule.register(config),
        ...(config.adminToken === undefined ? [] : [AdminModule.register(config.adminToken)]),
        // The passwords are known here only where the accounts are ours.
        ...(embedded ? [LoginModule.register(config)] : []),
      ],
      controllers: [HealthController, MetricsController],
    };
  }
}
