/** `session`: a random token, which the server remembers; `user`: one that is signed. */
export type CookieName = 'session' | 'user';

/** The token of a request's cookie, whoever wrote it. */
export function readCookie(header: string | undefined, wanted: CookieName = 'session'): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const [name, value] = pair.split('=', 2).map((part) => part.trim());
    if (name === wanted && value) return value;
  }
  return undefined;
}

/**
 * Kept from scripts and from other sites.
 * @param maxAge seconds; 0 takes it away
 * @param secure never sent without TLS
 */
export function writeCookie(token: string, maxAge: number, secure: boolean, name: CookieName = 'session'): string {
  return `${name}=${token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAge}${secure ? '; Secure' : ''}`;
}
