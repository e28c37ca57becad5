import { Module, type DynamicModule } from '@nestjs/common';
import { XmppAdminModule } from 'nestjs-xmpp';
import { AdminPageController } from './admin-page.controller.js';
import { TokenGuard } from './token.guard.js';

/** The administration of the sessions, and a page for it: `/admin`. */
@Module({ controllers: [AdminPageController] })
export class AdminModule {
  static register(token: string): DynamicModule {
    return { module: AdminModule, imports: [XmppAdminModule.forRoot({ guard: new TokenGuard(token), path: 'admin/api' })] };
  }
}
