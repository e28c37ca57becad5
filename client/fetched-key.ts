import type { SharedKey, SharedKeySource } from './key-source.js';

/**
 * Gets the key from the web server that logged the user in: one made by `XmppSharedKeyService`, so that neither a
 * password nor a key is ever in a page. The answer is JSON: `{ "key": … }` or `{ "ticket": … }`, and `"jid"`; or it
 * has the status 204, 401, 403 or 404 when there is none for this user.
 */
export class FetchedKey implements SharedKeySource {
  /**
   * @param url of the same origin, or one that allows credentials
   * @param request further options of `fetch()`; cookies are sent, and nothing is ever cached
   */
  constructor(
    private readonly url: string | URL,
    private readonly request: RequestInit = {},
  ) {}

  /** @throws Error when the endpoint fails or answers something else */
  async acquire(): Promise<SharedKey | undefined> {
    const response = await fetch(this.url, { credentials: 'same-origin', ...this.request, cache: 'no-store' });
    if ([204, 401, 403, 404].includes(response.status)) return undefined;
    if (!response.ok) throw new Error(`the key endpoint answered with ${response.status}`);
    const answer = (await response.json()) as Partial<Record<'key' | 'ticket' | 'jid', unknown>> | null;
    const key = answer?.key ?? answer?.ticket;
    if (typeof key !== 'string' || key === '') throw new Error('the key endpoint answered without a key');
    return typeof answer?.jid === 'string' ? { key, jid: answer.jid } : { key };
  }
}
