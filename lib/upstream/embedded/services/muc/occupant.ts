import { element, NS, Stanza, type Element } from '../../../../xml/index.js';
import type { Jid } from '../../jid.js';
import { withChild } from '../../append.js';
import { XMLNS } from '../namespaces.js';

export type Affiliation = 'owner' | 'admin' | 'member' | 'none' | 'outcast';
export type Role = 'moderator' | 'participant' | 'visitor' | 'none';

const RANKS: readonly Affiliation[] = ['outcast', 'none', 'member', 'admin', 'owner'];

/** Whether an affiliation is that one or a higher one. */
export function atLeast(affiliation: Affiliation, least: Affiliation): boolean {
  return RANKS.indexOf(affiliation) >= RANKS.indexOf(least);
}

/** What a presence says beyond the occupant's own: why it changed. */
export interface Change {
  /** Status codes (XEP-0045, section 15.6.2). */
  readonly statuses?: readonly number[];
  /** The new nick, with 303. */
  readonly nick?: string;
  /** The nick of who did it. */
  readonly actor?: string;
  readonly reason?: string;
  /** One more child of `<x/>`. */
  readonly content?: Element;
}

/**
 * Somebody in a room: a nick, held by one account, with one or several of its resources
 * (they share the nick; XEP-0045, section 7.2.8, leaves that to the service).
 */
export class Occupant {
  role: Role = 'participant';
  affiliation: Affiliation = 'none';
  /** The last available presence of each resource, as sent, by full address; the latest one last. */
  readonly sessions = new Map<string, Stanza>();
  private current: Stanza | undefined;

  constructor(
    /** Normalised. */
    public nick: string,
    /** Bare address of the account. */
    readonly account: string,
  ) {}

  /** The presence that the others see: the latest one, also when it is out already. */
  get presence(): Stanza {
    return this.current!;
  }

  /** The real address that the others may see: of the resource whose presence it is. */
  get jid(): string {
    return this.presence.attribute('from')!;
  }

  show(full: string, presence: Stanza): void {
    this.sessions.delete(full);
    this.sessions.set(full, presence);
    this.current = presence;
  }

  hide(full: string): void {
    this.sessions.delete(full);
    this.current = [...this.sessions.values()].at(-1) ?? this.current;
  }

  get voiced(): boolean {
    return this.role === 'moderator' || this.role === 'participant';
  }
}

/**
 * The presence of an occupant as its room sends it, without `to`.
 * @param gone the presence it leaves with, or true; false for an available one
 * @param showJid whether the reader may see the real address
 */
export function occupantPresence(
  room: Jid,
  occupant: Occupant,
  gone: Stanza | boolean,
  showJid: boolean,
  { statuses = [], nick, actor, reason, content }: Change,
): Stanza {
  const source = gone === false ? occupant.presence : gone === true ? undefined : gone;
  const role = gone !== false && nick === undefined ? 'none' : occupant.role;
  const base =
    source?.mapChildren((child) => (child.is('x', XMLNS.muc) || child.is('x', XMLNS.mucUser) ? undefined : child)) ??
    Stanza.of(element('presence', { xmlns: NS.client }));
  return withChild(
    base.with({
      from: room.withResource(occupant.nick).toString(),
      to: undefined,
      id: undefined,
      type: gone === false ? undefined : 'unavailable',
    }),
    element(
      'x',
      { xmlns: XMLNS.mucUser },
      element(
        'item',
        { affiliation: occupant.affiliation, role, nick, jid: showJid ? occupant.jid : undefined },
        actor === undefined ? undefined : element('actor', { nick: actor }),
        reason === undefined ? undefined : element('reason', {}, reason),
      ),
      content,
      ...statuses.map((code) => element('status', { code })),
    ),
  );
}
