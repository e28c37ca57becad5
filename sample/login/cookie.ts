const NAME = 'session';

/** The token of a request's cookie, whoever wrote it. */
export function readCookie(header: string | undefined): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const [name, value] = pair.split('=', 2).map((part) => part.trim());
    if (name === NAME && value) return value;
  }
  return undefined;
}

/**
 * Kept from scripts and from other sites.
 * @param maxAge seconds; 0 takes it away
 * @param secure never sent without TLS
 */
export function writeCookie(token: string, maxAge: number, secure: boolean): string {
  return `${NAME}=${token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAge}${secure ? '; Secure' : ''}`;
}
