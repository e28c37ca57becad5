import { randomBytes } from 'node:crypto';
import { element, NS, Stanza } from '../xml/index.js';

/** As many errors wait for their carriers at most; whoever does not answer pings gets none. */
const MAX_WAITING = 256;

/**
 * Stream management counts stanzas at both ends (XEP-0198, section 4), so that here nothing can be left out and nothing
 * added: only replaced, one for one. What is left out is replaced by an answer that nobody asked for, which means
 * nothing. What is refused is replaced by a ping (XEP-0199), whose answer, which there has to be, makes way for the error.
 */
export class Carriers {
  private readonly waiting = { in: new Map<string, Stanza>(), out: new Map<string, Stanza>() };

  constructor(
    private readonly domain: string,
    private readonly jid: string,
  ) {}

  /** Takes the place of a stanza that is dropped. */
  nothing(direction: 'in' | 'out'): Stanza {
    return this.iq(direction, 'result', newId());
  }

  /**
   * Takes the place of a stanza that is refused.
   * @param direction of that stanza
   * @param error for its sender: it goes the other way
   */
  carry(direction: 'in' | 'out', error: Stanza): Stanza {
    const back = this.waiting[direction === 'in' ? 'out' : 'in'];
    if (back.size >= MAX_WAITING) back.delete(back.keys().next().value!);
    const id = newId();
    back.set(id, error);
    return this.iq(direction, 'get', id);
  }

  /** @returns what goes on in place of the answer to a ping of ours; undefined for any other stanza */
  replace(direction: 'in' | 'out', stanza: Stanza): Stanza | undefined {
    const waiting = this.waiting[direction];
    if (waiting.size === 0 || stanza.kind !== 'iq') return undefined;
    const id = stanza.attribute('id') ?? '';
    const error = waiting.get(id);
    if (!error || !/^(?:result|error)$/.test(stanza.attribute('type') ?? '')) return undefined;
    waiting.delete(id);
    return error;
  }

  private iq(direction: 'in' | 'out', type: 'get' | 'result', id: string): Stanza {
    const ends = direction === 'in' ? { to: this.domain } : { from: this.domain, to: this.jid };
    const ping = type === 'get' ? element('ping', { xmlns: 'urn:xmpp:ping' }) : undefined;
    return Stanza.of(element('iq', { xmlns: NS.client, type, id, ...ends }, ping));
  }
}

/** Nobody else's: an answer to it is the answer to ours. */
function newId(): string {
  return randomBytes(15).toString('base64url');
}
