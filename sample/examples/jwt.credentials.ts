import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import type { ConnectContext, XmppCredentials, XmppLogin } from 'nestjs-xmpp';

/** Where the app keeps with what its users log in at the XMPP server: passwords that nobody types. */
export abstract class Accounts {
  abstract secretOf(user: string): Promise<string | undefined>;
}

@Injectable()
export class JwtCredentials implements XmppCredentials {
  constructor(
    private readonly jwt: JwtService,
    private readonly accounts: Accounts,
  ) {}

  /** Whose request is it? */
  async userOf({ request }: ConnectContext): Promise<string | undefined> {
    const token = /(?:^|;\s*)user=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
    if (!token) return undefined;
    const { sub } = await this.jwt.verifyAsync<{ sub?: string }>(token).catch(() => ({ sub: undefined }));
    return sub;
  }

  /** With what is the user logged in at the XMPP server? */
  async login(user: unknown): Promise<XmppLogin | undefined> {
    const password = await this.accounts.secretOf(user as string);
    return password === undefined ? undefined : { username: user as string, password };
  }
}
