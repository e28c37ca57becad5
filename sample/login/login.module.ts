import { randomBytes } from 'node:crypto';
import { Module, type DynamicModule } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { XMPP_CREDENTIALS, XMPP_SHARED_GUARD } from 'nestjs-xmpp';
import type { SampleConfig } from '../config.js';
import { SAMPLE_CONFIG } from '../page/page.constants.js';
import { JwtUsers } from './jwt-users.js';
import { LoginController } from './login.controller.js';
import { WebSessions } from './web-sessions.js';

/** The web app's own login. Global, so that XMPP finds what it has to say about users. */
@Module({ controllers: [LoginController] })
export class LoginModule {
  static register(config: SampleConfig): DynamicModule {
    return {
      module: LoginModule,
      global: true,
      // A secret of this process: its users log in again when it was restarted.
      imports: [JwtModule.register({ secret: randomBytes(32), signOptions: { algorithm: 'HS256' }, verifyOptions: { algorithms: ['HS256'] } })],
      providers: [
        { provide: SAMPLE_CONFIG, useValue: config },
        JwtUsers,
        WebSessions,
        { provide: XMPP_CREDENTIALS, useExisting: WebSessions },
        { provide: XMPP_SHARED_GUARD, useExisting: WebSessions },
      ],
      exports: [XMPP_CREDENTIALS, XMPP_SHARED_GUARD],
    };
  }
}
