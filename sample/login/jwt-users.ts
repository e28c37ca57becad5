import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';

/** Seconds. */
export const JWT_TTL = 3600;

/** Users as a signed token has them, which no server needs to remember: for a cookie. */
@Injectable()
export class JwtUsers {
  constructor(private readonly jwt: JwtService) {}

  async issue(user: string): Promise<string> {
    return await this.jwt.signAsync({ sub: user }, { expiresIn: JWT_TTL });
  }

  /** @returns the user's name; undefined for a token that is none of ours, or too old */
  async verify(token: string | undefined): Promise<string | undefined> {
    if (token === undefined) return undefined;
    try {
      const { sub } = await this.jwt.verifyAsync<{ sub?: string }>(token);
      return sub;
    } catch {
      return undefined;
    }
  }
}
