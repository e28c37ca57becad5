import type { Stanza } from '../../xml/index.js';
import { delayed } from './delay.js';

const CHAT_STATES = 'http://jabber.org/protocol/chatstates';

export interface OfflineLimits {
  /** Messages of one account. */
  readonly maxMessages: number;
  /** Bytes of one account's messages. */
  readonly maxBytes: number;
}

/** The messages that wait for an account to come online (XEP-0160). */
export class OfflineMessages {
  private messages: Stanza[] = [];
  private bytes = 0;

  constructor(
    private readonly domain: string,
    private readonly limits: OfflineLimits,
  ) {}

  /**
   * @param time when it came, milliseconds since the epoch
   * @returns false when there is no room for it
   */
  store(stanza: Stanza, time: number): boolean {
    // XEP-0160, section 3: a mere chat state means nothing later on.
    if (onlyChatStates(stanza)) return true;
    const message = delayed(stanza, this.domain, time);
    const { maxMessages, maxBytes } = this.limits;
    if (this.messages.length >= maxMessages || this.bytes + message.byteLength > maxBytes) return false;
    this.messages.push(message);
    this.bytes += message.byteLength;
    return true;
  }

  /** What waits, oldest first; nothing does from then on. */
  take(): Stanza[] {
    const { messages } = this;
    this.messages = [];
    this.bytes = 0;
    return messages;
  }
}

function onlyChatStates(stanza: Stanza): boolean {
  if (!stanza.bytes.includes(CHAT_STATES)) return false;
  return stanza.children().every((child) => child.namespace === CHAT_STATES || child.name === 'thread');
}
