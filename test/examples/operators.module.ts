import { createHash, timingSafeEqual } from 'node:crypto';
import { Injectable, Module, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { XmppAdminModule } from 'nestjs-xmpp';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Lets in who shows the token, in constant time. Yours may ask for a role of the user who is signed in. */
@Injectable()
export class OperatorGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: { authorization?: string } }>();
    const expected = process.env['ADMIN_TOKEN'];
    return expected !== undefined && timingSafeEqual(digest(headers.authorization ?? ''), digest(`Bearer ${expected}`));
  }
}

@Module({ imports: [XmppAdminModule.forRoot({ guard: OperatorGuard })] })
export class OperatorsModule {}
