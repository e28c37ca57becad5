/** The administration said no: `status` is that of HTTP, 0 where nobody answered. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** What the page asks of the gateway. The token goes into a header: no other site can make a browser send it. */
export class Api {
  /** @param {string} token */
  constructor(token) {
    this.token = token;
  }

  /**
   * @param {string} path
   * @param {Record<string, string | number>} [query] empty ones are left out
   */
  async get(path, query = {}) {
    const asked = new URLSearchParams(Object.entries(query).flatMap(([name, value]) => (value === '' ? [] : [[name, String(value)]])));
    return await this.#ask('GET', asked.size > 0 ? `${path}?${asked}` : path);
  }

  /**
   * @param {string} path
   * @param {object} body
   */
  async post(path, body) {
    return await this.#ask('POST', path, body);
  }

  /** @param {string} path */
  async delete(path) {
    return await this.#ask('DELETE', path);
  }

  async #ask(method, path, body) {
    let response;
    try {
      response = await fetch(`/admin/api${path}`, {
        method,
        headers: { Authorization: `Bearer ${this.token}`, ...(body && { 'Content-Type': 'application/json' }) },
        ...(body && { body: JSON.stringify(body) }),
        cache: 'no-store',
        signal: AbortSignal.timeout(10_000),
      });
    } catch {
      throw new ApiError(0, 'the gateway does not answer');
    }
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new ApiError(response.status, answer.message ?? `HTTP ${response.status}`);
    return answer;
  }
}
