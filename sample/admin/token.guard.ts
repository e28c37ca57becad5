import { createHash, timingSafeEqual } from 'node:crypto';
import { UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';

/** Lets those in who show the token, `Authorization: Bearer …`. How long a comparison takes says nothing of the token. */
export class TokenGuard implements CanActivate {
  private readonly digest: Buffer;

  constructor(token: string) {
    this.digest = digestOf(token);
  }

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: { authorization?: string } }>();
    const [, shown] = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(headers.authorization ?? '') ?? [];
    if (shown === undefined || !timingSafeEqual(digestOf(shown), this.digest)) throw new UnauthorizedException('wrong token');
    return true;
  }
}

/** Of one length, whatever was shown. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
