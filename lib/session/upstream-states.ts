import type { XmppEvents } from './events.js';

/** Which upstreams could be reached when a stream was last opened, and tells when that changes. */
export class UpstreamStates {
  /** By domain and upstream: whether the last stream could be opened. */
  private readonly states = new Map<string, boolean>();

  constructor(private readonly events: XmppEvents) {}

  up(domain: string, upstream: string): void {
    if (this.changes(domain, upstream, true)) this.events.emit('upstream.up', { domain, upstream });
  }

  /** @param message for the log, without secrets */
  down(domain: string, upstream: string, message: string): void {
    if (this.changes(domain, upstream, false)) this.events.emit('upstream.down', { domain, upstream, message });
  }

  private changes(domain: string, upstream: string, state: boolean): boolean {
    const key = `${domain} ${upstream}`;
    if (this.states.get(key) === state) return false;
    if (this.states.size >= MAX_STATES) this.states.clear(); // told once more
    this.states.set(key, state);
    return true;
  }
}

/** An app may choose an upstream for each of its customers. */
const MAX_STATES = 10_000;
